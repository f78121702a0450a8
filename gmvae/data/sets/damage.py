"""Errors about files of published data that are damaged."""

from __future__ import annotations

from pathlib import Path


def damaged(path: Path, what: str) -> ValueError:
    """The error about a damaged file, which ends with the remedy."""
    return ValueError(f"{path} {what}: delete it and fetch it again")


def check_start(path: Path, start: bytes) -> None:
    """Check the first bytes of a file for what is often saved in place of data.

    Raises:
        ValueError: if there are no bytes, or they are the start of a web page (a server's error, a consent
            form).
    """
    if not start:
        raise damaged(path, "is empty")
    if start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        raise damaged(path, "is a web page, not data")
