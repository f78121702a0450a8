"""Export encoder and decoder as ONNX, for programs without PyTorch."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from functools import partial
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from gmvae.data.scales.scaling import Scaling
from gmvae.data.scales.warp import NEAREST, Warp
from gmvae.model.answers import precise
from gmvae.model.inference import evaluating
from gmvae.model.isolation import isolated
from gmvae.store.files import write_whole

if TYPE_CHECKING:
    from gmvae.estimator.gmvae import GMVAE

OPSET = 18
FILES = ("encoder.onnx", "decoder.onnx")
"""Names of the files that are written."""


class Warped(nn.Module):
    """:class:`gmvae.data.scales.warp.Warp` of rows of shape (B, D)."""

    origin: Tensor
    unit: Tensor
    knee: Tensor
    power: Tensor
    furthest: Tensor
    p: Tensor
    straight: Tensor
    logarithm: Tensor

    def __init__(self, warp: Warp) -> None:
        super().__init__()
        for name, values in vars(warp).items():
            self.register_buffer(name, torch.from_numpy(values))
        self.register_buffer("p", torch.where(self.power == 0, 1.0, self.power))
        self.register_buffer("straight", self.power == 1)
        self.register_buffer("logarithm", self.power == 0)

    def forward(self, y: Tensor) -> Tensor:
        """g of y."""
        u = (y - self.origin) / self.unit
        log_beyond = (u.abs() - self.knee).clamp(min=0).log1p()
        bent = torch.where(self.logarithm, log_beyond, ((self.p * log_beyond).exp() - 1) / self.p)
        bent = torch.sign(u) * (torch.minimum(u.abs(), self.knee) + bent)
        return torch.where(self.straight, u, bent)

    def undo(self, shaped: Tensor) -> Tensor:
        """The inverse."""
        bent = (shaped.abs() - self.knee).clamp(min=0)
        inside = (1 + self.p * bent).clamp(min=NEAREST).log() / self.p
        log_beyond = torch.where(self.logarithm, bent, inside)
        log_beyond = torch.minimum(log_beyond, self.furthest)
        u = torch.sign(shaped) * (torch.minimum(shaped.abs(), self.knee) + log_beyond.exp() - 1)
        return torch.where(self.straight, shaped, u) * self.unit + self.origin


def _warp(scaling: Scaling) -> Warped | None:
    return None if scaling.warp is None else Warped(scaling.warp)


class Encoder(nn.Module):
    """From rows of the data, (B, D), in their units, to q(z | ...), (B, K), the most probable cluster, (B,),
    and the means of q(x | y), (B, x_size).

    Rows are scaled in 64 bits, as everywhere in this package: in 32 bits, a column with a large mean and a
    small spread would lose its digits. Results have 64 bits, too.
    """

    mean: Tensor
    scale: Tensor
    kept: Tensor

    def __init__(self, model: GMVAE) -> None:
        super().__init__()
        scaling, self.model, self.y_shape = model._scaling, _network(model), model._y_shape
        self.warp, self.unit_rows = _warp(scaling), scaling.unit_rows
        self.register_buffer("mean", torch.from_numpy(scaling.mean[scaling.kept]))
        self.register_buffer("scale", torch.from_numpy(scaling.divisor[scaling.kept]))
        self.register_buffer("kept", torch.from_numpy(scaling.kept))

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if self.unit_rows:
            y = y / y.square().sum(1, keepdim=True).sqrt().clamp(min=torch.finfo(y.dtype).tiny)
        if self.warp is not None:
            y = self.warp(y)
        y = ((y[:, self.kept] - self.mean) / self.scale).reshape(-1, *self.y_shape)
        y = y.to(self.model.generative.zero.dtype)
        q_x = self.model.recognition(y)[0]
        probabilities = self.model.assign(y).probs
        return probabilities.double(), probabilities.argmax(1), q_x.mean.double()


class Decoder(nn.Module):
    """From x, (B, x_size), to the mean of p(y | x) in the units of the data, (B, D)."""

    scale: Tensor
    constant: Tensor
    place: Tensor

    def __init__(self, model: GMVAE) -> None:
        super().__init__()
        scaling, self.model = model._scaling, _network(model)
        self.warp = _warp(scaling)
        place = np.zeros((len(scaling.kept), len(scaling.mean)))
        place[np.arange(len(scaling.kept)), scaling.kept] = scaling.scale[scaling.kept]
        self.register_buffer("place", torch.from_numpy(place))
        self.register_buffer("constant", torch.from_numpy(scaling.mean))

    def forward(self, x: Tensor) -> Tensor:
        mean = self.model.generative.p_y(x.to(self.model.generative.zero.dtype)).mean
        y = mean.flatten(1).double() @ self.place + self.constant
        return y if self.warp is None else self.warp.undo(y)


@isolated
def export(model: GMVAE, folder: str | Path) -> list[Path]:
    """Write ``encoder.onnx`` and ``decoder.onnx`` into a folder.

    The encoder takes ``y``, float64, (B, D), rows in the units of the data, and returns ``probabilities``,
    (B, K), ``cluster``, (B,), and ``x``, (B, x_size). The decoder takes ``x`` and returns ``y``. B is
    dynamic. The metadata of both have the names of the features, and K.

    Raises:
        ValueError: if the packages for ONNX are not installed.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ValueError(f"export needs the package {error.name}: pip install 'gmvae[onnx]'") from error
    rows, x_size = torch.zeros(2, model.n_features_in_, dtype=torch.float64), model.model_.config.x_size
    names = [str(name) for name in getattr(model, "feature_names_in_", ())]
    about = {"gmvae": version("gmvae"), "clusters": str(len(model.weights_)), "features": json.dumps(names)}
    outputs = ["probabilities", "cluster", "x"]
    parts: list[tuple[Encoder | Decoder, Tensor, list[str], list[str]]] = [
        (Encoder(model), rows, ["y"], outputs),
        (Decoder(model), torch.zeros(2, x_size, dtype=torch.float64), ["x"], ["y"]),
    ]
    written = []
    for name, (part, example, inputs, results) in zip(FILES, parts, strict=True):
        with _quiet(), evaluating(part.model):
            program = torch.onnx.export(
                part.eval(), (example,), input_names=inputs, output_names=results, opset_version=OPSET,
                dynamic_shapes=({0: torch.export.Dim("batch")},), dynamo=True, verbose=False,
            )  # fmt: skip
        assert program is not None  # noqa: S101
        proto = program.model_proto
        onnx.helper.set_model_props(proto, about)
        path = Path(folder) / name
        write_whole(path, partial(onnx.save, proto))
        written.append(path)
    return written


def _network(model: GMVAE) -> Any:
    """The torch model in 64 bits; in 32 bits with convolutions, since ONNX Runtime has these only in 32."""
    exact = precise(model.model_).cpu()
    return exact if model.model_.config.network == "fc" else exact.float()


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress what the exporter prints and logs."""
    loggers: list[Any] = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    before = [logger.level for logger in loggers]
    with warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, before, strict=True):
                logger.setLevel(level)
