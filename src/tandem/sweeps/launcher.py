"""What Hydra starts the jobs of a multirun with: every job is a process of its own."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict

from tandem.config import hide_secrets, sweep_keys
from tandem.errors import ConfigurationError
from tandem.progress import Display
from tandem.redaction import redacted
from tandem.settings import Tracking


class ProcessLauncher(Launcher):
    """Composes the configuration of every job and hands all of them to `tandem.sweeps`."""

    __module__ = "hydra_plugins.tandem"  # Hydra takes no plugin from elsewhere

    def setup(self, *, hydra_context: HydraContext, config: DictConfig, **_: Any) -> None:
        """Keep what `launch` needs. Raises ConfigurationError where the sweep is in batches."""
        if config.hydra.sweeper.get("max_batch_size"):
            raise ConfigurationError(
                "hydra.sweeper.max_batch_size: a sweep is one batch -> sweep.jobs=2 is two at once"
            )
        self._compose = hydra_context.config_loader.load_sweep_config
        self._config = config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run all jobs, each given by its overrides. Raises IncompleteError where one failed."""
        assert initial_job_idx == 0  # noqa: S101 - one batch
        setup_globals()
        folder = Path(self._config.hydra.sweep.dir)
        _redact(self._config, folder / "multirun.yaml")
        keys = sweep_keys(self._config)
        if len(job_overrides) == 1:
            Display("sweep").warn(
                "a single job, as no key has several values -> folds.k=3,5 is two; in"
                " brackets, model.reg_param=[0.1,1], they are the grid of one job"
            )
        with Display("sweep").stage("preparing the data"):
            # Heavy imports: after the configuration is known to be good.
            from tandem.sweeps.jobs import make_jobs  # noqa: PLC0415
            from tandem.sweeps.sweep import sweep  # noqa: PLC0415

            configs = [self._composed(words) for words in job_overrides]
            jobs = make_jobs(job_overrides, configs, [*_options(self._config.hydra)])
        # Not validated: swept keys still hold all their values.
        sweep(jobs, keys, Tracking(**self._config.tracking), folder)
        return [_done(words) for words in job_overrides]

    def _composed(self, overrides: Sequence[str]) -> DictConfig:
        config = self._compose(self._config, list(overrides))
        with open_dict(config):
            del config["hydra"]
        hide_secrets(config)
        return config


def _redact(config: DictConfig, file: Path) -> None:
    """Write `file`, which holds `config` as Hydra has it, again without its secrets."""
    raw = OmegaConf.to_container(config, resolve=False)
    OmegaConf.save(OmegaConf.create(redacted(raw, raw)), file)


def _options(hydra: DictConfig) -> Iterator[str]:
    """Where this command line has the configuration from, if not from its usual place."""
    for source in hydra.runtime.config_sources:
        if source.provider == "command-line":
            yield f"--config-dir={source.path}"
    if hydra.job.config_name != "config":
        yield f"--config-name={hydra.job.config_name}"
    yield from (word for word in hydra.overrides.hydra if word.startswith("hydra.searchpath="))


def _done(overrides: Sequence[str]) -> JobReturn:
    result = JobReturn(overrides=list(overrides), status=JobStatus.COMPLETED)
    result.return_value = 0
    return result
