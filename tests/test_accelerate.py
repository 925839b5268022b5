"""What makes networks fast: it may change rounding, and nothing else."""

import copy
import importlib.util

import pytest
import torch
from tiny import batch_of, run_of

from edn_core.accelerate import (
    PLAIN,
    Acceleration,
    Recorded,
    accelerated_for_inference,
    autocast,
    check_precision,
    choose_acceleration,
)
from edn_core.config import RuntimeConfig
from edn_core.networks import GlobalGenerator
from edn_core.networks.layers import PreciseTanh

CPU = torch.device("cpu")
CUDA = torch.device("cuda")
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


# Precision


def test_half_the_bits_are_refused_where_they_would_be_emulated(monkeypatch):
    expected = (
        r"training.precision: is 'bfloat16', which this CPU cannot multiply .*"
        r"set training.precision to float32"
    )
    found = {"avx2": True, "avx512_bf16": False}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found)
    with pytest.raises(ValueError, match=expected):
        check_precision("bfloat16", CPU)
    check_precision("float32", CPU)
    found["amx_bf16"] = True
    check_precision("bfloat16", CPU, "synthesis.precision")


def test_the_picture_and_the_losses_are_float32_under_autocast(tiny_target):
    run = run_of(tiny_target, "body")
    with autocast("bfloat16", CPU):
        for terms in run.stage.losses(run.networks, batch_of(tiny_target, 3), run.weighting):
            assert {value.dtype for value in terms.values()} == {torch.float32}
        image = run.networks["generator"](torch.zeros(1, 6, 64, 64))
    assert image.dtype == torch.float32
    assert PreciseTanh()(torch.zeros(1, dtype=torch.float64)).dtype == torch.float64


# Switches


def test_auto_leaves_a_cpu_as_it_is_and_the_log_says_so(log):
    assert choose_acceleration(RuntimeConfig(), CPU, "training body") == PLAIN
    assert "training body on cpu: not compiled, not recorded" in log()
    always = RuntimeConfig(compile="always")
    assert choose_acceleration(always, CPU, "x") == Acceleration(compile=True)


def test_auto_takes_everything_on_a_gpu(log):
    chosen = choose_acceleration(RuntimeConfig(), CUDA, "synthesis")
    has_triton = importlib.util.find_spec("triton") is not None
    assert chosen == Acceleration(has_triton, cuda_graphs=True)
    assert "recorded as CUDA graphs" in log()
    never = RuntimeConfig(compile="never", cuda_graphs="never")
    assert choose_acceleration(never, CUDA, "synthesis") == PLAIN


# Layers


def test_networks_for_inference_take_and_give_float32():
    network = GlobalGenerator(6, 3, 8, 1, 1).eval().requires_grad_(False)
    x = torch.randn(1, 6, 16, 16)
    expected = network(x)
    same = accelerated_for_inference({"generator": copy.deepcopy(network)}, CPU)["generator"]
    torch.testing.assert_close(same(x), expected, rtol=0, atol=2e-6)
    try:
        check_precision("bfloat16", CPU)
    except ValueError:
        pytest.skip("this CPU cannot multiply bfloat16")
    half = accelerated_for_inference({"generator": network}, CPU, precision="bfloat16")["generator"]
    assert half(x).dtype == torch.float32
    difference = (half(x) - expected).abs().max()
    assert 0 < difference < 0.05


# Compiled, and on a GPU


@pytest.mark.gpu
@needs_cuda
def test_a_compiled_network_gives_the_same_but_for_rounding():
    torch.manual_seed(0)
    network = GlobalGenerator(6, 3, 4, 1, 1).eval().requires_grad_(False).to(CUDA)
    x = torch.randn(1, 6, 16, 16, device=CUDA)
    expected = network(x)
    names = list(network.state_dict())
    compiled = Acceleration(compile=True)
    with torch.no_grad():
        fast = accelerated_for_inference({"generator": network}, CUDA, compiled)["generator"]
        torch.testing.assert_close(fast(x), expected, rtol=0, atol=1e-4)
    assert list(network.state_dict()) == names


@pytest.mark.gpu
@needs_cuda
def test_a_recorded_training_is_the_unrecorded_one(tiny_target):
    losses = []
    for acceleration in (PLAIN, Acceleration(cuda_graphs=True)):
        run = run_of(tiny_target, "body", device=CUDA, acceleration=acceleration)
        for i in range(8):
            batch = {name: one.to(CUDA) for name, one in batch_of(tiny_target, i).items()}
            terms = run.train_step(batch, 8)
        losses.append(torch.stack(list(terms.values())).cpu())
        assert (run._recorded is not None) == acceleration.cuda_graphs
        if run._recorded is not None:
            assert run._recorded._graph is not None
    torch.testing.assert_close(*losses, rtol=1e-3, atol=1e-4)


@pytest.mark.gpu
@needs_cuda
def test_a_recorded_function_follows_its_inputs_and_a_new_shape():
    recorded = Recorded(lambda inputs: {"y": inputs["x"] * 2}, "test")
    for size in (3, 5):
        for i in range(6):
            x = torch.full((size,), float(i), device=CUDA)
            assert torch.equal(recorded({"x": x})["y"], 2 * x)
        assert recorded._graph is not None
