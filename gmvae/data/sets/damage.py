"""What is said of a file that does not hold what it should."""

from __future__ import annotations

from pathlib import Path


def damaged(path: Path, what: str) -> ValueError:
    """The error about a file, which ends with the remedy."""
    return ValueError(f"{path} {what}: delete it and fetch it anew")


def check_start(path: Path, start: bytes) -> None:
    """Tell from the first bytes of a file what is often saved in place of data.

    Raises:
        ValueError: where there are no bytes, or they begin a web page (a server's error, a consent form).
    """
    if not start:
        raise damaged(path, "is empty")
    if start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        raise damaged(path, "is a web page, not data")
