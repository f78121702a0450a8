"""Files are read as they were written, bad files are named, and no half-written file is ever read."""

import json

import numpy as np
import pytest

from gmvae.store.files import read_arrays, read_json, write_arrays, write_json, write_whole
from gmvae.store.run_folder import MEASURED, RunFolder


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "deep" / "file.json"
    write_json(path, {"a": 1})

    def fail(part):
        part.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_whole(path, fail)
    assert read_json(path) == {"a": 1}
    assert [p.name for p in path.parent.iterdir()] == ["file.json"]


def test_arrays_come_back(tmp_path):
    arrays = {"a": np.arange(3), "b": np.ones((2, 2), dtype=np.float32)}
    write_arrays(tmp_path / "a.npz", arrays)
    back = read_arrays(tmp_path / "a.npz")
    assert back.keys() == arrays.keys()
    for name in arrays:
        np.testing.assert_array_equal(back[name], arrays[name])


def test_a_run_folder_overwrites_nothing(tmp_path):
    folder = RunFolder.create(tmp_path / "run", {"name": "one"})
    with pytest.raises(ValueError, match="already holds a run: name another folder, or continue with"):
        RunFolder.create(tmp_path / "run", {"name": "two"})
    assert folder.about() == {"name": "one"}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all I have")
    with pytest.raises(ValueError, match="is not empty"):
        RunFolder.create(tmp_path / "mine", {})
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(ValueError, match="holds no run"):
        RunFolder(tmp_path)


def test_history_grows_and_rewinds(tmp_path):
    folder = RunFolder.create(tmp_path / "run", {})
    assert folder.history() == []
    made = [dict.fromkeys(MEASURED, 0.5) | {"restart": 1, "epoch": epoch} for epoch in (1, 2, 3)]
    for record in made:
        folder.append(record)
    with open(folder.metrics, "a") as file:
        file.write('{"epoch": 4, "el')  # a line on its way
    assert [r["epoch"] for r in folder.history()] == [1, 2, 3]
    assert folder.rewind([2]) == made[:2]
    assert [json.loads(line)["epoch"] for line in folder.metrics.read_text().splitlines()] == [1, 2]


def test_json_of_another_kind_is_named(tmp_path):
    for content in ("{", "[1]", "\xff"):
        (tmp_path / "x.json").write_text(content, encoding="latin-1")
        with pytest.raises(ValueError, match=r"x\.json"):
            read_json(tmp_path / "x.json")
