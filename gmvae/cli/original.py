"""Translate the flags of the original Torch7 code (``-cvWeight 0.0``) to those of this package.

Every command in the original's README works with ``./run.sh`` as it is written there.

Differs: ``-optimiser adam`` is Adam. The original gives every optimiser a fresh state at each step, which
turns Adam into :class:`gmvae.training.optimisers.Sign` (``-optimiser sign``, here only). The original sums
the loss over a batch, while here it is averaged: its steps with ``-optimiser sgd`` are larger by a factor of
the batch size.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from gmvae.cli import app
from gmvae.experiments import EXPERIMENTS

SAME = {
    "-seed": "--seed",
    "-learningRate": "--learning-rate",
    "-batchSize": "--batch-size",
    "-optimiser": "--optimiser",
    "-epoch": "--epochs",
    "-xSize": "--x-size",
    "-wSize": "--w-size",
    "-K": "--clusters",
    "-hiddenSize": "--hidden-size",
    "-zPriorWeight": "--z-prior-weight",
    "-network": "--network",
    "-nFilters": "--filters",
    "-nMC": "--mc-samples",
    "-cvWeight": "--cv-weight",
    "-dataSet": "--dataset",
    "-subEpoch": "--epoch-size",
}
"""Flags that differ only in name."""

SWITCHES = {
    "-continuous": (["--likelihood", "bernoulli"], ["--likelihood", "gaussian"]),
    "-ACC": (["--no-measure"], ["--measure"]),
    "-saveModel": (["--no-save-model"], ["--save-model"]),
}
"""Flags with value 0 or 1, and the flags here for each value."""

PICTURES = {
    "-visualise2D": ("latent", "recon"),
    "-reportLowerBound": ("bound", "consistency"),
    "-visualGen": ("samples",),
}
"""Flags with value 0 or 1, and the pictures that they turn on; -visualGen is also a number of epochs."""

SHAPES: dict[str, dict[str, tuple[str, ...]]] = {
    "-inputDimension": {
        name: ("1",) if config.data.dataset == "spiral" else ("1", "2")
        for name, config in EXPERIMENTS.items()
    },
    "-nChannels": {
        name: ("3",) if config.data.dataset == "svhn" else ("1",) for name, config in EXPERIMENTS.items()
    },
}
"""Flags that give the original the shape of the data, and the values they must have. The shape is known
here."""

SCRIPTS = ("plot_latent", "plot_recon")
"""The original's scripts in plot/."""

OTHERS = {"-gpu", "-gpuID", "-_id", "-lambda", "-saveFig", "-numTest", "-preprocess"}
"""Flags that have another meaning here, or only in combination. The original's branch svhn reads -numTest and
-preprocess, but uses neither: its loop measures nothing on test data, and every image is divided by 255. Here
their values are only checked."""


def translate(name: str, arguments: Sequence[str]) -> list[str]:
    """Translate flags of the original's ``run.sh`` to those of ``gmvae train``; both can be mixed.

    Raises:
        ValueError: if an original flag has no value, or one that is not valid here or in the original.
    """
    given: dict[str, str] = {}
    ours: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument in SAME.keys() | SWITCHES.keys() | PICTURES.keys() | SHAPES.keys() | OTHERS:
            given[argument] = next(rest, "")
            if not given[argument]:
                raise ValueError(f"{argument} has no value: the original's flags all take one")
        else:
            ours.append(argument)
    theirs: list[str] = []
    for flag, value in given.items():
        if flag in SAME:
            theirs += [SAME[flag], value]
        elif flag in SWITCHES:
            theirs += SWITCHES[flag][_switch(flag, value)]
        elif flag in SHAPES and value not in SHAPES[flag].get(name, (value,)):
            raise ValueError(f"{flag} is {value!r}: for {name} it must be {' or '.join(SHAPES[flag][name])}")
    _check_version2(name, given)
    if "-preprocess" in given:
        _switch("-preprocess", given["-preprocess"])
    if "-numTest" in given:
        _whole("-numTest", given["-numTest"], minimum=1)
    if "-saveFig" in given:
        theirs += ["--keep-every", str(_whole("-saveFig", given["-saveFig"]))]
    if "-_id" in given:
        theirs += ["--run-dir", f"runs/{given['-_id']}"]
    if "-lambda" in given:  # only version 2 has it, in which q(z | ...) is the posterior
        theirs += ["--assignment", "posterior", "--min-information", given["-lambda"]]
    return theirs + _device(name, given) + _plots(name, given) + ours


def _switch(flag: str, value: str) -> int:
    if value not in ("0", "1"):
        raise ValueError(f"{flag} is {value!r}: it must be 0 or 1")
    return int(value)


def _whole(flag: str, value: str, minimum: int = 0) -> int:
    if not value.isdecimal() or int(value) < minimum:
        raise ValueError(f"{flag} is {value!r}: it must be a whole number of at least {minimum}")
    return int(value)


def _check_version2(name: str, given: dict[str, str]) -> None:
    """Differs: version 2 of the original multiplies the gradient of its z term by -cvWeight; here it is 1."""
    posterior = name in EXPERIMENTS and EXPERIMENTS[name].model.assignment == "posterior"
    if (posterior or "-lambda" in given) and given.get("-cvWeight", "1") not in ("1", "1.0"):
        raise ValueError(
            f"-cvWeight is {given['-cvWeight']!r}, by which version 2 of the original multiplies the "
            "gradient of its z term: here it is 1, so leave -cvWeight out"
        )


def _device(name: str, given: dict[str, str]) -> list[str]:
    number = given.get("-gpuID", "1")
    if not number.isdecimal() or int(number) < 1:
        raise ValueError(f"-gpuID is {number!r}: the original counts GPUs from 1")
    if "-gpu" in given:
        gpu = _switch("-gpu", given["-gpu"])
    elif "-gpuID" in given and name == "svhn":  # for svhn, -gpu is 1 by default; elsewhere it is 0
        gpu = 1
    else:
        return []
    return ["--device", f"cuda:{int(number) - 1}" if gpu else "cpu"]


def _plots(name: str, given: dict[str, str]) -> list[str]:
    asked = {flag: _switch(flag, given[flag]) for flag in PICTURES if flag in given and flag != "-visualGen"}
    every = given.get("-visualGen")
    if every is not None:
        asked["-visualGen"] = _whole("-visualGen", every) > 0
    if not asked or name not in EXPERIMENTS:
        return []
    plots: list[str] = list(EXPERIMENTS[name].run.plots)
    for flag, wanted in asked.items():
        plots = [plot for plot in plots if plot not in PICTURES[flag]]
        plots += PICTURES[flag] * wanted
    return ["--plots", *plots, *(["--plot-every", every] if every not in (None, "0") else [])]


def picture(name: str, arguments: Sequence[str]) -> list[str]:
    """The command for one of the original's scripts, ``plot_latent`` or ``plot_recon``: a window that follows
    the newest run or, if no window can be opened, the picture in a file."""
    from gmvae.show.window import has_display

    live = ["--live"] if has_display() else []
    return ["plot", name.removeprefix("plot_"), *arguments, *live]


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``run.sh``, after it has set up the environment."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    name, *rest = arguments or ["--help"]
    if name in SCRIPTS:
        return app.main(picture(name, rest))
    try:
        translated = translate(name, rest)
    except ValueError as error:
        print(f"gmvae: {error}", file=sys.stderr)
        return 2
    return app.main(["train", name, *translated])


if __name__ == "__main__":
    sys.exit(main())
