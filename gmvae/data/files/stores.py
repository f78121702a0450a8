"""Files that hold arrays: .npy, .t7, .npz and scipy's sparse .npz."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

import numpy as np

from gmvae.data.files.arrays import NoNumbersError, check_numbers, npy_header, read_array
from gmvae.data.files.columns import listing
from gmvae.data.files.matrices import Matrix
from gmvae.data.limits import check_shape, check_size
from gmvae.data.schema import first_line

if TYPE_CHECKING:
    from scipy import sparse

NAMES = ("X", "x", "data", "images", "y")
"""Names of the array of observations in a .npz file with several arrays, in order of preference."""
BROKEN = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    BadZipFile,
    EOFError,
    OSError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)
"""Errors that NumPy, SciPy and zipfile raise for damaged files."""


def open_array(path: Path) -> Matrix:
    """Open the array in a .npy or .t7 file, or the array of observations in a .npz file.

    Raises:
        ValueError: if the file is damaged, or it is not clear which array has the observations.
        OSError: if it cannot be read.
    """
    return _open_npz(path) if path.suffix.lower() == ".npz" else Matrix(path, read_array(path, mapped=True))


def _open_npz(path: Path) -> Matrix:
    try:
        arrays = _arrays(path)
        if {"format", "shape"} <= arrays.keys():
            return Matrix(path, _sparse(path, arrays))
    except BROKEN as error:
        if isinstance(error, NoNumbersError) or (isinstance(error, OSError) and error.filename):
            raise
        reason = first_line(error).removeprefix(f"{path} ")
        raise ValueError(f"{path} is not a complete .npz file of numbers or texts: {reason}") from error
    array, beside = of_observations(path, arrays)
    check_shape(path, array.shape)
    return Matrix(path, array, beside=beside)


def of_observations(path: Path, arrays: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The array of the observations among several arrays, and those with one value for each observation.

    Raises:
        ValueError: if it is not clear which array has the observations.
    """
    many = {name: array for name, array in arrays.items() if array.ndim > 1}
    name = next((name for name in NAMES if name in many), next(iter(many)) if len(many) == 1 else None)
    if name is None:
        raise ValueError(
            f"{path} has arrays {listing(list(arrays)) or 'none'}: the array of the observations must be "
            "called X, or be the only one with more than one axis"
        )
    found = many[name]
    return found, {key: values for key, values in arrays.items() if values.shape == found.shape[:1]}


def _arrays(path: Path) -> dict[str, Any]:
    """The arrays of a .npz file; other content is ignored."""
    arrays = {}
    with ZipFile(path) as archive:
        members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
        check_size(path, sum(member.file_size for member in members), "its arrays have")
        for member in members:
            with archive.open(member) as stream:
                shape, kind, fortran = npy_header(stream)  # type: ignore[arg-type]
                check_numbers(Path(f"{path}, in {member.filename},"), kind, "US")
                content = stream.read()
            if len(content) != math.prod(shape) * kind.itemsize or not kind.itemsize:
                raise ValueError(f"{member.filename} does not have the shape {shape} that its header says")
            array = np.frombuffer(content, kind).reshape(shape, order="F" if fortran else "C")
            arrays[member.filename.removesuffix(".npy")] = array
    return arrays


def _sparse(path: Path, arrays: Mapping[str, Any]) -> sparse.csr_array:
    """The matrix that scipy.sparse.save_npz wrote. Its indices are checked, because wrong ones would be
    followed beyond the array."""
    from scipy import sparse  # which takes a quarter of a second to import

    kind, shape = arrays["format"].item(), tuple(map(int, arrays["shape"]))
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    if len(shape) != 2 or min(shape) < 0:
        raise ValueError(f"its shape is {shape}")
    check_shape(path, shape)
    if kind == "coo":
        return sparse.csr_array((arrays["data"], _coordinates(arrays)), shape)
    if kind not in ("csr", "csc"):
        raise ValueError(f"its sparse format is {kind}: it must be csr, csc or coo")
    build = sparse.csr_array if kind == "csr" else sparse.csc_array
    matrix = build((arrays["data"], arrays["indices"], arrays["indptr"]), shape)
    matrix.check_format(full_check=True)
    return matrix.tocsr()


def _coordinates(arrays: Mapping[str, Any]) -> tuple[Any, Any]:
    """Rows and columns of the values. SciPy has two formats for them."""
    rows, columns = arrays["coords"] if "coords" in arrays else (arrays["row"], arrays["col"])
    return rows, columns
