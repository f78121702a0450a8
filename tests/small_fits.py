"""Fast fits, and the table that they use."""

from functools import partial

import numpy as np
from sklearn.datasets import make_blobs

from gmvae import GMVAE

SMALL = {
    "x_size": 2,
    "w_size": 2,
    "hidden_size": 32,
    "learning_rate": 1e-2,
    "batch_size": 40,
    "init": "random",
    "random_state": 0,
}
quick = partial(GMVAE, n_clusters=3, **SMALL, epochs=3)
taught = partial(quick, init="kmeans")
UNITS, ORIGIN = np.array([1.0, 1000.0, 0.01]), np.array([0.0, 1e6, -1.0])


def three_blobs():
    """The table, (240, 3), and its labels."""
    centres = [[0, 0, 0], [9, 0, 9], [0, 9, -9]]
    y, labels = make_blobs([120, 80, 40], centers=centres, random_state=3)
    return (y * UNITS + ORIGIN).astype(np.float32), labels
