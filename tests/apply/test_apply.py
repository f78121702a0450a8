"""Commands that apply a saved model write what the model predicts, for every kind of file."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import bad, contents, here
from PIL import Image
from sklearn.datasets import load_wine
from sklearn.metrics import adjusted_rand_score

import gmvae
from gmvae.apply import apply
from gmvae.data.sets.spiral import spiral
from gmvae.partition.metrics import clusters_used

SMALL = [
    "--clusters",
    3,
    "--hidden-size",
    32,
    "--x-size",
    2,
    "--w-size",
    2,
    "--epochs",
    30,
    "--init",
    "kmeans",
]
READ = {
    ".csv": pd.read_csv, ".tsv": lambda path: pd.read_csv(path, sep="\t"), ".parquet": pd.read_parquet,
    ".arrow": pd.read_feather, ".feather": pd.read_feather, ".csv.gz": pd.read_csv,
}  # fmt: skip


@pytest.fixture(scope="module")
def wines() -> pd.DataFrame:
    """A table with numbers, text, a constant column, a missing value, ids and labels."""
    table = load_wine(as_frame=True).frame.rename(columns={"target": "grower"})
    table["glass"] = np.where(table["hue"] > 1, "green", "brown")
    table["cellar"] = 7
    table.loc[5, "alcohol"] = np.nan
    table.insert(0, "bottle", [f"b{i:03d}" for i in range(len(table))])
    return table


@pytest.fixture(scope="module")
def run(wines, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wine")
    wines.to_csv(folder / "wine.csv", index=False)
    said = here(
        "train", "data", "--path", folder / "wine.csv", "--id-column", "bottle", "--label-column", "grower",
        "--text", "one-hot", "--missing", "impute", *SMALL, "--plot-every", 0, "--run-dir", folder / "run",
    )  # fmt: skip
    assert (said.status, said.err) == (0, "")
    return folder / "run"


@pytest.fixture(scope="module")
def model(run) -> gmvae.GMVAE:
    return gmvae.load(run, "cpu")


def ours(*arguments: object) -> str:
    said = here(*arguments)
    assert said.status == 0, said.err
    return said.out


@pytest.mark.slow
def test_predictions_are_those_of_the_model(run, model, wines, tmp_path, monkeypatch):
    monkeypatch.setattr(apply, "ROWS", 50)  # four pieces
    assert "178 rows: " in ours("predict", run, "-o", tmp_path / "own.csv")
    found = pd.read_csv(tmp_path / "own.csv")
    p = model.predict_proba(wines)
    assert list(found.columns) == ["bottle", "cluster", "probability", "log_density", "p0", "p1", "p2"]
    assert found["bottle"].tolist() == wines["bottle"].tolist()
    np.testing.assert_array_equal(found["cluster"], model.predict(wines))
    np.testing.assert_allclose(found[["p0", "p1", "p2"]], p, atol=1e-6)
    np.testing.assert_allclose(found["probability"], p.max(1), atol=1e-6)
    np.testing.assert_allclose(found["log_density"], model.score_samples(wines), rtol=1e-5)


@pytest.mark.parametrize("ending", [*READ, ".npy"])
def test_every_kind_of_file_goes_in_and_comes_out(run, model, wines, tmp_path, ending):
    """The new file has its columns in another order, one more column, and no labels."""
    new = wines.drop(columns="grower").iloc[::-1, ::-1].assign(more="text").reset_index(drop=True)
    path = tmp_path / f"new{'.parquet' if ending == '.npy' else ending}"
    if path.suffix in (".csv", ".tsv", ".gz"):
        new.to_csv(path, index=False, sep="\t" if ending == ".tsv" else ",")
    else:
        new.to_parquet(path) if path.suffix == ".parquet" else new.to_feather(path)
    out = tmp_path / f"out{ending}"
    ours("embed", run, path, "-o", out)
    x = np.load(out) if ending == ".npy" else READ[ending](out)[["x0", "x1"]].to_numpy()
    np.testing.assert_allclose(x, model.transform(wines)[::-1], atol=1e-5)
    if ending != ".npy":
        assert READ[ending](out)["bottle"].tolist() == wines["bottle"].tolist()[::-1]


@pytest.mark.slow
def test_predict_reads_and_writes_pipes(run, model, wines):
    new = wines.drop(columns="grower").iloc[:40]
    command = [sys.executable, "-m", "gmvae", "predict", run, "-", "-o", "-"]
    done = subprocess.run(command, input=new.to_csv(index=False).encode(), capture_output=True, check=True)
    found = pd.read_csv(io.BytesIO(done.stdout))  # there is no other output
    assert found["bottle"].tolist() == new["bottle"].tolist()
    np.testing.assert_array_equal(found["cluster"], model.predict(new))
    done = subprocess.run(command, input=b"a,b\n1,2\n", capture_output=True, check=False)
    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr.count(b"\n") == 1


@pytest.mark.slow
def test_a_description_is_written_to_a_file_instead_of_printed(run, model, wines, tmp_path):
    command = [sys.executable, "-m", "gmvae", "describe", run, "-o", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    found = pd.read_csv(io.BytesIO(done.stdout))
    assert sorted(set(found["cluster"])) == sorted(set(model.predict(wines)))
    assert "it must end in .csv" in bad(here("describe", run, "-o", tmp_path / "out.h5ad"))


def test_evaluation_of_a_file_is_scikit_learns(run, model, wines, tmp_path):
    subset = wines.iloc[40:160].rename(columns={"grower": "maker"})
    subset.to_parquet(tmp_path / "some.parquet")
    found = json.loads(ours("evaluate", run, tmp_path / "some.parquet", "--label-column", "maker"))
    clusters = model.predict(subset)
    assert found["rows"] == 120
    assert found["ari"] == pytest.approx(adjusted_rand_score(subset["maker"], clusters))
    assert found["elbo"] == pytest.approx(model.score(subset), rel=1e-6)
    assert found["clusters_used"] == clusters_used(clusters)


def test_samples_have_names_units_and_their_cluster(run, model, wines, tmp_path):
    ours("sample", run, "-n", 400, "-o", tmp_path / "new.csv")
    ours("sample", run, "-n", 30, "--cluster", 1, "-o", tmp_path / "one.parquet")
    found, one = pd.read_csv(tmp_path / "new.csv"), pd.read_parquet(tmp_path / "one.parquet")
    assert list(found.columns) == ["cluster", *model.schema_.columns]
    assert set(found["cellar"]) == {7}
    shares = np.bincount(found["cluster"], minlength=3) / 400
    np.testing.assert_allclose(shares, model.weights_, atol=0.15)
    assert set(one["cluster"]) == {1}
    for name in ("alcohol", "proline"):
        assert abs(found[name].mean() - wines[name].mean()) < wines[name].std()
        assert 0.3 < found[name].std() / wines[name].std() < 3
    ours("sample", run, "-n", 9, "-o", tmp_path / "points.png")
    with Image.open(tmp_path / "points.png") as picture:
        assert min(picture.size) > 100


def test_the_card_says_what_the_model_is(run, model, wines):
    card = ours("info", run)
    assert "K = 3" in card
    assert "178 rows of wine.csv" in card or "wine.csv: 178 rows" in card
    assert "constant    cellar" in card
    assert "glass=brown" in card
    assert f"bound {model.elbo_:.3f} nats" in card
    assert all(f"{share:.1%}" in card for share in model.weights_)
    assert f"torch {model_versions(run)['torch']}" in card


def model_versions(run: Path) -> dict[str, str]:
    return json.loads((run / "config.json").read_text())["versions"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "RUN", "none.csv"], "none.csv: No such file or directory"),
        (["predict", "none"], "none does not exist"),
        (["predict", "RUN", "few.csv"], "few.csv has no column "),
        (["predict", "RUN", "wine.csv", "-o", "out.xls"], "out.xls ends in '.xls': it must end in .csv"),
        (
            ["predict", "RUN", "wine.csv", "--id-column", "cork"],
            "wine.csv has no column 'cork' (--id-column)",
        ),
        (["embed", "RUN", "text.csv"], "text.csv has 'much' in column proline"),
        (["sample", "RUN", "--cluster", "3"], "cluster is 3: it must be"),
        (["sample", "RUN", "-n", "0"], "is 0: it must be"),
        (
            ["evaluate", "RUN", "wine.csv", "--label-column", "maker"],
            "wine.csv has no column 'maker' (--label-column",
        ),
        (["predict", "RUN/model.safetensors"], "does not say where its data are: name a file to apply it to"),
    ],
)
def test_bad_input_gives_one_line_and_leaves_files_alone(
    run, wines, arguments, message, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    wines.to_csv("wine.csv", index=False)
    wines[["bottle", "hue"]].to_csv("few.csv", index=False)
    wines.astype({"proline": object}).assign(proline="much").to_csv("text.csv", index=False)
    Path("predictions.csv").write_text("mine")
    Path("embedding.csv").write_text("mine")
    Path("samples.csv").write_text("mine")
    before = contents(tmp_path)
    assert message in bad(here(*(argument.replace("RUN", str(run)) for argument in arguments)))
    assert contents(tmp_path) == before


def test_runs_of_the_paper_are_predicted_from_their_own_data(tmp_path):
    run, out = tmp_path / "spiral", tmp_path / "out.csv"
    flags = ["--epochs", 1, "--points", 300, "--plot-every", 0, "--device", "cpu"]
    assert here("train", "spiral", *flags, "--run-dir", run).status == 0
    said = here("predict", run, "--keep-columns", "-o", out)
    assert (said.status, said.out) == (0, f"300 rows: {out}\n")
    found = pd.read_csv(out)
    y = spiral(300, 5, 0).y
    np.testing.assert_allclose(found[["y0", "y1"]], y, rtol=1e-6)
    model = gmvae.load(run)
    np.testing.assert_array_equal(found["cluster"], model.predict(y.astype(np.float64)))
    assert here("embed", run, "-o", out).status == 0
    assert list(pd.read_csv(out).columns) == ["x0", "x1"]


@pytest.mark.slow
def test_a_closed_pipe_is_no_error(tmp_path):
    run = tmp_path / "spiral"
    assert here("train", "spiral", "--epochs", 1, "--plot-every", 0, "--run-dir", run).status == 0
    command = f"{sys.executable} -m gmvae predict {run} -o - | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, check=True, text=True)
    assert done.stderr == ""
    assert done.stdout.startswith('"cluster"')
