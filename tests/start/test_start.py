"""Starts: what is chosen, what is taught, and whether a fit keeps it."""

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score

from gmvae import GMVAE as Estimator
from gmvae.config import ModelConfig, ObjectiveConfig, TrainingConfig
from gmvae.model.inference import assign
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.model.weights import fresh
from gmvae.partition.neighbours import neighbours
from gmvae.start import autoencoder, rounds, teaching
from gmvae.start.begin import begin_start, choose_start, schedule
from gmvae.start.kmeans import elbow, k_means
from gmvae.start.material import Material
from gmvae.start.rounds import Rounds
from gmvae.training import augmentation
from gmvae.training.augmentation import table_view
from gmvae.training.random import RandomStream

CPU = torch.device("cpu")
SMALL = ModelConfig(clusters=2, x_size=2, w_size=2, hidden_size=32)


@pytest.fixture
def short(monkeypatch):
    """Starts with few steps."""
    monkeypatch.setattr(rounds, "RECONSTRUCTING", 60)
    monkeypatch.setattr(rounds, "TEACHING", 250)


def moons(count: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """Two long curved clusters, which k-means cuts across."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 2
    angle = rng.uniform(0, np.pi, count)
    y = np.stack((np.cos(angle), np.sin(angle)), 1)
    y[labels == 1] = [1.0, 0.4] - y[labels == 1]
    return (y + 0.05 * rng.normal(size=y.shape)).astype(np.float32), labels


def new(size: int, stream: RandomStream, **options: object) -> GaussianMixtureVAE:
    return fresh(
        lambda: GaussianMixtureVAE((size,), ModelConfig(**{**SMALL.__dict__, **options})), stream.cpu
    )


def material(model, y: torch.Tensor, training: TrainingConfig, stream: RandomStream) -> Material:
    return Material(model, y, y, None, ObjectiveConfig(), training, 0, stream)


def started(y: np.ndarray, init: str, **options: object):
    stream = RandomStream(0, CPU)
    model = new(2, stream, **options)
    tensor = torch.from_numpy(y)
    training = TrainingConfig(init=init, batch_size=64, epochs=3)
    given = material(model, tensor, training, stream)
    return model, begin_start(given, choose_start(given))


@pytest.mark.slow
def test_the_manifold_is_found_in_rounds(short):
    y, labels = moons()
    model, found = started(y, "manifold")
    clusters = assign(model, torch.from_numpy(y)).argmax(1)
    assert adjusted_rand_score(labels, clusters) > 0.95
    assert found.rounds[0]["changed"] == 1


@pytest.mark.parametrize(
    ("count", "options", "reason"),
    [
        (19, {}, "there are 19 rows of 2 columns"),
        (1000, {"assignment": "posterior"}, "assignment is posterior"),
    ],
)
def test_auto_says_why_it_is_kmeans(count, options, reason):
    _, found = started(moons(count)[0], "auto", **options)
    assert (found.init, found.rounds, found.candidates) == ("kmeans", (), ())
    assert f"{reason}, so init=auto chose kmeans" in found.reason


def test_the_manifold_cannot_teach_the_posterior():
    with pytest.raises(ValueError, match="assignment must be recogniser, or init kmeans"):
        started(moons()[0], "manifold", assignment="posterior")


def test_two_rows_have_no_manifold():
    with pytest.raises(ValueError, match="init is 'manifold', but there are only 2 different observations"):
        started(np.eye(2, dtype=np.float32), "manifold")


@pytest.mark.slow
def test_rounds_end_when_clusters_no_longer_change(short, monkeypatch):
    monkeypatch.setattr(rounds, "CONVERGED", 1.1)
    y, stream = torch.from_numpy(moons()[0]), RandomStream(0, CPU)
    shares: list[float] = []
    training = TrainingConfig(rounds=3)
    found = Rounds(material(new(2, stream), y, training, stream), shares.append)
    assert len(list(found.teach())) == 1
    assert shares == sorted(shares)
    assert shares[-1] == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("converged", "augment", "expected"),
    [(0.0, "image", ["erased"] * 6 + ["whole"]), (1.1, "image", ["whole"]), (0.0, "none", [None] * 3)],
)
def test_parts_of_images_are_erased_in_all_rounds_but_the_last(
    short, monkeypatch, converged, augment, expected
):
    names = {augmentation.image_view: "whole", augmentation.erased_view: "erased", None: None}
    seen = []
    monkeypatch.setattr(rounds, "CONVERGED", converged)
    monkeypatch.setattr(autoencoder, "STEPS", 5)
    monkeypatch.setattr(rounds, "teach", lambda *given: seen.append(names[given[4]]))
    stream = RandomStream(0, CPU)
    y = torch.rand(300, 1, 8, 8, generator=stream.cpu)
    model = GaussianMixtureVAE((1, 8, 8), ModelConfig(clusters=2, network="compact", hidden_size=16))
    found = Rounds(material(model, y, TrainingConfig(augment=augment), stream), lambda _: None)
    assert len(list(found.teach())) == len(expected)
    assert seen == expected


@pytest.mark.slow
@pytest.mark.parametrize(("columns", "whole"), [(51, True), (50, False)])
def test_groups_of_wide_rows_are_joined_to_clusters(short, columns, whole):
    """Two clusters of four groups each. In a wide table they are found by joining groups."""
    asked = []
    part = rounds.partition
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            rounds,
            "partition",
            lambda *given, joined, **more: asked.append(joined) or part(*given, joined=joined, **more),
        )
        rng = np.random.default_rng(0)
        group = np.arange(800) % 8
        y = rng.normal(size=(800, columns)) * 0.3
        y[:, 0] += 2 * (group % 4)
        y[:, 1] += 8 * (group // 4)
        stream = RandomStream(0, CPU)
        given = material(
            new(columns, stream), torch.from_numpy(y.astype(np.float32)), TrainingConfig(), stream
        )
        found = Rounds(given, lambda _: None)
    assert asked == [whole]
    if whole:
        assert adjusted_rand_score(group // 4, found.clusters) > 0.95


@pytest.mark.slow
def test_teaching_brings_q_z_to_given_clusters():
    rng = np.random.default_rng(0)
    labels = np.arange(1000) % 2
    y = torch.from_numpy((rng.normal(size=(1000, 2)) + 6 * labels[:, None]).astype(np.float32))
    wrong = np.where(rng.uniform(size=len(y)) < 0.1, 1 - labels, labels)
    stream = RandomStream(0, CPU)
    model = new(2, stream)
    before = {name: value.clone() for name, value in model.generative.state_dict().items()}
    teaching.teach(model, y, y, torch.from_numpy(wrong), table_view, 300, stream, lambda _: None)
    found = adjusted_rand_score(labels, assign(model, y).argmax(1))
    assert found > 0.98 > 0.7 > adjusted_rand_score(labels, wrong)  # mistakes are not learned
    for name, value in model.generative.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.slow
def test_the_auto_encoder_maps_views_to_observations():
    """The view lacks the first column: the code cannot know it, and must still reconstruct the second."""
    stream = RandomStream(0, CPU)
    y = torch.randn(500, 2, generator=stream.cpu)
    model = new(2, stream, hidden_size=64)
    teaching.reconstruct(model, y, lambda v, _: v * torch.tensor([0.0, 1.0]), 400, stream, lambda _: None)
    model.eval()
    with torch.no_grad():
        code = model.recognition(y * torch.tensor([0.0, 1.0]))[0].mean
        p_y = model.generative.p_y(code)
    assert (p_y.mean - y).square().mean(0)[1] < 0.05
    assert p_y.variance.mean(0)[0] == pytest.approx(1, abs=0.25)  # what is left is the column's own variance


def test_averaged_weights_are_an_average():
    layer = torch.nn.Linear(1, 1, bias=False)
    layer.weight.data.fill_(0.0)
    average = teaching.Averaged(layer)
    for step in range(1, 4):
        layer.weight.data.fill_(float(step))
        average.update()
    expected = 0.0
    for step in range(1, 4):
        keep = step / (step + 10)
        expected = keep * expected + (1 - keep) * step
    assert average.module.weight.item() == pytest.approx(expected)


@pytest.mark.slow
def test_a_fit_keeps_its_taught_partition(short):
    y, labels = moons()
    small = {"hidden_size": 64, "x_size": 2, "w_size": 2, "epochs": 20}
    model = Estimator(2, init="manifold", random_state=0, **small).fit(y)
    assert model.start_["init"] == "manifold"
    assert adjusted_rand_score(labels, model.labels_) > 0.95
    assert model.diagnostics_.agreement > 0.9
    assert all(record["view_consistency"] > 0 for record in model.history_)


def test_passes_of_a_fit_without_a_given_length():
    for init, assignment in (("random", "recogniser"), ("auto", "posterior")):
        assert schedule(init, assignment, (2,)).epochs(1800, 128) == 100  # 15 steps each
        assert schedule(init, assignment, (1, 8, 8)).epochs(60_000, 128) == 20
    for shape in ((2,), (1, 8, 8)):
        assert schedule("auto", "recogniser", shape).epochs(1800, 128) == 54
        assert schedule("auto", "recogniser", shape).epochs(9000, 128) == 12  # 71 steps each, 852 in all
        assert schedule("auto", "recogniser", shape).epochs(60_000, 128) == 4
    assert schedule("auto", "recogniser", (2,)).epochs(100, 128) == 400
    assert schedule("auto", "recogniser", (2,)).epochs(300, 128) == 200  # 600 steps
    assert schedule("auto", "recogniser", (1, 8, 8)).epochs(300, 128) == 267


def test_the_robust_loss_is_between_cross_entropy_and_the_share_of_mistakes():
    """Compared with numbers from the formula, in both limits."""
    logits, clusters = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]]), torch.tensor([0, 0, 1])
    q = np.array([1 / (1 + np.exp(-2)), 1 / (1 + np.e), 1 / (1 + np.exp(3))])
    assert teaching.mistaken(logits, clusters, 0).item() == pytest.approx(-np.log(q).mean(), rel=1e-6)
    assert teaching.mistaken(logits, clusters, 1e-4).item() == pytest.approx(-np.log(q).mean(), rel=1e-3)
    assert teaching.mistaken(logits, clusters, 0.7).item() == pytest.approx(
        ((1 - q**0.7) / 0.7).mean(), rel=1e-6
    )
    assert teaching.mistaken(logits, clusters, 1).item() == pytest.approx((1 - q).mean(), rel=1e-6)


@pytest.mark.slow
def test_a_lost_cluster_is_learned_after_all(monkeypatch):
    """The robust loss is made to take all rows for the first cluster, which rarely happens by itself."""
    mistaken = teaching.mistaken

    def blind(logits, clusters, robustness):
        return mistaken(logits, 0 * clusters if robustness else clusters, robustness)

    monkeypatch.setattr(teaching, "mistaken", blind)
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 2
    y = torch.from_numpy((rng.normal(size=(400, 2)) + 6 * labels[:, None]).astype(np.float32))
    stream = RandomStream(0, CPU)
    model = new(2, stream)
    shares: list[float] = []
    teaching.teach(model, y, y, torch.from_numpy(labels), table_view, 150, stream, shares.append)
    assert adjusted_rand_score(labels, assign(model, y).argmax(1)) > 0.98
    assert shares == sorted(shares)


@pytest.mark.slow
def test_without_views_adversarial_training_uses_all_rows(monkeypatch):
    """Taught on a few noisy rows, q(z | y) is nearer to the groups of all rows than without it."""
    rng = np.random.default_rng(1)
    labels = np.arange(600) % 2
    y = rng.normal(size=(600, 20)) * 0.5
    y[:, 0] += 4 * labels
    y, subset = torch.from_numpy(y.astype(np.float32)), torch.from_numpy(labels[:20])

    def taught() -> float:
        stream = RandomStream(0, CPU)
        model = new(20, stream)
        teaching.teach(model, y, y[:20], subset, None, 150, stream, lambda _: None)
        probabilities = assign(model, y)
        return float(np.log(probabilities[np.arange(600), labels]).mean())

    found = taught()
    monkeypatch.setattr(teaching, "inconsistency", lambda *_: torch.zeros(()))
    assert found > 0.9 * taught()  # both are negative


@pytest.mark.slow
def test_the_code_of_images_keeps_kinds_together(monkeypatch):
    """Most of the ten nearest codes are of the same digit; before training they are not."""
    digits = load_digits()
    y = torch.from_numpy((digits.data / 16).astype(np.float32)).view(-1, 1, 8, 8)

    def same(steps: int) -> float:
        monkeypatch.setattr(autoencoder, "STEPS", steps)
        near = neighbours(autoencoder.code(y, y, RandomStream(0, CPU), lambda _: None), 10)[0]
        return (digits.target[near] == digits.target[:, None]).mean()

    assert same(600) > 0.9 > 0.75 > same(1)


@pytest.mark.parametrize("count", [2, 5, 8])
def test_the_elbow_is_where_the_singular_values_fall(count):
    """For data with a known number of strong axes, and compared with the paper's likelihood."""
    rng = np.random.default_rng(count)
    strong = rng.normal(size=(90, count)) * np.linspace(9, 5, count)
    y = np.c_[strong, np.zeros((90, 60 - count))] + rng.normal(size=(90, 60))
    singular = np.linalg.svd(y - y.mean(0), compute_uv=False)[:50]
    assert elbow(singular) == count
    values = np.log(singular)

    def likelihood(q):
        left, right = values[:q], values[q:]
        variance = (np.square(left - left.mean()).sum() + np.square(right - right.mean()).sum()) / (50 - 2)
        parts = (stats.norm(part.mean(), variance**0.5).logpdf(part).sum() for part in (left, right))
        return sum(parts)

    assert max(range(1, 50), key=likelihood) == count


def test_kmeans_of_few_rows_ignores_the_noise_of_many_columns():
    """Three groups that differ in four of 400 columns: distances in all columns are mostly noise."""
    rng = np.random.default_rng(1)
    groups = np.repeat([0, 1, 2], 30)
    y = rng.normal(size=(90, 400))
    y[:, :40] += 1.6 * rng.normal(size=(3, 40))[groups]
    found = [adjusted_rand_score(groups, k_means(y, 3, seed).clusters) for seed in range(5)]
    assert min(found) > 0.95
