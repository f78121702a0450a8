"""A snapshot is right for models whose parameters are all set by hand."""

import numpy as np
import pytest
import torch
from scipy import stats

from gmvae.assess.shown import SAMPLES, STEPS
from gmvae.assess.snapshot import snapshot
from gmvae.config import ModelConfig
from gmvae.model import inference
from gmvae.model.vae import GaussianMixtureVAE

SCALE = [0.4, 1.5, 0.3, 0.001]
"""How fast each dimension of w moves x."""
MOVES = [2.0, 0.1, 3.0, -50.0]
"""How far each dimension moves x, in every component, except for the sign: in the range of p(w), 2 and 0 move
it most."""
CENTRES = np.array([[1.0, -2.0], [0.5, 3.0], [-4.0, 0.0]])
DIRECTIONS = np.array([1.0, -1.0, 1.0])


def by_hand(log_variance: float, moves=MOVES, scale=SCALE) -> GaussianMixtureVAE:
    """y is x; the mean of x_2 in component k is CENTRES[k, 1], and that of x_1 is
    CENTRES[k, 0] + DIRECTIONS[k] * sum_j moves_j tanh(scale_j w_j)."""
    w_size = len(scale)
    sizes = {"clusters": 3, "x_size": 2, "w_size": w_size, "hidden_size": max(4, w_size)}
    model = GaussianMixtureVAE((2,), ModelConfig(**sizes))
    with torch.no_grad():
        for parameter in model.generative.parameters():
            parameter.zero_()
        first, _, last, _ = model.generative.prior
        first.weight[:w_size] = torch.diag(torch.tensor(scale))
        means = last.weight.view(2, 3, 2, -1)[0]
        means[:, 0, :w_size] = torch.tensor(DIRECTIONS)[:, None] * torch.tensor(moves)
        last.bias.view(2, 3, 2)[0] = torch.tensor(CENTRES)
        last.bias.view(2, 3, 2)[1] = log_variance
        one, _, two, _, three, *_ = model.generative.decoder  # x = relu(x) - relu(-x)
        one.weight[:4] = torch.cat([torch.eye(2), -torch.eye(2)])
        two.weight[:] = torch.eye(len(two.weight))
        three.weight[:2, :4] = torch.cat([torch.eye(2), -torch.eye(2)], 1)
    return model


Y = torch.randn(20, 2, generator=torch.Generator().manual_seed(0))


def drawn(model: GaussianMixtureVAE, seeds: int) -> np.ndarray:
    """Samples of many snapshots: (2, K, seeds * SAMPLES, 2)."""
    return np.concatenate([snapshot(model, Y, seed=seed).samples for seed in range(seeds)], axis=2)


def test_the_model_by_hand_decodes_x_as_it_is():
    x = torch.randn(5, 7, 2)
    torch.testing.assert_close(by_hand(0.0).generative.p_y(x).mean, x)


def test_samples_of_narrow_components_are_their_decoded_means():
    shown = snapshot(by_hand(-60.0), Y)
    expected = np.broadcast_to(CENTRES[:, None], (3, SAMPLES, 2))
    np.testing.assert_allclose(shown.samples[0], expected, atol=1e-6)
    assert abs(shown.samples[1] - expected)[..., 0].mean() > 0.3  # w moves x_1 ...
    np.testing.assert_allclose(shown.samples[1][..., 1], expected[..., 1], atol=1e-6)  # ... only


def test_samples_are_draws_of_each_component_at_w_0():
    samples = drawn(by_hand(0.8), seeds=60)[0]
    for k, axis in np.ndindex(3, 2):
        component = stats.norm(CENTRES[k, axis], np.exp(0.4))
        assert stats.kstest(samples[k, :, axis], component.cdf).pvalue > 1e-3
    each = [samples[k, :, axis] for k, axis in np.ndindex(3, 2)]
    np.testing.assert_allclose(np.corrcoef(each), np.eye(6), atol=0.2)


def test_other_samples_are_at_draws_of_w():
    """If only one dimension of w moves x, and x has no noise, then x determines w."""
    model = by_hand(-60.0, moves=[2.0, 0.0, 0.0, 0.0])
    samples = drawn(model, seeds=60)[1]
    for k in range(3):
        w = np.arctanh((samples[k, :, 0] - CENTRES[k, 0]) / (2 * DIRECTIONS[k])) / SCALE[0]
        assert stats.kstest(w, stats.norm.cdf).pvalue > 1e-3


def test_styles_follow_the_two_dimensions_of_w_that_move_the_means_most():
    shown = snapshot(by_hand(0.0), Y)
    assert shown.style_axes.tolist() == [2, 0]
    assert STEPS.tolist() == [-3, -2.25, -1.5, -0.75, 0, 0.75, 1.5, 2.25, 3]
    for axis, styles in zip([2, 0], shown.styles, strict=True):
        moved = MOVES[axis] * np.tanh(SCALE[axis] * STEPS)
        for k in range(3):
            np.testing.assert_allclose(styles[k, :, 0], CENTRES[k, 0] + DIRECTIONS[k] * moved, atol=1e-5)
            np.testing.assert_allclose(styles[k, :, 1], CENTRES[k, 1], atol=1e-5)


def test_a_single_dimension_of_w_is_followed_twice():
    shown = snapshot(by_hand(0.0, moves=[2.0], scale=[0.4]), Y)
    assert shown.style_axes.tolist() == [0, 0]
    np.testing.assert_array_equal(shown.styles[0], shown.styles[1])


def test_components_are_those_at_w_0():
    shown = snapshot(by_hand(0.8), Y)
    np.testing.assert_allclose(shown.component_mean, CENTRES, atol=1e-6)
    np.testing.assert_allclose(shown.component_variance, np.full((3, 2), np.exp(0.8)), rtol=1e-6)


def test_a_snapshot_shows_what_evaluation_says(build, observations):
    model, y = build(double=False).train(), observations("gaussian", count=100).float()
    shown = snapshot(model, y)
    np.testing.assert_array_equal(shown.y, y.numpy())
    np.testing.assert_allclose(shown.x, inference.embed(model, y), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(shown.clusters, inference.assign(model, y).argmax(1))
    np.testing.assert_array_equal(shown.y_clusters, shown.clusters)
    reconstructed = inference.reconstruct(model, y)
    np.testing.assert_allclose(shown.reconstruction, reconstructed, rtol=1e-5, atol=1e-5)
    assert shown.y_shape.tolist() == [3]
    assert model.training


def test_a_hundred_images_at_most_are_kept_with_their_reconstructions(build):
    levels = np.random.default_rng(0).integers(256, size=(450, 2, 9, 8), dtype=np.uint8)
    model = build((2, 9, 8), network="svhn", filters=2, likelihood="bernoulli", double=False)
    shown = snapshot(model, torch.from_numpy(levels))
    numbers = torch.from_numpy(levels / np.float32(255))
    assert shown.y_shape.tolist() == [2, 9, 8]
    np.testing.assert_allclose(shown.x, inference.embed(model, numbers), rtol=1e-4, atol=1e-5)
    clusters = inference.assign(model, numbers).argmax(1)
    assert len(set(clusters)) > 1
    np.testing.assert_array_equal(shown.clusters, clusters)
    np.testing.assert_array_equal(shown.y, numbers[::5].flatten(1))
    np.testing.assert_array_equal(shown.y_clusters, clusters[::5])
    reconstructed = inference.reconstruct(model, numbers[::5])
    np.testing.assert_allclose(shown.reconstruction, reconstructed, rtol=1e-4, atol=1e-5)
    for made in (shown.samples, shown.styles):
        assert made.shape[-1] == 2 * 9 * 8
        assert ((made > 0) & (made < 1)).mean() > 0.5


def test_a_seed_decides_and_the_callers_random_numbers_are_left_alone():
    model = by_hand(0.0)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, again, other = (snapshot(model, Y, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    np.testing.assert_array_equal(one.samples, again.samples)
    assert (one.samples[0] != other.samples[0]).all()


@pytest.mark.parametrize("assignment", ["recogniser", "posterior"])
def test_a_snapshot_does_not_depend_on_training_mode(build, observations, assignment):
    model, y = build(assignment=assignment, double=False), observations("gaussian").float()
    idle, busy = snapshot(model.eval(), y), snapshot(model.train(), y)
    for name in vars(idle):
        np.testing.assert_array_equal(getattr(idle, name), getattr(busy, name))
