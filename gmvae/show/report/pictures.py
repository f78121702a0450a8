"""Put many images on one sheet."""

from __future__ import annotations

import base64
import io
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 32
"""Maximum pixels of the longer side of a picture."""

Array = NDArray[Any]


class Sheet:
    """Pictures side by side in one WebP image.

    Arguments:
        y: Images as rows of numbers, (N, size of y).
        y_shape: (channels, height, width).
    """

    def __init__(self, y: Array, y_shape: tuple[int, ...]) -> None:
        self.count, (_, height, width) = len(y), y_shape
        scale = min(1.0, SIDE / max(height, width))
        self.height, self.width = max(1, round(scale * height)), max(1, round(scale * width))
        self.columns = max(1, math.ceil(math.sqrt(self.count * self.height / self.width)))
        rows = -(-self.count // self.columns)
        whole = Image.new("RGB", (self.columns * self.width, rows * self.height))
        for place, pixels in enumerate(shades(y, y_shape)):
            tile = Image.fromarray(pixels)
            if scale < 1:
                tile = tile.resize((self.width, self.height), Image.Resampling.LANCZOS)
            row, column = divmod(place, self.columns)
            whole.paste(tile, (column * self.width, row * self.height))
        file = io.BytesIO()
        whole.save(file, "webp", quality=75)
        self.url = f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"

    def style(self, place: int) -> str:
        """CSS that shows one picture, in the unit ``--px`` of a pixel."""
        row, column = divmod(place, self.columns)
        at = f"calc({-column * self.width}*var(--px)) calc({-row * self.height}*var(--px))"
        return f"background-position:{at}"


def shades(y: Array, y_shape: tuple[int, ...]) -> Array:
    """Convert images to bytes, (N, height, width, 3), from numbers in [0, 1] or levels up to 255. Numbers in
    another unit are scaled from their 5th to their 95th percentile. Images without three channels become
    grey, the mean of their channels."""
    low, high = np.percentile(y[:: max(1, len(y) // 200)], (5, 95))
    if y.min() >= 0 and 1.5 < y.max() <= 255:
        y = y / 255
    elif low < -0.5 or high > 1.5:
        y = (y - low) / (high - low or 1.0)
    channels, height, width = y_shape
    planes = (y.clip(0, 1) * 255).astype(np.uint8).reshape(-1, channels, height, width).transpose(0, 2, 3, 1)
    if channels != 3:
        planes = np.repeat(planes.mean(-1, keepdims=True).astype(np.uint8), 3, -1)
    return np.ascontiguousarray(planes)
