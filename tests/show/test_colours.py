"""Cluster colours can be distinguished with colour blindness."""

import matplotlib.colors
import numpy as np
import pytest

from gmvae.show.colours import PALETTE, colour

XYZ = np.reshape(
    [0.4124564, 0.3575761, 0.1804375, 0.2126729, 0.7151522, 0.0721750, 0.0193339, 0.1191920, 0.9503041],
    (3, 3),
)
EYES = {  # Machado et al. (2009), severity 1, in linear light
    "typical": [1, 0, 0, 0, 1, 0, 0, 0, 1],
    "protan": [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
    "deutan": [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881],
    "tritan": [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.303900],
}


def seen(colours, eye: str) -> np.ndarray:
    """Colours in CIELAB as an eye sees them, (n, 3)."""
    rgb = np.array([matplotlib.colors.to_rgb(one) for one in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = (linear @ np.reshape(EYES[eye], (3, 3)).T).clip(0, 1) @ XYZ.T / [0.95047, 1, 1.08883]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize(("count", "apart"), [(14, 16), (20, 14.9), (30, 11)])
def test_pairs_of_colours_differ(eye, count, apart):
    lab = seen(PALETTE[:count], eye)
    distance = np.linalg.norm(lab[:, None] - lab[None], axis=-1)[~np.eye(count, dtype=bool)]
    assert distance.min() >= apart


def test_all_colours_are_visible_on_white_and_on_black():
    lightness = seen(PALETTE, "typical")[:, 0]
    assert lightness.min() > 30
    assert lightness.max() < 85


def test_colours_are_distinct_until_they_repeat():
    assert len(set(PALETTE)) == 60
    assert colour(61) == colour(1)
