"""Awkward tables, and the options and the fast fits that read them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gmvae import GMVAE

TINY = {"n_clusters": 2, "epochs": 1, "hidden_size": 8, "x_size": 2, "w_size": 2, "init": "random"}
FLAGS = ["--clusters", 2, "--epochs", 1, "--hidden-size", 8, "--x-size", 2, "--w-size", 2, "--init", "random",
         "--seed", 0, "--plot-every", 0, "--device", "cpu"]  # fmt: skip
IMPUTE, ONE_HOT = {"missing": "impute"}, {"text": "one-hot"}
BOTH = IMPUTE | ONE_HOT


def quick(**options) -> GMVAE:
    return GMVAE(**TINY, random_state=0, **options)


def numbers() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    z = rng.integers(2, size=40)
    return pd.DataFrame({"a": rng.normal(size=40) + 8 * z, "b": rng.normal(size=40) - 8 * z})


def mixed() -> pd.DataFrame:
    y = numbers()
    word, kind = np.where(y["a"] > 4, "x", "y"), pd.Categorical(np.where(np.arange(40) % 3, "u", "v"))
    return y.assign(t=word, c=kind, f=y["b"] > 0)


def gaps() -> pd.DataFrame:
    y = mixed()
    y.loc[3, "a"], y.loc[5, "t"] = np.nan, None
    return y


def directions() -> pd.DataFrame:
    y = np.random.default_rng(0).normal(size=(40, 6)) + 2 * (np.arange(40) % 2)[:, None]
    return pd.DataFrame(y / np.linalg.norm(y, axis=1, keepdims=True), columns=list("abcdef"))


def nothing(**columns: object) -> pd.DataFrame:
    return numbers().assign(**columns)
