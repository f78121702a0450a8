"""Read a picture from a file as bytes: upright, transparent parts white, 16 bits converted to 8, and only the
first image of an animation."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from gmvae.data.limits import PIXELS
from gmvae.data.schema import first_line

DEEP = ("I", "I;16", "I;16L", "I;16B", "I;16N")
"""Pillow's modes of grey pictures with more than 8 bits, which hold 0 to 65535."""
GREY = ("1", "L", "LA", "La", *DEEP)
"""Pillow's modes of pictures without colours."""
ORIENTATION, SIDEWAYS = 0x0112, 5
"""The EXIF field of the camera's orientation, and the smallest of its values for a camera on its side."""


def about(file: Path) -> tuple[bool, tuple[int, int]]:
    """Whether a picture has no colours, and its height and width once it is upright; no pixel is read.

    Raises:
        ValueError: if it is not a picture.
    """
    with _opened(file) as image:
        width, height = image.size
        # the size of a TIFF is already that of the upright picture when Pillow has opened it
        sideways = image.format != "TIFF" and image.getexif().get(ORIENTATION, 1) >= SIDEWAYS
        return image.mode in GREY, (width, height) if sideways else (height, width)


def read(file: Path, *, grey: bool, size: tuple[int, int] | None) -> NDArray[np.uint8]:
    """The levels of a picture, (1 or 3, height, width), resized if a size is given.

    Raises:
        ValueError: if it is not a complete picture, or its pixels are neither bytes nor whole numbers up to
            65535.
    """
    with _opened(file) as opened:
        image = _shallow(ImageOps.exif_transpose(opened))
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        image = image.convert("L" if grey else "RGB")
        if size is not None:
            image = image.resize(size[::-1], Image.Resampling.LANCZOS, reducing_gap=3)
        levels = np.asarray(image, dtype=np.uint8)
    return levels[None] if grey else levels.transpose(2, 0, 1)


def _shallow(image: Image.Image) -> Image.Image:
    """Convert a picture to bytes. The scale is the same for all pictures, however dark they are."""
    if image.mode == "F":
        raise ValueError("its pixels are fractions, so save it with 8 or 16 bits")
    if image.mode not in DEEP:
        return image
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError(f"its pixels go from {values.min()} to {values.max()}, so save it with 8 or 16 bits")
    return Image.fromarray(np.rint(values / 257).astype(np.uint8))


@contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    """Open a picture; every error becomes one line that names the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about unusual EXIF data
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # opened by name, Pillow would map an uncompressed TIFF, and mix up its pixels if it lies on its
            # side
            with open(file, "rb") as handle, Image.open(handle) as image:
                if math.prod(image.size) > PIXELS:
                    width, height = image.size
                    raise ValueError(f"it has {width}x{height} pixels, and at most {PIXELS:,} are read")
                yield image
    except Exception as error:  # Pillow's readers raise errors of any kind
        if isinstance(error, OSError) and error.filename:
            raise
        raise ValueError(f"{file} cannot be read as a picture: {first_line(error)}") from error
