"""Code in the documentation runs as it is written there, from the top of a page to its end."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("page", ["estimator.md", "your-data.md", "choosing.md", "doctor.md", "deploy.md"])
def test_code_blocks_run(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    text = (DOCS / page).read_text()
    blocks = list(BLOCK.finditer(text))
    assert blocks
    names: dict[str, object] = {}
    for match in blocks:
        language, block = match.groups()
        if language == "python":
            code = compile("\n" * text[: match.start(2)].count("\n") + block, str(DOCS / page), "exec")
            exec(code, names)
        else:
            path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
            said = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", block],
                env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=600,
            )  # fmt: skip
            assert said.returncode == 0, said.stderr
