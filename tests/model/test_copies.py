"""Modules with the weights of others."""

import copy
from itertools import chain

import pytest
import torch
from torch import nn

from gmvae.model.weights import copied


def tensors(model: nn.Module) -> list[torch.Tensor]:
    return [*chain(model.parameters(), model.buffers())]


@pytest.mark.parametrize("dtype", [None, torch.float64])
@pytest.mark.parametrize("assignment", ["recogniser", "posterior"])
@pytest.mark.parametrize(
    ("network", "y_shape", "likelihood"),
    [("fc", (3,), "gaussian"), ("conv", (1, 12, 12), "bernoulli"), ("svhn", (1, 8, 9), "gaussian")],
)
def test_a_copy_is_that_of_deepcopy(build, network, y_shape, likelihood, assignment, dtype):
    options = {"network": network, "likelihood": likelihood, "assignment": assignment, "filters": 2}
    model = build(y_shape, double=False, **options)
    model.train(True)
    model.generative.train(False)
    model.generative.decoder.requires_grad_(False)
    model.recognition.body.inner = torch.bfloat16
    found, expected = copied(model, dtype), copy.deepcopy(model).to(dtype)
    assert repr(found) == repr(expected)
    names = [name for name, _ in chain(expected.named_parameters(), expected.named_buffers())]
    assert [name for name, _ in chain(found.named_parameters(), found.named_buffers())] == names
    assert [*found.state_dict()] == [*expected.state_dict()]
    for one, other in zip(tensors(found), tensors(expected), strict=True):
        assert type(one) is type(other)
        assert (one.dtype, one.stride(), one.requires_grad) == (
            other.dtype, other.stride(), other.requires_grad
        )  # fmt: skip
        assert torch.equal(one, other)
    for one, other, original in zip(found.modules(), expected.modules(), model.modules(), strict=True):
        assert vars(one).keys() == vars(other).keys()
        assert one.training == other.training
        assert getattr(one, "inner", None) == getattr(other, "inner", None)
        assert getattr(one, "config", None) == getattr(other, "config", None)
        held = {id(value) for value in vars(original).values() if isinstance(value, dict | set)}
        assert not held & {id(value) for value in vars(one).values()}


def test_what_is_done_to_a_copy_leaves_the_model_as_it_was(build):
    model = build((1, 12, 12), double=False, network="conv", likelihood="bernoulli", filters=2)
    before = copy.deepcopy(model.state_dict())
    other = copied(model)
    assert not {t.data_ptr() for t in tensors(model)} & {t.data_ptr() for t in tensors(other)}
    calls = []
    other.recognition.register_forward_hook(lambda *_: calls.append(1))
    other.train(True)
    y = torch.rand(4, 1, 12, 12)
    sum(one.mean.sum() for one in other.recognition(y)[:2]).backward()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1)
    model.recognition(y)
    assert calls == [1]
    assert not model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
