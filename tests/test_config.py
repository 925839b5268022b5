"""The settings: what is refused, what a preset fills in, and that the manual tells the truth."""

import dataclasses
import json
import re
import types
import typing
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from edn_core.config import (
    PRESETS,
    STAGES,
    CanvasConfig,
    Config,
    EvaluationConfig,
    NetworkConfig,
    PoseConfig,
    SmoothingConfig,
    StageConfig,
    TrainingConfig,
    TransferConfig,
    VideoConfig,
    check_config,
    pose_of_video,
    read_section,
    with_preset,
)
from edn_core.preset import NEEDS_GB
from edn_core.split import split_frames

ROOT = Path(__file__).parent.parent
SCHEMA_PATH = ROOT / "workflow/schemas/config.schema.yaml"
SCHEMA = yaml.safe_load(SCHEMA_PATH.read_text())
STAGE_SECTIONS = ("body", "temporal", "face")


def manual(uncommented: bool) -> dict:
    """The settings of config/config.yaml, as they stand or with every "# " taken away."""
    lines = (ROOT / "config/config.yaml").read_text().splitlines()
    if uncommented:
        lines = [re.sub(r"^# ", "", line) for line in lines]
    return yaml.safe_load("\n".join(lines))


def test_an_empty_file_gives_the_defaults():
    assert read_section(Config, {}, "") == Config()


def test_a_section_left_empty_gives_its_defaults():
    assert read_section(Config, {"canvas": None}, "").canvas == CanvasConfig()


def test_a_misspelt_key_is_refused_and_the_nearest_one_is_named():
    with pytest.raises(ValueError, match=r"training\.body has no key 'learning_rat'; did you mean"):
        read_section(Config, {"training": {"body": {"steps": 3, "learning_rat": 1}}}, "")


def test_a_key_like_no_other_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="no key 'zzz'; known: method, window_s, window_frames"):
        read_section(SmoothingConfig, {"zzz": 1}, "smoothing")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"canvas": {"pixels": "many"}}, "canvas.pixels is 'many'; expected a whole number"),
        ({"canvas": {"pixels": True}}, "canvas.pixels is True; expected a whole number"),
        ({"canvas": {"pixels": 1.5}}, "canvas.pixels is 1.5; expected a whole number"),
        ({"canvas": 3}, "canvas is 3; expected a section of settings"),
        ({"preset": 3}, "preset is 3; expected a text"),
        ({"statistics": {"min_score": "low"}}, "min_score is 'low'; expected a number"),
        ({"training": {"stages": "body"}}, "training.stages is 'body'; expected a list"),
        ({"videos": {"bob": {"held_out": [1, 2, 3]}}}, r"held_out is \[1, 2, 3\]; expected a list"),
        ({"transfers": {"source": "alice"}}, "transfers is .*; expected a list"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_with_its_place(values, message):
    with pytest.raises(ValueError, match=f"config.yaml: .*{message}"):
        read_section(Config, values, "")


@pytest.mark.parametrize(
    "values",
    [
        {"training": {"stages": ["body", "TEXT"]}},
        {"training": {"augmentation": {"discriminator": ["TEXT"]}}},
        {"background": "TEXT"},
        {"pose": {"min_presence": "TEXT"}},
        {"TEXT": 1},
        {"videos": {"TEXT": {}}},
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
        ({"preset": "laptop"}, "preset is 'laptop'; known: auto, cpu, 8gb, 12gb, 24gb, 80gb"),
        ({"background": "green"}, "background is 'green'; known: plate, paint"),
        ({"canvas": {"pixels": 100}}, "pixels must be at least 1024, got 100"),
        ({"canvas": {"jpeg_quality": 0}}, "jpeg_quality must be 1 to 100, got 0"),
        ({"smoothing": {"window_frames": 4}}, "window_frames must be odd"),
        ({"pose": {"min_presence": 1.5}}, "min_presence must lie in 0..1, got 1.5"),
        ({"labels": {"thickness": 0}}, "thickness must be above 0"),
        ({"network": {"residual_blocks": 0}}, "residual_blocks must be at least 1, got 0"),
        ({"network": {"downsamplings": 6}}, "downsamplings may be at most 5"),
        (
            {"training": {"stages": ["temporal"]}},
            "stages must be the first of body, temporal, face",
        ),
        ({"training": {"stages": []}}, "stages must be the first of body, temporal, face"),
        ({"training": {"face": {"steps": 1, "epochs": 1}}}, "give steps or epochs, one of the two"),
        ({"training": {"face": {"steps": 0}}}, "steps must be at least 1, got 0"),
        ({"evaluation": {"test_fraction": 0.9}}, "leave too little to train on"),
        ({"videos": {"bob": {"start_s": 5, "stop_s": 4}}}, "stop_s must lie after start_s"),
        ({"videos": {"bob": {"dancer": "box"}}}, "videos.bob: .*dancer_box must say where"),
        (
            {"videos": {"bob": {"dancer_index": 1}}},
            "videos.bob: dancer_index is given, but dancer is 'largest'; add dancer: index",
        ),
        (
            {"pose": {"dancer": "index"}, "videos": {"bob": {"dancer_box": [0, 0, 9, 9]}}},
            "videos.bob: dancer_box is given, but dancer is 'index'; add dancer: box",
        ),
        (
            {"videos": {"bob": {"dancer": "index", "dancer_index": -1}}},
            "videos.bob: dancer_index must not be negative, got -1",
        ),
        ({"pose": {"dancer_index": -1}}, "pose: dancer_index must not be negative, got -1"),
        (
            {"pose": {"dancer": "box", "dancer_box": [9, 0, 0, 9]}},
            r"pose: dancer_box is \[9.0, 0.0, 0.0, 9.0\]; expected .* with x0 < x1 and y0 < y1",
        ),
        ({"transfers": [{"source": "alice"}]}, r"transfers\[0\].*target"),
    ],
)
def test_an_impossible_value_is_refused_with_its_place(values, message):
    with pytest.raises(ValueError, match=f"config.yaml: .*{message}"):
        read_section(Config, values, "")


def test_yaml_values_become_the_types_of_the_fields():
    config = read_section(
        Config,
        {
            "videos": {"bob": {"start_s": 2, "held_out": [10, 20]}, "carol": None},
            "transfers": [{"source": "alice", "target": "bob"}],
        },
        "",
    )
    assert config.videos == {"bob": VideoConfig(2.0, held_out=(10, 20)), "carol": VideoConfig()}
    assert isinstance(config.videos["bob"].start_s, float)
    assert config.transfers == (TransferConfig("alice", "bob"),)


def test_a_video_has_its_own_choice_of_the_dancer_over_the_general_one():
    pose = PoseConfig(dancer="index", dancer_index=1, max_people=5)
    assert pose_of_video(pose, VideoConfig(start_s=2.0)) == pose
    second = pose_of_video(pose, VideoConfig(dancer_index=2))
    assert (second.dancer, second.dancer_index, second.max_people) == ("index", 2, 5)
    boxed = pose_of_video(pose, VideoConfig(dancer="box", dancer_box=(0, 0, 9, 9)))
    assert (boxed.dancer, boxed.dancer_box) == ("box", (0, 0, 9, 9))


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_a_possible_configuration(preset):
    assert isinstance(read_section(Config, with_preset({}, preset), ""), Config)


def test_the_8gb_preset_is_the_schedule_of_the_defaults_in_half_the_bits():
    training = read_section(Config, with_preset({}, "8gb"), "").training
    assert training == TrainingConfig(precision="bfloat16")


@pytest.mark.parametrize("name", ["12gb", "24gb", "80gb"])
def test_larger_presets_are_the_papers_epochs_at_half_and_at_full_size(name):
    config = read_section(Config, with_preset({}, name), "")
    epochs = [getattr(config.training, stage).epochs for stage in config.training.stages]
    assert dict(zip(config.training.stages, epochs, strict=True)) == {
        "body": 5,
        "temporal": 5,
        "enhance": 30,
        "face": 5,
    }
    assert config.network == NetworkConfig()


def test_a_former_name_is_refused_with_those_that_took_its_place():
    message = "preset 'gpu' has become 8gb, 12gb, 24gb or 80gb, by the memory of the GPU; or auto"
    with pytest.raises(ValueError, match=message):
        check_config({"preset": "gpu"}, SCHEMA_PATH)


def test_the_document_on_presets_says_what_they_say():
    rows = (ROOT / "docs" / "presets.md").read_text().splitlines()
    configs = [read_section(Config, with_preset({}, name), "") for name in PRESETS]

    def length(config: Config, name: str) -> str:
        stage = getattr(config.training, name)
        if name not in config.training.stages:
            return "–"
        pairs = f" of {stage.batch_size} pairs" if stage.batch_size > 1 else ""
        return f"{stage.epochs} epochs" if stage.epochs else f"{stage.steps} steps{pairs}"

    for title, say in (
        ("`canvas.pixels`", lambda config: config.canvas.pixels),
        ("`labels.thickness`", lambda config: config.labels.thickness),
        ("`training.stages`", lambda config: ", ".join(config.training.stages)),
        ("`learning_rate`", lambda config: f"{config.training.body.learning_rate:g}"),
        ("`training.precision`", lambda config: config.training.precision),
        ("`runtime.loader_workers`", lambda config: config.runtime.loader_workers),
        ("`runtime.checkpoint_every_s`", lambda config: f"{config.runtime.checkpoint_every_s:g}"),
        ("`runtime.resident_frames`", lambda config: config.runtime.resident_frames),
        *(
            (f"`network.{name}`", lambda config, name=name: getattr(config.network, name))
            for name in PRESETS["cpu"]["network"]
            if name != "discriminator_scales"
        ),
        *(
            (f"`training.{name}`", lambda config, name=name: length(config, name))
            for name in STAGES
        ),
    ):
        assert f"| {title} | " + " | ".join(str(say(one)) for one in configs) + " |" in rows, title
    needs = " | ".join(map(str, NEEDS_GB.values()))
    assert f"| GPU memory needed, GB (counted, not measured) | – | {needs} |" in rows


def test_the_file_wins_over_the_preset_and_the_rest_of_the_preset_stays():
    config = read_section(Config, with_preset({"canvas": {"pixels": 2048}}, "cpu"), "")
    assert config.canvas.pixels == 2048
    assert config.training.body.steps == PRESETS["cpu"]["training"]["body"]["steps"]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("stage", STAGE_SECTIONS)
def test_another_setting_of_a_stage_leaves_the_length_of_the_preset(preset, stage):
    plain = read_section(Config, with_preset({}, preset), "")
    changed = read_section(Config, with_preset({"training": {stage: {"l1": 7.0}}}, preset), "")
    assert getattr(changed.training, stage) == dataclasses.replace(
        getattr(plain.training, stage), l1=7.0
    )


def test_epochs_in_the_file_take_the_place_of_the_steps_of_the_preset():
    config = read_section(Config, with_preset({"training": {"body": {"epochs": 2}}}, "cpu"), "")
    assert (config.training.body.steps, config.training.body.epochs) == (None, 2)


@pytest.mark.parametrize("section", ["canvas", "training"])
def test_a_section_left_empty_in_the_file_takes_nothing_from_the_preset(section):
    assert with_preset({section: None}, "cpu") == with_preset({}, "cpu")


def test_a_preset_is_not_changed_by_being_used():
    before = repr(PRESETS)
    with_preset({"training": {"body": {"epochs": 2}}, "network": {"residual_blocks": 1}}, "cpu")
    assert repr(PRESETS) == before


def test_twenty_percent_at_the_end_are_for_testing_and_five_before_for_validation():
    split = split_frames(100, EvaluationConfig())
    assert split.train == (range(75),)
    assert (split.validation, split.test) == (range(75, 80), range(80, 100))


def test_a_held_out_block_in_the_middle_leaves_both_sides_to_train_on():
    split = split_frames(100, EvaluationConfig(), held_out=(40, 60))
    assert split.train == (range(35), range(60, 100))
    assert (split.validation, split.test) == (range(35, 40), range(40, 60))


def test_a_held_out_block_outside_the_video_is_refused():
    with pytest.raises(ValueError, match=r"held_out is \[90, 110\) but the video has 100 frames"):
        split_frames(100, EvaluationConfig(), held_out=(90, 110))


def test_a_held_out_block_that_leaves_nothing_is_what_the_error_speaks_of():
    with pytest.raises(ValueError, match=r"leaves 0 to train .*; hold out less than \[0, 100\)"):
        split_frames(100, EvaluationConfig(), held_out=(0, 100))


def test_a_video_of_two_frames_is_too_short():
    with pytest.raises(ValueError, match=r"a video of 1 frames leaves 1 to train on"):
        split_frames(1, EvaluationConfig())


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


def test_the_manual_sets_nothing_by_itself():
    assert manual(uncommented=False) == {"preset": "auto"}


def test_the_manual_shows_every_setting_at_its_default():
    shown = manual(uncommented=True)
    assert read_section(Config, shown, "") == Config()
    defaults = dataclasses.asdict(Config())
    assert keys(shown) == keys(defaults)


def test_the_manual_uncommented_passes_the_schema():
    jsonschema.validate(manual(uncommented=True), SCHEMA)


def keys(values: dict, place: str = "") -> list[str]:
    """Every dotted key, sorted."""
    found = []
    for key, value in values.items():
        found += [f"{place}{key}", *(keys(value, f"{place}{key}.") if type(value) is dict else [])]
    return sorted(found)


def described(schema: dict) -> dict:
    """A schema with its reference followed."""
    return SCHEMA["$defs"][schema["$ref"].split("/")[-1]] if "$ref" in schema else schema


def check_schema_of(hint: object, schema: dict, place: str) -> None:
    """Compare a field's type with what the schema says about it, sections in depth."""
    schema = described(schema)
    kinds = {schema["type"]} if isinstance(schema["type"], str) else set(schema["type"])
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        assert "null" in kinds, place
        check_schema_of(arguments[0], schema | {"type": sorted(kinds - {"null"})}, place)
    elif dataclasses.is_dataclass(hint):
        assert "object" in kinds, place
        assert schema["additionalProperties"] is False, place
        hints = typing.get_type_hints(hint)
        assert set(schema["properties"]) == set(hints), place
        for name, inner in hints.items():
            check_schema_of(inner, schema["properties"][name], f"{place}.{name}")
    elif origin is tuple:
        assert kinds == {"array"}, place
        check_schema_of(arguments[0], schema["items"], place)
    elif origin is dict:
        assert kinds == {"object"}, place
        check_schema_of(arguments[1], schema["additionalProperties"], place)
    else:
        assert kinds == {{int: "integer", float: "number", str: "string"}[hint]}, place


def test_the_schema_names_the_fields_and_types_of_the_dataclasses():
    check_schema_of(Config, SCHEMA, "config")


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("values", [{"nonsense": 1}, {"canvas": {"pixels": "many"}}])
def test_the_schema_refuses_unknown_keys_and_wrong_types(values):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(values, SCHEMA)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"canvas": None},
        {"training": {"body": {"l1": 7.0}}},
        {"training": {"face": {"steps": 9}}, "videos": {"bob": None}},
    ],
)
def test_a_file_that_says_little_passes_the_check(values):
    check_config(values, SCHEMA_PATH)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"canvass": {}}, "config.yaml has no key 'canvass'; did you mean 'canvas'?"),
        ({"training": {"body": {"steps": "ten"}}}, "training.body.steps is 'ten'"),
        ({"training": {"body": {"steps": 1, "epochs": 1}}}, "give steps or epochs"),
        ({"preset": "laptop"}, "preset is 'laptop'; known: auto, cpu, 8gb, 12gb, 24gb, 80gb"),
        ({"preset": ["cpu"]}, r"preset is \['cpu'\]; expected a text"),
    ],
)
def test_a_file_that_will_not_do_is_refused_by_the_check(values, message):
    with pytest.raises(ValueError, match=message):
        check_config(values, SCHEMA_PATH)


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_pass_the_schema(preset):
    jsonschema.validate(PRESETS[preset], SCHEMA)


def test_a_section_can_be_read_on_its_own():
    assert read_section(StageConfig, {"steps": 3}, "training.body") == StageConfig(steps=3)
    assert read_section(PoseConfig, None, "pose") == PoseConfig()
