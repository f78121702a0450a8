"""A folder of pictures, or of .parquet files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from gmvae.data.recipe import Recipe, Wish
from gmvae.data.source import Block, Source

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "F")
"""Pillow's modes of pictures without colours."""
FOLDER = "folder"
"""The label column of pictures: the name of the folder that each lies in."""
ORIENTATION, SIDEWAYS = 0x0112, 5
"""The EXIF field that says how a camera was held, and from which value on it lay on its side."""
BROKEN = (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError)
"""What Pillow raises for a file that is no picture, or not a whole one."""
IMAGES = 512
"""Pictures of a block, at most."""


class Pictures(Source):
    """Pictures in a folder and the folders in it, in the order of their paths.

    They become bytes with one channel where all of them are grey, else three. Transparent parts become
    white, a picture that a camera turned is turned back, and of a moving one the first image is taken.

    Arguments:
        path: The folder.
        files: The pictures.
    """

    def __init__(self, path: Path, files: Sequence[Path]) -> None:
        super().__init__(path)
        self.files = files

    def count(self) -> int | None:
        return len(self.files)

    def recipe(self, wish: Wish) -> Recipe:
        if wish.columns or wish.drop or wish.id_column or wish.label_column not in (None, FOLDER):
            raise ValueError(
                f"{self.path} is a folder of pictures, which have no columns: only --label-column {FOLDER} "
                "has a meaning, the name of the folder that each picture lies in"
            )
        grey, first = wish.grey, None
        if not grey:
            grey = all(_about(file)[0] in GREY for file in self.files)
        height = width = wish.image_size
        if not wish.image_size:
            first = self.files[0]
            height, width = _about(first)[1]
            for file in self.files:
                self._check_size(file, _about(file)[1], (height, width), first)
        return Recipe(
            y_shape=(1 if grey else 3, height, width),
            label_column=wish.label_column,
            id_column="path",
            resize=bool(wish.image_size),
        )

    def blocks(self, recipe: Recipe, rows: int = IMAGES) -> Iterator[Block]:
        if len(recipe.y_shape) != 3:
            raise ValueError(
                f"{self.path} is a folder of pictures: the model was trained on rows of "
                f"{recipe.y_shape[0]} numbers"
            )
        channels, *size = recipe.y_shape
        rows = min(rows, IMAGES)
        for start in range(0, len(self.files), rows):
            files = self.files[start : start + rows]
            y = [self._image(file, channels, (size[0], size[1]), resize=recipe.resize) for file in files]
            labels = np.array([file.parent.name for file in files], dtype=object)
            ids = np.array([str(file.relative_to(self.path)) for file in files], dtype=object)
            yield Block(np.stack(y), ids, labels if recipe.label_column == FOLDER else None)

    def _image(self, file: Path, channels: int, size: tuple[int, int], *, resize: bool) -> NDArray[np.uint8]:
        image = _read(file, grey=channels == 1, size=size if resize else None)
        self._check_size(file, image.shape[1:], size)
        return image

    def _check_size(
        self, file: Path, found: tuple[int, ...], size: tuple[int, ...], first: Path | None = None
    ) -> None:
        if tuple(found) != tuple(size):
            others = "the model's" if first is None else f"{first} has"
            raise ValueError(
                f"{file} has {found[0]}x{found[1]} pixels, {others} {size[0]}x{size[1]}: all must have as "
                "many, so bring them to one size, or train with --image-size 32 or so"
            )


def open_folder(path: Path) -> Source:
    """The pictures in a folder, or else the .parquet files in it.

    Raises:
        ValueError: where it has neither.
    """
    files = sorted(
        file
        for file in path.rglob("*")
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )
    pictures = [file for file in files if file.suffix.lower() in ENDINGS]
    if pictures:
        return Pictures(path, pictures)
    tables = [file for file in files if file.suffix == ".parquet"]
    if tables:
        from gmvae.data.formats import ParquetFiles

        return ParquetFiles(path, tables)
    raise ValueError(f"{path} has neither pictures ({', '.join(ENDINGS)}) nor .parquet files in it")


def _about(file: Path) -> tuple[str, tuple[int, int]]:
    """Mode, and height and width once it is upright, of a picture whose pixels are not looked at."""
    try:
        with Image.open(file) as image:
            turned = image.getexif().get(ORIENTATION, 1) >= SIDEWAYS
            return image.mode, image.size if turned else image.size[::-1]
    except BROKEN as error:
        raise _broken(file, error) from error


def _read(file: Path, *, grey: bool, size: tuple[int, int] | None) -> NDArray[np.uint8]:
    """The levels of a picture, (1 or 3, height, width)."""
    try:
        with Image.open(file) as opened:
            image = ImageOps.exif_transpose(opened)
            if image.mode.startswith("I") or image.mode == "F":  # more than 8 bits
                values = np.asarray(image, dtype=np.float64)
                top = 65535.0 if values.max() > 255 else 255.0
                image = Image.fromarray((values.clip(0, top) * (255 / top)).round().astype(np.uint8))
            if image.has_transparency_data:
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            image = image.convert("L" if grey else "RGB")
            if size is not None:
                image = image.resize(size[::-1], Image.Resampling.LANCZOS, reducing_gap=3)
            levels = np.asarray(image, dtype=np.uint8)
    except (*BROKEN, ValueError) as error:
        raise _broken(file, error) from error
    return levels[None] if grey else levels.transpose(2, 0, 1)


def _broken(file: Path, error: Exception) -> ValueError:
    return ValueError(f"{file} is not a whole picture: {str(error).splitlines()[0]}")
