"""What makes networks fast: it may change rounding, and nothing else."""

import copy
import importlib.util
import os

import pytest
import torch
from tiny import batch_of, feed_of, run_of
from torch import nn

from edn_core.accelerate import (
    PLAIN,
    Acceleration,
    Recorded,
    accelerated_for_inference,
    autocast,
    check_precision,
    choose_acceleration,
    compiling,
)
from edn_core.accelerate.compiling import compiling_pays
from edn_core.accelerate.networks import lay_out_moments
from edn_core.config import NetworkConfig, RuntimeConfig
from edn_core.networks import GlobalGenerator
from edn_core.networks.layers import PreciseTanh
from edn_core.training.pace import measure, settle_steps
from edn_core.training.run import Run

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


def test_auto_leaves_a_cpu_as_it_is_and_the_log_says_so(log, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "")  # and set back afterwards
    del os.environ["TORCHINDUCTOR_CACHE_DIR"]
    assert choose_acceleration(RuntimeConfig(), CPU, "training body") == PLAIN
    assert "training body on cpu: not compiled, not recorded" in log()
    assert "TORCHINDUCTOR_CACHE_DIR" not in os.environ
    always = RuntimeConfig(compile="always")
    assert choose_acceleration(always, CPU, "x") == Acceleration(compile=True)
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(tmp_path / "resources/compile_cache")


def test_auto_records_on_a_gpu_and_compiles_there_if_it_pays(log):
    chosen = choose_acceleration(RuntimeConfig(), CUDA, "synthesis")
    has_triton = importlib.util.find_spec("triton") is not None
    assert chosen == Acceleration(cuda_graphs=True, if_it_pays=has_triton)
    assert "recorded as CUDA graphs" in log()
    never = RuntimeConfig(compile="never", cuda_graphs="never")
    assert choose_acceleration(never, CUDA, "synthesis") == PLAIN


# Compiling


@pytest.fixture
def prices(tmp_path, monkeypatch):
    """Compiling saves a tenth, and costs 90 s the first time and 40 s from then on."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(compiling, "SAVED", {"training": 0.1})
    assert (compiling.COLD_S, compiling.WARM_S) == (90, 40)


def test_compiling_pays_if_a_part_of_what_is_left_is_more_than_it_costs(prices, tmp_path, log):
    def pays(seconds: float, *shape: int) -> bool:
        return compiling_pays("training body", seconds, [nn.Linear(2, 2)], *shape)

    assert not pays(899, 64)
    assert not pays(500, 64)  # what was not compiled is in no cache
    assert pays(901, 64)
    assert pays(401, 64) and not pays(399, 64)
    assert not pays(401, 32)  # another shape
    assert f"compiled: of 401 s it is expected to save 40 and to cost 40 ({tmp_path}" in log()


def test_a_stage_is_timed_before_its_first_step_and_compiled_once_if_that_pays(
    prices, tiny_target, monkeypatch
):
    compiled = []
    monkeypatch.setattr(Run, "compile", lambda _: compiled.append(1))
    monkeypatch.setattr("edn_core.training.pace.measure", lambda *_: 0.1)
    for steps, made, times in ((8900, 0, 0), (9100, 0, 1), (9100, 9000, 1)):
        run = run_of(tiny_target, "body", acceleration=Acceleration(if_it_pays=True))
        run.step, run.seconds_per_step = made, 0.1  # what a state that is gone on from says
        assert settle_steps(run, feed_of(tiny_target), None, steps, 0.0) == run.total == steps
        assert len(compiled) == times


def test_timing_leaves_nothing_behind(tiny_target, tiny_starts):
    run = run_of(tiny_target, "face", tiny_starts["face"])  # whose judge counts its batches
    before = copy.deepcopy({name: one.state_dict() for name, one in run.networks.items()})
    assert 0 < measure(run, feed_of(tiny_target)) < 10
    for name, network in run.networks.items():
        for key, value in network.state_dict().items():
            assert torch.equal(value, before[name][key]), (name, key)
    moments = [one for adam in run.optimizers.values() for one in adam.state.values()]
    assert moments and not any(value.any() for one in moments for value in one.values())


def test_moments_follow_weights_that_are_laid_out_anew():
    found = []
    for layout in (torch.contiguous_format, torch.channels_last):
        torch.manual_seed(0)
        layer = nn.Conv2d(3, 4, 3)
        adam = torch.optim.Adam(layer.parameters(), fused=True)
        for _ in range(2):
            adam.zero_grad()
            layer(torch.randn(1, 3, 8, 8)).square().sum().backward()
            adam.step()
            layer.to(memory_format=layout)
            lay_out_moments([adam])
        found.append(layer.weight.detach())
    torch.testing.assert_close(*found, rtol=0, atol=1e-6)


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
def test_a_compiled_training_goes_on_from_its_state(tiny_target):
    batch = {name: one.to(CUDA) for name, one in batch_of(tiny_target, 3).items()}
    about, tensors = {}, {}
    for _ in range(2):
        run = run_of(tiny_target, "body", device=CUDA, acceleration=Acceleration(compile=True))
        if about:
            run.restore(about, {name: one.cpu().contiguous() for name, one in tensors.items()})
        assert all(value.isfinite() for value in run.train_step(batch, 4).values())
        about, tensors = run.state()


@pytest.mark.gpu
@needs_cuda
def test_the_preset_for_8_gb_trains_in_8_gb():
    make_run = importlib.import_module("benchmarks.speed").make_run
    memory = torch.cuda.get_device_properties(CUDA).total_memory
    if memory < 8e9:
        pytest.skip(f"this card has {memory / 1e9:.1f} GB")
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    torch.cuda.set_per_process_memory_fraction(8e9 / memory)
    try:
        graphs = Acceleration(cuda_graphs=True)
        run = make_run((256, 512), NetworkConfig(), "bfloat16", graphs, CUDA)  # with VGG19
        batch = {name: torch.rand(1, 2, 3, 256, 512, device=CUDA) for name in ("label", "image")}
        batch["matte"] = batch["label"][:, :, :1]
        for _ in range(8):
            run.train_step(batch, 8)
        torch.cuda.synchronize()
        assert torch.cuda.max_memory_reserved() <= 8e9
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.mark.gpu
@needs_cuda
def test_a_recorded_function_follows_its_inputs_and_a_new_shape():
    recorded = Recorded(lambda inputs: {"y": inputs["x"] * 2}, "test")
    for size in (3, 5):
        for i in range(6):
            x = torch.full((size,), float(i), device=CUDA)
            assert torch.equal(recorded({"x": x})["y"], 2 * x)
        assert recorded._graph is not None
