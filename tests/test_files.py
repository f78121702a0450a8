"""Files come back as they were written, and bad ones are named; nobody reads half a file."""

import json
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from gmvae.files import (
    RunFolder,
    load_model,
    read_arrays,
    read_json,
    read_tensors,
    save_model,
    write_arrays,
    write_json,
    write_tensors,
    write_whole,
)


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


@pytest.mark.parametrize("assignment", ["recogniser", "posterior"])
def test_a_model_file_is_the_whole_model(build, observations, tmp_path, assignment):
    model = build(assignment=assignment, double=False).train()
    y = observations("gaussian", count=50).float()
    model.infer(y)  # moves batch norm's statistics
    save_model(tmp_path / "m.safetensors", model)
    loaded = load_model(tmp_path / "m.safetensors")
    assert loaded.config == model.config
    assert not loaded.training
    with torch.no_grad():
        torch.testing.assert_close(loaded.assign(y).probs, model.eval().assign(y).probs, rtol=0, atol=0)


def damaged(raw: bytes, tmp_path):
    yield "truncated", raw[:-10]
    yield "cut in its head", raw[:40]
    yield "empty", b""
    yield "a pickle", pickle.dumps(Bomb())
    yield "a page", b"<!DOCTYPE html><html></html>"
    tensors, about = read_tensors(tmp_path / "m.safetensors")
    for name, change in {
        "of another format": {"format": 99},
        "of another size": {"config": {**about["config"], "clusters": 5}},
        "with a field more": {"config": {**about["config"], "colour": 5}},
        "with a bad value": {"config": {**about["config"], "clusters": -1}},
        "without a configuration": {"config": None},
    }.items():
        write_tensors(tmp_path / "changed", tensors, {**about, **change})
        yield name, (tmp_path / "changed").read_bytes()
    save_file({"a": torch.zeros(2)}, tmp_path / "changed")
    yield "of somebody else", (tmp_path / "changed").read_bytes()


def test_damaged_model_files_are_named_in_one_line(build, tmp_path):
    save_model(tmp_path / "m.safetensors", build(double=False))
    seen = 0
    for what, content in damaged((tmp_path / "m.safetensors").read_bytes(), tmp_path):
        (tmp_path / "bad.safetensors").write_bytes(content)
        with pytest.raises(ValueError, match=r"bad\.safetensors") as caught:
            load_model(tmp_path / "bad.safetensors")
        assert "\n" not in str(caught.value), what
        seen += 1
    assert seen == 11


def test_no_model_file_is_said():
    with pytest.raises(ValueError, match="nowhere is not there"):
        load_model("nowhere")


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
    with pytest.raises(ValueError, match="already holds a run: name another --run-dir, or go on with"):
        RunFolder.create(tmp_path / "run", {"name": "two"})
    assert folder.about() == {"name": "one"}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all I have")
    with pytest.raises(ValueError, match="is not empty"):
        RunFolder.create(tmp_path / "mine", {})
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_a_folder_without_a_run_is_said(tmp_path):
    with pytest.raises(ValueError, match="holds no run"):
        RunFolder(tmp_path)


def test_history_grows_and_rewinds(tmp_path):
    folder = RunFolder.create(tmp_path / "run", {})
    assert folder.history() == []
    for epoch in (1, 2, 3):
        folder.append({"epoch": epoch})
    with open(folder.metrics, "a") as file:
        file.write('{"epoch": 4, "el')  # a line on its way
    assert [r["epoch"] for r in folder.history()] == [1, 2, 3]
    assert folder.rewind(2) == [{"epoch": 1}, {"epoch": 2}]
    assert [json.loads(line)["epoch"] for line in folder.metrics.read_text().splitlines()] == [1, 2]


def test_json_of_another_kind_is_named(tmp_path):
    for content in ("{", "[1]", "\xff"):
        (tmp_path / "x.json").write_text(content, encoding="latin-1")
        with pytest.raises(ValueError, match=r"x\.json"):
            read_json(tmp_path / "x.json")
