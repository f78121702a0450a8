"""Download files with pooch. They are checked against their SHA-256 sums before they get their names."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

CONNECT, READ = 10, 30
"""Seconds to wait for a connection, and for the next bytes."""
RETRIES = 2
CHUNK = 1 << 17


class Failed(Exception):  # noqa: N818
    """Why files could not be fetched, in a few words."""


def download(url: str, files: Mapping[str, str], folder: Path) -> None:
    """Fetch files from ``url`` into a folder.

    A file gets its name only when it is complete and its checksum is right. A download is retried after a
    broken connection or a wrong checksum, but not if there is no connection at all or no such file.

    Arguments:
        url: The address to which the names are added.
        files: Names, and the SHA-256 sum of each.
        folder: Folder for the files; it is created if it does not exist.

    Raises:
        Failed: if a file could not be fetched.
    """
    import pooch
    import requests

    source = pooch.create(
        path=folder,
        base_url=url,
        registry={name: f"sha256:{digest}" for name, digest in files.items()},
        retry_if_failed=RETRIES,
    )
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    pooch.get_logger().setLevel(logging.CRITICAL)
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        for name in files:
            bar = _Bar(progress, name, f"fetching {url}{name} into {folder}")
            try:
                folder.mkdir(parents=True, exist_ok=True)
                source.fetch(name, downloader=_downloader(bar))
            except ValueError as error:
                _remove(made)
                raise Failed(f"{name} does not have the checksum of the published file") from error
            except (requests.RequestException, _Hopeless) as error:
                _remove(made)
                raise Failed(f"{name}: {_reason(error)}") from error
            except OSError as error:
                raise Failed(f"{error.filename or name}: {error.strerror or error}") from error


def _remove(folders: list[Path]) -> None:
    """Remove folders that were created for a download that failed."""
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()


class _Bar:
    """A progress bar with pooch's interface, drawn by rich, after a line that says what is fetched."""

    def __init__(self, progress: Progress, name: str, line: str) -> None:
        self.progress, self.task = progress, progress.add_task(name, total=None)
        self.line = line

    @property
    def total(self) -> float | None:
        return self.progress.tasks[self.task].total

    @total.setter
    def total(self, total: int) -> None:
        # pooch sets it when the server has answered, perhaps a second time
        if self.line:
            self.progress.console.print(self.line, markup=False)
            self.line = ""
        self.progress.reset(self.task, total=total or None)

    def update(self, size: int) -> None:
        self.progress.advance(self.task, size)

    def reset(self) -> None:
        self.progress.reset(self.task)

    def close(self) -> None:
        self.progress.stop_task(self.task)


class _Hopeless(Exception):  # noqa: N818
    """A failure that another attempt would not fix. pooch retries after all others."""


def _downloader(bar: _Bar) -> Callable[[str, Any, Any], None]:
    import pooch
    import requests

    fetch = pooch.HTTPDownloader(progressbar=bar, chunk_size=CHUNK, timeout=(CONNECT, READ))

    def attempt(url: str, output: Any, source: Any) -> None:
        try:
            fetch(url, output, source)
        except requests.RequestException as error:
            if error.response is not None:
                error.response.close()  # pooch leaves a refused response open
            if _is_hopeless(error):
                raise _Hopeless(_reason(error)) from error
            raise

    return attempt


def _is_hopeless(error: Exception) -> bool:
    import requests
    import urllib3

    if isinstance(error, requests.HTTPError):
        return error.response is not None and error.response.status_code < 500
    cause = error.args[0] if error.args else None
    return isinstance(cause, urllib3.exceptions.MaxRetryError)


def _reason(error: Exception) -> str:
    import requests

    if isinstance(error, _Hopeless):
        return str(error)
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answers {error.response.status_code}"
    return "no connection" if _is_hopeless(error) else "the connection broke off"
