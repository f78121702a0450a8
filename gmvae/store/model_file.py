"""The model file: one safetensors file with the whole model, and everything needed to use it.

Its tensors are the weights and the scaling of the data. Its metadata, as JSON, have the schema of files, the
configuration, results of the fit, versions, and a checksum of everything.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gmvae.config import ModelConfig, from_mapping
from gmvae.data.scales.scaling import Scaling
from gmvae.data.scales.warp import Warp
from gmvae.data.schema import Schema
from gmvae.fit.result import Result
from gmvae.model.isolation import isolated
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.model.weights import blank
from gmvae.rules import renamed
from gmvae.store.files import checksum, read_tensors, versions, write_tensors

FORMAT = 2
"""Version of the model file. Only this version can be read; others are an error."""


@dataclass(frozen=True)
class ModelFile:
    """The content of a model file.

    Arguments:
        model: The model.
        scaling: From the numbers of a row, (D,), to an observation.
        schema: How a file becomes rows.
        about: JSON values that are not part of the model: ``name``, ``likelihood_reason``, ``binary``,
            ``constants`` (the value of each column with only one value),
            ``weights`` (means of q(z | y), (K,)), ``classes``, ``parameters`` (the estimator's), ``epochs``,
            ``elbo``, ``restarts``, ``data`` (``name``, ``rows``, ``sha256``), ``measures``, ``findings``,
            ``versions``, ``limits`` (:class:`gmvae.assess.outliers.Limits`), ``resampling``
            (:class:`gmvae.fit.resampling.Resampling`), and ``relabelled``
            (:class:`gmvae.partition.relabelling.Relabelling`).
    """

    model: GaussianMixtureVAE
    scaling: Scaling
    schema: Schema
    about: Mapping[str, Any] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write the file. An existing file is replaced once the new one is complete."""
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        tensors |= {f"scaling.{name}": tensor for name, tensor in _of_scaling(self.scaling).items()}
        about = {
            "format": FORMAT,
            "versions": versions(),
            "y_shape": self.model.y_shape,
            "config": asdict(self.model.config),
            "schema": self.schema.to_json(),
            "about": {name: value for name, value in self.about.items() if name != "versions"},
        }
        write_tensors(path, tensors, {**about, "sha256": checksum(tensors, about)})

    @classmethod
    @isolated
    def load(cls, path: str | Path, device: str | torch.device = "cpu") -> ModelFile:
        """Read the file that :meth:`save` wrote; its model is in evaluation mode.

        Raises:
            ValueError: if it is not a complete model file, was changed, or has the format of another version.
            OSError: if it cannot be read.
        """
        tensors, found = read_tensors(path)
        if found.get("format") != FORMAT:
            raise ValueError(_other_format(path, found))
        if found.pop("sha256", None) != checksum(tensors, found):
            raise ValueError(
                f"{path} was damaged or changed after it was written: its checksum does not match"
            )
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "scaling": {}}
        with sound(path):
            for name, tensor in tensors.items():
                part, _, rest = name.partition(".")
                parts[part][rest] = tensor
            config = from_mapping(ModelConfig, found["config"], "model")
            build = partial(GaussianMixtureVAE, tuple(found["y_shape"]), config)
            _check_sizes(build, parts["model"])
            model = blank(build)
            model.load_state_dict(parts["model"])
            scaling = _scaling(parts["scaling"])
            schema = Schema.from_json(renamed(found)["schema"])
            about = {**renamed(found["about"]), "versions": {**found["versions"]}}
            _check(model, scaling, schema, about)
        return cls(model.to(device).eval(), scaling, schema, about)


@contextmanager
def sound(path: str | Path) -> Iterator[None]:
    """Turn any error about the values of a model file into one line that names the file."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} is not a complete model of this version: {reason}") from error


def of_result(
    result: Result,
    schema: Schema,
    name: tuple[str, str],
    parameters: Mapping[str, Any] | None = None,
    **more: Any,
) -> ModelFile:
    """Make the model file of a fit.

    Arguments:
        result: The result of the fit.
        schema: How a file becomes rows.
        name: Names of the fit and of its data.
        parameters: Those of the estimator; the configuration's fields by default.
        more: JSON values that replace those made here, or are added to them.
    """
    config, data = result.config, result.data
    fields = {**asdict(config.model), **asdict(config.objective), **asdict(config.training)}
    fields["scale"] = config.data.scale
    about = {
        "name": name[0],
        "likelihood_reason": data.reason,
        "scale_reason": data.scale_reason,
        "binary": data.binary,
        "constants": data.constants,
        "weights": result.weights,
        "n_clusters_used": result.clusters_used,
        "n_iter": result.history[-1]["epoch"],
        "elbo": result.elbo,
        "history": [],
        "start": None if result.start is None else result.start.to_json(),
        "choice": None if result.choice is None else result.choice.to_json(),
        "holdout": None if result.holdout is None else result.holdout.to_json(),
        "restarts": result.restarts,
        "parameters": fields if parameters is None else parameters,
        "data": {"name": name[1], "rows": len(result.labels), "sha256": data.fingerprint},
        "diagnostics": result.diagnostics.to_json(),
        "findings": [finding.to_json() for finding in result.findings],
        "limits": None if result.limits is None else result.limits.to_json(),
        "resampling": None if result.resampling is None else result.resampling.to_json(),
    }
    return ModelFile(result.model, data.scaling, schema, plain({**about, **more}))


def plain(value: Any) -> Any:
    """Convert a value for JSON: numpy's numbers and arrays become Python's."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value


def find(path: str | Path) -> Path:
    """Return the path of the model file: the path itself, or the file in a run folder.

    Raises:
        ValueError: if the folder has none.
    """
    path = Path(path)
    inside = path / "model.safetensors"
    if not path.is_dir() or inside.exists():
        return inside if path.is_dir() else path
    if (path / "config.json").exists():
        raise ValueError(f"{path} has no model.safetensors yet: finish the run with gmvae resume {path}")
    raise ValueError(f"{path} holds no run: it must be a run folder or a model file")


def _of_scaling(scaling: Scaling) -> dict[str, Tensor]:
    """The arrays of a scaling, without parts that it does not have."""
    found = {"mean": scaling.mean, "scale": scaling.scale, "kept": scaling.kept}
    if scaling.warp is not None:
        found |= {f"warp.{name}": values for name, values in vars(scaling.warp).items()}
    if scaling.unit_rows:
        found["unit_rows"] = np.ones(1, dtype=np.int64)
    return {name: torch.from_numpy(values) for name, values in found.items()}


def _scaling(tensors: Mapping[str, Tensor]) -> Scaling:
    """Make a scaling from its arrays."""
    given: dict[str, Any] = {name: tensor.numpy() for name, tensor in tensors.items()}
    warp = {
        name: given.pop(f"warp.{name}")
        for name in ("origin", "unit", "knee", "power", "furthest")
        if f"warp.{name}" in given
    }
    unit_rows = "unit_rows" in given and bool(given.pop("unit_rows").any())
    return Scaling(**given, warp=Warp(**warp) if warp else None, unit_rows=unit_rows)


def _check_sizes(build: Callable[[], GaussianMixtureVAE], tensors: Mapping[str, Tensor]) -> None:
    """Raise ``ValueError`` if tensors do not suit the model. It is built without allocating memory, since a
    small file can claim any size."""
    with torch.device("meta"):
        wanted = build().state_dict()
    for name in wanted.keys() & tensors.keys():
        if wanted[name].shape != tensors[name].shape:
            raise ValueError(
                f"{name} has shape {tuple(tensors[name].shape)}, "
                f"but its configuration says {tuple(wanted[name].shape)}"
            )
    claimed, given = (sum(tensor.numel() for tensor in found.values()) for found in (wanted, tensors))
    if claimed > 2 * given:  # files of earlier versions lack some small tensors
        raise ValueError(f"it has {given:,} weights, but its configuration says {claimed:,}")


def _check(model: GaussianMixtureVAE, scaling: Scaling, schema: Schema, about: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` if parts of a file do not belong together."""
    width = len(scaling.mean)
    kept = scaling.kept
    warp = () if scaling.warp is None else vars(scaling.warp).values()
    if any(values.shape != (width,) for values in (scaling.scale, *warp)) or len(kept) != math.prod(
        model.y_shape
    ):
        raise ValueError(f"scaling has {width} numbers, but an observation has shape {model.y_shape}")
    if kept.min() < 0 or kept.max() >= width:
        raise ValueError(f"scaling keeps columns from {kept.min()} to {kept.max()} of {width}")
    if math.prod(schema.y_shape) != width:
        raise ValueError(f"schema has shape {schema.y_shape}, but scaling has {width} numbers")
    if len(about["weights"]) != model.config.clusters:
        raise ValueError(f"there are {len(about['weights'])} weights for {model.config.clusters} clusters")


def _other_format(path: str | Path, found: Mapping[str, Any]) -> str:
    theirs, versions = found.get("format"), found.get("versions")
    by = versions.get("gmvae") if isinstance(versions, dict) else "something else"
    remedy = "install that one" if isinstance(theirs, int) and theirs > FORMAT else "train it again"
    return (
        f"{path} has model format {theirs}, written by gmvae {by}, and this version reads {FORMAT}: {remedy}"
    )
