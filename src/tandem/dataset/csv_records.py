"""The records of a CSV file, found by its bytes alone: what a parser reads is held against them.

A quote opens a cell where the cell begins, as the parser has it; anywhere else it is text. Lines
end with LF, CR LF or CR; blank lines are no records.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tandem.dataset.files import unpacked
from tandem.errors import DataError

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]
Flags = NDArray[np.bool_]

_BLOCK_BYTES = 1 << 18  # measured: what is compared stays in the processor's cache
_RECORD_BYTES = 1 << 23  # two blocks of the parser, which takes no record beyond
_BOM = b"\xef\xbb\xbf"
_QUOTE, _LF, _CR = b'"\n\r'

_OPEN = "the quote that opens here is not closed in the {:,} bytes that follow -> close it"
_TORN = (
    "text follows the quote that closes the cell that begins here -> quote the whole cell, and "
    'write a quote within it twice ("")'
)
_NUL = "a NUL byte: no text has one -> write the file again, in UTF-8"
_SWALLOWS = (
    "the quoted cell that begins here holds lines that look like records -> close the quote, or "
    "dataset.multiline=true if it is meant so"
)


class Records(NamedTuple):
    """How many there are, and whether the last line is ended, as all others are."""

    number: int
    ended: bool


def count_records(
    file: Path,
    *,
    multiline: bool,
    delimiter: str = ",",
    block: int = _BLOCK_BYTES,
    most: int = _RECORD_BYTES,
) -> Records:
    """The records below the header; `block` bytes are read at once, `most` a record.

    Raises DataError, with the line where the cell begins, where a quote is not closed, text
    follows the quote that closes a cell, a byte is NUL, or, unless `multiline` says that it is
    meant so, a quoted cell holds what looks like records: lines with as many delimiters as the
    header has.
    """
    records, ended, delimiters, mark = 0, False, None, ord(delimiter)
    for part in _blocks(file, mark, block, most):
        if delimiters is None and len(part.ends):
            delimiters = _delimiters(part.data[: part.ends[0]], mark)
        faults = _faults(part, mark, None if multiline else delimiters)
        if (nul := part.data.find(b"\0")) >= 0:
            faults.append(_Fault(nul, _NUL))
        if faults:
            fault = min(faults)
            raise DataError(f"{file}:{_line_at(file, part.begin + fault.place)}: {fault.rule}")
        records += len(part.ends)
        ended = part.ended
    return Records(max(records - 1, 0), ended)


def line_of(file: Path, record: int, delimiter: str = ",", *, block: int = _BLOCK_BYTES) -> int:
    """The line, from 1, in which a record begins; record 0 is the header."""
    for part in _blocks(file, ord(delimiter), block):
        if record < len(part.ends):
            place = int(part.ends[record - 1]) if record else 0
            while part.data[place] in b"\r\n":
                place += 1
            return _line_at(file, part.begin + place)
        record -= len(part.ends)
    return _line_at(file, sys.maxsize)


class _Block(NamedTuple):
    """Whole records, `begin` bytes from the beginning of the file; the last may be torn.

    `ends`: where a record is over; `quotes`: None where they stand only around cells of one line;
    `ended`: whether the last line is.
    """

    begin: int
    data: bytes
    ends: Places
    quotes: "_Quotes | None"
    ended: bool = True


class _Fault(NamedTuple):
    place: int
    rule: str


@dataclass(frozen=True)
class _Quotes:
    """The runs of neighbouring quotes of a block, in order, each with what it does.

    `begin`, `end`: its bytes; `before`, `after`: whether a quoted cell is open there; `opens`:
    whether it stands where a cell begins.
    """

    begin: Places
    end: Places
    before: Flags
    after: Flags
    opens: Flags

    @classmethod
    def of(cls, block: Bytes, delimiter: int) -> "_Quotes":
        """The runs of a block that begins with a record.

        An even run leaves things as they are: a cell of nothing, or quotes written twice. An odd
        one closes the cell that is open, else opens one if it stands where a cell begins. So a
        run elsewhere leaves all closed, and those since then that can open do so in turn.
        """
        places = np.flatnonzero(block == _QUOTE)
        first = np.flatnonzero(np.diff(places, prepend=-2) != 1)
        begin, length = places[first], np.diff(first, append=len(places))
        opens = _ends_cell(delimiter)[block[begin - 1]] | (begin == 0)
        odd = length % 2 == 1
        turns = np.cumsum(odd & opens)
        closed_at = np.maximum.accumulate(np.where(odd & ~opens, turns, 0))
        after = (turns - closed_at) % 2 == 1
        before = np.concatenate([[False], after[:-1]])
        return cls(begin, begin + length, before, after, opens)

    def inside(self, places: Places) -> Flags:
        """Whether each of the places, none of them a quote's, is within a quoted cell."""
        run = np.searchsorted(self.begin, places) - 1
        found: Flags = self.after[run] & (run >= 0)
        return found

    def until(self, place: int) -> "_Quotes":
        """Those before a place."""
        length = np.searchsorted(self.begin, place)
        return _Quotes(*(getattr(self, field.name)[:length] for field in fields(self)))

    def cells(self) -> tuple[Places, Places]:
        """Where quoted cells begin, with their quote, and the byte after the one that closes.

        The last may have no end.
        """
        at_once = ~self.before & ~self.after & self.opens
        begin = self.begin[(~self.before & self.after) | at_once]
        return begin, self.end[(self.before & ~self.after) | at_once]


def _blocks(
    file: Path, delimiter: int, size: int = _BLOCK_BYTES, most: int = _RECORD_BYTES
) -> Iterator[_Block]:
    """The whole file, cut between records; up to where one is too long, or not closed."""
    with unpacked(file) as opened:
        data = opened.read(len(_BOM))
        begin, data = (len(_BOM), b"") if data == _BOM else (0, data)
        while len(data) <= most and (more := opened.read(size)):
            block = _cut(begin, data + more, delimiter)
            begin, data = begin + len(block.data), (data + more)[len(block.data) :]
            yield block
    if data:
        over = data + b"\n"
        quotes = _Quotes.of(np.frombuffer(over, dtype=np.uint8), delimiter)
        ended = data.endswith((b"\n", b"\r"))
        yield _cut(begin, over, delimiter)._replace(data=over, quotes=quotes, ended=ended)


def _cut(begin: int, data: bytes, delimiter: int) -> _Block:
    """`data` up to the end of its last whole record."""
    block = np.frombuffer(data, dtype=np.uint8)
    over = block == _LF
    if b"\r" in data:
        over |= block == _CR
    breaks = np.flatnonzero(over)
    quotes = None
    if _QUOTE in data and not _is_tidy(block, breaks, delimiter):
        quotes = _Quotes.of(block, delimiter)
        breaks = breaks[~quotes.inside(breaks)]
    cut = int(breaks[-1]) + 1 if len(breaks) else 0
    ends = breaks[np.diff(breaks, prepend=-1) != 1]
    return _Block(begin, data[:cut], ends, quotes and quotes.until(cut))


def _is_tidy(block: Bytes, breaks: Places, delimiter: int) -> bool:
    """Whether quotes, up to the last line break, open and close cells in turn, one line each."""
    if not len(breaks):
        return False
    places = np.flatnonzero(block[: breaks[-1]] == _QUOTE)
    if (np.searchsorted(places, breaks) % 2).any():
        return False
    begin, end = places[::2], places[1::2]
    fits = _ends_cell(delimiter) | (np.arange(256) == _QUOTE)
    opens = fits[block[begin - 1]] | (begin == 0)
    return bool(opens.all() and fits[block[end + 1]].all())


@cache
def _ends_cell(delimiter: int) -> Flags:
    """Of every byte, whether a cell ends at it."""
    return np.isin(np.arange(256), (delimiter, _LF, _CR))


def _delimiters(record: bytes, delimiter: int) -> int:
    """How many delimiters a record has between its cells."""
    block = np.frombuffer(record, dtype=np.uint8)
    places = np.flatnonzero(block == delimiter)
    if _QUOTE in record:
        places = places[~_Quotes.of(block, delimiter).inside(places)]
    return len(places)


def _faults(whole: _Block, delimiter: int, delimiters: int | None) -> list[_Fault]:
    """The first of every kind; `delimiters` of a record tell which lines look like one."""
    if whole.quotes is None:
        return []
    block = np.frombuffer(whole.data, dtype=np.uint8)
    begin, end = whole.quotes.cells()
    faults = []
    if len(begin) > len(end):
        *_, last = begin.tolist()
        begin = begin[:-1]
        faults += [_Fault(last, _OPEN.format(len(block) - last))]
    torn = begin[~_ends_cell(delimiter)[block[end]]][:1].tolist()
    marks = np.flatnonzero(block == delimiter)
    swallowing = begin[_swallows(block, begin, end, marks, delimiters)][:1].tolist()
    return [
        *faults,
        *(_Fault(at, _TORN) for at in torn),
        *(_Fault(at, _SWALLOWS) for at in swallowing),
    ]


def _swallows(
    block: Bytes, begin: Places, end: Places, places: Places, delimiters: int | None
) -> Flags:
    """Whether each cell looks as if a quote too many had made it of several records.

    So it does where a line within it has as many delimiters as a record, or, where there is no
    such line (blank ones do not count), both that where it begins and that where it ends.
    """
    breaks = np.flatnonzero((block == _LF) | (block == _CR))
    first, last = np.searchsorted(breaks, begin), np.searchsorted(breaks, end)
    several = first < last
    if delimiters is None or not several.any():
        return np.zeros(len(begin), dtype=np.bool_)
    marks = np.searchsorted(places, breaks)
    like = np.diff(marks, prepend=0) == delimiters
    text = np.diff(breaks, prepend=-1) > 1
    inner = np.maximum(last - 1, first)
    lines, records = np.cumsum(text), np.cumsum(like)
    within = np.where(
        lines[inner] > lines[first], records[inner] > records[first], like[first] & like[last]
    )
    found: Flags = several & within
    return found


def _line_at(file: Path, place: int) -> int:
    """The line, from 1, of the byte after `place` bytes."""
    line, last = 1, b""
    with unpacked(file) as opened:
        while place and (data := opened.read(min(place, _BLOCK_BYTES))):
            place -= len(data)
            line += data.count(b"\n") + data.count(b"\r") - (last + data).count(b"\r\n")
            last = data[-1:]
    return line
