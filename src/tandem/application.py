"""A call of tandem, from the words to the exit status; Hydra composes what they mean."""

import gc
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from secrets import token_hex
from types import FrameType

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from tandem.beside import ask
from tandem.config import (
    UNREAD,
    Configuration,
    compose,
    configuration,
    flags_first,
    in_our_words,
    refuse_unread,
    search_path,
    words,
)
from tandem.errors import MachineError, TandemError, Terminated, TrackingError
from tandem.machine import end_in_time, handed_over, scratch_folder
from tandem.manual import configuration_folder
from tandem.redaction import shown
from tandem.settings import Command, Settings


def call() -> int:
    """Run the command line, `sys.argv`; the exit status, as the README lists it."""
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup has it
        signal.signal(signal.SIGHUP, _terminate)
    end_in_time()
    with suppress(MachineError):  # said where the cache is needed
        os.environ.setdefault("SPARK_LOCAL_DIRS", str(scratch_folder()))  # gone at the end
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come to us, not to the screen over many lines
    debug = "debug=true" in sys.argv
    try:
        sys.argv += handed_over()
        given = words(sys.argv[1:])
        sys.argv[1:] = flags_first(given)
        with _adopting():
            status = _run_hydra() if _needs_main(given) else _job(partial(compose, *given))
    except UNREAD as error:
        told = in_our_words(error, sys.argv[1:])
        status = _report(error, told, debug=debug)
    except TandemError as error:
        status = _report(error, error, debug=debug)
    except Terminated as error:
        status = error.status
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    gc.freeze()  # or the collector goes through all that was imported, at the end
    return status


def _adopting() -> AbstractContextManager[None]:
    """Around all that is done: what `mlflow run` has made ends as this process does."""
    warn = warnings.formatwarning
    warnings.formatwarning = lambda *words, **more: shown(warn(*words, **more))
    if "MLFLOW_RUN_ID" not in os.environ:
        return nullcontext()
    from tandem.tracking import adopted  # noqa: PLC0415 - slow

    return adopted()


def _needs_main(given: Sequence[str]) -> bool:
    """Whether words ask for more of Hydra than a configuration: its main composes it twice."""
    return any(word.startswith("-") or "hydra" in word for word in given)


def _run_hydra() -> int:
    _collect()
    statuses: list[int] = []
    if not any(word.startswith("hydra.searchpath=") for word in sys.argv):
        sys.argv.append(search_path())
    OmegaConf.register_new_resolver("unique", partial(token_hex, 4), use_cache=True, replace=True)

    @hydra.main(version_base="1.3", config_path=str(configuration_folder()), config_name="config")
    def job(config: DictConfig) -> int:
        # As typed: what the environment holds is for each process to look up.
        typed = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)
        assert isinstance(typed, list)  # noqa: S101 - for the type checker
        statuses.append(_job(partial(configuration, config, [*map(str, typed)])))
        return statuses[-1]

    job()
    return max(statuses, default=0)


def _job(make: Callable[[], Configuration]) -> int:
    """One job; its exit status."""
    debug = "debug=true" in sys.argv
    try:
        whole = make()
        debug = whole.settings.debug
        refuse_unread(whole)
        _do(whole)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the edge: what is left is our bug
        told = error if isinstance(error, TandemError) else _lacking(error)
        return _report(error, told, debug=debug)
    return 0


def _do(whole: Configuration) -> None:
    chosen = whole.settings
    others = {Command.ADVISE: _advise, Command.INSPECT: _inspect, Command.SEND: _send}
    others[Command.SERVER] = _serve
    if other := others.get(chosen.command):
        other(chosen)
        return
    run_id = _compare(whole) if chosen.command == Command.COMPARE else _run(whole)
    if run_id and not chosen.tracking.parent_run_id:
        from tandem.tracking import links  # noqa: PLC0415 - imported by now

        with suppress(TrackingError):  # it has the run
            sys.stdout.write(f"{ask(links, run_id)}\n")


def _lacking(error: BaseException) -> TandemError | None:
    from tandem.machine import lacking  # noqa: PLC0415 - a fault is rare

    return lacking(error)


# Heavy imports: after the configuration is known to be good, and only what the command takes.


def _run(whole: Configuration) -> str | None:
    with _starting():
        from tandem.commands.run import run  # noqa: PLC0415
    return run(whole).run_id


def _compare(whole: Configuration) -> str:
    with _starting():
        from tandem.commands.compare import compare  # noqa: PLC0415
    return compare(whole)[0]


def _advise(chosen: Settings) -> None:
    with _starting():
        from tandem.commands.advise import advise  # noqa: PLC0415
    advise(chosen)


def _inspect(chosen: Settings) -> None:
    with _starting():
        from tandem.commands.inspect import inspect  # noqa: PLC0415
    inspect(chosen)


def _send(chosen: Settings) -> None:
    with _starting():
        from tandem.commands.send import send  # noqa: PLC0415
    send(chosen)


def _serve(chosen: Settings) -> None:
    with _starting():
        from tandem.commands.server import serve  # noqa: PLC0415
    serve(chosen.server)


@contextmanager
def _starting() -> Iterator[None]:
    from tandem.progress import Display  # noqa: PLC0415 - not for a wrong key

    with Display("tandem").stage("starting"):
        yield
    _collect()


def _collect() -> None:
    """Memory is collected again, but for what was imported, which stays."""
    gc.freeze()
    gc.enable()


def _report(error: BaseException, told: TandemError | None, *, debug: bool) -> int:
    """Say what is wrong, as `told` does, or that it is our bug; the exit status."""
    if debug:
        sys.stderr.write(shown("".join(traceback.format_exception(error))))
    text = " ".join(str(told or error).split())
    if told is None or told.status == TandemError.status:
        text = f"internal error: {type(error).__name__}: {text} -> debug=true shows where"
    sys.stderr.write(f"tandem: {shown(text)}\n")
    return told.status if told else TandemError.status


def _terminate(signum: int, _frame: FrameType | None) -> None:
    signal.signal(signum, signal.SIG_IGN)  # a second one would cut off what the first one ends
    raise Terminated(signum)
