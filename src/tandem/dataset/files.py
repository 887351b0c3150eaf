"""The data files of a path, a folder or a pattern."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from glob import glob, has_magic
from pathlib import Path, PurePath

import pyarrow as pa

from tandem.errors import ConfigurationError, DataError

DELTA_LOG = "_delta_log"  # the folder that makes a folder a Delta table
_TEXT, _PACKED = (".csv", ".tsv"), (".gz", ".bz2", ".zst")


def ending(file: PurePath) -> str:
    """Of the name, in small letters, with that of a packed file before: .csv.gz."""
    last = file.suffix.lower()
    return file.with_suffix("").suffix.lower() + last if last in _PACKED else last


def is_text(file: PurePath) -> bool:
    """Whether a file is CSV, packed or not."""
    return any(ending(file) in {name, *(name + packed for packed in _PACKED)} for name in _TEXT)


@contextmanager
def unpacked(file: Path) -> Iterator[pa.NativeFile]:
    """The bytes of a file, for the block. Raises DataError where they cannot be read there."""
    try:
        with pa.input_stream(str(file), compression="detect") as stream:
            yield stream
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error}) -> write the file again") from error


def find_files(path: str) -> tuple[Path, ...]:
    """The data files of a path, a folder or a glob pattern, sorted; all Parquet or all CSV.

    CSV files may end in .tsv, and be packed: .csv.gz, .csv.bz2, .csv.zst. Files of a folder whose
    name begins with `_` or `.` are no data. Raises ConfigurationError where no path is given,
    DataError where nothing is found, files of two kinds, or files of a Delta table.
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
    found = sorted(p.absolute() for p in candidates if not is_hidden(p, place))
    for file in found:
        if file.is_file():
            continue
        if file.is_fifo() or file.is_char_device():
            raise DataError(f"{file}: a table is read more than once -> write it to a file first")
        raise DataError(f"{file}: there is no such file -> check dataset.path")
    check_kind(path, found)
    if found != [place.absolute()]:
        _check_delta(path, found)
    return tuple(found)


def _check_delta(path: str, found: Sequence[Path]) -> None:
    """Raise DataError where files of a Delta table are among those found by looking around."""
    for folder in sorted({parent for file in found for parent in file.parents}):
        if (folder / DELTA_LOG).is_dir():
            raise DataError(
                f"{path}: {folder} is a Delta table: among its files are removed ones -> "
                f"dataset.path={folder}"
            )


def check_kind(path: str, found: Sequence[PurePath]) -> None:
    """Raise DataError where no file is `found`, or files of two kinds, or of none that is read."""
    if not found:
        raise DataError(f"{path}: no data file here (looked for *.parquet and *.csv) -> check it")
    kinds = {*map(ending, found)}
    if len(kinds) > 1 or not (kinds == {".parquet"} or is_text(found[0])):
        step = "name them by a pattern such as 'data/*.parquet'"
        if len(kinds) == 1:
            step = "write it as one of these first, as frame.to_parquet('data.parquet') of pandas"
        raise DataError(
            f"{path}: files of kind {', '.join(sorted(kinds)) or 'unknown'}: one kind is "
            f"read, .parquet, .csv, .tsv or .csv.gz -> {step}"
        )


def is_hidden(file: PurePath, place: PurePath) -> bool:
    """Whether the file, or a folder on the way to it from `place`, begins with `_` or `.`.

    One that was named itself is meant.
    """
    if file == place:
        return False
    parts = file.relative_to(place).parts if file.is_relative_to(place) else ()
    return any(part[0] in "_." for part in (*parts, file.name))
