"""Python in the documentation runs as it is written there, from the top of a page to its end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("page", ["estimator.md"])
def test_python_blocks_run(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    text = (DOCS / page).read_text()
    blocks = [(match.group(1), text[: match.start(1)].count("\n")) for match in BLOCK.finditer(text)]
    assert blocks
    names: dict[str, object] = {}
    for block, line in blocks:
        exec(compile("\n" * line + block, str(DOCS / page), "exec"), names)
