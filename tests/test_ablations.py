"""The tables of benchmarks.ablations, of figures one can do in one's head."""

import pytest

from benchmarks.ablation_variants import VARIANTS, Figures, Workplace
from benchmarks.ablations import COLUMNS, gain, stage_verdicts, tables, verdict, write_tables


def figures(ssim_face=0.5, temporal_difference=0.02, cpu_s=10.0) -> Figures:
    columns = dict.fromkeys(COLUMNS, 0.5)
    columns |= {"ssim_face": ssim_face, "temporal_difference": temporal_difference}
    return Figures(columns, cpu_s)


def test_a_gain_is_signed_by_what_is_better_and_comes_with_the_larger_spread():
    one = [figures(0.75, 0.01), figures(0.75, 0.02)]
    other = [figures(0.25, 0.02), figures(0.75, 0.02)]
    assert gain(one, other, "ssim_face") == (0.25, 0.5)
    assert gain(one, other, "temporal_difference") == pytest.approx((0.005, 0.01))


def test_only_what_exceeds_the_spread_is_called_better_or_worse():
    baseline = [figures(0.50, 0.020), figures(0.51, 0.021)]
    assert verdict(baseline, baseline) == "within the spread"
    assert verdict([figures(0.512, 0.0205)] * 2, baseline) == "within the spread"
    better = verdict([figures(0.605, 0.0305)] * 2, baseline)
    assert better == "face better by 0.1000; temporal difference worse by 0.0100"


def test_the_stages_are_judged_by_what_they_are_for():
    results = {
        "body_longer": [figures(0.5, 0.020), figures(0.5, 0.022)],
        "temporal": [figures(0.5, 0.015), figures(0.5, 0.016)],
        "face": [figures(0.6), figures(0.4)],
    }
    lines = list(stage_verdicts(results))
    assert lines[0].endswith("better by 0.0055, spread over the seeds 0.0020: **yes**")
    assert lines[1].endswith(
        "flow warping error better by 0.0000, spread over the seeds 0.0000: **no**"
    )
    assert lines[2].endswith("SSIM, face better by 0.0000, spread over the seeds 0.2000: **no**")


def test_a_row_gives_mean_spread_and_cost():
    results = {"temporal": [figures(0.25, cpu_s=10), figures(0.75, cpu_s=20)], "paint": [figures()]}
    lines = list(tables(results, 2))
    row = next(line for line in lines if line.startswith("| body 400, temporal 200"))
    assert "| 0.500 ± 0.500 |" in row
    assert "| 15 |" in row
    assert any(line.startswith("| `background: paint`") and "within the" in line for line in lines)


def test_tables_are_written_between_their_marks_and_all_else_stays(tmp_path):
    path = tmp_path / "ablations.md"
    write_tables(path, "| a |")
    path.write_text(path.read_text() + "\nWhat follows from it.\n")
    write_tables(path, "| b |")
    text = path.read_text()
    assert "| b |" in text and "| a |" not in text
    assert text.endswith("\nWhat follows from it.\n") and text.startswith("# Ablations")
    path.write_text("Another document.")
    with pytest.raises(ValueError, match=r"ablations.md: has no line .* add both"):
        write_tables(path, "| c |")


def test_variants_share_the_stages_in_which_they_agree(tmp_path):
    for name in ("frames.zip", "labels.zip", "keypoints.h5", "background.png"):
        (tmp_path / name).write_bytes(name.encode())
    place = Workplace(tmp_path, tmp_path / "cache")

    def folders(name, seed=0):
        return [path.parent.name for path in place._results(VARIANTS[name], seed)]

    assert folders("body") == folders("temporal")[:1] == folders("face")[:1]
    assert folders("temporal") == folders("face")[:2]
    # What only the temporal stage reads leaves the body stage as it was.
    assert folders("unroll_3")[0] == folders("temporal")[0]
    assert folders("unroll_3")[1] != folders("temporal")[1]
    for name in ("paint", "moved", "hands", "last_weights", "keep_last", "short", "body_longer"):
        assert folders(name)[0] != folders("body")[0], name
    assert folders("body", seed=1) != folders("body")
    (tmp_path / "labels.zip").write_bytes(b"drawn anew")
    assert folders("body") != folders("temporal", seed=1)[:1]
    assert place.figures(VARIANTS["body"], 0) is None
