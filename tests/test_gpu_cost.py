"""What docs/gpu.md says about cards, hours and memory is what the command prints."""

import json
import re
from pathlib import Path

import pytest

from benchmarks.gpu_cost import ASSUMED_FRACTION, CARDS, Card, floor_s, main, measured_fraction
from edn_core.config import PRESETS
from edn_core.preset import NEEDS_GB
from edn_core.training.cost import Cost

ROOT = Path(__file__).resolve().parents[1]


def test_the_tables_in_the_document_are_those_the_command_prints(capsys):
    main([])
    printed = capsys.readouterr().out.strip()
    text = (ROOT / "docs" / "gpu.md").read_text()
    begin, end = "<!-- python -m benchmarks.gpu_cost -->", "<!-- /python -m benchmarks.gpu_cost -->"
    assert text.split(begin)[1].split(end)[0].strip() == printed
    assert f"assumed {ASSUMED_FRACTION}" in printed
    assert all(card.name in printed for card in CARDS)


def test_the_memory_that_is_said_of_a_preset_is_the_one_counted():
    # The document's table is compared with the counting above, which takes half a minute.
    text = (ROOT / "docs" / "gpu.md").read_text()
    table = text.split("GB needed |\n")[1].split("\n\n")[0]
    counted = {
        name: float(gigabytes)
        for name, gigabytes in re.findall(r"^\| `(\w+)` .*\| ([\d.]+) \|$", table, re.MULTILINE)
    }
    assert counted == NEEDS_GB
    for name, needed in NEEDS_GB.items():
        assert needed < 0.93 * int(name[:-2])  # or it would not fit the card it is named after


def test_every_preset_but_that_of_the_cpu_is_one_for_a_card():
    assert ["cpu", *NEEDS_GB] == list(PRESETS)


def test_the_floor_is_what_takes_longer_and_the_optimizer():
    card = Card("one", 8, tflops=1, bandwidth_gb_s=1)
    assert floor_s(Cost(2 * 10**12, 10**9, 10**9, 0, 0), card) == 3
    assert floor_s(Cost(10**12, 4 * 10**9, 0, 0, 0), card) == 4


def test_a_measurement_takes_the_place_of_the_assumption(tmp_path):
    path = tmp_path / "gpu.json"
    content = {
        "pair 512x256": {"ms": 8, "pairs_per_s": 125, "fraction_of_floor": 0.48},
        "pair 1024x512": {"ms": 14, "pairs_per_s": 71, "fraction_of_floor": 0.51},
        "synthesis": {"ms": 1, "fraction_of_floor": 0.2},
    }
    path.write_text(json.dumps(content))
    assert measured_fraction(path) == 0.48
    path.write_text(json.dumps({"synthesis": content["synthesis"]}))
    with pytest.raises(ValueError, match=r"gpu.json: no training with pairs_per_s"):
        measured_fraction(path)
