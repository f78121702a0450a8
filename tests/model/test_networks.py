"""The networks' layers compared with the original's, and their output with arithmetic written out."""

import copy
import math
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.signal import correlate2d
from torch import nn

from gmvae.model import networks
from gmvae.model.distributions import DiagonalGaussian

FITTING = [
    ("conv", (1, 12, 12)),
    ("conv", (3, 29, 31)),
    ("conv", (2, 64, 40)),
    ("svhn", (1, 8, 9)),
    ("svhn", (3, 29, 31)),
    ("svhn", (2, 64, 40)),
]


def listed(module: nn.Module) -> list[str]:
    """The layers in order, except for those that only reshape."""
    return [described(layer) for layer in module if not isinstance(layer, (nn.Flatten, nn.Unflatten))]


def described(layer: nn.Module) -> str:
    match layer:
        case nn.Conv2d() | nn.ConvTranspose2d():
            kind = "conv" if isinstance(layer, nn.Conv2d) else "transposed"
            assert layer.bias is not None
            assert set(layer.output_padding) == {0}
            assert layer.dilation == (1, 1)
            sizes = [layer.kernel_size, layer.stride, layer.padding]
            assert all(size[0] == size[1] for size in sizes)
            kernel, stride, padding = (size[0] for size in sizes)
            return f"{kind} {layer.in_channels}-{layer.out_channels} {kernel}x{kernel} s{stride} p{padding}"
        case nn.Linear():
            return f"linear {layer.in_features}-{layer.out_features}"
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            return f"batch norm {layer.num_features}"
        case nn.ReLU() | nn.Tanh():
            return type(layer).__name__.lower()
    raise AssertionError(f"unexpected {layer}")


# models/ConvAE.lua, models/SVHNConvAE.lua and models/FullyConnected.lua of the original
CONV = [
    "conv 1-16 6x6 s1 p0", "batch norm 16", "relu",
    "conv 16-32 6x6 s1 p0", "batch norm 32", "relu",
    "conv 32-64 4x4 s2 p1", "batch norm 64", "relu",
    "conv 64-500 9x9 s1 p0", "batch norm 500", "relu",
]  # fmt: skip
CONV_BACK = [
    "linear 200-500", "batch norm 500", "relu",
    "transposed 500-64 9x9 s1 p0", "batch norm 64", "relu",
    "transposed 64-32 4x4 s2 p1", "batch norm 32", "relu",
    "transposed 32-16 6x6 s1 p0", "batch norm 16", "relu",
    "transposed 16-1 6x6 s1 p0",
]  # fmt: skip
SVHN = [
    "conv 3-64 4x4 s2 p1", "batch norm 64", "relu",
    "conv 64-128 4x4 s2 p1", "batch norm 128", "relu",
    "conv 128-256 4x4 s2 p1", "batch norm 256", "relu",
    "conv 256-500 4x4 s1 p0", "batch norm 500", "relu",
]  # fmt: skip
SVHN_BACK = [
    "linear 200-500", "batch norm 500", "relu",
    "transposed 500-256 4x4 s1 p0", "batch norm 256", "relu",
    "transposed 256-128 4x4 s2 p1", "batch norm 128", "relu",
    "transposed 128-64 4x4 s2 p1", "batch norm 64", "relu",
    "transposed 64-3 4x4 s2 p1",
]  # fmt: skip
FC = [
    "linear 784-500", "batch norm 500", "relu",
    "linear 500-500", "batch norm 500", "relu",
]  # fmt: skip
FC_BACK = ["linear 200-500", "relu", "linear 500-500", "relu", "linear 500-784"]


@pytest.mark.parametrize(
    ("network", "y_shape", "filters", "there", "back"),
    [
        ("conv", (1, 28, 28), 16, CONV, CONV_BACK),
        ("svhn", (3, 32, 32), 64, SVHN, SVHN_BACK),
        ("fc", (1, 28, 28), 16, FC, FC_BACK),
    ],
)
def test_layers_are_the_originals(network, y_shape, filters, there, back):
    assert listed(networks.recogniser(network, y_shape, 500, filters)) == there
    assert listed(networks.decoder(network, 200, 500, y_shape, filters, 1)) == back


def test_the_prior_is_the_originals():
    assert listed(networks.prior(150, 500, 14, 200)) == ["linear 150-500", "tanh", "linear 500-5600"]


def test_a_gaussians_decoder_is_twice_as_wide_at_its_end_only():
    for network, y_shape, back, last in (
        ("conv", (1, 28, 28), CONV_BACK, "transposed 16-2 6x6 s1 p0"),
        ("fc", (1, 28, 28), FC_BACK, "linear 500-1568"),
    ):
        assert listed(networks.decoder(network, 200, 500, y_shape, 16, 2)) == [*back[:-1], last]


def random(module: nn.Module, seed: int = 0) -> nn.Module:
    """Random weights, scales, shifts and running statistics, in float64, for evaluation."""
    generator = torch.Generator().manual_seed(seed)
    module = module.double().eval()
    with torch.no_grad():
        for name, value in [*module.named_parameters(), *module.named_buffers()]:
            if value.is_floating_point():
                value.normal_(generator=generator).mul_(0.5)
            if name.endswith("running_var"):
                value.abs_().add_(0.5)
    return module


def normed(layer: nn.Module, hidden: np.ndarray) -> np.ndarray:
    """Batch norm with its running statistics, then ReLU, of (channels, height, width)."""
    mean, variance, scale, shift = (
        value.detach().numpy()[:, None, None]
        for value in (layer.running_mean, layer.running_var, layer.weight, layer.bias)
    )
    return np.maximum((hidden - mean) / np.sqrt(variance + 1e-5) * scale + shift, 0)


def convolved(layer: nn.Module, image: np.ndarray, stride: int, padding: int) -> np.ndarray:
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    image = np.pad(image, ((0, 0), (padding, padding), (padding, padding)))
    whole = [
        sum(correlate2d(channel, kernel, "valid") for channel, kernel in zip(image, kernels, strict=True))
        for kernels in weight
    ]
    return np.stack(whole)[:, ::stride, ::stride] + bias[:, None, None]


def spread(layer: nn.Module, hidden: np.ndarray, stride: int, padding: int, size: tuple) -> np.ndarray:
    """Each number adds its multiple of the kernel to a canvas; then the padding is cut off."""
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    height, width = size
    canvas = np.zeros((weight.shape[1], height + 2 * padding, width + 2 * padding))
    for i, j in product(*map(range, hidden.shape[1:])):
        rows = slice(i * stride, i * stride + weight.shape[2])
        columns = slice(j * stride, j * stride + weight.shape[3])
        canvas[:, rows, columns] += np.tensordot(hidden[:, i, j], weight, axes=1)
    inner = canvas[:, padding : padding + height, padding : padding + width]
    return inner + bias[:, None, None]


STACKS = {  # strides and paddings, and the sizes between them for images of 13 x 16
    "conv": [(1, 0), (1, 0), (2, 1), (1, 0)],
    "svhn": [(2, 1), (2, 1), (2, 1), (1, 0)],
}
SIZES = {
    "conv": [(13, 16), (8, 11), (3, 6), (1, 3), (1, 1)],
    "svhn": [(13, 16), (6, 8), (3, 4), (1, 2), (1, 1)],
}


@pytest.mark.parametrize("network", STACKS)
def test_the_recogniser_is_convolutions_written_out(network):
    body = random(networks.recogniser(network, (2, 13, 16), 5, 3))
    y = np.random.default_rng(1).normal(size=(4, 2, 13, 16))
    ours = body(torch.from_numpy(y)).detach().numpy()
    for image, result in zip(y, ours, strict=True):
        hidden, layers = image, iter(body)
        for (stride, padding), size in zip(STACKS[network], SIZES[network][1:], strict=True):
            hidden = convolved(next(layers), hidden, stride, padding)
            hidden = normed(next(layers), hidden)
            next(layers)
            assert hidden.shape[1:] == size
        np.testing.assert_allclose(result, hidden.ravel(), rtol=1e-9)
    assert (ours > 0).any()


@pytest.mark.parametrize("parameters", [1, 2])
@pytest.mark.parametrize("network", STACKS)
def test_the_decoder_is_transposed_convolutions_written_out(network, parameters):
    body = random(networks.decoder(network, 4, 5, (2, 13, 16), 3, parameters))
    x = np.random.default_rng(1).normal(size=(4, 4))
    ours = body(torch.from_numpy(x)).detach().numpy()
    for point, result in zip(x, ours, strict=True):
        layers = iter(body)
        linear = next(layers)
        hidden = linear.weight.detach().numpy() @ point + linear.bias.detach().numpy()
        hidden = hidden[:, None, None]
        next(layers)
        for (stride, padding), size in zip(STACKS[network][::-1], SIZES[network][-2::-1], strict=True):
            hidden = normed(next(layers), hidden)
            next(layers)
            hidden = spread(next(layers), hidden, stride, padding, size)
        np.testing.assert_allclose(result, hidden.reshape(parameters, -1), rtol=1e-9, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("parameters", [1, 2])
@pytest.mark.parametrize(("network", "y_shape"), FITTING)
def test_every_pixel_depends_on_x_whatever_the_size(network, y_shape, parameters):
    decoder = random(networks.decoder(network, 3, 16, y_shape, 4, parameters))
    x = torch.randn(60, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        y = decoder(x).unflatten(-1, y_shape)
    assert y.shape == (60, parameters, *y_shape)
    assert (y.std(0) > 1e-6).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_the_compact_recogniser_computes_with_channels_last(channels):
    body, y = networks.recogniser("compact", (channels, 9, 8), 16, 4).double(), torch.randn(5, channels, 9, 8)
    y = y.double().requires_grad_()
    shown, convolution = y, body[0]
    for layer in list(body)[:12]:  # four times convolution, batch norm, ReLU
        shown = layer(shown)
        assert shown.is_contiguous(memory_format=torch.channels_last)
    options = {"stride": convolution.stride, "padding": convolution.padding}
    plain = F.conv2d(y, convolution.weight, convolution.bias, **options)
    torch.testing.assert_close(convolution(y), plain, check_stride=False)
    weights = torch.randn_like(plain)
    (ours,), (theirs,) = (torch.autograd.grad((one * weights).sum(), y) for one in (convolution(y), plain))
    torch.testing.assert_close(ours, theirs, check_stride=False)


def test_gradients_of_the_compact_recogniser_have_channels_last_and_the_values_of_a_plain_one():
    body, y = networks.recogniser("compact", (1, 9, 8), 16, 4).double(), torch.randn(5, 1, 9, 8).double()
    plain = copy.deepcopy(body)
    plain[12] = nn.Flatten()
    strides, weights = [], torch.randn(5, 16).double()
    body[9].register_full_backward_hook(lambda _layer, _inputs, outputs: strides.append(outputs[0].stride()))
    for one in (body, plain):
        (one(y) * weights).sum().backward()
    assert strides[0][1] == 1  # one channel beside the other
    for ours, theirs in zip(body.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_the_compact_recogniser_halves_an_image_twice():
    body = networks.recogniser("compact", (3, 28, 25), 32, 4)
    assert [layer for layer in listed(body) if layer.startswith(("conv", "linear"))] == [
        "conv 3-4 5x5 s2 p2", "conv 4-8 3x3 s1 p1", "conv 8-8 3x3 s2 p1", "conv 8-16 3x3 s1 p1",
        f"linear {16 * 7 * 7}-32",
    ]  # fmt: skip
    back = networks.decoder("compact", 2, 32, (3, 28, 25), 4, 2)
    assert back(torch.zeros(5, 2)).shape == (5, 2, 3 * 28 * 25)


@pytest.mark.parametrize(("network", "y_shape"), [*FITTING, ("compact", (1, 4, 4)), ("compact", (3, 29, 31))])
def test_the_recogniser_sees_every_pixel(network, y_shape):
    body = random(networks.recogniser(network, y_shape, 16, 4))
    y = torch.randn(20, *y_shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    body(y.requires_grad_()).sum().backward()
    assert (y.grad.abs().sum(0) > 1e-9).all()


@pytest.mark.parametrize(
    ("network", "y_shape", "minimum"),
    [
        ("conv", (2,), 12),
        ("conv", (28, 28), 12),
        ("conv", (1, 11, 28), 12),
        ("conv", (1, 28, 11), 12),
        ("conv", (5, 1, 28, 28), 12),
        ("compact", (64,), 4),
        ("compact", (1, 3, 28), 4),
        ("svhn", (100,), 8),
        ("svhn", (3, 7, 8), 8),
        ("svhn", (3, 8, 7), 8),
    ],
)
def test_a_shape_that_does_not_fit_is_named_with_the_rule(build, network, y_shape, minimum):
    said = (
        f"network is {network!r}, but an observation has shape {y_shape}: it must be (channels, height, "
        f"width), such as (1, 28, 28), with at least {minimum} x {minimum} pixels; network fc takes any shape"
    )
    for make in (
        lambda: networks.recogniser(network, y_shape, 16, 4),
        lambda: networks.decoder(network, 3, 16, y_shape, 4, 1),
        lambda: build(y_shape, network=network),
    ):
        with pytest.raises(ValueError) as caught:  # noqa: PT011
            make()
        assert str(caught.value) == said
    build(y_shape, network="fc")


@pytest.mark.slow
@pytest.mark.parametrize(("network", "y_shape"), [("fc", (2, 12, 13)), *FITTING])
def test_means_and_log_variances_are_separate_halves(build, network, y_shape):
    """With weights of zero, the last layer gives its biases: first the means, then the log-variances."""
    model = build(y_shape, network=network, filters=2)
    size = math.prod(y_shape)
    *_, last = (layer for layer in model.generative.decoder if hasattr(layer, "bias"))
    expected = torch.linspace(-1, 1, last.bias.numel(), dtype=torch.float64)
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(expected)
        p_y = model.generative.p_y(torch.randn(3, 4, 2, dtype=torch.float64))
    assert isinstance(p_y, DiagonalGaussian)
    if network != "fc":  # one bias for each channel
        expected = expected.repeat_interleave(y_shape[1] * y_shape[2])
    torch.testing.assert_close(p_y.mean, expected[:size].expand(3, 4, size))
    torch.testing.assert_close(p_y.log_variance, expected[size:].expand(3, 4, size))


@pytest.mark.parametrize(("network", "y_shape"), [("fc", (2, 12, 13)), *FITTING])
def test_an_image_is_compared_with_its_own_pixels(build, network, y_shape):
    """The last bias alone gives the last channel (or with fc the last pixel) the probability 1, and all
    others 1/2: an image that is 1 there costs log 2 for each of the others."""
    model = build(y_shape, network=network, filters=2, likelihood="bernoulli")
    *_, last = (layer for layer in model.generative.decoder if hasattr(layer, "bias"))
    y = torch.zeros(y_shape, dtype=torch.float64)
    sure = y[-1, -1, -1:] if network == "fc" else y[-1]
    sure.fill_(1)
    with torch.no_grad():
        last.weight.zero_()
        last.bias.zero_()
        last.bias[-1] = 50
        p_y = model.generative.p_y(torch.zeros(1, 1, 2, dtype=torch.float64))
        log_p = p_y.log_prob(y.flatten()).item()
    assert log_p == pytest.approx(-(y.numel() - sure.numel()) * math.log(2), rel=1e-9)
