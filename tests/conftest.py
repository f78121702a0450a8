"""Fixtures: real data, and models small enough to calculate by hand."""

from __future__ import annotations

import gc
import gzip
import os
import struct
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

# Until all tests are collected, nothing of what is imported can be freed: searching it again and again takes
# more than a second of each process.
gc.disable()

# torch and scikit-learn are imported in the fixtures: a process that only hands out tests needs neither.
if TYPE_CHECKING:
    from torch import Tensor

    from gmvae.model.vae import GaussianMixtureVAE

ROOT = Path(__file__).parent.parent

# Models here are small: a second thread would make them slower, and much slower beside a busy core. No
# assertion depends on it: OMP_NUM_THREADS=2 runs all tests, and the processes that they start, with two.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A GPU adds up in other, partly random orders; assertions about single bits hold for one processor.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


@pytest.fixture(autouse=True)
def order_makes_no_difference():
    """Seed torch's and numpy's global generators, so that draws do not depend on the order of the tests."""
    import torch

    torch.default_generator.manual_seed(
        0
    )  # torch.manual_seed formats the stack for devices that are not there
    np.random.seed(0)  # noqa: NPY002


@pytest.fixture(autouse=True, scope="session")
def tensors_are_in_one_process():
    """Before torch compares tensors, it asks whether they are spread over processes, and imports 500 modules
    for that. None here is."""
    from torch.testing import _comparison

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_comparison, "_HAS_DTENSOR", False, raising=False)
        yield


@pytest.fixture(autouse=True, scope="session")
def flags_are_listed_once():
    """Keep what tyro finds out about the flags of a command until the same command is called again: with
    hundreds of calls in one process, this would take most of their time. Help texts are always made anew."""
    import tyro

    docstrings = getattr(tyro, "_docstrings", None)
    specification = getattr(getattr(tyro, "_parsers", None), "ParserSpecification", None)
    read = getattr(docstrings, "parse_docstring_from_object", None)
    make = getattr(specification, "from_callable_or_type", None)
    if read is None or make is None:  # another version of tyro
        yield
        return
    kept: dict = {}

    def once(kind, *rest, **options):
        if options.get("parent_classes") or docstrings.parse_docstring_from_object is read:
            return make(kind, *rest, **options)
        key = kind, repr((rest, options))  # not the options: 0 is equal to False
        if key not in kept:
            kept[key] = make(kind, *rest, **options)
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(specification, "from_callable_or_type", staticmethod(once))
        yield


@pytest.fixture(scope="session")
def spiral_file() -> Path:
    """The paper's own spiral, as .npy; the .t7 file is beside it."""
    for folder in (os.environ.get("GMVAE_DATA_DIR"), ROOT.parent / "shared" / "data"):
        path = Path(folder or "") / "spiral" / "spiral.npy"
        if folder and path.exists():
            return path
    pytest.skip("the paper's spiral is not here: put it in $GMVAE_DATA_DIR/spiral/")


@pytest.fixture(scope="session")
def cells_file() -> Path:
    """scanpy's pbmc68k_reduced: 700 blood cells."""
    for folder in (os.environ.get("GMVAE_DATA_DIR"), ROOT.parent / "shared" / "data"):
        path = Path(folder or "") / "pbmc68k_reduced.h5ad"
        if folder and path.exists():
            return path
    pytest.skip("scanpy's pbmc68k_reduced.h5ad is not here: put it into $GMVAE_DATA_DIR/")


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    """The folder of MNIST's four files."""
    for folder in (os.environ.get("GMVAE_DATA_DIR"), ROOT.parent / "shared" / "data"):
        path = Path(folder or "") / "mnist"
        if folder and (path / "train-images-idx3-ubyte.gz").exists():
            return path
    pytest.skip("MNIST is not here: put its four files into $GMVAE_DATA_DIR/mnist/")


@pytest.fixture(scope="session")
def small_mnist(mnist_dir, tmp_path_factory) -> Path:
    """A data folder with the first 600 training and 200 test images of MNIST, and their labels."""
    data_dir = tmp_path_factory.mktemp("data")
    (data_dir / "mnist").mkdir()
    for part, count in (("train", 600), ("t10k", 200)):
        for kind, head, size in (("images-idx3", 16, 784), ("labels-idx1", 8, 1)):
            name = f"{part}-{kind}-ubyte.gz"
            with gzip.open(mnist_dir / name) as file:
                content = file.read(head + count * size)
            content = content[:4] + struct.pack(">I", count) + content[8:]
            (data_dir / "mnist" / name).write_bytes(gzip.compress(content))
    return data_dir


@pytest.fixture
def build():
    """Makes a small model with random weights, larger than the usual ones so that nothing is nearly zero."""
    import torch

    from gmvae.config import ModelConfig
    from gmvae.model.vae import GaussianMixtureVAE

    def build(y_shape=(3,), *, seed=0, double=True, scale=2.0, **options) -> GaussianMixtureVAE:
        sizes = {"clusters": 4, "x_size": 2, "w_size": 2, "hidden_size": 8}
        torch.default_generator.manual_seed(seed)
        model = GaussianMixtureVAE(y_shape, ModelConfig(**{**sizes, **options}))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(scale)
        model.train(False)
        return model.double() if double else model

    return build


@pytest.fixture
def observations():
    """Random observations that suit a likelihood."""
    import torch

    def observations(likelihood: str, count: int = 5, size: int = 3, seed: int = 7) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        values = torch.randn(count, size, generator=generator, dtype=torch.float64)
        return (values > 0).double() if likelihood == "bernoulli" else values

    return observations


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """A machine without data, home or network."""
    from gmvae.data.sets import images, locate

    monkeypatch.delenv("GMVAE_DATA_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home" / ".cache"))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(locate, "AFTER", ("~/data",))
    for source in ("MNIST", "FASHION_MNIST", "SVHN"):
        known = getattr(images, source)
        monkeypatch.setattr(images, source, replace(known, url="http://127.0.0.1:9/"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)


@pytest.fixture(scope="session")
def blobs():
    """Three blobs far from each other, in columns of very different units, and their labels."""
    from small_fits import three_blobs

    return three_blobs()


@pytest.fixture
def write(tmp_path):
    """Writes a table of text."""

    def write(content, name="t.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def arrow(tmp_path):
    """Writes columns to a Parquet file."""
    import pyarrow as pa
    from pyarrow import parquet

    def arrow(columns, name="t.parquet"):
        parquet.write_table(pa.table(columns), tmp_path / name)
        return tmp_path / name

    return arrow


def pytest_collection_finish():
    """Keep what is loaded by now out of the garbage collector's repeated searches. Little of it is garbage: a
    search for that would take half a second."""
    gc.freeze()
    gc.enable()
