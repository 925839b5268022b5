"""What ``preset: auto`` stands for: settled once, then read from a file."""

import pytest

from edn_core.preset import NEEDS_GB, choose_preset, keep_preset, settle_preset


def test_this_machine_decides_where_nothing_is_written_and_nothing_is_written_by_deciding(tmp_path):
    torch = pytest.importorskip("torch")
    name, because = settle_preset(tmp_path / "preset.yaml")
    assert torch.cuda.is_available() or name == "cpu"
    assert "torch finds" in because
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_stays_as_it_is(tmp_path):
    path = tmp_path / "preset.yaml"
    keep_preset(path, "24gb", "first")
    before = path.read_bytes()
    keep_preset(path, "cpu", "second")
    assert path.read_bytes() == before
    assert settle_preset(path) == ("24gb", "first")


@pytest.mark.parametrize(
    "content",
    [
        b"preset: huge",
        b"- preset: cpu",
        b"\xff\xfe\x00cpu",
    ],
)
def test_a_file_that_names_no_preset_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "preset.yaml"
    path.write_bytes(content)
    expected = "expected one of cpu, 8gb, 12gb, 24gb, 80gb; delete the file to have it decided anew"
    with pytest.raises(ValueError, match=f"^{path}: names .*, {expected}$"):
        settle_preset(path)


@pytest.mark.parametrize(
    ("card", "memory", "name"),
    [
        ("GTX 1660", 6_000_000_000, "cpu"),
        ("RTX 3070", 8_232_370_176, "8gb"),
        ("RTX 3060", 12_621_774_848, "12gb"),
        ("A100", 79_100_000_000, "80gb"),
    ],
)
def test_the_largest_preset_whose_card_is_no_larger_is_chosen(card, memory, name):
    found, because = choose_preset(card, memory)
    assert found == name
    assert because.startswith(f"torch finds {card} with {memory / 1e9:.1f} GB: ")


def test_what_was_chosen_and_what_would_have_been_next_say_what_they_need():
    assert choose_preset("RTX 3060", 12_621_774_848)[1] == (
        f"torch finds RTX 3060 with 12.6 GB: 12gb needs about {NEEDS_GB['12gb']} GB, 24gb needs "
        f"about {NEEDS_GB['24gb']} GB"
    )
