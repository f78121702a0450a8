"""Epochs of several trainers at once are those of each alone."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from gmvae.config import ModelConfig, ObjectiveConfig, TrainingConfig
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.training.loop import Trainer
from gmvae.training.random import RandomStream
from gmvae.training.together import Together, joins

CPU = torch.device("cpu")
MODEL = ModelConfig(clusters=3, x_size=2, w_size=2, hidden_size=16, likelihood="gaussian")
CONFIG = TrainingConfig(batch_size=64, epochs=5, learning_rate=1e-2, device="cpu")
OBJECTIVE = ObjectiveConfig(warm_up=3, view_weight=2.0)
DATA = torch.randn(3, 130, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def trainers(config: TrainingConfig = CONFIG) -> list[Trainer]:
    """Three trainers with seeds of their own, in float64: rounding cannot grow to much in five epochs."""
    made = []
    for seed in range(3):
        torch.manual_seed(seed)
        model = GaussianMixtureVAE((5,), MODEL).double()
        made.append(Trainer(model, OBJECTIVE, config, RandomStream(seed, CPU)))
        assert joins(made[-1])
    return made


def train(made, *, together, between=lambda trainers: None):
    """All epochs, and ``between`` after the second one. Returns the records of each trainer."""
    joint = Together()
    running = [iter(one.epochs(y)) for one, y in zip(made, DATA, strict=True)]
    found = [[] for _ in made]
    for epoch in range(CONFIG.epochs):
        pairs = [(one, y) for one, y in zip(made, DATA, strict=True) if one.epoch < one.last]
        if together and pairs:
            joint.epoch(pairs, lambda _: None)
        for records, steps in zip(found, running, strict=True):
            records += [record for record in [next(steps, None)] if record]
        if epoch == 1:
            between(made)
    joint.close()
    return found


def check(ours, theirs, records, expected):
    """Compare weights, statistics, moments, generators and records."""
    for one, other in zip(ours, theirs, strict=True):
        (tensors, about), (wanted, about_wanted) = one.state(), other.state()
        assert about == about_wanted
        assert tensors.keys() == wanted.keys()
        for name, value in tensors.items():
            torch.testing.assert_close(value, wanted[name], rtol=1e-8, atol=1e-8, msg=name)
    for one, other in zip(records, expected, strict=True):
        assert len(one) == len(other)
        for record, wanted in zip(one, other, strict=True):
            assert record.keys() == wanted.keys()
            for name in record.keys() - {"seconds"}:
                assert record[name] == pytest.approx(wanted[name], rel=1e-5), name


def anchor(made):
    for one in made:
        one.anchor()


def one_rolls_back(made):
    made[1].rollbacks = 1


def the_first_rolls_back(made):
    made[0].rollbacks = 1


def the_first_is_shorter(made):
    made[0].last = 3


def weights_change(made):
    for one in made:
        one.weigh(replace(OBJECTIVE, cv_weight=3.0))


CHANGES = [anchor, one_rolls_back, the_first_rolls_back, the_first_is_shorter, weights_change]


@pytest.mark.parametrize("between", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("optimiser", ["adam", pytest.param("sgd", marks=pytest.mark.slow)])
def test_they_are_those_of_each_alone(between, optimiser):
    config = replace(CONFIG, optimiser=optimiser, learning_rate=1e-2 if optimiser == "adam" else 1e-3)
    ours, theirs = trainers(config), trainers(config)
    records = train(ours, together=True, between=between)
    expected = train(theirs, together=False, between=between)
    check(ours, theirs, records, expected)


def test_each_has_tensors_of_its_own_afterwards():
    made = trainers()
    train(made, together=True)
    before = deepcopy(made[1].state()[0])
    for one in (made[0], made[2]):
        for tensor in one.state()[0].values():
            tensor.zero_()
    assert all(torch.equal(value, before[name]) for name, value in made[1].state()[0].items())


def test_an_epoch_that_is_interrupted_does_not_count():
    made = trainers()
    joint = Together()
    before = [deepcopy(one.state()) for one in made]

    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        joint.epoch(list(zip(made, DATA, strict=True)), stop)
    joint.close()
    for one, (tensors, about) in zip(made, before, strict=True):
        found = one.state()
        assert found[1] == about
        assert all(torch.equal(value, tensors[name]) for name, value in found[0].items())


def test_an_epoch_that_diverges_is_made_again_alone():
    made, alone = trainers(), trainers()
    records = train(made, together=True, between=break_one)
    expected = train(alone, together=False, between=break_one)
    assert [record[-1].get("rollbacks", 0) for record in records] == [0, 1, 0]
    check([made[0], made[2]], [alone[0], alone[2]], records[::2], expected[::2])
    check(made[1:2], alone[1:2], records[1:2], expected[1:2])


def test_an_epoch_that_diverges_in_all_of_them_is_made_again_by_each():
    made, alone = trainers(), trainers()
    records = train(made, together=True, between=break_all)
    expected = train(alone, together=False, between=break_all)
    assert [record[-1].get("rollbacks", 0) for record in records] == [1, 1, 1]
    check(made, alone, records, expected)


def break_one(made, number=1):
    """From now on, a trainer's first epoch has a loss that is not finite."""
    trainer, sound = made[number], made[number]._sound
    odd = iter([False])
    trainer._sound = lambda means, y: next(odd, True) and sound(means, y)


def break_all(made):
    for number in range(3):
        break_one(made, number)


def test_convolutions_and_other_optimisers_do_not_join():
    trainer = trainers()[0]
    assert not joins(Trainer(trainer.model, OBJECTIVE, replace(CONFIG, optimiser="rmsprop"), trainer.stream))
    images = GaussianMixtureVAE((1, 16, 16), replace(MODEL, network="compact", filters=4))
    assert not joins(Trainer(images, OBJECTIVE, CONFIG, trainer.stream))
