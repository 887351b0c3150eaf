"""What a table holds, column by column, and what the plan makes of it; nothing is trained."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
from threadpoolctl import threadpool_limits

from tandem.checks import counter, label, leak
from tandem.cleaning import decisions, refuse_infinite
from tandem.dataset import are_dates
from tandem.errors import DataError
from tandem.inspection.distinct import Distinct
from tandem.inspection.levels import Categories
from tandem.inspection.numbers import Numbers
from tandem.inspection.work import Figures
from tandem.records import Advance, Column, Dataset, Decision, Kind, Profile
from tandem.scan import Reader, in_order
from tandem.settings import Cleaning


@dataclass(frozen=True, slots=True)
class Inspected:
    """One column: figures of the cells that are there, in its units.

    `shape`: rows by bin of equal width from the minimum to the maximum, or of the most frequent
    levels, `most`; `correlation`: Pearson's with the target, of a category the correlation ratio
    eta; `becomes`: by the plan, for `reason`; `remarks`: doubts, a line each.
    """

    name: str
    type: str
    missing: int
    distinct: Distinct
    minimum: float | None
    mean: float | None
    maximum: float | None
    deviation: float | None
    most: tuple[tuple[str, int], ...]
    shape: tuple[int, ...]
    correlation: float | None
    becomes: str
    reason: str
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inspection:
    """A table: the target (None: none is given), the features, and how the files are read."""

    name: str
    rows: int
    target: str | None
    columns: tuple[Inspected, ...]
    notes: tuple[str, ...]


def inspect(
    dataset: Dataset, cleaning: Cleaning, *, target: bool, threads: int | None, advance: Advance
) -> Inspection:
    """Every column of `dataset`, from one pass over the rows; `advance` is told of rows read.

    `target`: whether there is one; else its column is as the others. Raises DataError where a row
    group cannot be read, ConfigurationError where the cleaning names a category that is none.
    """
    reader = Reader(dataset)
    footers = reader.footers()
    work = Figures(reader, dataset.columns, dataset.target if target else None)
    found = {c.name: Numbers() if c.kind is Kind.NUMERIC else Categories() for c in dataset.columns}
    with threadpool_limits(1):  # the threads are ours
        parts = in_order(work, footers.stretches, threads or os.cpu_count() or 1)
        for stretch, of_stretch in zip(footers.stretches, parts, strict=True):
            for part in of_stretch:
                for name, one in part.items():
                    found[name].add(one)
            work.many.update(n for n, one in found.items() if isinstance(one, Numbers) and one.many)
            advance(stretch.rows)
    features = dataset.features if target else dataset.columns
    profile = Profile(dataset.rows, {c.id: found[c.name].gaps for c in dataset.columns})
    plan = {one.column: one for one in decisions(features, profile, cleaning)}
    columns = tuple(
        _inspected(c, found[c.name], footers.types[c.name], plan.get(c), dataset)
        for c in dataset.columns
    )
    return Inspection(
        dataset.name,
        dataset.rows,
        dataset.target.name if target else None,
        columns,
        dataset.notes,
    )


def _inspected(
    column: Column,
    found: Numbers | Categories,
    kind: pa.DataType,
    plan: Decision | None,
    dataset: Dataset,
) -> Inspected:
    noted = any(f"column '{column.name}': " in note for note in dataset.notes)
    rest = f"{found.gaps:,} rows without it are dropped" if found.gaps else "complete"
    numbers = found if isinstance(found, Numbers) and found.own.n else None
    return Inspected(
        name=column.name,
        type=_type(kind, found),
        missing=found.gaps,
        distinct=found.distinct,
        minimum=numbers.low if numbers else None,
        mean=numbers.own.mean if numbers else None,
        maximum=numbers.high if numbers else None,
        deviation=numbers.own.deviation if numbers else None,
        most=() if isinstance(found, Numbers) else found.most,
        shape=found.shape,
        correlation=found.correlation if plan else None,
        becomes=str(plan.action) if plan else "target",
        reason=plan.reason if plan else rest,
        remarks=(*_remarks(column, found, feature=plan is not None, noted=noted),),
    )


def _type(kind: pa.DataType, found: Numbers | Categories) -> str:
    if isinstance(found, Categories):
        if pa.types.is_boolean(kind):
            return "boolean"
        return "date as text" if _dates(found) else "category"
    if not found.own.n:
        return "empty"
    return "integer" if pa.types.is_integer(kind) or found.whole else "number"


def _dates(found: Categories) -> bool:
    return are_dates([level for level, _ in found.most])


def _remarks(
    column: Column, found: Numbers | Categories, *, feature: bool, noted: bool
) -> Iterator[str]:
    """What a careful reader would ask of a column, a line each.

    `noted`: how it is read is told already.
    """
    name, rows = column.name, found.target.n
    if found.distinct == Distinct(1):
        yield f"{name} is constant: it tells nothing -> dataset.exclude=[{name}]"
    if isinstance(found, Categories):
        if _dates(found) and not noted:
            yield (
                f"{name} holds dates as text, each a category of its own -> write what matters of "
                "them as numbers"
            )
        labels = [*label(name, found.distinct.count, found.seen)]
        yield from labels or leak(name, found.explained, rows)
        return
    try:
        refuse_infinite(column, found.infinite)
    except DataError as error:
        yield str(error)
    if feature:
        yield from leak(name, (found.correlation or 0.0) ** 2, rows)
        yield from counter(name, found.ones, found.steps)
