"""What a step takes, against published numbers and against counts made by hand."""

from __future__ import annotations

import pytest

from gpucheck.bench.work import OPTIMIZERS, operations, work
from gpucheck.bench.workloads import LEARNING_RATES, Workload, load

MIB = 2**20
EVERY = ("mnist-cnn", "keras-cnn", "mlp", "vit", "empty")
_DENSE = {"layer": "dense", "bias": 0.0, "init": "glorot", "activation": None}
_CONV = {"layer": "conv", "kernel": 5, "padding": "same", "bias": 0.0, "activation": None}


def network(*layers, optimizer="sgd"):
    return Workload("made", "for a test", layers, optimizer=optimizer)


def test_the_tutorial_takes_what_its_formula_gives():
    made = work(load("mnist-cnn"), 64)
    assert made.parameters == 1_663_370 == 832 + 51_264 + 1_606_144 + 5_130
    assert round(made.flops / 1e9, 2) == 4.67
    assert round(made.bytes_fused / MIB) == 59
    assert round(made.bytes_unfused / MIB) == 218


def test_the_tutorials_products_are_those_of_the_published_count():
    macs = [one.macs for one in operations(load("mnist-cnn").layers) if one.macs]
    assert macs == [627_200, 10_035_200, 1_605_632, 5_120]
    products = 2 * 64 * sum(macs) + 2 * 64 * (2 * sum(macs) - macs[0])
    assert products == 4_632_608_768
    rest = work(load("mnist-cnn"), 64).flops - products
    # Biases and ReLUs, 3 comparisons a pooled value, dropout 2, loss 5: all three times. Then L2 and momentum.
    forward = 2 * (28 * 28 * 32 + 14 * 14 * 64 + 512) + 10 + 3 * (14 * 14 * 32 + 7 * 7 * 64) + 2 * 512 + 5 * 10
    assert rest == 64 * 3 * forward + 4 * (1_606_144 + 5_130) + 4 * 1_663_370


def test_the_tutorials_least_traffic_counted_by_hand():
    weights = 8 * 1_663_370 - 832  # forward, backward, gradient, and the momentum's five; conv1 has no input gradient
    passing = 3 * (14 * 14 * 32 + 7 * 7 * 64 + 512 + 10) + 2 * 784
    bits = 28 * 28 * 32 + 14 * 14 * 64 + 512
    assert work(load("mnist-cnn"), 64).bytes_fused == 4 * (weights + 64 * passing) + 64 * 2 * bits / 8


def test_the_tutorials_unfused_traffic_counted_by_hand():
    x, conv1, pool1, conv2, pool2, dense = 784, 25_088, 6_272, 12_544, 3_136, 512
    forward = (
        (x + conv1) + 2 * conv1 + (conv1 + pool1) + (pool1 + conv2) + 2 * conv2 + (conv2 + pool2)
        + (pool2 + dense) + 2 * dense + 3 * dense + (dense + 10) + 20
    )  # fmt: skip
    convolutions = (x + conv1) + conv1 + 2 * (pool1 + conv2) + conv2
    pools = (2 * conv1 + pool1) + (2 * conv2 + pool2)
    denses = 2 * (pool2 + dense) + dense + 2 * (dense + 10) + 10
    elementwise = 3 * (conv1 + conv2 + 2 * dense + 10)
    backward = convolutions + pools + denses + elementwise
    weights = 3 * 1_663_370 - 832 + 8 * (1_606_144 + 5_130) + 5 * 1_663_370
    assert work(load("mnist-cnn"), 64).bytes_unfused == 4 * (64 * (forward + backward) + weights)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("mnist-cnn", 1_663_370),
        ("keras-cnn", 34_826),  # keras-team/keras-io, examples/vision/mnist_convnet.py prints it
        ("mlp", 2 * 784 + 401_920 + 262_656 + 5_130),
        ("empty", 7_850),
    ],
)
def test_parameters_are_the_published_ones_or_those_counted_by_hand(name, parameters):
    assert work(load(name), 64).parameters == parameters


def test_three_dense_layers_counted_by_hand():
    layers = [{"layer": "flatten"}, *({**_DENSE, "units": units} for units in (512, 512, 10))]
    made = work(network(*layers, optimizer="adam"), 32)
    assert made.parameters == 401_920 + 262_656 + 5_130
    macs = 784 * 512 + 512 * 512 + 512 * 10
    products = 2 * 32 * (3 * macs - 784 * 512)
    assert made.flops == products + 32 * 3 * (512 + 512 + 10 + 50) + 12 * made.parameters
    again = made.parameters - 401_920
    assert made.bytes_fused == 4 * (2 * made.parameters + again + 7 * made.parameters + 32 * (2 * 784 + 3 * 1034))


def test_self_attention_counted_by_hand():
    rows, width, heads = 16, 128, 4
    patches = {"layer": "patches", "size": 7}
    attention = {"layer": "attention", "heads": heads, "key": 32}
    head = [{"layer": "flatten"}, {**_DENSE, "units": 10}]
    first = [patches, {**_DENSE, "units": width}]
    with_it = work(network(*first, {"layer": "residual", "layers": [attention]}, *head), 1)
    without = work(network(*first, *head), 1)
    assert with_it.parameters - without.parameters == 4 * (width * width + width)
    macs = 4 * rows * width * width + 2 * rows * rows * width
    biases, scores, added = 4 * rows * width, heads * rows * rows * (1 + 5), rows * width
    update = 2 * (with_it.parameters - without.parameters)
    assert with_it.flops - without.flops == 6 * macs + 3 * (biases + scores + added) + update
    # Fused, no score passes through memory: what goes into the projections, the three, and what comes out.
    weights = 6 * 4 * (width * width + width)
    assert with_it.bytes_fused - without.bytes_fused == 4 * (weights + 3 * (1 + 3 + 1) * rows * width)


def test_the_transformer_counted_by_hand():
    attention, norm = 4 * (128 * 128 + 128), 2 * 128
    block = norm + attention + norm + (128 * 256 + 256) + (256 * 128 + 128)
    outside = 2 * 49 + (49 * 128 + 128) + 16 * 128 + norm + (16 * 128 * 10 + 10)
    assert work(load("vit"), 64).parameters == outside + 2 * block == 294_252
    macs = sum(one.macs for one in operations(load("vit").layers))
    each = 4 * 16 * 128 * 128 + 2 * 16 * 16 * 128 + 2 * 16 * 128 * 256
    assert macs == 16 * 49 * 128 + 2 * each + 16 * 128 * 10


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_a_larger_batch_adds_its_images_and_nothing_else(name, optimizer):
    one, two, nine = (work(load(name), size, optimizer) for size in (1, 2, 9))
    assert one.parameters == nine.parameters
    for field in ("flops", "bytes_fused", "bytes_unfused"):
        a, b, c = (getattr(each, field) for each in (one, two, nine))
        assert c - a == 8 * (b - a) > 0


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("size", [1, 64, 4096])
def test_fusing_never_moves_more(name, size):
    made = work(load(name), size)
    assert 0 < made.bytes_fused <= made.bytes_unfused


def test_every_optimizer_that_can_be_asked_for_is_counted():
    assert set(OPTIMIZERS) == set(LEARNING_RATES)


def test_an_optimizer_moves_its_slots_twice():
    made = {name: work(load("mlp"), 64, name) for name in OPTIMIZERS}
    for name, (slots, _update) in OPTIMIZERS.items():
        assert made[name].bytes_fused - made["sgd"].bytes_fused == 4 * 2 * slots * made["sgd"].parameters
        assert made[name].bytes_unfused - made["sgd"].bytes_unfused == 4 * 2 * slots * made["sgd"].parameters


def test_a_workloads_own_optimizer_is_counted_unless_another_is_named():
    assert work(load("mnist-cnn"), 64) == work(load("mnist-cnn"), 64, "momentum") != work(load("mnist-cnn"), 64, "adam")


def test_the_last_window_of_a_pool_may_be_half_full_where_padding_is_same():
    def parameters(padding):
        pool = {"layer": "pool", "size": 3, "padding": padding}
        return work(network(pool, {"layer": "flatten"}, {**_DENSE, "units": 10}), 1).parameters

    assert (parameters("same"), parameters("valid")) == (10 * 10 * 10 + 10, 9 * 9 * 10 + 10)


def test_what_stands_before_all_weights_has_no_backward():
    pool, rest = {"layer": "pool", "size": 2, "padding": "valid"}, [{"layer": "flatten"}, {**_DENSE, "units": 10}]
    before = work(network(pool, *rest), 1)
    dense = 2 * 2 * 1_960 + 3 * (10 + 50) + 2 * 1_970
    assert before.flops == dense + 3 * 196


def test_a_layer_or_an_optimizer_that_is_not_known_is_an_error():
    with pytest.raises(KeyError):
        work(network({"layer": "lstm"}), 64)
    with pytest.raises(KeyError):
        work(load("mlp"), 64, "lion")
    with pytest.raises(ValueError, match="10 classes"):
        work(network({"layer": "flatten"}), 64)
    with pytest.raises(ValueError, match="residual"):
        work(network({"layer": "residual", "layers": [{**_CONV, "filters": 3}]}), 64)
