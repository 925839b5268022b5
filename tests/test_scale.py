"""The figures of a large matrix: how jobs are counted from those of a small one."""

from benchmarks.scale import Planned, _jobs_of, arguments, job_table

TWO_SOURCES_ONE_TARGET = {
    "all": 1,
    "fetch_pose_models": 1,
    "estimate_pose": 3,
    "train_stage": 3,
    "cut_window": 1,
    "assemble_video": 2,
}


def test_jobs_of_a_large_matrix_follow_from_a_small_one():
    large = {
        rule: _jobs_of(rule, TWO_SOURCES_ONE_TARGET, 1000, 100) for rule in TWO_SOURCES_ONE_TARGET
    }
    assert large == {
        "all": 1,
        "fetch_pose_models": 1,
        "estimate_pose": 1100,  # once for each video
        "train_stage": 300,  # three stages of each target
        "cut_window": 100,
        "assemble_video": 100_000,
    }
    assert Planned(1.0, 1.0, 1.0, large).n_jobs == 101_502


def test_the_table_of_a_dry_run_is_read_without_its_total():
    lines = [
        "Job stats:",
        "job  count",
        "---  ---",
        "all  1",
        "frames  12",
        "total  13",
        "",
        "Rest",
    ]
    assert job_table("\n".join(lines)) == {"all": 1, "frames": 12}


def test_one_row_asks_for_every_source_onto_the_first_target():
    assert arguments("row", 2) == [
        "--",
        "results/transfer/source0000_to_target000.mp4",
        "results/transfer/source0001_to_target000.mp4",
    ]
    assert arguments("batch=1/4", 2)[:2] == ["--batch", "all=1/4"]
