"""What to try against a finding: only remedies that have an effect on this fit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gmvae.config import ModelConfig, ObjectiveConfig

PARAMETER = re.compile(r"\b(\w+)=(\w+)|\b([a-z]+(?:_[a-z]+)+)\b")
"""The pattern of a parameter in a sentence: it has a value, or an underscore in its name."""


@dataclass(frozen=True)
class Remedies:
    """What can be tried with a fit.

    Arguments:
        model: The configuration of the model.
        objective: The weights of the terms it was trained with.
        init: How it started.
    """

    model: ModelConfig
    objective: ObjectiveConfig
    init: str

    @property
    def recogniser(self) -> bool:
        """Whether z has a recogniser. Without it no term has a weight of its own."""
        return self.model.assignment == "recogniser"

    def ignored(self) -> str:
        """What to try if clusters carry no information about the data."""
        tried = list[str]()
        if self.recogniser:
            off = "" if self.objective.cv_weight else " (it must be above 0)"
            tried.append(f"raise cv_weight{off}")
        tried += self._k_means()
        if self.recogniser and self.objective.z_prior_weight > 0:
            tried.append("lower z_prior_weight")
        return sentence(*(tried or ["train for more epochs", "try other seeds"]))

    def one_cluster(self) -> str:
        """What to try if one cluster holds everything."""
        tried = [*self._k_means(), *self._weaker()] or ["try other seeds"]
        return f"{sentence(*tried)[:-1]}; if nothing changes, the data may have no groups."

    def dead(self, used: int) -> str:
        """What to try if clusters hold no data."""
        tried = sentence(*self._weaker(), *self._k_means(), "try other seeds")
        return (
            f"That is fine if the data have {used} groups. If they have more, {tried[0].lower()}{tried[1:]}"
        )

    def merged(self) -> str:
        """What to try if clusters overlap."""
        apart = ["raise cv_weight, which separates clusters,"] if self.recogniser else []
        return sentence(*apart, "ask for fewer clusters")

    def disagreement(self) -> str:
        """What to try if the generative and the recognition model contradict each other."""
        apart = ["raise cv_weight"] if self.recogniser else []
        return sentence(*apart, "make w_size smaller", "train longer")

    def _k_means(self) -> Iterator[str]:
        if self.init != "kmeans":
            yield "start with init=kmeans"

    def _weaker(self) -> Iterator[str]:
        """Ways to weaken the consistency violation, which empties clusters."""
        if not self.recogniser or not self.objective.cv_weight:
            return
        yield "lengthen cv_warm_up" if self.objective.cv_warm_up else "give cv_warm_up some epochs"
        yield "lower cv_weight"


def sentence(*tried: str) -> str:
    """Join remedies into a sentence."""
    *first, last = tried
    text = f"{', '.join(first)}{',' * (len(first) > 1)} or {last}" if first else last
    return f"{text[0].upper()}{text[1:]}."


def as_flags(advice: str) -> str:
    """Write the parameters in a piece of advice as flags of the command line."""

    def flag(found: re.Match[str]) -> str:
        name, value, alone = found.groups()
        return f"--{(name or alone).replace('_', '-')}{f' {value}' if value else ''}"

    return PARAMETER.sub(flag, advice)
