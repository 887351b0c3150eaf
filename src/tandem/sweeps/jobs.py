"""The jobs of a sweep, and what makes two of them the same work."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

import tandem
from tandem.config import config_hash, settings
from tandem.progress import Display
from tandem.redaction import shown_word
from tandem.settings import Command

_LABEL = 60  # characters


@dataclass(frozen=True, slots=True)
class Job:
    """One job: its Hydra overrides, those that tell it from the others, the key of its work.

    `options` are of the command line, the same for all jobs; `swept`: the overrides that are not.
    """

    number: int
    overrides: tuple[str, ...]
    label: str
    key: str
    options: tuple[str, ...] = ()
    swept: tuple[str, ...] = ()


def make_jobs(
    overrides: Sequence[Sequence[str]], configs: Sequence[DictConfig], options: Sequence[str] = ()
) -> list[Job]:
    """A job for each list of overrides and the configuration composed from it.

    The key is a hash of what is computed (configuration without volatile keys), of which data, by
    which code. Jobs that are the same work on purpose are told apart by their order.
    """
    fingerprints: dict[str, str] = {}
    seen: Counter[str] = Counter()
    shared = set.intersection(*map(set, overrides)) if len(overrides) > 1 else set()
    jobs = []
    for number, (words, config) in enumerate(zip(overrides, configs, strict=True)):
        work = _hash(_work(config), _fingerprint(config, fingerprints), code_version())
        swept = tuple(shown_word(word) for word in words if word not in shared)
        label = " ".join(swept)
        key = _hash(work, str(seen[work]))
        jobs.append(Job(number, tuple(words), _short(label), key, tuple(options), swept))
        seen[work] += 1
    return jobs


def sweep_key(jobs: Sequence[Job]) -> str:
    """The hash of the set of the jobs' keys."""
    return _hash(*sorted(job.key for job in jobs))


@cache
def code_version() -> str:
    """The package's version, and a digest of its sources."""
    package = Path(tandem.__file__).parent
    digest = sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package)}\0".encode() + path.read_bytes() + b"\0")
    return f"{version('tandem')}+{digest.hexdigest()[:16]}"


def _work(config: DictConfig) -> str:
    """What a job computes: a comparison is other work than a run of the same task."""
    command = str(OmegaConf.select(config, "command"))
    engines = config.compare if command == Command.COMPARE else {}
    return json.dumps([config_hash(config), command, str(engines)])


def _fingerprint(config: DictConfig, known: dict[str, str]) -> str:
    keys = config.dataset
    text = json.dumps(OmegaConf.to_container(keys, resolve=True), sort_keys=True, default=str)
    if text not in known:
        known[text] = _prepared(config)
    return known[text]


def _prepared(config: DictConfig) -> str:
    from tandem.dataset import open_dataset  # noqa: PLC0415 - slow to import; a typo is answered before

    try:
        chosen = settings(config)
        dataset = open_dataset(chosen.dataset, chosen.folds, chosen.cleaning)
        Display("sweep").warn_each(dataset.notes)
    except Exception:  # noqa: BLE001 - the job itself will fail, and say of what
        return ""
    return dataset.fingerprint


def _hash(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()[:32]


def _short(text: str) -> str:
    return text if len(text) <= _LABEL else f"{text[: _LABEL - 3]}..."
