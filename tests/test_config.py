"""The settings: what is refused, what a preset fills in, and that the manual tells the truth."""

import dataclasses
import json
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from edn_core.config import (
    PRESETS,
    STAGES,
    Config,
    EvaluationConfig,
    PoseConfig,
    StageConfig,
    TrainingConfig,
    TransferConfig,
    VideoConfig,
    pose_of_video,
    read_config,
    read_section,
    training_options,
    with_preset,
)
from edn_core.preset import NEEDS_GB
from edn_core.split import split_frames

ROOT = Path(__file__).parent.parent


def manual(uncommented: bool) -> dict:
    """The settings of config/config.yaml, as they stand or with every "# " taken away."""
    lines = (ROOT / "config/config.yaml").read_text().splitlines()
    if uncommented:
        lines = [re.sub(r"^# ", "", line) for line in lines]
    return yaml.safe_load("\n".join(lines))


def keys(values: dict, place: str = "") -> list[str]:
    """Every dotted key, sorted."""
    found = []
    for key, value in values.items():
        found += [f"{place}{key}", *(keys(value, f"{place}{key}.") if type(value) is dict else [])]
    return sorted(found)


def test_the_manual_sets_nothing_by_itself_and_shows_every_setting_at_its_default():
    assert manual(uncommented=False) == {"preset": "auto"}
    shown = manual(uncommented=True)
    assert read_section(Config, shown, "") == Config()
    assert keys(shown) == keys(dataclasses.asdict(Config()))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"training": {"body": {"learning_rat": 1}}},
            "config.yaml: training.body has no key 'learning_rat'; did you mean 'learning_rate'?",
        ),
        (
            {"smoothing": {"zzz": 1}},
            "config.yaml: smoothing has no key 'zzz'; known: method, window_s, window_frames, "
            "max_gap_frames, hand_fade_s",
        ),
    ],
)
def test_an_unknown_key_is_refused_and_the_nearest_one_is_named(values, message):
    with pytest.raises(ValueError) as refused:
        read_config(values, "cpu")
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"canvas": {"pixels": "many"}}, "canvas.pixels is 'many'; expected a whole number"),
        ({"canvas": {"pixels": 1.5}}, "canvas.pixels is 1.5; expected a whole number"),
        ({"canvas": 3}, "canvas is 3; expected a section of settings"),
        ({"labels": {"style": 3}}, "labels.style is 3; expected a text"),
        ({"statistics": {"min_score": "low"}}, "min_score is 'low'; expected a number"),
        ({"training": {"stages": "body"}}, "training.stages is 'body'; expected a list"),
        ({"videos": {"bob": {"held_out": [1, 2, 3]}}}, r"held_out is \[1, 2, 3\]; expected a list"),
        ({"transfers": [{"source": "alice"}]}, r"transfers\[0\].*target"),
        ({"smoothing": {"window_s": 10**400}}, "smoothing.window_s is too large a number"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_with_its_place(values, message):
    with pytest.raises(ValueError, match=f"^config.yaml: .*{message}"):
        read_section(Config, values, "")


@pytest.mark.parametrize(
    "values",
    [
        {"training": {"stages": ["body", "TEXT"]}},
        {"pose": {"min_presence": "TEXT"}},
        {"TEXT": 1},
    ],
)
@pytest.mark.parametrize("text", ["a" * 5000, "a\nb", "\x1b[2J"], ids=["long", "lines", "codes"])
def test_whatever_a_setting_says_the_message_is_one_short_line(values, text):
    filled = json.loads(json.dumps(values).replace("TEXT", json.dumps(text)[1:-1]))
    with pytest.raises(ValueError) as refused:
        read_section(Config, filled, "")
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"background": "green"}, "background is 'green'; known: room, paint"),
        ({"matte": {"by": "hand"}}, "matte.by is 'hand'; known: network, skeleton"),
        ({"training": {"body": {"steps": 1, "matte": -1.0}}}, "matte must not be negative, got -1"),
        (
            {"training": {"body": {"steps": 1, "person": -1.0}}},
            "person must not be negative, got -1",
        ),
        ({"smoothing": {"method": "mean"}}, "smoothing.method is 'mean'; known: median_savgol, "),
        ({"smoothing": {"window_frames": 4}}, "window_frames must be odd"),
        ({"pose": {"min_presence": 1.5}}, "min_presence must lie in 0..1, got 1.5"),
        ({"pose": {"openpose": {"scales": []}}}, r"pose.openpose: scales must be numbers above 0"),
        ({"canvas": {"pixels": 100}}, "canvas: pixels must be at least 1024, got 100"),
        ({"canvas": {"jpeg_quality": 0}}, "jpeg_quality must be 1 to 100, got 0"),
        ({"smoothing": {"max_gap_frames": -1}}, "max_gap_frames must not be negative, got -1"),
        ({"labels": {"thickness": 0}}, "thickness must be above 0"),
        ({"network": {"residual_blocks": 0}}, "residual_blocks must be at least 1, got 0"),
        ({"network": {"downsamplings": 6}}, "downsamplings may be at most 4"),
        ({"network": {"face_downsamplings": 4}}, "face_downsamplings may be at most 3"),
        ({"training": {"stages": []}}, "stages must be the first of body, temporal, face"),
        ({"training": {"face": {"steps": 0}}}, "training.face: steps must be at least 1, got 0"),
        ({"training": {"face": {"steps": 1, "learning_rate": 0.0}}}, "learning_rate must be above"),
        ({"training": {"face": {"steps": 1, "ema_decay": 1.0}}}, "ema_decay must be at least 0"),
        ({"forensics": {"batch_size": 3}}, "batch_size must be even and at least 2, got 3"),
        ({"forensics": {"crf": [30, 20]}}, r"crf must be \[lowest, highest\] in 1..51"),
        ({"pose": {"dancer_index": -1}}, "pose: dancer_index must not be negative, got -1"),
        ({"synthesis": {"chunks": 0}}, "chunks"),
        ({"synthesis": {"warm_up_frames": -1}}, "warm_up_frames"),
        ({"training": {"stages": ["temporal"]}}, "stages must be the first of body, temporal"),
        ({"training": {"face": {"steps": 1, "epochs": 1}}}, "give steps or epochs, one of the two"),
        ({"evaluation": {"test_fraction": 0.9}}, "leave too little to train on"),
        ({"forensics": {"train": ["a"], "test": ["a"]}}, "train and test both name a"),
        ({"videos": {"bob": {"start_s": 5, "stop_s": 4}}}, "stop_s must lie after start_s"),
        ({"videos": {"bob": {"dancer": "box"}}}, "videos.bob: .*dancer_box must say where"),
        (
            {"videos": {"bob": {"dancer_index": 1}}},
            "videos.bob: dancer_index is given, but dancer is 'largest'; add dancer: index",
        ),
        (
            {"pose": {"dancer": "box", "dancer_box": [9, 0, 0, 9]}},
            r"pose: dancer_box is \[9.0, 0.0, 0.0, 9.0\]; expected .* with x0 < x1 and y0 < y1",
        ),
        (
            {"training": {"stages": [*STAGES]}, "network": {"generator_channels": 5}},
            "network.generator_channels is 5, expected an even number: the local enhancer",
        ),
    ],
)
def test_an_impossible_value_is_refused_with_its_place(values, message):
    with pytest.raises(ValueError, match=f"config.yaml: .*{message}"):
        read_section(Config, values, "")


def test_yaml_values_become_the_types_of_the_fields():
    values = {
        "videos": {"bob": {"start_s": 2, "held_out": [10, 20]}, "carol": None},
        "transfers": [{"source": "alice", "target": "bob"}],
    }
    config = read_section(Config, values, "")
    assert config.videos == {"bob": VideoConfig(2.0, held_out=(10, 20)), "carol": VideoConfig()}
    assert isinstance(config.videos["bob"].start_s, float)
    assert config.transfers == (TransferConfig("alice", "bob"),)


def test_what_a_rule_passes_on_becomes_the_same_section_again():
    config = read_config({"videos": {"bob": {"dancer": "index", "dancer_index": 1}}}, "12gb")
    for one in dataclasses.fields(Config):
        section = getattr(config, one.name)
        if dataclasses.is_dataclass(section):
            plain = json.loads(json.dumps(dataclasses.asdict(section)))
            assert read_section(type(section), plain, one.name) == section


def test_a_video_has_its_own_choice_of_the_dancer_over_the_general_one():
    pose = PoseConfig(dancer="index", dancer_index=1, max_people=5)
    assert pose_of_video(pose, VideoConfig(start_s=2.0)) == pose
    second = pose_of_video(pose, VideoConfig(dancer_index=2))
    assert (second.dancer, second.dancer_index, second.max_people) == ("index", 2, 5)
    boxed = pose_of_video(pose, VideoConfig(dancer="box", dancer_box=(0, 0, 9, 9)))
    assert (boxed.dancer, boxed.dancer_box) == ("box", (0, 0, 9, 9))


def test_a_stage_depends_on_the_options_it_reads_and_on_vgg19_where_it_is_given():
    without = training_options(TrainingConfig(), "body")
    assert not {"fix_coarse", "vgg19", "vgg19_sha256", "stages"} & set(without)
    assert {"seed", "keep", "precision"} <= set(without)
    with_it = training_options(TrainingConfig(vgg19="there.pth"), "enhance")
    assert {"fix_coarse", "vgg19_sha256", "vgg19_input"} <= set(with_it)
    assert "vgg19" not in with_it  # a file that was moved is the same file


def test_a_preset_that_does_not_exist_is_refused_with_those_that_do():
    for name in ("laptop", ["cpu"]):
        with pytest.raises(ValueError, match="known: auto, cpu, 8gb, 12gb, 24gb, 80gb"):
            read_config({"preset": name}, name)


def test_the_document_on_presets_says_what_they_say():
    rows = (ROOT / "docs" / "training.md").read_text().splitlines()
    configs = [read_config({}, name) for name in PRESETS]

    def length(config: Config, name: str) -> str:
        stage = getattr(config.training, name)
        if name not in config.training.stages:
            return "–"
        pairs = f" of {stage.batch_size} pairs" if stage.batch_size > 1 else ""
        return f"{stage.epochs} epochs" if stage.epochs else f"{stage.steps} steps{pairs}"

    network = [name for name in PRESETS["cpu"]["network"] if name != "discriminator_scales"]
    for title, say in {
        "canvas.pixels": lambda config: config.canvas.pixels,
        "labels.thickness": lambda config: config.labels.thickness,
        "training.stages": lambda config: ", ".join(config.training.stages),
        "learning_rate": lambda config: f"{config.training.body.learning_rate:g}",
        "training.precision": lambda config: config.training.precision,
        "runtime.loader_workers": lambda config: config.runtime.loader_workers,
        "runtime.checkpoint_every_s": lambda config: f"{config.runtime.checkpoint_every_s:g}",
        "runtime.resident_frames": lambda config: config.runtime.resident_frames,
        **{f"network.{n}": lambda config, n=n: getattr(config.network, n) for n in network},
        **{f"training.{n}": lambda config, n=n: length(config, n) for n in STAGES},
    }.items():
        assert f"| `{title}` | " + " | ".join(str(say(one)) for one in configs) + " |" in rows
    needs = " | ".join(map(str, NEEDS_GB.values()))
    assert f"| GPU memory needed, GB (counted, not measured) | – | {needs} |" in rows


def test_the_file_wins_over_the_preset_and_the_rest_of_the_preset_stays():
    before = repr(PRESETS)
    config = read_config({"canvas": {"pixels": 2048}, "training": {"body": {"l1": 7.0}}}, "cpu")
    body = PRESETS["cpu"]["training"]["body"]
    assert config.canvas.pixels == 2048
    assert config.training.body == StageConfig(**body, l1=7.0)
    assert with_preset({"canvas": None, "training": None}, "cpu") == with_preset({}, "cpu")
    assert repr(PRESETS) == before


def test_epochs_in_the_file_take_the_place_of_the_steps_of_the_preset():
    config = read_config({"training": {"body": {"epochs": 2}}}, "cpu")
    assert (config.training.body.steps, config.training.body.epochs) == (None, 2)


def test_minutes_beside_the_preset_are_those_of_training():
    values = {"training": {"minutes": 60, "seed": 3}, "minutes": 30}
    training = read_config(values, "8gb").training
    assert (training.minutes, training.seed, training.body.epochs) == (30.0, 3, 5)
    assert "minutes" in values  # which Snakemake goes on using
    assert read_config({}, "8gb").training.minutes is None
    with pytest.raises(ValueError, match="config.yaml: training: minutes must be above 0, got 0"):
        read_config({"minutes": 0}, "cpu")
    # A stage depends on its share alone, and on nothing where none is set.
    assert "minutes" not in training_options(training, "body")


def test_the_end_or_a_block_in_the_middle_is_held_out_and_all_else_trained_on():
    split = split_frames(100, EvaluationConfig())
    assert split.train == (range(75),)
    assert (split.validation, split.test) == (range(75, 80), range(80, 100))
    split = split_frames(100, EvaluationConfig(), held_out=(40, 60))
    assert split.train == (range(35), range(60, 100))
    assert (split.validation, split.test) == (range(35, 40), range(40, 60))


@pytest.mark.parametrize(
    ("n_frames", "held_out", "message"),
    [
        (100, (90, 110), r"held_out is \[90, 110\) but the video has 100 frames"),
        (100, (0, 100), r"leaves 0 to train .*; hold out less than \[0, 100\)"),
        (1, None, "a video of 1 frames leaves 1 to train on"),
    ],
)
def test_a_split_that_leaves_nothing_to_train_on_is_refused(n_frames, held_out, message):
    with pytest.raises(ValueError, match=message):
        split_frames(n_frames, EvaluationConfig(), held_out)


@given(
    n_frames=st.integers(20, 5000),
    test=st.floats(0, 0.5),
    validation=st.floats(0, 0.2),
    block=st.none() | st.tuples(st.integers(0, 10), st.integers(0, 9)),
)
def test_every_frame_serves_exactly_one_purpose(n_frames, test, validation, block):
    held_out = None if block is None else (block[0], block[0] + block[1])
    evaluation = EvaluationConfig(test_fraction=test, validation_fraction=validation)
    split = split_frames(n_frames, evaluation, held_out)
    assert sorted([*split.train_frames, *split.validation, *split.test]) == list(range(n_frames))
    assert split.validation.stop == split.test.start
    assert all(len(block) for block in split.train)


def test_a_file_that_is_no_yaml_is_refused_in_one_line(tmp_path):
    from edn_core.config import read_yaml

    path = tmp_path / "mine.yaml"
    for text, message in (("a: [1", "not readable as YAML"), ("- 1", "expected settings, found")):
        path.write_text(text)
        with pytest.raises(ValueError, match=f"mine.yaml: {message}") as refused:
            read_yaml(path)
        assert "\n" not in str(refused.value)
    path.write_text("")
    assert read_yaml(path) == {}
