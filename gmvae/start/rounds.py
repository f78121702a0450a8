"""Rounds: find clusters along the manifold of the model's features, teach them to the model, and repeat."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from gmvae.data.dataset import scaled
from gmvae.model.inference import BATCH, evaluating
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.model.weights import initialise
from gmvae.partition import communities
from gmvae.partition.metrics import hungarian_accuracy
from gmvae.partition.neighbours import Floats, neighbours
from gmvae.progress import Progress, part
from gmvae.start import autoencoder
from gmvae.start.embedding import partition
from gmvae.start.material import Material
from gmvae.start.teaching import reconstruct, teach
from gmvae.training.augmentation import erased_view, image_view, views

MANIFOLD_FROM = 1_000
"""Minimum number of images, or rows of wide tables, to learn features from."""
RECONSTRUCTING, TEACHING = 1_400, 500
"""Steps of the autoencoder, and of each round of teaching; the last round has twice as many."""
MANY = 4_000
"""Minimum number of images with augmented views for all of these steps. With fewer they are in proportion,
but at least half: more passes over the same images do not make the clusters better."""
WIDE = 50
"""Number of columns above which a table is wide."""
EMBEDDINGS = 2
"""Embeddings of the first features of images. The clusters with the greatest modularity are kept."""
PASSES = 200
"""Passes of UMAP over the edges of a wide table. With its own 500, the clusters of digits are no better."""
ROUNDS, ROUNDS_ERASED = 3, 7
"""Default maximum number of rounds, and that for images with erased parts, which learn more in a round."""
CONVERGED = 0.003
"""Share of the observations that change their cluster in a round below which it is the last."""


class Rounds:
    """Find clusters along the manifold of the model's features, teach them to the model, and repeat.

    Arguments:
        given: Model, data and settings of the start. The model is trained as an autoencoder at once.
        progress: Called with the share of the work that is done.
    """

    def __init__(self, given: Material, progress: Progress) -> None:
        self.model, self.y, self.subset = given.model, given.y, given.subset
        self.seed, self.stream, self.progress = given.seed, given.stream, progress
        model, training = given.model, given.training
        self.view, self.image = views(training.augment, model.y_shape), len(model.y_shape) == 3
        self.erased = self.view is image_view
        self.rounds = training.rounds or (ROUNDS_ERASED if self.erased else ROUNDS)
        self.deep = self.image and self.view is None
        # classes of images and of wide rows consist of several groups; long arcs are to stay in one piece
        wide = not self.image and math.prod(model.y_shape) > WIDE
        self.joined, self.passes = self.image or wide, PASSES if wide else None
        share = min(1.0, max(0.5, len(self.y) / MANY)) if self.erased else 1.0
        first, self.teaching = round(share * RECONSTRUCTING), round(share * TEACHING)
        self.steps = first + autoencoder.steps(len(self.y)) * self.deep
        self.steps, self.done = self.steps + (self.rounds + 1) * self.teaching, 0
        initialise(model, self.stream.local)
        reconstruct(model, self.y, self.view, first, self.stream, self._stage(first))
        self.clusters, self.modularity = self._cluster(self._features(), EMBEDDINGS if self.image else 1)

    def _features(self) -> Floats:
        """The features of the autoencoder or, for images without augmented views, the code of a deeper
        one."""
        if self.deep:
            return autoencoder.code(
                self.y, self.subset, self.stream, self._stage(autoencoder.steps(len(self.y)))
            )
        return features(self.model, self.subset)

    def teach(self) -> Iterator[dict[str, float]]:
        """Teach the clusters, and find them again in the new features, until they no longer change. Yields a
        record of each round.

        In all rounds but the last, half of the augmented views of images have a part erased. So the features
        do not depend on a single part, which other clusters can also have.
        """
        changed = 1.0
        for number in range(1, self.rounds + 1):
            last = number == self.rounds or changed < CONVERGED
            yield {"modularity": self.modularity, "changed": changed}
            clusters = torch.from_numpy(self.clusters).to(self.subset.device)
            steps = self.teaching * (2 if last else 1)
            view = erased_view if self.erased and not last else self.view
            progress = self._stage(steps)
            teach(self.model, self.y, self.subset, clusters, view, steps, self.stream, progress)
            if last:
                break
            before = self.clusters
            self.clusters, self.modularity = self._cluster(features(self.model, self.subset))
            changed = 1 - hungarian_accuracy(before, self.clusters)
        self.progress(1.0)

    def _cluster(self, values: Floats, embeddings: int = 1) -> tuple[NDArray[np.int64], float]:
        """Cluster features, and return the clusters and their modularity in the features' neighbour graph:
        the greatest of several embeddings."""
        graph, k, found = neighbours(values), self.model.config.clusters, []
        for _ in range(embeddings):
            self.seed += 1
            clusters = partition(values, graph, k, self.seed, joined=self.joined, passes=self.passes)
            found.append((communities.modularity(clusters, graph[0]), clusters))
        modularity, clusters = max(found, key=lambda pair: pair[0])
        return clusters, modularity

    def _stage(self, steps: int) -> Progress:
        before, self.done = self.done, self.done + steps
        return part(self.progress, before / self.steps, steps / self.steps)


def features(model: GaussianMixtureVAE, y: Tensor) -> NDArray[np.float32]:
    """The features of observations of shape (N, *y_shape): the output of the recogniser's body, normalised to
    length 1, (N, H)."""
    with evaluating(model):
        parts = [F.normalize(model.recognition.body(scaled(batch)), dim=1) for batch in y.split(BATCH)]
    return torch.cat(parts).cpu().numpy()
