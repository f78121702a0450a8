"""What a notebook shows during a fit, in a real kernel."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gmvae.show.bar import followed, picture
from gmvae.show.lines import Lines


def test_outside_notebooks_lines_are_printed():
    assert followed(0) == ()
    assert [type(one) for one in followed(1) + followed(2)] == [Lines, Lines]


def test_texts_stay_texts():
    assert "&lt;b&gt;" in picture("<b>", 0.5)
    assert "value='0.500'" in picture("", 0.5)


@pytest.mark.slow
def test_a_notebook_shows_one_bar_and_the_map(tmp_path):
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    from nbformat.v4 import new_code_cell, new_notebook

    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from small_fits import quick, three_blobs
model = quick(epochs=30, verbose=1, n_init=2)
model.fit(three_blobs()[0])
"""
    book = new_notebook(cells=[new_code_cell(code)])
    nbclient.NotebookClient(book, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [one for one in book.cells[0].outputs if one.output_type in ("display_data", "execute_result")]
    bar, left = (one["data"]["text/html"] for one in shown)
    value = re.search(r"<progress value='([\d.]+)'", bar).group(1)
    assert float(value) == 1
    assert "3 of 3 clusters in use" in bar
    assert "<img alt='240 rows in x" in left
    assert not [one for one in book.cells[0].outputs if one.output_type == "stream"]
