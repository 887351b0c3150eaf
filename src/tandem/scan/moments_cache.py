"""Sums over the rows of a dataset, file by file, from the cache where it holds them.

What is kept of a file depends on its content and on how its rows are read, not on other files: a
file that is appended is the only one to be scanned. Stretches are added within their file, then
files in ranges, all in their order, so that the sum is the same bit for bit whatever the cache
held.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np

import tandem
from tandem.machine import marks, state
from tandem.moments import Moments, folded, micro_fold_count, multiples, total
from tandem.records import Column, File
from tandem.scan import cache_entries
from tandem.scan.cuts import Stretch
from tandem.scan.first_rows import expected_levels
from tandem.scan.ranges import Add, by_file, files_of, in_ranges
from tandem.scan.threads import Work
from tandem.scan.work import Counts, GroupCounts, GroupMoments

T = TypeVar("T")


class Scan(Protocol):
    """As `Run`; with `add` as `AddUp`."""

    def __call__(
        self, work: Work[T], stretches: Sequence[Stretch], /, add: Add[T] | None = None
    ) -> Iterator[T]: ...


# An entry is kept up to this share of its file, or up to the second number of bytes divided among
# the files; above the third never.
_SHARE_OF_FILE, _SMALL, _LARGE = 0.25, 32_000_000, 100_000_000

# What turns rows into sums: a test holds that work on rows reaches nothing else.
_CODE = (
    *("moments/*.py", "scan/*.py", "dataset/*.py", "categories.py", "cleaning.py"),
    *("dates.py", "fold_keys.py", "folds.py", "logs.py", "mixing.py", "model_keys.py", "parts.py"),
    *("records.py", "rules.py", "settings.py", "splits.py"),
)


@dataclass(frozen=True, slots=True)
class _Sum(Generic[T]):
    """A sum over the rows of a file: how it is added up, made arrays of, and made from arrays."""

    add: Callable[[Iterable[T]], T]
    pack: Callable[[T], cache_entries.Arrays]
    unpack: Callable[[cache_entries.Arrays], T]


@dataclass(frozen=True, slots=True)
class _Found(Generic[T]):
    file: File
    sum: T
    kept: bool


class SecondLook:
    """What the cache holds of `files`; unless `kept` it holds nothing and gets nothing."""

    def __init__(self, files: Sequence[File], *, kept: bool) -> None:
        read = marks(Path(file.path) for file in files) if kept else []
        self._marks = dict(zip(files, read, strict=kept))
        self.rows_from_cache = 0  # of the last `moments`

    def moments(self, work: GroupMoments, stretches: Sequence[Stretch], scan: Scan) -> Moments:
        """The moments of all rows of `stretches`, by the folds that `work` has."""
        folds, how = work.rows.folds, _how(work)
        finer, made, served = work, folds.parts, [folds.parts]
        if folds.divisible:
            made = _micro_folds(work, stretches[0]) if self._marks else folds.k
            finer = replace(work, rows=replace(work.rows, folds=folds.finer(made)))
            served = [*multiples(folds.k)]
        self.rows_from_cache = 0

        def keys(file: File) -> list[str]:
            return [self._key(how, file, k) for k in (made, *served)]

        add = partial(total, limit=work.allowance.limit)
        kind = _Sum(add, cache_entries.packed, cache_entries.unpacked)

        def parts() -> Iterator[Moments]:
            for found in self._by_file(finer, stretches, scan, kind, keys):
                self.rows_from_cache += found.file.rows if found.kept else 0
                yield folded(found.sum, folds.parts)

        if self._marks:
            return add(in_ranges(parts(), len(files_of(stretches)), add))
        # Nothing is kept of a file: its sum need not come here.
        return add(folded(found, folds.parts) for found in scan(finer, stretches, add))

    def counts(
        self, work: GroupCounts, stretches: Sequence[Stretch], scan: Scan
    ) -> Iterator[Counts]:
        """The counts of every file."""
        how = _described(work.columns)
        ids = [column.id for column in work.columns]
        kind = _Sum(
            _added,
            lambda counts: {"counts": np.array([counts[id_] for id_ in ids])},
            lambda arrays: dict(zip(ids, map(tuple, arrays["counts"].tolist()), strict=True)),
        )

        def keys(file: File) -> list[str]:
            return [self._key(how, file)]

        for found in self._by_file(work, stretches, scan, kind, keys):
            yield found.sum

    def counted(self, columns: Sequence[Column]) -> bool:
        """Whether a file had to be counted before: it holds NaN, or its footer tells too little."""
        how = _described(columns)
        return any(cache_entries.path_of(self._key(how, file)).exists() for file in self._marks)

    def _by_file(
        self,
        work: Work[T],
        stretches: Sequence[Stretch],
        scan: Scan,
        kind: _Sum[T],
        keys: Callable[[File], Sequence[str]],
    ) -> Iterator[_Found[T]]:
        """The sum of every file: kept under one of its keys, or scanned and kept as the first."""
        by = {members[0].file: members for members in files_of(stretches)}
        held = {file: _held(keys(file)) for file in by if file in self._marks}
        fresh = _scanned(work, [one for one in stretches if not held.get(one.file)], scan, kind)
        for file, members in by.items():
            key = held.get(file)
            if key and (arrays := cache_entries.load(key)):
                yield _Found(file, kind.unpack(arrays), kept=True)
                continue
            found = next(fresh) if not key else next(_scanned(work, members, scan, kind))
            if file in self._marks:
                self._keep(file, keys(file)[0], kind.pack(found), len(by))
            yield _Found(file, found, kept=False)
        if self._marks:
            cache_entries.prune()

    def _key(self, how: str, file: File, folds: int = 0) -> str:
        """The name of the entry for what is read of `file` in the way `how`."""
        return _digest([_code(), how, self._marks[file].digest, file.first_row, folds])

    def _keep(self, file: File, key: str, arrays: cache_entries.Arrays, files: int) -> None:
        size = sum(array.nbytes for array in arrays.values())
        read = self._marks[file].state
        if size > min(max(_SHARE_OF_FILE * read[0], _SMALL / files), _LARGE):
            return
        with suppress(OSError):
            if state(Path(file.path)) == read:  # else another content than the digest's was read
                cache_entries.save(key, arrays)


def _held(keys: Sequence[str]) -> str | None:
    """The first key that there is an entry for; it may still turn out to be damaged."""
    return next((key for key in keys if cache_entries.path_of(key).exists()), None)


def _scanned(work: Work[T], stretches: Sequence[Stretch], scan: Scan, kind: _Sum[T]) -> Iterator[T]:
    """The sum of every file of `stretches`; nothing is scanned before the first is asked for."""
    if stretches:
        yield from by_file(scan(work, stretches), stretches, kind.add)


def _added(parts: Iterable[Counts]) -> Counts:
    first, *others = parts
    return {
        id_: tuple(np.sum([counts, *(other[id_] for other in others)], axis=0).tolist())
        for id_, counts in first.items()
    }


def _micro_folds(work: GroupMoments, stretch: Stretch) -> int:
    """How many folds to make, by what the first rows of the dataset show."""
    rows, columns = work.rows, work.rows.plan.categorical
    levels = []
    if columns:
        sample = rows.reader.sample(stretch, columns)
        levels = [expected_levels(sample.column(c.name), stretch.rows) for c in columns]
    return micro_fold_count(rows.folds.k, work.vector.width, stretch.rows, levels)


def _how(work: GroupMoments) -> str:
    """Everything but the file and the number of folds that the moments of a file depend on."""
    rows, plan = work.rows, work.rows.plan
    used = (rows.columns, (plan.target, *plan.numeric), plan.categorical, plan.required)
    vector = _spelled(asdict(work.vector))
    cut = None
    if slices := rows.slices:
        cut = [_spelled(asdict(slices.vector)), slices.exponents.tolist(), slices.exact.tolist()]
    with_nan = [column.name for column in rows.columns if column.id in (rows.with_nan or ())]
    known = rows.with_nan is not None  # else the moments prove that no column holds NaN
    sums = (sorted(work.allowance.counted), work.allowance.limit)
    by, weights = rows.folds.depends_on, rows.weights
    counts = weights and (weights.column.name, weights.per_unit)
    kept = {id_: sorted(levels) for id_, levels in rows.kept.items()}
    return _digest([*map(_described, used), vector, cut, with_nan, known, by, sums, kept, counts])


def _spelled(values: Mapping[str, object]) -> dict[str, object]:
    return {name: np.asarray(value).tolist() for name, value in values.items()}


def _described(columns: Iterable[Column]) -> str:
    return _digest([(column.name, column.kind, column.stored) for column in columns])


def _digest(values: object) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


@cache
def _code() -> str:
    """The digest of all code that turns rows into sums: a change makes new keys, no old answer."""
    package = Path(tandem.__file__).parent
    files = sorted(file for part in _CODE for file in package.glob(part))
    return _digest([(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files])
