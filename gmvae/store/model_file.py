"""The model file: one safetensors file that holds the whole model, and everything needed to use it.

Beside the weights there are the scaling of the data, and in the metadata, as JSON, how files are read, the
configuration, what the fit came to, versions, and a checksum over all of it.
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
from gmvae.store.files import checksum, read_tensors, versions, write_tensors

FORMAT = 2
"""Version of the model file. A reader takes this one only, and says so."""


@dataclass(frozen=True)
class ModelFile:
    """What a model file holds.

    Arguments:
        model: The model.
        scaling: From the numbers of a row, (D,), to an observation.
        schema: How a file becomes rows.
        about: JSON values that are no part of the model: ``name``, ``likelihood_reason``, ``binary``,
            ``constants`` (the value of each column that has one only),
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
        """Write the file; one of that name is replaced once the new one is whole."""
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        tensors |= {f"scaling.{name}": tensor for name, tensor in _of_scaling(self.scaling).items()}
        about = {
            "format": FORMAT,
            "versions": versions(),
            "y_shape": self.model.y_shape,
            "config": asdict(self.model.config),
            "recipe": self.schema.to_json(),
            "about": {name: value for name, value in self.about.items() if name != "versions"},
        }
        write_tensors(path, tensors, {**about, "sha256": checksum(tensors, about)})

    @classmethod
    @isolated
    def load(cls, path: str | Path, device: str | torch.device = "cpu") -> ModelFile:
        """The file that :meth:`save` wrote, its model ready for evaluation.

        Raises:
            ValueError: where it is not a whole model file, was changed, or has the format of another version.
            OSError: where it cannot be read.
        """
        tensors, found = read_tensors(path)
        if found.get("format") != FORMAT:
            raise ValueError(_other_format(path, found))
        if found.pop("sha256", None) != checksum(tensors, found):
            raise ValueError(f"{path} was damaged or changed after it was written: its checksum is another")
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
            schema = Schema.from_json(found["recipe"])
            about = {**found["about"], "versions": {**found["versions"]}}
            _check(model, scaling, schema, about)
        return cls(model.to(device).eval(), scaling, schema, about)


@contextmanager
def sound(path: str | Path) -> Iterator[None]:
    """A context in which whatever is wrong with the values of a model file is one line that names it."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} is not a whole model of this version: {reason}") from error


def of_result(
    result: Result,
    schema: Schema,
    name: tuple[str, str],
    parameters: Mapping[str, Any] | None = None,
    **more: Any,
) -> ModelFile:
    """The model file of a fit.

    Arguments:
        result: What the fit came to.
        schema: How a file becomes rows.
        name: What it is called, and its data.
        parameters: Those of the estimator; the configuration's fields unless given.
        more: JSON values in place of those made here, or beside them.
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
        "signs": result.diagnostics.to_json(),
        "findings": [finding.to_json() for finding in result.findings],
        "limits": None if result.limits is None else result.limits.to_json(),
        "resampling": None if result.resampling is None else result.resampling.to_json(),
    }
    return ModelFile(result.model, data.scaling, schema, plain({**about, **more}))


def plain(value: Any) -> Any:
    """A value as JSON has it: numpy's numbers and arrays as Python's."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value


def find(path: str | Path) -> Path:
    """The model file that a path names: itself, or that of a run folder.

    Raises:
        ValueError: where a folder has none.
    """
    path = Path(path)
    inside = path / "model.safetensors"
    if not path.is_dir() or inside.exists():
        return inside if path.is_dir() else path
    if (path / "config.json").exists():
        raise ValueError(f"{path} has no model.safetensors yet: finish the run with gmvae resume {path}")
    raise ValueError(f"{path} holds no run: it must be a run folder or a model file")


def _of_scaling(scaling: Scaling) -> dict[str, Tensor]:
    """The arrays of a scaling, without what is not there."""
    found = {"mean": scaling.mean, "scale": scaling.scale, "kept": scaling.kept}
    if scaling.warp is not None:
        found |= {f"warp.{name}": values for name, values in vars(scaling.warp).items()}
    if scaling.unit_rows:
        found["unit_rows"] = np.ones(1, dtype=np.int64)
    return {name: torch.from_numpy(values) for name, values in found.items()}


def _scaling(tensors: Mapping[str, Tensor]) -> Scaling:
    """The scaling of these arrays."""
    given: dict[str, Any] = {name: tensor.numpy() for name, tensor in tensors.items()}
    warp = {
        name: given.pop(f"warp.{name}")
        for name in ("origin", "unit", "knee", "power", "furthest")
        if f"warp.{name}" in given
    }
    unit_rows = "unit_rows" in given and bool(given.pop("unit_rows").any())
    return Scaling(**given, warp=Warp(**warp) if warp else None, unit_rows=unit_rows)


def _check_sizes(build: Callable[[], GaussianMixtureVAE], tensors: Mapping[str, Tensor]) -> None:
    """``ValueError`` where tensors are not those of a model, which is built without any memory for it: a
    small file may claim any size."""
    with torch.device("meta"):
        wanted = build().state_dict()
    for name in wanted.keys() & tensors.keys():
        if wanted[name].shape != tensors[name].shape:
            raise ValueError(
                f"{name} has shape {tuple(tensors[name].shape)}, "
                f"its configuration says {tuple(wanted[name].shape)}"
            )
    claimed, given = (sum(tensor.numel() for tensor in found.values()) for found in (wanted, tensors))
    if claimed > 2 * given:  # of an earlier version, some small ones are missing
        raise ValueError(f"it has {given:,} weights, its configuration says {claimed:,}")


def _check(model: GaussianMixtureVAE, scaling: Scaling, schema: Schema, about: Mapping[str, Any]) -> None:
    """``ValueError`` where parts of a file do not belong together."""
    width = len(scaling.mean)
    kept = scaling.kept
    warp = () if scaling.warp is None else vars(scaling.warp).values()
    if any(values.shape != (width,) for values in (scaling.scale, *warp)) or len(kept) != math.prod(
        model.y_shape
    ):
        raise ValueError(f"scaling is of {width} numbers, an observation has shape {model.y_shape}")
    if kept.min() < 0 or kept.max() >= width:
        raise ValueError(f"scaling keeps columns from {kept.min()} to {kept.max()} of {width}")
    if math.prod(schema.y_shape) != width:
        raise ValueError(f"schema is of {schema.y_shape} numbers, scaling of {width}")
    if len(about["weights"]) != model.config.clusters:
        raise ValueError(f"there are {len(about['weights'])} weights for {model.config.clusters} clusters")


def _other_format(path: str | Path, found: Mapping[str, Any]) -> str:
    theirs, versions = found.get("format"), found.get("versions")
    by = versions.get("gmvae") if isinstance(versions, dict) else "something else"
    remedy = "install that one" if isinstance(theirs, int) and theirs > FORMAT else "train it again"
    return (
        f"{path} has model format {theirs}, written by gmvae {by}, and this version reads {FORMAT}: {remedy}"
    )
