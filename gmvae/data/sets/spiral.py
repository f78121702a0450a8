"""The paper's synthetic data: points on arcs, arranged as a pinwheel."""

from __future__ import annotations

import numpy as np

from gmvae.data.dataset import Dataset

CENTRE = 0.6
RADIUS = 0.4
ANGLE_STD = 0.5
RADIUS_STD = 0.024


def spiral(points: int = 5000, arms: int = 5, seed: int = 0) -> Dataset:
    r"""Points on ``arms`` circular arcs, each the same arc turned by :math:`2\pi/\mathrm{arms}`.

    A point of arm a, which points in the direction :math:`\alpha = 2\pi a/\mathrm{arms}`, is

    .. math:: y = 0.6\,e(\alpha) + \rho\,e(\alpha + \tfrac{\pi}{2} + \varphi), \qquad
        \rho \sim \mathcal N(0.4, 0.024^2), \quad \varphi \sim \mathcal N(0, 0.5^2),

    with :math:`e(\alpha) = (\cos\alpha, \sin\alpha)`: Gaussian noise along a straight arm and across
    it, bent by a rotation that grows along the arm. The constants come from the paper's own file of 5,000
    points: circles fit it with Gaussian residuals in :math:`\rho` and :math:`\varphi`.

    Arguments:
        points: Number of points N, shared among the arms at random.
        arms: Number of arms; more than 8 of them overlap.
        seed: Seed of the points.

    Returns:
        y of shape (N, 2), and the arm of each point as its label, in 0, ..., arms - 1.
    """
    rng = np.random.default_rng(seed)
    arm = rng.integers(arms, size=points)
    direction = 2 * np.pi * arm / arms
    angle = direction + np.pi / 2 + ANGLE_STD * rng.standard_normal(points)
    radius = RADIUS + RADIUS_STD * rng.standard_normal(points)
    y = CENTRE * _unit(direction) + radius[:, None] * _unit(angle)
    return Dataset("spiral", y.astype(np.float32), arm)


def _unit(angle: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)
