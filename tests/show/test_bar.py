"""What a notebook shows during a fit, in a real kernel."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from small_fits import three_blobs

from gmvae import GMVAE
from gmvae.show import bar
from gmvae.show.bar import followed, picture
from gmvae.show.lines import Lines


def test_outside_notebooks_lines_are_printed():
    for verbose, kinds in ((0, []), ("auto", []), (1, [Lines]), (2, [Lines])):
        with followed(verbose) as observers:
            assert [type(one) for one in observers] == kinds


class Cell:
    """What a notebook's cell shows, in place of IPython's display."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def display(self, html, display_id):
        assert display_id
        self.shown.append(html.data)
        return self

    def update(self, html):
        self.shown[-1] = html.data


@pytest.mark.parametrize(
    ("verbose", "wait", "bars"), [(0, 0, 0), (1, 60, 1), ("auto", 0, 1), ("auto", 60, 0)]
)
def test_a_notebook_shows_one_bar_by_itself_for_long_fits(monkeypatch, verbose, wait, bars):
    pytest.importorskip("IPython", reason="IPython is not installed")
    cell = Cell()
    monkeypatch.setattr(bar, "in_notebook", lambda: True)
    monkeypatch.setattr(bar, "LONG", wait)
    monkeypatch.setattr("IPython.display.display", cell.display)
    GMVAE(2, epochs=2, hidden_size=4, init="random", verbose=verbose).fit(three_blobs()[0][::8])
    assert len(cell.shown) == bars
    assert all("value='1.000'" in one and "of 2 clusters in use" in one for one in cell.shown)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_a_bar_says_that_the_fit_was_stopped(monkeypatch, error):
    pytest.importorskip("IPython", reason="IPython is not installed")
    cell = Cell()

    def stop(*_):
        raise error

    monkeypatch.setattr(bar, "in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", cell.display)
    monkeypatch.setattr(bar.Bar, "epoch", stop)
    with pytest.raises(error):
        GMVAE(2, epochs=2, hidden_size=4, init="random", verbose=1).fit(three_blobs()[0][::8])
    (shown,) = cell.shown
    assert "GMVAE: stopped, " in shown
    assert "value='1.000'" not in shown


@pytest.mark.parametrize("verbose", ["loud", -1, None])
def test_other_values_of_verbose_are_errors(verbose):
    with pytest.raises(ValueError, match="it must be a whole number of at least 0, or 'auto'"):
        GMVAE(2, verbose=verbose).fit(three_blobs()[0])


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
from small_fits import taught, three_blobs
from gmvae.show import bar
bar.LONG = 0
model = taught(epochs=30, n_init=2)
model.fit(three_blobs()[0])
"""
    book = new_notebook(cells=[new_code_cell(code)])
    nbclient.NotebookClient(book, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [one for one in book.cells[0].outputs if one.output_type in ("display_data", "execute_result")]
    progress, left = (one["data"]["text/html"] for one in shown)
    value = re.search(r"<progress value='([\d.]+)'", progress).group(1)
    assert float(value) == 1
    assert "3 of 3 clusters in use" in progress
    assert "<img alt='240 rows in x" in left
    assert not [one for one in book.cells[0].outputs if one.output_type == "stream"]
