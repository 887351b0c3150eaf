"""The data files of a path, a folder or a pattern."""

from glob import glob, has_magic
from pathlib import Path

from tandem.errors import ConfigurationError, DataError

TEXT = (".csv", ".tsv")


def find_files(path: str) -> tuple[Path, ...]:
    """The data files of a path, a folder or a glob pattern, sorted; all Parquet or all CSV.

    CSV files may end in .tsv.
    Files of a folder whose name begins with `_` or `.` are no data. Raises ConfigurationError where
    no path is given, DataError where nothing is found, or files of two kinds.
    """
    if not path:
        raise ConfigurationError(
            "dataset.path: no path is given -> dataset.path='data/*.parquet' (or .csv)"
        )
    place = Path(path).expanduser()
    if place.is_dir():
        candidates = [p for p in place.rglob("*") if not p.is_dir()]
    elif has_magic(str(place)) and not place.exists():
        candidates = [Path(p) for p in glob(str(place), recursive=True) if not Path(p).is_dir()]  # noqa: PTH207 - an absolute pattern
    else:
        candidates = [place]
    found = sorted(p.absolute() for p in candidates if not _hidden(p, place))
    if not found:
        raise DataError(f"{path}: no data file here (looked for *.parquet and *.csv) -> check it")
    for file in found:
        if not file.is_file():
            raise DataError(f"{file}: there is no such file -> check dataset.path")
    kinds = {file.suffix.lower() for file in found}
    if len(kinds) > 1 or not kinds <= {".parquet", *TEXT}:
        raise DataError(
            f"{path}: files of kind {', '.join(sorted(kinds)) or 'unknown'}: one kind is read, "
            ".parquet, .csv or .tsv -> name the files by a pattern such as 'data/*.parquet'"
        )
    return tuple(found)


def _hidden(file: Path, place: Path) -> bool:
    """Whether the file, or a folder on the way to it from `place`, begins with `_` or `.`.

    One that was named itself is meant.
    """
    if file == place:
        return False
    parts = file.relative_to(place).parts if file.is_relative_to(place) else ()
    return any(part[0] in "_." for part in (*parts, file.name))
