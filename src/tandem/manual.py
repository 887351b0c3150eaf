"""What `tandem --help` prints: the files of conf/, whose comments explain every key."""

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import tandem
from tandem.errors import ConfigurationError, nearest
from tandem.settings import Command

_USAGE = """\
tandem: one cross-validated regression pipeline, several engines, one proven answer.

  tandem run houses.csv --target price engine=scan      one run on your own table
  tandem compare houses.csv --target price              all engines side by side
  tandem compare                                        the same on the flights that come with it
  tandem inspect houses.csv --target price              what each column holds and becomes
  tandem advise dataset.rows=1e6                        which engine, how long, how much memory
  tandem send                                           what a store did not take, once more
  tandem server                                         a store for a team, here; see server.host
  tandem sweep engine=scan,sequential folds.k=3,5       every combination

A word is key=value, or group=choice where a group has several. Lists: model.reg_param=[0.1,1].
"""
_MORE = """
tandem --help GROUP (dataset, model, ...) shows every choice of one group; tandem --cfg job the
configuration of a call; tandem --version the version. README.md has the rest.
"""


def configuration_folder() -> Path:
    """The folder conf/: beside the sources in a checkout, inside the package when installed."""
    package = Path(tandem.__file__).parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parents[1] / "conf"


def versions() -> str:
    """The line that `tandem --version` prints."""
    return f"tandem {version('tandem')}\n"


def manual(group: str = "") -> str:
    """The whole manual: every key, its default and its meaning; or all choices of one `group`.

    A command that has no group is in the whole. Raises ConfigurationError where there is no such
    group.
    """
    folder = configuration_folder()
    groups = sorted(path.name for path in folder.iterdir() if path.is_dir())
    if group and group not in {*groups, *Command}:
        raise ConfigurationError(
            f"--help: {group}: there is no such group{nearest(group, groups)} -> "
            f"{', '.join(groups)}"
        )
    if group in groups:
        return "\n".join(_choice(path) for path in sorted((folder / group).glob("*.yaml")))
    defaults = _defaults((folder / "config.yaml").read_text(encoding="utf-8"))
    shown = [_group(folder / name, choice) for name, choice in defaults.items()]
    return "\n".join((_USAGE, *shown)) + _MORE


def keys_table() -> str:
    """Every key, its default and its meaning, as the Markdown table in conf/README.md."""
    folder = configuration_folder()
    rows = {
        key: f"| `{key}` | {value} | {meaning} |"
        for key, value, meaning in _keys(folder / "config.yaml")
        if meaning
    }
    for group, default in _defaults((folder / "config.yaml").read_text(encoding="utf-8")).items():
        files = sorted((folder / group).glob("*.yaml"), key=lambda file: file.stem != default)
        for file in files:
            of_one = group == "dataset" or file.stem != default
            own = f" (`{group}={file.stem}`)" if of_one else ""
            for key, value, meaning in _keys(file):
                name = f"{group}.{key}"
                rows.setdefault(name, f"| `{name}`{own} | {value} | {meaning} |")
    return "\n".join(("| key | default | meaning |", "|---|---|---|", *rows.values())) + "\n"


def _keys(file: Path) -> Iterator[tuple[str, str, str]]:
    """Key, default and comment of every key of a file of conf/."""
    for line in file.read_text(encoding="utf-8").splitlines():
        if _is_key(line):
            given, _, comment = line.partition("  #") if "  #" in line else line.partition(" #")
            key, _, value = given.partition(":")
            shown = value.strip().replace("???", "")
            yield key, f"`{shown}`" if shown else "", comment.strip(" #")


def _is_key(line: str) -> bool:
    return line[:1].isalpha() and not line.startswith("defaults:")


def _group(folder: Path, default: str) -> str:
    """The default choice of a group in full, the names of the others."""
    others = sorted(path.stem for path in folder.glob("*.yaml") if path.stem != default)
    more = f"   (or {', '.join(f'{folder.name}={name}' for name in others)})\n" if others else ""
    return more + _choice(folder / f"{default}.yaml")


def _choice(file: Path) -> str:
    """A file of conf/ as it stands, each key with its group."""
    lines = [f"{file.parent.name}={file.stem}"]
    for line in file.read_text(encoding="utf-8").splitlines():
        own = _is_key(line)
        key = line.replace(": ", "=", 1)
        lines.append(f"  {file.parent.name}.{key}" if own else f"  {line}")
    return "\n".join(lines) + "\n"


def _defaults(text: str) -> dict[str, str]:
    """Group -> choice, by the defaults list of config.yaml."""
    entries = (line.strip().removeprefix("- ") for line in text.splitlines() if "  - " in line)
    pairs = (entry.partition(": ") for entry in entries)
    return {name: choice for name, _, choice in pairs if choice and " " not in name}
