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
    """The estimator in a model file, or in the folder of a finished run of the command line.

    It gives the answers that it gave before. ``labels_`` of its training data are not there; of what it is
    applied to, data frames and Arrow tables are read as its training file was (columns by name, others left
    aside), and arrays are taken to have its features, in their order.

    Arguments:
        path: A file that :meth:`GMVAE.save` wrote, ``model.safetensors`` of a run, or the run's folder.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ... or ``"mps"``.

    Raises:
        ValueError: where it is anything else, was changed, or is another version's.
        OSError: where it cannot be read.
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
