"""Where the files of a published data set are: on this machine, or else fetched from their source."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gmvae.data.sets.download import Failed, download

VARIABLE = "GMVAE_DATA_DIR"
BEFORE = ("data",)
"""Looked at first: torchvision's examples keep their data in ./data."""
AFTER = ("~/data", "/usr/share/datasets")
"""Looked at last: a person's own collection, and where Debian's packages put theirs."""


@dataclass(frozen=True)
class Source:
    """A published data set.

    Arguments:
        name: What the command line calls it.
        url: Where its files are published.
        folders: What a folder with its files may be called; the first is what we call it.
        files: The files' names, and the SHA-256 sums of what is published.
    """

    name: str
    url: str
    folders: tuple[str, ...]
    files: dict[str, str]


def locate(source: Source, names: Sequence[str], data_dir: str | Path | None = None) -> list[Path]:
    """Paths of a data set's files, all in one folder, which are fetched where they are nowhere.

    The folders of ``source`` are looked for in ``data_dir``, which may also hold the files itself, in
    $GMVAE_DATA_DIR, ./data, the cache, ~/data and /usr/share/datasets. A file packed with gzip may
    lie there unpacked. Fetched files go to the first of ``data_dir``, $GMVAE_DATA_DIR and the cache
    that is given; one that is there already is left as it is.

    Arguments:
        source: The data set.
        names: Those of its files that are needed.
        data_dir: A folder to look in first.

    Raises:
        ValueError: where files are missing and cannot be fetched.
        OSError: where a folder cannot be read.
    """
    if data_dir and Path(data_dir).expanduser().is_file():
        raise ValueError(f"data_dir is {data_dir}, a file: it must be a folder")
    given = [Path(os.path.expanduser(root)) for root in (data_dir, os.environ.get(VARIABLE)) if root]  # noqa: PTH111
    looked = []
    for root in _roots(given):
        looked.append(str(root))
        for folder in _folders(root, source, itself=_may_be_it(root, source, data_dir)):
            found = [_present(folder, name) for name in names]
            if all(found):
                return [path for path in found if path is not None]
    root = (given or [_cache()])[0]
    home = _home(root, source, names, itself=_may_be_it(root, source, data_dir))
    missing = [name for name in names if _present(home, name) is None]
    try:
        download(source.url, {name: source.files[name] for name in missing}, home)
    except Failed as failure:
        raise ValueError(
            f"{source.name} was not found in {', '.join(looked)} nor fetched from {source.url} ({failure}): "
            f"put {', '.join(missing)} into {home}, or name their folder with --data-dir"
        ) from failure
    return [_present(home, name) or home / name for name in names]


def _roots(given: list[Path]) -> Iterator[Path]:
    yield from given
    yield from map(Path, BEFORE)
    yield _cache()
    # Path.expanduser raises where there is no home
    yield from (Path(os.path.expanduser(root)) for root in AFTER)  # noqa: PTH111


def _cache() -> Path:
    import pooch

    return Path(pooch.os_cache("gmvae"))


def _may_be_it(root: Path, source: Source, data_dir: str | Path | None) -> bool:
    """Whether files of this name in a folder are those of this data set: MNIST and Fashion-MNIST share names.
    So the folder must have been given for this data set, or be named after it."""
    named = bool(data_dir) and root == Path(os.path.expanduser(data_dir or ""))  # noqa: PTH111
    return named or any(root.parts[-len(Path(f).parts) :] == Path(f).parts for f in source.folders)


def _folders(root: Path, source: Source, *, itself: bool) -> list[Path]:
    return [root] * itself + [root / folder for folder in source.folders]


def _home(root: Path, source: Source, names: Sequence[str], *, itself: bool) -> Path:
    """Where missing files go: beside those that are there, or else into a folder of their own."""
    folders = _folders(root, source, itself=itself)
    partial = (folder for folder in folders if any(_present(folder, name) for name in names))
    return next(partial, root / source.folders[0])


def _present(folder: Path, name: str) -> Path | None:
    for path in (folder / name, folder / name.removesuffix(".gz")):
        with suppress(PermissionError):
            if path.is_file():
                return path
    return None
