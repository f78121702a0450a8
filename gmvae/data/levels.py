"""One picture in a file as bytes: upright, its transparent parts white, 16 bits brought to 8, and of a moving
one the first image."""

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
"""Its modes of pictures without colours."""
ORIENTATION, SIDEWAYS = 0x0112, 5
"""The EXIF field that says how a camera was held, and from which value on it lay on its side."""


def about(file: Path) -> tuple[bool, tuple[int, int]]:
    """Whether a picture has no colours, and its height and width once it is upright; no pixel is read.

    Raises:
        ValueError: where it is not a picture.
    """
    with _opened(file) as image:
        width, height = image.size
        # of a TIFF, Pillow has turned the size when it opens it
        sideways = image.format != "TIFF" and image.getexif().get(ORIENTATION, 1) >= SIDEWAYS
        return image.mode in GREY, (width, height) if sideways else (height, width)


def read(file: Path, *, grey: bool, size: tuple[int, int] | None) -> NDArray[np.uint8]:
    """The levels of a picture, (1 or 3, height, width), brought to a size where one is given.

    Raises:
        ValueError: where it is not a whole picture, or its pixels are neither bytes nor whole numbers up to
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
    """A picture of bytes. The scale is the same for all pictures, however dark they are."""
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
    """A picture, and all that goes wrong with it as one line that names it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of EXIF that is odd
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # by name, Pillow would map a TIFF of plain bytes, and mix its pixels where it lies on its side
            with open(file, "rb") as handle, Image.open(handle) as image:
                if math.prod(image.size) > PIXELS:
                    width, height = image.size
                    raise ValueError(f"it has {width}x{height} pixels, and at most {PIXELS:,} are read")
                yield image
    except Exception as error:  # Pillow's readers raise whatever comes
        if isinstance(error, OSError) and error.filename:
            raise
        raise ValueError(f"{file} cannot be read as a picture: {first_line(error)}") from error
