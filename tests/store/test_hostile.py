"""Hostile files of runs and models: one-line errors, little memory, no control characters."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from commands import bad, here

import gmvae
from gmvae.store.files import checksum, read_sealed, read_tensors, write_sealed, write_tensors
from gmvae.store.model_file import ModelFile
from gmvae.store.run_folder import RunFolder

FORMATS = Path(__file__).parent.parent / "format_2"


def rewritten(path: Path, change) -> None:
    """A model file with changed metadata and a matching checksum."""
    tensors, about = read_tensors(FORMATS / "table.safetensors")
    about.pop("sha256")
    change(about)
    write_tensors(path, tensors, {**about, "sha256": checksum(tensors, about)})


def test_a_small_model_file_that_claims_a_large_network_is_refused(tmp_path):
    rewritten(tmp_path / "m.safetensors", lambda about: about["config"].update(hidden_size=10**7))
    with pytest.raises(ValueError, match=r"m\.safetensors is not a complete model .*configuration says"):
        ModelFile.load(tmp_path / "m.safetensors")


CHANGES = {
    "weights": lambda about: about["about"].update(weights=None),
    "diagnostics": lambda about: about["about"].update(diagnostics=[1]),
    "constants": lambda about: about["about"].update(constants={"x": 1}),
    "findings": lambda about: about["about"].update(findings=[{"colour": 1}]),
    "versions": lambda about: about.update(versions=None),
    "about": lambda about: about.update(about=3),
    "config": lambda about: about.update(config=[1]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_odd_metadata_give_one_line(name, tmp_path):
    rewritten(tmp_path / "m.safetensors", CHANGES[name])
    with pytest.raises(ValueError, match=r"m\.safetensors") as caught:
        gmvae.load(tmp_path / "m.safetensors", "cpu")
    assert "\n" not in str(caught.value)


def test_a_card_has_no_control_characters(tmp_path):
    def change(about):
        about["about"]["likelihood_reason"] = "\x1b[2J\x1b]0;owned\x07 \u202egnp.exe"

    rewritten(tmp_path / "m.safetensors", change)
    said = here("info", tmp_path / "m.safetensors")
    assert said.status == 0
    assert "\\x1b[2J" in said.out
    assert not {"\x1b", "\x07", "\u202e"} & {*said.out}


@pytest.mark.parametrize("content", ["[" * 100_000, "1" * 5000, '"\\ud800', "null", "[1]\n"])
def test_odd_records_give_one_line(content, tmp_path):
    folder = RunFolder.create(tmp_path / "run", {})
    folder.metrics.write_text(content + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"metrics\.jsonl"):
        folder.history()


@pytest.mark.slow
def test_no_damage_to_config_or_start_is_accepted(tmp_path):
    folder = RunFolder.create(tmp_path / "run", {"name": "x", "shape": (3, 4), "rate": 0.1})
    folder.write_starts([{"restart": 1, "reason": "so", "seconds": 0.25}])
    rng = np.random.default_rng(0)
    for path, read in (
        (folder.path / "config.json", lambda: folder.about(whole=True)),
        (folder.start, folder.read_starts),
    ):
        whole = path.read_bytes()
        for place in range(len(whole)):
            for damaged in (whole[:place], _flipped(whole, place, int(rng.integers(8)))):
                path.write_bytes(damaged)
                with pytest.raises(ValueError, match=path.name):
                    read()
        path.write_bytes(whole)
        read()


def _flipped(data: bytes, place: int, bit: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]


def test_a_sealed_file_comes_back(tmp_path):
    value = {"a": [1, 2.5, None], "b": {"c": "é"}}
    write_sealed(tmp_path / "x.json", value)
    assert read_sealed(tmp_path / "x.json") == value


def test_a_config_of_another_kind_gives_one_line(tmp_path):
    run = tmp_path / "run"
    shutil.copytree(FORMATS / "half_done", run)
    about = json.loads((run / "config.json").read_text())
    for change in ({"config": 1}, {"data": None}, {"name": 3}, {"config": {"model": []}}):
        (run / "config.json").write_text(json.dumps({**about, **change}))
        assert "config.json" in bad(here("evaluate", run))
