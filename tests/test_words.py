"""Plain words: code, messages and documentation do not use the words that the glossary replaces."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RIDDLES = {
    r"\bmanieth\b": "which neighbour it is",
    r"\b(un)?parted\b": "clustered",
    r"\bbegun\b": "started",
    r"\btold (without|by|nothing|how)\b": "found, given",
    r"\b(is|are|was|were|been) told\b": "given, reported",
    r"\bsomebody'?s?\b": "the user's",
    r"\bwhoever\b": "who",
    r"\bseldom\b": "rarely",
    r"\bfor ever\b": "too long, without end",
    r"speaks for itself": "how it is chosen",
    r"\b(Wish|Recipe)\b": "ReadOptions, Schema",
    r"\bso as to\b": "to",
}
"""Words not to use, and what to write instead."""
FILES = [
    *sorted((ROOT / "gmvae").rglob("*.py")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted(ROOT.glob("*.md")),
]


@pytest.mark.parametrize("riddle", RIDDLES)
def test_plain_words(riddle):
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in FILES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(riddle, line)
    ]
    assert not found, f"write {RIDDLES[riddle]} instead of {riddle} in {found}"
