"""What is kept of a file's rows, in the cache folder: moments and counts, one entry each.

An entry is arrays in numpy's own format, without pickle, and the SHA-256 of that. The folder is
bounded: what was not used for the longest time goes first.
"""

import hashlib
import io
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tandem.machine import cache_folder, write_atomically
from tandem.moments import Category, Moments, Pair

Arrays = Mapping[str, NDArray[Any]]

FOLDER_BYTES = 2_000_000_000
_DIGEST_BYTES = 32

_log = logging.getLogger("tandem")


def path_of(key: str) -> Path:
    """Where the entry `key` is, or would be."""
    return cache_folder() / "moments" / key


def load(key: str) -> Arrays | None:
    """The arrays kept as `key`; None where there are none, or, with a warning, damaged ones."""
    path = path_of(key)
    try:
        entry = memoryview(path.read_bytes())
        content, digest = entry[:-_DIGEST_BYTES], entry[-_DIGEST_BYTES:]
        if hashlib.sha256(content).digest() != digest:
            _log.warning("tandem: %s: damaged -> its rows are scanned again", path)
            return None
        os.utime(path)
    except OSError:
        return None
    with np.load(io.BytesIO(content)) as arrays:
        return {name: arrays[name] for name in arrays.files}


def save(key: str, arrays: Arrays) -> None:
    """Keep `arrays` as `key`; where the folder cannot be written, say so and go on."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    buffer.write(hashlib.sha256(buffer.getbuffer()).digest())
    path = path_of(key)
    try:
        write_atomically(path, buffer.getbuffer(), flush=False)
    except OSError as error:
        _log.warning("tandem: %s: %s: sums are not kept", path.parent, error.strerror)


def prune(most: int = FOLDER_BYTES) -> None:
    """Remove the entries that were used least recently, until at most `most` bytes are left."""
    found = []
    with suppress(OSError):  # no folder
        for path in path_of("").iterdir():
            with suppress(OSError):  # another process removes entries too
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_size, path))
    left = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if left <= most:
            return
        with suppress(OSError):
            path.unlink()
        left -= size


def packed(moments: Moments) -> Arrays:
    """`moments` as arrays; their names hold the number of the category or pair, text is UTF-8."""
    arrays: dict[str, NDArray[Any]] = {"gram": moments.gram}
    if moments.tally is not None:
        arrays["tally"] = moments.tally
    for i, category in enumerate(moments.categories):
        texts = [level.encode() for level in category.levels]
        arrays[f"text_{i}"] = np.frombuffer(b"".join(texts), np.uint8)
        arrays[f"lengths_{i}"] = np.array([len(text) for text in texts], dtype=np.int64)
        arrays[f"level_keys_{i}"], arrays[f"sums_{i}"] = category.keys, category.sums
    for i, pair in enumerate(moments.pairs):
        arrays[f"pair_keys_{i}"], arrays[f"counts_{i}"] = pair.keys, pair.counts
    return arrays


def unpacked(arrays: Arrays) -> Moments:
    """The moments that `packed` made arrays of."""
    categories = sum(name.startswith("text_") for name in arrays)
    pairs = sum(name.startswith("counts_") for name in arrays)
    return Moments(
        arrays["gram"],
        tuple(
            Category(_levels(arrays, i), arrays[f"level_keys_{i}"], arrays[f"sums_{i}"])
            for i in range(categories)
        ),
        tuple(Pair(arrays[f"pair_keys_{i}"], arrays[f"counts_{i}"]) for i in range(pairs)),
        arrays.get("tally"),
    )


def _levels(arrays: Arrays, number: int) -> tuple[str, ...]:
    text = arrays[f"text_{number}"].tobytes()
    ends = np.cumsum(arrays[f"lengths_{number}"]).tolist()
    return tuple(text[a:b].decode() for a, b in zip([0, *ends[:-1]], ends, strict=True))
