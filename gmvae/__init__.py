"""Deep clustering with Gaussian mixture variational autoencoders.

The names below are imported from their files when they are first used. This keeps ``import gmvae`` fast.
"""

from importlib import import_module
from typing import Any

__version__ = "0.2.0"

_HOMES = {
    "Config": "config",
    "ModelConfig": "config",
    "ObjectiveConfig": "config",
    "TrainingConfig": "config",
    "DataConfig": "config",
    "RunConfig": "config",
    "experiment": "experiments",
    "GMVAE": "estimator.gmvae",
    "Run": "run",
    "RunFolder": "store.run_folder",
    "load": "estimator.loading",
    "select": "estimator.selection",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gmvae' has no attribute {name!r}")
    return getattr(import_module(f"gmvae.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
