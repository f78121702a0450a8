"""Fitted estimators from model files and run folders."""

from __future__ import annotations

from pathlib import Path

from gmvae.estimator.gmvae import GMVAE
from gmvae.model.isolation import isolated
from gmvae.store.model_file import ModelFile, find, sound
from gmvae.store.run_folder import RunFolder
from gmvae.training.devices import pick_device


@isolated
def load(path: str | Path, device: str = "auto") -> GMVAE:
    """Load the estimator from a model file, or from the folder of a finished run of the command line.

    It gives the same results as before it was saved, but has no ``labels_`` of its training data. Data frames
    and Arrow tables that it is applied to are read like its training file: columns are found by name, and
    others are ignored. Arrays must have its features, in their order.

    Arguments:
        path: A file that :meth:`GMVAE.save` wrote, ``model.safetensors`` of a run, or the run's folder.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ... or ``"mps"``.

    Raises:
        ValueError: if it is not a model, was changed, or was written by another version.
        OSError: if it cannot be read.
    """
    file, target = find(path), pick_device(device)
    whole = ModelFile.load(file, target)
    with sound(file):
        model = GMVAE.of_file(whole, device)
    if Path(path).is_dir():
        folder = RunFolder(path)
        kept = (folder.read_summary() or {}).get("restart", 1)
        model.history_ = [record for record in folder.history() if record["restart"] == kept]
    return model
