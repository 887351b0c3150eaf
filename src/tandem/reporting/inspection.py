"""What is shown of a table before anything is trained: words for a terminal, a page."""

from collections.abc import Iterator

from tandem.inspection import Inspected, Inspection
from tandem.records import Action
from tandem.redaction import shown
from tandem.reporting.templates import template

_BLOCKS = "▁▂▃▄▅▆▇█"
_NAMED, _LONG = 3, 14  # levels that are named, and letters of each
_EMPTY = "-"
_TALL = 18.0  # pixels of the highest bar
# What is done because of missing cells; the page tells the reason of the others, too.
_TOLD = (Action.DROP_COLUMN, Action.DROP_ROWS, Action.IMPUTE)


def inspection_title(found: Inspection) -> str:
    """One line: the table and its size."""
    target = f"; target {found.target}" if found.target is not None else "; no target given"
    return f"{found.name}: {found.rows:,} rows, {len(found.columns)} columns{target}"


def inspection_table(found: Inspection) -> list[list[str]]:
    """Header, then a row per column; the correlation only where there is a target."""
    rows = [["column", "type", "missing", "distinct", "values", "shape", "corr", "becomes"]]
    rows += [[*_cells(one, found.rows)] for one in found.columns]
    at = rows[0].index("corr")
    return rows if found.target is not None else [row[:at] + row[at + 1 :] for row in rows]


def inspection_html(found: Inspection) -> str:
    """The page: a row per column, its histogram as a picture, and below it what is doubtful."""
    page = template("inspection.html.j2")
    return shown(
        page.render(
            title=inspection_title(found),
            columns=[(one, [*_figures(one)], _levels(one), _bars(one)) for one in found.columns],
            rows=found.rows,
            notes=found.notes,
            has_target=found.target is not None,
        )
    )


def _figures(one: Inspected) -> Iterator[str]:
    """Minimum, mean, maximum, standard deviation; nothing for a category."""
    for value in (one.minimum, one.mean, one.maximum, one.deviation):
        if value is not None:
            yield _figure(value)


def _cells(one: Inspected, rows: int) -> Iterator[str]:
    yield one.name
    yield one.type
    yield f"{one.missing:,} {one.missing / rows:.1%}" if one.missing else "0"
    yield str(one.distinct)
    yield _values(one)
    yield blocks(one.shape)
    yield _EMPTY if one.correlation is None else f"{one.correlation:.3f}"
    yield f"{one.becomes}: {one.reason}" if one.becomes in _TOLD else one.becomes


def _values(one: Inspected) -> str:
    """Minimum, mean and maximum, deviation; or the most frequent levels with their rows."""
    if one.most:
        return _levels(one)
    figures = [*_figures(one)]
    deviation = "".join(f" sd {figure}" for figure in figures[3:])
    return " .. ".join(figures[:3]) + deviation if figures else _EMPTY


def _levels(one: Inspected) -> str:
    """The most frequent levels of a category with their rows."""
    told = [f"{_short(level)} {rows:,}" for level, rows in one.most[:_NAMED]]
    return ", ".join(told) + (", ..." if len(one.most) > _NAMED else "")


def _figure(value: float) -> str:
    """Four digits; whole numbers in full, thousands apart."""
    if value == round(value) and abs(value) < 1e12:
        return f"{value:,.0f}"
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:,.4g}"


def _short(level: str) -> str:
    plain = "".join(c if c.isprintable() else " " for c in level) or "''"
    return plain if len(plain) <= _LONG else plain[: _LONG - 3] + "..."


def blocks(shape: tuple[int, ...]) -> str:
    """A histogram of eight heights, a letter per bin; a blank where no row is."""
    most = max(shape, default=0)
    return "".join(_BLOCKS[-(-8 * rows // most) - 1] if rows else " " for rows in shape)


def _bars(one: Inspected) -> list[tuple[float, str]]:
    """Height in pixels, at least 1 where a row is, and words for every bar."""
    most = max(one.shape, default=0)
    names = [f"{_short(level)}: " for level, _ in one.most] or [""] * len(one.shape)
    return [
        (max(_TALL * rows / most, 1.0) if rows else 0.0, f"{name}{rows:,} rows")
        for rows, name in zip(one.shape, names, strict=True)
    ]
