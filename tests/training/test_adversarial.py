"""Virtual adversarial training, compared with a known direction, and with every direction."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from gmvae.training.adversarial import inconsistency, reach


def test_reach_is_a_share_of_the_distance_to_the_tenth_neighbour():
    """On a line of equal steps, the tenth nearest neighbour is five steps away, except near the ends."""
    y = torch.arange(400.0).unsqueeze(1).expand(-1, 4)
    assert reach(y) == pytest.approx(0.4 * 5 * 2)  # a step in four equal columns has length 2


def test_reach_is_known_in_a_narrow_group():
    y = 5 + 1e-4 * torch.arange(400.0, dtype=torch.float64).unsqueeze(1).expand(-1, 100)
    assert reach(y.float(), torch.Generator()) == pytest.approx(0.4 * 5e-4 * 10, rel=0.01)


@pytest.fixture
def sure():
    """A model of two clusters that differ in the first of three columns."""
    head = nn.Linear(3, 2)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[1.0, 0, 0], [-1.0, 0, 0]]))
        head.bias.zero_()
    return head


def test_the_change_is_that_of_the_worst_direction(sure):
    """Along the first column, towards the other cluster or away from it: the power method finds the axis."""
    torch.manual_seed(0)
    y = torch.tensor([[0.4, 3.0, -2.0]]).repeat(64, 1)
    found = inconsistency(sure, y, 0.5).item()

    def divergence(moved: float) -> float:
        p, q = (1 / (1 + math.exp(-2 * a)) for a in (0.4, moved))
        return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))

    assert min(divergence(0.9), divergence(-0.1)) < found <= divergence(-0.1) + 1e-6
    directions = np.random.default_rng(0).normal(size=(1000, 3))
    along = 0.5 * directions[:, 0] / np.linalg.norm(directions, axis=1)
    assert found > np.mean([divergence(0.4 + step) for step in along])


def test_its_gradient_makes_the_clusters_less_sensitive(sure):
    torch.manual_seed(0)
    y = torch.tensor([[0.4, 3.0, -2.0]]).repeat(64, 1)
    inconsistency(sure, y, 0.5).backward()
    assert (sure.weight.grad[0, 0] - sure.weight.grad[1, 0]) > 0  # descent makes the slope smaller
    assert sure.weight.grad[:, 1:].abs().max() < sure.weight.grad[:, 0].abs().min()
