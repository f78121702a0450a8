"""Output of commands: columns of the file beside predictions, texts in samples, descriptions of clusters."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from commands import bad, here

import gmvae
from gmvae.store.tables import write_table

TINY = [
    "--clusters", 2, "--epochs", 30, "--seed", 0, "--hidden-size", 16, "--x-size", 2, "--w-size", 2,
    "--init", "kmeans", "--batch-size", 20, "--learning-rate", 1e-2, "--plot-every", 0, "--device", "cpu",
]  # fmt: skip


def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    z = np.arange(80) % 2
    numbers = {"size": rng.normal(size=80) + 20 * z, "flat": rng.normal(size=80)}
    texts = {"kind": np.where(z, "big", "small"), "note": "left out"}
    return pd.DataFrame({"id": [f"r{i}" for i in range(80)], **numbers, **texts})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("outputs")
    table().to_csv(folder / "t.csv", index=False)
    given = ["--path", folder / "t.csv", "--id-column", "id", "--text", "one-hot", "--drop", "note"]
    assert here("train", "data", *given, *TINY, "--run-dir", folder / "run").status == 0
    return folder / "run"


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_columns_of_the_file_are_kept_beside_the_answers(run, tmp_path, ending):
    out = tmp_path / f"p{ending}"
    assert here("predict", run, "--keep-columns", "-o", out).status == 0
    found = pd.read_csv(out) if ending == ".csv" else pd.read_parquet(out)
    pd.testing.assert_frame_equal(found[list(table().columns)], table(), check_dtype=False)
    assert list(found.columns[5:]) == ["cluster", "probability", "log_density", "p0", "p1"]
    assert found.groupby("kind")["cluster"].nunique().tolist() == [1, 1]


def test_columns_named_like_answers_are_not_kept(run, tmp_path):
    table().assign(cluster=1).to_csv(tmp_path / "n.csv", index=False)
    said = bad(here("predict", run, tmp_path / "n.csv", "--keep-columns", "-o", tmp_path / "p.csv"))
    assert "has a column cluster, but the result has a column of that name" in said
    assert here("predict", run, tmp_path / "n.csv", "-o", tmp_path / "p.csv").status == 0


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (
            pa.array([[1], []]),
            "column kept (list<item: int64>): write a .parquet file, or leave out --keep-col",
        ),
        (pa.array([{"a": 1}, None]), "column kept (struct<a: int64>): write a .parquet file"),
        (pa.array([b"\xff", b""]), "column kept (binary): write a .parquet file"),
    ],
)
def test_values_that_text_cannot_hold_are_named(tmp_path, kept, said):
    def batches():
        return iter([pa.record_batch({"kept": kept, "cluster": pa.array([0, 1])})])

    for ending in (".csv", ".tsv.gz"):
        with pytest.raises(ValueError, match=re.escape(f"{ending} cannot hold the values of {said}")):
            write_table(tmp_path / f"p{ending}", batches())
        assert not (tmp_path / f"p{ending}").exists()
    assert write_table(tmp_path / "p.parquet", batches()) == 2


def test_texts_of_every_type_are_written_as_text(tmp_path):
    kinds = (pa.string(), pa.large_string(), pa.string_view())
    columns = {f"t{i}": pa.array(["x", "y"]).cast(kind) for i, kind in enumerate(kinds)}
    columns["coded"] = pa.array(["x", "y"]).dictionary_encode()
    assert write_table(tmp_path / "p.csv", iter([pa.record_batch(columns)])) == 2
    assert pd.read_csv(tmp_path / "p.csv")["t2"].tolist() == ["x", "y"]


def test_a_file_without_rows_is_named(run, tmp_path):
    table()[:0].to_parquet(tmp_path / "none.parquet")
    (tmp_path / "none.csv").write_text("size,flat,kind,id\n")
    for name in ("none.parquet", "none.csv"):
        for words in (
            ["predict", "-o", tmp_path / "p.csv"],
            ["embed", "-o", tmp_path / "p.csv"],
            ["describe"],
        ):
            said = bad(here(words[0], run, tmp_path / name, *words[1:]))
            assert said == f"gmvae: {tmp_path / name} has no rows\n"


def test_samples_have_texts_where_the_data_had(run, tmp_path):
    assert here("sample", run, "-n", 200, "-o", tmp_path / "s.csv").status == 0
    found = pd.read_csv(tmp_path / "s.csv")
    assert list(found.columns) == ["cluster", "size", "flat", "kind"]
    y, _ = gmvae.load(run, "cpu").set_params(random_state=0).sample(1)
    assert y.shape == (1, 4)
    assert set(found["kind"]) == {"big", "small"}
    big = found["size"] > 10
    assert (big == (found["kind"] == "big")).mean() > 0.9


def test_description_of_what_sets_clusters_apart(run, tmp_path):
    said = here("describe", run, "--top", "2", "-o", tmp_path / "d.csv")
    assert said.status == 0
    found, y = pd.read_csv(tmp_path / "d.csv"), table()
    model = gmvae.load(run, "cpu")
    labels = model.predict(y)
    for k in (0, 1):
        own, rest = y[labels == k]["size"], y[labels != k]["size"]
        row = found[(found["cluster"] == k) & (found["column"] == "size")].iloc[0]
        spread = np.sqrt((own.var(ddof=0) + rest.var(ddof=0)) / 2)
        expected = [len(own), own.mean(), own.std(ddof=0), rest.mean(), (own.mean() - rest.mean()) / spread]
        described = row[["rows", "mean", "deviation", "rest", "difference"]].astype(float)
        np.testing.assert_allclose(described, expected)
        assert row["probability"] == pytest.approx(model.predict_proba(y)[labels == k, k].mean())
        each = found[found["cluster"] == k]["difference"].abs()
        assert each.is_monotonic_decreasing
        assert f"cluster {k}: 40 rows" in said.out
    assert "flat" not in said.out  # the column that says least is not among the first two
    assert np.allclose(model.describe(y)["difference"].to_numpy(), found["difference"])
