"""`gmvae train data`: from a user's file to a run folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import TIMES, bad, contents, here, records
from sklearn.datasets import load_iris
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

import gmvae
from gmvae.assess.measures import Measures
from gmvae.assess.remedies import as_flags
from gmvae.config import Config
from gmvae.run import Run
from gmvae.show import console
from gmvae.start import rounds
from gmvae.store.model_file import ModelFile

SHORT = [
    "--clusters",
    3,
    "--hidden-size",
    32,
    "--x-size",
    2,
    "--w-size",
    2,
    "--epochs",
    12,
    "--device",
    "cpu",
]


@pytest.fixture(scope="module")
def flowers(tmp_path_factory) -> Path:
    """Iris as a table with names, text, a constant column, and sepals in another unit."""
    table = load_iris(as_frame=True).frame.rename(columns=lambda name: name.removesuffix(" (cm)"))
    table["sepal length"] *= 1000
    table["species"] = np.array(["setosa", "versicolor", "virginica"])[table.pop("target")]
    table.insert(0, "flower", [f"f{i}" for i in range(150)])
    table["garden"] = 7
    path = tmp_path_factory.mktemp("data") / "iris.csv"
    table.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def named(flowers) -> list[object]:
    return ["train", "data", "--path", flowers, "--label-column", "species", "--id-column", "flower", *SHORT]


@pytest.fixture(scope="module")
def trained(named, tmp_path_factory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("runs") / "run"
    said = here(*named, "--plot-every", 12, "--checkpoint-every", 0, "--run-dir", folder)
    assert (said.status, said.err) == (0, "")
    return folder, said.out


@pytest.mark.slow
def test_training_reports_its_choices_and_next_commands(trained):
    folder, said = trained
    assert "iris.csv: 150 observations of shape (4,), with labels (for measuring only)" in said
    assert (
        "iris.csv has values from 0.1 to 7900, outside of [0, 1], so likelihood=auto chose gaussian" in said
    )
    assert "columns with only one value as 64-bit floats are left out (1): garden" in said
    assert f"gmvae predict {folder} [FILE] -o clusters.csv" in said


@pytest.mark.slow
def test_open_settings_are_resolved_in_the_run_folder(trained):
    config = Config.from_json(json.loads((trained[0] / "config.json").read_text())["config"])
    assert (config.model.likelihood, config.model.network) == ("gaussian", "fc")
    assert (config.training.epochs, config.training.init) == (12, "auto")
    assert (config.objective.warm_up, config.objective.cv_warm_up) == (2, 4)  # .15 and .3 of 12, rounded up
    assert Path(config.data.path).is_absolute()


@pytest.mark.slow
def test_clusters_are_those_of_the_file_and_bounds_are_in_its_units(trained, flowers):
    """Checked independently: by the model on columns standardised by scikit-learn, and the scale's
    determinant."""
    folder, _ = trained
    table = pd.read_csv(flowers)
    numbers = table[["sepal length", "sepal width", "petal length", "petal width"]].to_numpy()
    model = gmvae.load(folder)
    assert list(model.feature_names_in_) == [*table.columns[1:5], "garden"]
    clusters = model.predict(table)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["ari"] == pytest.approx(adjusted_rand_score(table["species"], clusters), abs=0.02)
    assert summary["ari"] > 0.5  # k-means has 0.61
    scale = StandardScaler().fit(numbers).scale_
    inner = ModelFile.load(folder / "model.safetensors").scaling
    np.testing.assert_allclose(inner.scale[:4], scale, rtol=1e-6)
    found = json.loads(here("evaluate", folder).out)
    assert found["elbo"] == pytest.approx(model.score(table), abs=0.5)
    in_metres = records(folder)[-1]["elbo"] + np.log(1000)
    assert in_metres == pytest.approx(found["elbo"] + np.log(1000), abs=1.0)


@pytest.mark.slow
def test_a_resumed_table_run_ends_as_if_never_stopped(trained, tmp_path):
    config = Config.from_json(json.loads((trained[0] / "config.json").read_text())["config"])
    config = replace(config, model=replace(config.model, likelihood="auto"))
    stopped = Run.new("data", replace(config, run=replace(config.run, run_dir=str(tmp_path / "run"))))
    for record in stopped.train():
        if record["epoch"] == 7:
            break
    said = here("resume", tmp_path / "run")
    assert (said.status, said.err) == (0, "")
    ours, theirs = records(tmp_path / "run"), records(trained[0])
    assert [{**r, **TIMES} for r in ours] == [{**r, **TIMES} for r in theirs]
    one, other = (f / "model.safetensors" for f in (tmp_path / "run", trained[0]))
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("long", [60, 0])
def test_the_doctor_is_in_the_summary_and_on_the_screen(flowers, tmp_path, monkeypatch, long):
    monkeypatch.setattr(console, "LONG", long)
    many = [20 if flag == 3 else flag for flag in SHORT]
    said = here(
        "train", "data", "--path", flowers, "--drop", "flower", "species", *many, "--init", "random",
        "--cv-weight", 0, "--plot-every", 0, "--run-dir", tmp_path / "run",
    )  # fmt: skip
    assert said.status == 0, said.err
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert "ignored" in [finding["name"] for finding in summary["findings"]]
    assert said.out.count("doctor  warning: Clusters ignore the data") == 1
    before, _, after = said.out.partition("done ")
    assert ("doctor  warning so far: Clusters ignore the data" in before) == (long == 0)
    assert "so far" not in after
    bound = f"bound {gmvae.load(tmp_path / 'run').elbo_:.3f}"
    assert bound in after.splitlines()[0]
    assert bound in here("info", tmp_path / "run").out
    assert said.out.count(as_flags(summary["findings"][0]["advice"])) == 1
    assert len(summary["diagnostics"]["occupancy"]) == 20
    assert sum(summary["diagnostics"]["occupancy"]) == pytest.approx(1)
    assert 0 <= summary["moved"] <= 1
    assert "acc" not in summary


@pytest.mark.slow
def test_pictures_of_small_images_train(tmp_path):
    from PIL import Image

    for i in range(20):
        folder = tmp_path / "shapes" / ("bars" if i % 2 else "dots")
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.zeros((8, 8), np.uint8)
        pixels[(slice(None), 3) if i % 2 else (slice(2, 5), slice(2, 5))] = 255 - i
        Image.fromarray(pixels).save(folder / f"{i}.png")
    longer = [100 if flag == 12 else flag for flag in SHORT]
    said = here(
        "train", "data", "--path", tmp_path / "shapes", "--label-column", "folder", *longer,
        "--learning-rate", 0.01, "--run-dir", tmp_path / "run", "--plot-every", 0,
    )  # fmt: skip
    assert said.status == 0, said.err
    assert "shapes has images with values in levels of 0 to 255" in said.out
    config = json.loads((tmp_path / "run" / "config.json").read_text())["config"]
    assert (config["model"]["network"], config["model"]["likelihood"]) == ("compact", "bernoulli")
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["acc_aae"] == 1


@pytest.mark.slow
def test_a_run_whose_file_changed_is_not_resumed(flowers, named, tmp_path):
    copy = tmp_path / "iris.csv"
    copy.write_bytes(flowers.read_bytes())
    given = [copy if flag == flowers else flag for flag in named]
    assert here(*given, "--plot-every", 0, "--run-dir", tmp_path / "run").status == 0
    before = contents(tmp_path / "run")
    copy.write_text(copy.read_text().replace("7900", "7800"))
    assert "iris.csv has changed since the run" in bad(here("resume", tmp_path / "run", "--epochs", 20))
    assert contents(tmp_path / "run") == before


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "--path is not given: it must be a file or a folder of data"),
        (["--path", "none.csv"], "none.csv: No such file or directory"),
        (["--path", "iris.csv"], "iris.csv has columns of text: species; make 0/1 features of them"),
        (["--path", "iris.csv"], "It has a different text in each row of flower; use it as the --id-column"),
        (["--path", "iris.csv", "--label-column", "kind"], "iris.csv has no column 'kind' (--label-"),
        (["--path", "iris.csv", "--drop", "flowers"], "no column 'flowers' (--drop, did you mean flower?)"),
        (["--label-column", "species"], "--label-column is 'species' without a path"),
        (["--path", "iris.csv", "--drop", "flower", "species", "--likelihood", "bernoulli"], "but iris.csv"),
        (["--path", "iris.csv", "--missing", "drop"], "--missing"),
        (["--path", "iris.csv", "--warm-up", "1.5"], "--warm-up is 1.5: it must be whole epochs, or below 1"),
        (["--path", "holes.csv"], "in 1 of 3 rows, first in row 1 counted from 0, in columns b (1): train"),
        (["--path", "one.csv"], "one.csv has shape (1, 2): it must be"),
    ],
)  # fmt: skip
def test_bad_data_give_one_line_and_leave_no_run(flags, message, flowers, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("iris.csv").write_bytes(flowers.read_bytes())
    Path("holes.csv").write_text("a,b\n1,2\n3,\n4,5\n")
    Path("one.csv").write_text("a,b\n1,2\n")
    assert message in bad(here("train", "data", *flags, "--run-dir", "run"))
    assert not Path("run").exists()


@pytest.mark.slow
def test_an_interrupted_run_keeps_its_start(tmp_path, monkeypatch):
    """A run that is interrupted right after its start resumes from there to the same model."""
    for name, steps in (("RECONSTRUCTING", 40), ("TEACHING", 40)):
        monkeypatch.setattr(rounds, name, steps)
    angle = np.random.default_rng(0).uniform(0, np.pi, 1000)
    half = np.arange(1000) % 2
    y = np.stack((np.cos(angle), np.sin(angle)), 1) * np.where(half, -1, 1)[:, None] + half[:, None] * [
        1,
        0.4,
    ]
    pd.DataFrame(y, columns=["a", "b"]).assign(half=half).to_csv(tmp_path / "moons.csv", index=False)
    flags = [
        "train",
        "data",
        "--path",
        tmp_path / "moons.csv",
        "--label-column",
        "half",
        "--init",
        "manifold",
    ]
    flags += ["--clusters", 2, "--x-size", 2, "--w-size", 2, "--hidden-size", 32, "--epochs", 3]
    flags += ["--plot-every", 0, "--checkpoint-every", 0]
    whole = here(*flags, "--run-dir", tmp_path / "whole")
    assert (whole.status, whole.err) == (0, "")
    (about,) = json.loads((tmp_path / "whole" / "start.json").read_text())
    assert (about["init"], about["reason"]) == ("manifold", "init manifold was asked for")
    about.pop("sha256")
    assert json.loads((tmp_path / "whole" / "summary.json").read_text())["start"] == about
    assert all(record["view_consistency"] > 0 for record in records(tmp_path / "whole"))
    assert gmvae.load(tmp_path / "whole").start_["rounds"] == about["rounds"]

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(Measures, "remember", stop)
        assert here(*flags, "--run-dir", tmp_path / "run").status == 130
    assert not records_of(tmp_path / "run")
    monkeypatch.setattr("gmvae.fit.restart.begin_start", stop)  # a second start would end it
    said = here("resume", tmp_path / "run")
    assert (said.status, said.err) == (0, "")
    one, other = (tmp_path / name / "model.safetensors" for name in ("run", "whole"))
    assert one.read_bytes() == other.read_bytes()


def records_of(folder: Path) -> list[dict]:
    """Records, if there are any yet."""
    return records(folder) if (folder / "metrics.jsonl").exists() else []
