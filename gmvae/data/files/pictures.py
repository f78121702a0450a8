"""Pictures in a folder as observations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from gmvae.data.files.base import ROWS, Block, Source, at_most
from gmvae.data.files.columns import check_options
from gmvae.data.files.folder import ENDINGS, would_read
from gmvae.data.levels import about, read
from gmvae.data.limits import WIDTH
from gmvae.data.schema import ReadOptions, Schema

FOLDER = "folder"
"""The label column of pictures: the name of the folder that each picture is in."""


class Pictures(Source):
    """Pictures in a folder and its subfolders, in the order of their paths.

    :mod:`gmvae.data.levels` reads them as bytes, with one channel if all of them are grey, else with three.
    Their ids are their paths in the folder.

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

    def schema(self, options: ReadOptions) -> Schema:
        check_options(self.path, ReadOptions(layer=options.layer), ())
        if (
            options.columns
            or options.drop
            or options.beside - {FOLDER}
            or FOLDER in (options.id_column, options.weight_column)
        ):
            raise ValueError(
                f"{self.path} is a folder of pictures, which have no columns: only --label-column {FOLDER} "
                "has a meaning, the name of the folder that each picture is in"
            )
        if options.image_size < 0:
            raise ValueError(f"image_size is {options.image_size}: it must be a number of pixels, or 0")
        grey, size = True, (options.image_size, options.image_size)
        for file in self.files:
            colourless, found = about(file)
            grey &= colourless
            if not options.image_size:
                size = found if file == self.files[0] else size
                if found != size:
                    raise ValueError(
                        f"{file} has {_pixels(found)}, {self.files[0]} has {_pixels(size)}: they must have "
                        "the same size, so resize them with --image-size 32, for example"
                    )
        y_shape = (1 if grey or options.grey else 3, *size)
        if math.prod(y_shape) > WIDTH:
            raise ValueError(
                f"{self.path} has pictures of {_pixels(size)}: each can have at most {WIDTH:,} numbers, so "
                "resize them with --image-size 32, for example"
            )
        return Schema(
            y_shape=y_shape,
            label_column=options.label_column,
            id_column="path",
            resize=bool(options.image_size),
        )

    def blocks(self, schema: Schema, rows: int = ROWS) -> Iterator[Block]:
        if len(schema.y_shape) != 3 or schema.y_shape[0] not in (1, 3):
            raise ValueError(
                f"{self.path} is a folder of pictures: the model was trained on observations of shape "
                f"{schema.y_shape}"
            )
        rows = at_most(rows, schema.y_shape)
        for start in range(0, len(self.files), rows):
            files = self.files[start : start + rows]
            y = np.empty((len(files), *schema.y_shape), dtype=np.uint8)
            for file, levels in zip(files, y, strict=True):
                self._read(file, levels, resize=schema.resize)
            labels = np.array([file.parent.name for file in files], dtype=object)
            ids = np.array([file.relative_to(self.path).as_posix() for file in files], dtype=object)
            yield Block(y, ids, labels if schema.label_column == FOLDER else None)

    def _read(self, file: Path, levels: np.ndarray, *, resize: bool) -> None:
        size = levels.shape[1:]
        found = read(file, grey=len(levels) == 1, size=(size[0], size[1]) if resize else None)
        if found.shape != levels.shape:
            raise ValueError(
                f"{file} has {_pixels(found.shape[1:])}, and the model was trained on {_pixels(size)}: "
                "resize it, or train with --image-size, which resizes all pictures"
            )
        levels[:] = found


def _pixels(size: Sequence[int]) -> str:
    return f"{size[0]}x{size[1]} pixels"
