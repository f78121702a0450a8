"""Pictures in a folder as observations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from gmvae.data.files.base import ROWS, Block, Source, at_most
from gmvae.data.files.folder import ENDINGS, would_read
from gmvae.data.levels import about, read
from gmvae.data.schema import Recipe, Wish

FOLDER = "folder"
"""The label column of pictures: the name of the folder that each lies in."""


class Pictures(Source):
    """Pictures in a folder and the folders in it, in the order of their paths.

    They become bytes with one channel where all of them are grey, else three; :mod:`gmvae.data.levels` says
    how. Their ids are their paths in the folder.

    Arguments:
        path: The folder.
        files: The pictures.
    """

    def __init__(self, path: Path, files: Sequence[Path]) -> None:
        super().__init__(path)
        self.files = files

    def count(self) -> int | None:
        return len(self.files)

    def names(self) -> Sequence[str]:
        return (FOLDER,)

    def reads(self, path: Path) -> bool:
        return would_read(self.path, self.files, path, ENDINGS)

    def recipe(self, wish: Wish) -> Recipe:
        if wish.columns or wish.drop or wish.id_column or wish.label_column not in (None, FOLDER):
            raise ValueError(
                f"{self.path} is a folder of pictures, which have no columns: only --label-column {FOLDER} "
                "has a meaning, the name of the folder that each picture lies in"
            )
        if wish.image_size < 0:
            raise ValueError(f"image size is {wish.image_size}: it must be a number of pixels, or 0")
        grey, size = True, (wish.image_size, wish.image_size)
        for file in self.files:
            colourless, found = about(file)
            grey &= colourless
            if not wish.image_size:
                size = found if file == self.files[0] else size
                if found != size:
                    raise ValueError(
                        f"{file} has {_pixels(found)}, {self.files[0]} has {_pixels(size)}: they must be "
                        "alike, so bring them to one size with --image-size 32 or so"
                    )
        return Recipe(
            y_shape=(1 if grey or wish.grey else 3, *size),
            label_column=wish.label_column,
            id_column="path",
            resize=bool(wish.image_size),
        )

    def blocks(self, recipe: Recipe, rows: int = ROWS) -> Iterator[Block]:
        if len(recipe.y_shape) != 3 or recipe.y_shape[0] not in (1, 3):
            raise ValueError(
                f"{self.path} is a folder of pictures: the model was trained on observations of shape "
                f"{recipe.y_shape}"
            )
        rows = at_most(rows, recipe.y_shape)
        for start in range(0, len(self.files), rows):
            files = self.files[start : start + rows]
            y = np.empty((len(files), *recipe.y_shape), dtype=np.uint8)
            for file, levels in zip(files, y, strict=True):
                self._read(file, levels, resize=recipe.resize)
            labels = np.array([file.parent.name for file in files], dtype=object)
            ids = np.array([file.relative_to(self.path).as_posix() for file in files], dtype=object)
            yield Block(y, ids, labels if recipe.label_column == FOLDER else None)

    def _read(self, file: Path, levels: np.ndarray, *, resize: bool) -> None:
        size = levels.shape[1:]
        found = read(file, grey=len(levels) == 1, size=(size[0], size[1]) if resize else None)
        if found.shape != levels.shape:
            raise ValueError(
                f"{file} has {_pixels(found.shape[1:])}, and the model was trained on {_pixels(size)}: bring "
                "it to this size, or train with --image-size, which does"
            )
        levels[:] = found


def _pixels(size: Sequence[int]) -> str:
    return f"{size[0]}x{size[1]} pixels"
