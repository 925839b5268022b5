"""What makes networks fast: it may change rounding, and nothing else."""

import copy
import importlib
import shutil
from dataclasses import replace

import pytest
import torch
from tiny import NETWORK, SPLIT, STAGE, TinyTarget, batch_of, make_target, run_of, train_tiny
from torch import nn
from torch.utils.data import DataLoader

from edn_core.accelerate import (
    PLAIN,
    Acceleration,
    Recorded,
    accelerate,
    accelerated_for_inference,
    adam,
    adam_state,
    autocast,
    check_precision,
    choose_acceleration,
    restore_adam,
    set_rate,
)
from edn_core.config import RuntimeConfig, TrainingConfig
from edn_core.dataset import FrameSequences, _pixels_of, crop_faces
from edn_core.face import face_box_size
from edn_core.networks import GlobalGenerator
from edn_core.networks.layers import PreciseTanh, normalization
from edn_core.training import TrainingSettings
from edn_core.training.feed import Batches
from edn_core.training.finite import LossWatch
from edn_core.training.resident import resident_batches, should_reside

CPU = torch.device("cpu")
CUDA = torch.device("cuda")
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


# Precision


def test_half_the_bits_are_refused_where_they_would_be_emulated():
    expected = (
        r"training.precision is 'bfloat16', but this CPU cannot multiply bfloat16 .*"
        r"set training.precision to float32"
    )
    with pytest.raises(ValueError, match=expected):
        check_precision("bfloat16", CPU, capabilities={"avx2": True, "avx512_bf16": False})
    check_precision("bfloat16", CPU, capabilities={"avx2": True, "amx_bf16": True})
    check_precision("float32", CPU, capabilities={})


def test_the_capabilities_of_this_cpu_are_known():
    try:
        check_precision("bfloat16", CPU, "synthesis.precision")
        is_native = True
    except ValueError as error:
        assert str(error).startswith("synthesis.precision is")
        is_native = False
    with open("/proc/cpuinfo") as stream:
        flags = stream.read()
    if "vendor_id" in flags:  # x86
        assert is_native == ("avx512_bf16" in flags or "amx_bf16" in flags)


def test_the_picture_and_the_losses_are_float32_under_autocast(tiny_target):
    run = run_of(tiny_target, "body")
    with autocast("bfloat16", CPU):
        for terms in run.stage.losses(run.networks, batch_of(tiny_target, 3), run.weighting):
            assert {value.dtype for value in terms.values()} == {torch.float32}
        image = run.networks["generator"](torch.zeros(1, 6, 64, 64))
    assert image.dtype == torch.float32
    assert PreciseTanh()(torch.zeros(1, dtype=torch.float64)).dtype == torch.float64


# Switches


def test_auto_leaves_a_cpu_as_it_is_and_the_log_says_why(log):
    assert choose_acceleration(RuntimeConfig(), CPU, "training body") == PLAIN
    assert (
        "training body on cpu: compile off (brings nothing more on a CPU); channels_last off "
        "(only with compiled networks)"
    ) in log()


def test_what_is_asked_for_is_done_on_a_cpu_too(log):
    runtime = RuntimeConfig(channels_last="always", compile="never")
    assert choose_acceleration(runtime, CPU, "x") == Acceleration(channels_last=True)
    assert "x on cpu: compile off (runtime.compile: never); channels_last on (runtime" in log()


def test_auto_takes_everything_on_a_gpu(log):
    chosen = choose_acceleration(RuntimeConfig(), CUDA, "synthesis")
    has_triton = importlib.util.find_spec("triton") is not None
    assert chosen == Acceleration(has_triton, has_triton, cuda_graphs=True)
    assert has_triton or "compile off (there is no Triton)" in log()
    never = RuntimeConfig(compile="never", cuda_graphs="never")
    assert choose_acceleration(never, CUDA, "synthesis") == PLAIN


def test_compiling_without_a_compiler_is_refused(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(ValueError, match=r"runtime.compile is 'always', but there is no C\+\+"):
        choose_acceleration(RuntimeConfig(compile="always"), CPU, "x")


# Layers


def test_normalization_is_instance_normalization():
    x = 3 + 5 * torch.randn(2, 6, 9, 11)
    expected = nn.InstanceNorm2d(6)(x)
    torch.testing.assert_close(normalization(6)(x), expected, rtol=0, atol=2e-6)
    assert not normalization(6).state_dict()


def test_acceleration_changes_no_weight_and_only_rounds_the_output():
    torch.manual_seed(0)
    plain = GlobalGenerator(6, 3, 16, 2, 2)
    fast = copy.deepcopy(plain)
    for is_training in (True, False):
        accelerate([fast], CPU, is_training=is_training)
        assert fast.model[1].weight.is_contiguous() == is_training
        x = torch.randn(1, 6, 32, 48)
        torch.testing.assert_close(fast(x), plain(x), rtol=0, atol=2e-5)
        for name, value in plain.state_dict().items():
            assert torch.equal(value, fast.state_dict()[name])


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


# Optimizer


def test_an_optimizers_state_goes_from_one_kind_to_another():
    layer = nn.Linear(2, 2)
    first = adam(layer.parameters(), 0.25, (0.5, 0.999), CPU)
    layer(torch.ones(1, 2)).sum().backward()
    first.step()
    state = adam_state(first)
    assert state["param_groups"][0]["lr"] == 0.25
    # As on a GPU whose steps are recorded: there, counter and rate are tensors.
    second = torch.optim.Adam(layer.parameters(), lr=torch.tensor(1.0), fused=True)
    rate = second.param_groups[0]["lr"]
    restore_adam(second, state)
    assert second.param_groups[0]["lr"] is rate
    set_rate(second, 0.125)
    assert rate.item() == 0.125
    back = adam_state(second)
    assert back["param_groups"][0]["lr"] == 0.125
    for one, other in zip(state["state"].values(), back["state"].values(), strict=True):
        assert torch.equal(one["exp_avg"], other["exp_avg"])
        assert one["step"] == other["step"] == 1


# Not a number


def test_a_term_that_was_not_finite_for_one_step_is_found_whenever_one_looks():
    watch = LossWatch("body", 2e-4, steps_between_looks=5)
    for step, gan, real in ((1, 1, 2), (2, 1, float("inf")), (3, float("nan"), 2), (4, 1, 2)):
        watch.note({"G/gan": torch.tensor(float(gan)), "D/real": torch.tensor(float(real))}, step)
    with pytest.raises(ValueError, match=r"body: the loss term D/real became inf at step 2; lower"):
        watch.look()
    watch = LossWatch("body", 2e-4, steps_between_looks=2)
    watch.note({"G/gan": torch.tensor(float("nan"))}, 8)
    with pytest.raises(ValueError, match="G/gan became nan at step 8"):
        watch.note({"G/gan": torch.tensor(1.0)}, 9)


def test_spoilt_weights_are_never_kept(tiny_target):
    run = run_of(tiny_target, "body")
    run._watch._names, run._watch._first = ["G/gan"], torch.tensor([7])
    run._watch._value = torch.tensor([float("nan")])
    for keep in (run.state, lambda: run.keep_if_best(1.0)):
        with pytest.raises(ValueError, match="G/gan became nan at step 7"):
            keep()


# Frames that stay on the device


def sequences(target: TinyTarget, **more) -> FrameSequences:
    paths = target.frames, target.labels, target.keypoints
    return FrameSequences(*paths, SPLIT.train_frames, **more)


@pytest.mark.parametrize("style", ["edn", "limb_index"])
@pytest.mark.parametrize("threads", [0, 2])
def test_resident_batches_are_those_of_a_loader_to_the_bit(tmp_path, style, threads):
    target = make_target(tmp_path, style=style)
    data = sequences(target, has_mirrored=True)
    augmentation = replace(TrainingConfig().augmentation, mirror=0.5)
    settings = TrainingSettings(
        replace(STAGE, batch_size=3), NETWORK, SPLIT, TrainingConfig(augmentation=augmentation)
    )
    order = list(Batches(len(data), settings, 2, 24))
    assert max(max(items) for items in order) >= len(data) > min(min(items) for items in order)
    loaded = DataLoader(data, batch_sampler=order)
    count = 0
    for one, other in zip(loaded, resident_batches(data, order, CPU, threads), strict=True):
        assert one.keys() == other.keys()
        for name, value in one.items():
            assert torch.equal(value, other[name]), name
            assert value.dtype == other[name].dtype and value.stride() == other[name].stride()
        count += 1
    assert count == 22


def test_frames_that_do_not_fit_do_not_stay_and_the_log_says_so(tiny_target, log):
    data = sequences(tiny_target)
    # 16 frames and labels of 64 x 64 x 3 bytes are 0.4 MB.
    assert should_reside(data, RuntimeConfig(frame_cache_mb=1), CPU)
    assert not should_reside(data, RuntimeConfig(frame_cache_mb=0), CPU)
    assert "frames and labels take 0 MB, more than the 0 MB for them" in log()
    always = RuntimeConfig(frame_cache_mb=0, resident_frames="always")
    assert should_reside(data, always, CPU)
    assert not should_reside(data, RuntimeConfig(resident_frames="never"), CPU)


def test_where_frames_stay_changes_no_byte(tiny_target, tiny_body, tmp_path):
    runtime = RuntimeConfig(device="cpu", resident_frames="never")
    other = train_tiny(tiny_target, tmp_path / "generator.safetensors", runtime=runtime)
    assert other.read_bytes() == tiny_body.read_bytes()


def test_faces_are_cut_by_index_where_boxes_may_not_be_read():
    images = torch.arange(2 * 3 * 64 * 64).reshape(2, 3, 64, 64).float()
    side = face_box_size(64)
    boxes = torch.tensor([[1, 2, 1 + side, 2 + side], [30, 0, 30 + side, side]])
    inside = images.permute(0, 2, 3, 1)[_pixels_of(boxes, images)].permute(0, 3, 1, 2)
    assert torch.equal(inside, crop_faces(images, boxes))


# Compiled, and on a GPU


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_network_gives_the_same_but_for_rounding():
    torch.manual_seed(0)
    network = GlobalGenerator(6, 3, 4, 1, 1).eval().requires_grad_(False)
    x = torch.randn(1, 6, 16, 16)
    expected = network(x)
    names = list(network.state_dict())
    compiled = Acceleration(compile=True, channels_last=True)
    with torch.no_grad():
        fast = accelerated_for_inference({"generator": network}, CPU, compiled)["generator"]
        torch.testing.assert_close(fast(x), expected, rtol=0, atol=2e-6)
    assert list(network.state_dict()) == names


def test_on_a_cpu_nothing_is_recorded():
    recorded = Recorded(lambda inputs: inputs["x"] + 1, "test")
    for i in range(6):
        assert recorded({"x": torch.tensor(i)}).item() == i + 1
    assert recorded._graph is None


@pytest.mark.gpu
@needs_cuda
def test_a_recorded_training_is_the_unrecorded_one(tiny_target):
    losses = []
    for acceleration in (PLAIN, Acceleration(cuda_graphs=True)):
        run = run_of(tiny_target, "body", device=CUDA, acceleration=acceleration)
        for i in range(8):
            batch = {
                name: value if name in ("face_box", "hand_box", "frame") else value.to(CUDA)
                for name, value in batch_of(tiny_target, i).items()
            }
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
