"""LAPACK, called so that other threads go on meanwhile: the wrappers of scipy hold them up."""

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from tandem.records import Array

BLOCK = 64  # columns that LAPACK works on at once, at most


def call(name: str, *arguments: bytes | int | Array) -> int:
    """Call the routine `name`; its info, which is 0 where it has found what it was asked for.

    `arguments`: those before info, numbers by their value; arrays, of any shape, column by column,
    are changed in place.
    """
    info = ctypes.c_int()
    given = [*map(_pointer, arguments), ctypes.byref(info)]
    _routine(name, len(given))(*given)
    return info.value


def _pointer(argument: bytes | int | Array) -> Any:
    if isinstance(argument, np.ndarray):
        return argument.ctypes.data
    return argument if isinstance(argument, bytes) else ctypes.byref(ctypes.c_int(argument))


@cache
def _routine(name: str, arguments: int) -> Callable[..., None]:
    """What scipy offers to compiled code under this name."""
    from scipy.linalg import cython_lapack  # noqa: PLC0415 - slow

    capsule = cython_lapack.__pyx_capi__[name]
    name_of, address_of = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    name_of.restype, name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]
    address_of.restype = ctypes.c_void_p
    address_of.argtypes = [ctypes.py_object, ctypes.c_char_p]
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * arguments)
    return kind(address_of(capsule, name_of(capsule)))
