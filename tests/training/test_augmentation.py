"""Augmented views compared with their descriptions, without randomness."""

import math

import numpy as np
import pytest
import torch

from gmvae.data.sets.spiral import spiral
from gmvae.training import augmentation as module
from gmvae.training.augmentation import erased_view, image_view, table_view, views


def centre(images: torch.Tensor) -> torch.Tensor:
    """The centre of mass of each image, (row, column), (B, 2)."""
    mass = images.sum((1, 2, 3))
    rows, columns = (torch.arange(size, dtype=images.dtype) for size in images.shape[2:])
    return torch.stack(((images.sum((1, 3)) @ rows) / mass, (images.sum((1, 2)) @ columns) / mass), -1)


@pytest.fixture
def bar() -> torch.Tensor:
    """2,000 images of the same bar, off the centre."""
    y = torch.zeros(2000, 1, 21, 21)
    y[:, :, 8:15, 9:12] = 1
    return y


def only(monkeypatch, **kept: float) -> None:
    """Turn off all augmentations of an image except these."""
    for name in ("ROTATION", "SHIFT", "SCALE", "SHEAR"):
        monkeypatch.setattr(module, name, kept.get(name, 0.0))


def test_an_image_without_augmentation_is_unchanged(bar, monkeypatch):
    only(monkeypatch)
    torch.testing.assert_close(image_view(bar), bar)


def test_an_image_is_shifted_by_a_share_of_its_side(bar, monkeypatch):
    only(monkeypatch, SHIFT=0.1)
    torch.manual_seed(0)
    moved = centre(image_view(bar)) - centre(bar)
    assert moved.abs().max() == pytest.approx(2.1, abs=0.05)  # pixels
    np.testing.assert_allclose(moved.std(0), 2.1 / math.sqrt(3), rtol=0.05)
    assert abs(np.corrcoef(moved.T)[0, 1]) < 0.1


def test_an_image_is_turned_about_its_centre(bar, monkeypatch):
    only(monkeypatch, ROTATION=math.radians(30))
    torch.manual_seed(0)
    at, before = centre(image_view(bar)) - 10, (centre(bar) - 10)[0]
    np.testing.assert_allclose(at.norm(dim=1), before.norm(), atol=0.06)
    angle = torch.atan2(at[:, 0], at[:, 1]) - torch.atan2(before[0], before[1])
    assert math.degrees(angle.abs().max()) == pytest.approx(30, abs=1)


def test_scale_changes_the_area_and_shear_does_not(bar, monkeypatch):
    torch.manual_seed(0)
    only(monkeypatch, SCALE=0.15)
    areas = image_view(bar).sum((1, 2, 3)) / bar.sum((1, 2, 3))
    assert areas.max() == pytest.approx(1 / 0.85**2, rel=0.03)
    assert areas.min() == pytest.approx(1 / 1.15**2, rel=0.06)  # edges between pixels
    only(monkeypatch, SHEAR=0.25)
    sheared = image_view(bar)
    np.testing.assert_allclose(sheared.sum((1, 2, 3)), bar.sum((1, 2, 3)), rtol=0.01)
    assert (sheared - bar).abs().max() > 0.5


@pytest.mark.slow
def test_half_of_the_images_have_an_erased_rectangle(monkeypatch):
    """Its sides are compared with uniform draws, for rectangles that the edge does not cut."""
    monkeypatch.setattr(module, "image_view", lambda y, _: y)
    torch.manual_seed(0)
    y = torch.rand(4000, 2, 40, 40)
    view = erased_view(y)
    gone = view != y
    gone[:, :, 0, 0] = gone[:, :, 0, 1] & gone[:, :, 1, 0]  # the corner itself is as it was
    assert torch.equal(gone[:, 0], gone[:, 1])
    assert torch.equal(view[gone], y[:, :, :1, :1].expand_as(y)[gone])
    rows, columns = gone[:, 0].any(2), gone[:, 0].any(1)
    assert torch.equal(gone[:, 0], rows.unsqueeze(2) & columns.unsqueeze(1))
    erased = gone[:, 0].flatten(1).any(1)
    assert erased.float().mean() == pytest.approx(0.5, abs=0.03)
    for side in (rows[erased], columns[erased]):
        whole = side[~side[:, 0] & ~side[:, -1]].sum(1)  # those that no edge cuts
        assert (whole.min(), whole.max()) == (8, 20)  # 0.2 and 0.5 of 40
        assert (side.float().mean(0)[20] / side.float().mean(0)[0]).item() == pytest.approx(2, rel=0.15)


def test_a_row_moves_towards_its_nearest_neighbour(monkeypatch):
    for name in ("NOISE", "SWAPPED"):
        monkeypatch.setattr(module, name, 0.0)
    y = torch.tensor([[0.0, 0.0], [0.0, 1.0], [10.0, 0.0], [10.0, 4.0]])
    torch.manual_seed(0)
    moved = torch.stack([table_view(y) for _ in range(500)])
    shares = moved[:, 0, 1], 1 - moved[:, 1, 1], moved[:, 2, 1] / 4, 1 - moved[:, 3, 1] / 4
    for share in shares:
        assert 0 <= share.min() < 0.01
        assert 0.49 < share.max() <= 0.5
    torch.testing.assert_close(moved[:, :, 0], y[:, 0].expand(500, 4))


def test_the_nearest_neighbour_in_a_narrow_group_is_found(monkeypatch):
    for name in ("NOISE", "SWAPPED"):
        monkeypatch.setattr(module, name, 0.0)
    rng = np.random.default_rng(0)
    y = (rng.normal(size=(3, 50))[np.arange(90) % 3] + 1e-4 * rng.normal(size=(90, 50))).astype(np.float32)
    distance = np.sqrt(((y[:, None].astype(np.float64) - y) ** 2).sum(2))
    np.fill_diagonal(distance, np.inf)
    nearest = y[distance.argmin(1)]
    torch.manual_seed(0)
    moved = table_view(torch.from_numpy(y)).numpy() - y
    along = (moved * (nearest - y)).sum(1) / np.maximum(np.linalg.norm(moved, axis=1), 1e-9) / distance.min(1)
    gone = np.linalg.norm(moved, axis=1) > 0.05 * distance.min(1)  # others have hardly moved
    assert gone.sum() > 60
    assert along[gone].min() > 0.97  # 32 bits take another neighbour for most of them


def test_noise_has_the_scale_of_a_column_and_values_come_from_other_rows(monkeypatch):
    torch.manual_seed(0)
    y = torch.randn(4000, 1).repeat(1, 2) * torch.tensor([1.0, 50.0])  # on a line, close to each other
    monkeypatch.setattr(module, "SWAPPED", 0.0)
    moved = table_view(y) - y
    monkeypatch.undo()
    assert (moved.std(0) / y.std(0)).tolist() == pytest.approx([0.1, 0.1], rel=0.1)
    monkeypatch.setattr(module, "NOISE", 0.0)
    far = torch.arange(1000.0)[:, None] * torch.ones(1, 20)
    strange = (table_view(far) - far).abs() > 0.5  # further than halfway to the neighbour
    assert strange.float().mean() == pytest.approx(0.1, abs=0.01)


def test_views_depend_on_the_kind_of_data():
    assert views("none", (2,)) is views("auto", (1, 8, 8)) is None
    assert views("auto", (2,)) is views("table", (1, 8, 8)) is table_view
    assert views("image", (1, 8, 8)) is image_view
    with pytest.raises(ValueError, match=r"augment is 'image', but an observation has shape \(2,\)"):
        views("image", (2,))


def test_one_row_has_no_neighbour():
    assert torch.isfinite(table_view(torch.from_numpy(spiral(points=2).y)[:1])).all()
