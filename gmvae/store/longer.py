"""Check that a run can be made longer."""

from __future__ import annotations

from gmvae.config import TrainingConfig
from gmvae.store.model_file import ModelFile
from gmvae.store.run_folder import RunFolder


def check_longer(folder: RunFolder, training: TrainingConfig) -> None:
    """Check that a run can have more epochs than it was started with.

    Raises:
        ValueError: if it has restarts or stops early, or if its clusters have names, were merged or split:
            more epochs can move and renumber clusters, so names would be lost or wrong.
    """
    if training.restarts > 1 or training.early_stopping:
        raise ValueError(
            f"{folder.path} has restarts or stops early: its epochs cannot be changed, so start a new run"
        )
    if not folder.model.exists():
        return
    edits = ModelFile.load(folder.model).about.get("relabelled", {})
    if any(edits.values()):
        raise ValueError(
            f"{folder.path} has clusters with names, merges or splits, and with more epochs clusters can "
            f"change: first remove these edits, with gmvae relabel {folder.path} --undo"
        )
