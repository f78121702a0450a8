"""Find the files of a published data set on this machine, or else fetch them from their source."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gmvae.data.sets.download import Failed, download

VARIABLE = "GMVAE_DATA_DIR"
BEFORE = ("data",)
"""Folders searched first: torchvision's examples keep their data in ./data."""
AFTER = ("~/data", "/usr/share/datasets")
"""Folders searched last: the user's own collection, and that of Debian's packages."""


@dataclass(frozen=True)
class Source:
    """A published data set.

    Arguments:
        name: Its name on the command line.
        url: The address of its files.
        folders: Possible names of a folder with its files; the first is the one that we create.
        files: Names of the files, and the SHA-256 sums of the published files.
    """

    name: str
    url: str
    folders: tuple[str, ...]
    files: dict[str, str]


def locate(source: Source, names: Sequence[str], data_dir: str | Path | None = None) -> list[Path]:
    """Return the paths of a data set's files, all in one folder. Files that are not found are fetched.

    The folders of ``source`` are searched for in ``data_dir`` (which can also hold the files itself),
    $GMVAE_DATA_DIR, ./data, the cache, ~/data and /usr/share/datasets. A file packed with gzip can also
    be there unpacked. Fetched files go to ``data_dir``, or else to $GMVAE_DATA_DIR, or else to the cache.
    A file that is already there is left as it is.

    Arguments:
        source: The data set.
        names: Names of the files that are needed.
        data_dir: A folder to look in first.

    Raises:
        ValueError: if files are missing and cannot be fetched.
        OSError: if a folder cannot be read.
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
    # Path.expanduser raises an error if there is no home
    yield from (Path(os.path.expanduser(root)) for root in AFTER)  # noqa: PTH111


def _cache() -> Path:
    import pooch

    return Path(pooch.os_cache("gmvae"))


def _may_be_it(root: Path, source: Source, data_dir: str | Path | None) -> bool:
    """Whether files with these names in a folder belong to this data set. MNIST and Fashion-MNIST share file
    names, so the folder must have been given for this data set, or be named after it."""
    named = bool(data_dir) and root == Path(os.path.expanduser(data_dir or ""))  # noqa: PTH111
    return named or any(root.parts[-len(Path(f).parts) :] == Path(f).parts for f in source.folders)


def _folders(root: Path, source: Source, *, itself: bool) -> list[Path]:
    return [root] * itself + [root / folder for folder in source.folders]


def _home(root: Path, source: Source, names: Sequence[str], *, itself: bool) -> Path:
    """The folder for missing files: the one that has some of the files already, or else a folder of their
    own."""
    folders = _folders(root, source, itself=itself)
    partial = (folder for folder in folders if any(_present(folder, name) for name in names))
    return next(partial, root / source.folders[0])


def _present(folder: Path, name: str) -> Path | None:
    for path in (folder / name, folder / name.removesuffix(".gz")):
        with suppress(PermissionError):
            if path.is_file():
                return path
    return None
