"""The workflow with other sources of keypoints than the default one."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from checkout import dry_run, make_checkout, plan, snakemake
from conftest import STANDING
from keypoint_files import standing, write, yaml_matrix

from edn_core.frames import FrameReader
from edn_core.keypoints import read_keypoints
from edn_core.skeleton import COCO_18, EDN_23
from edn_core.video import encode

pytestmark = pytest.mark.workflow
N_FRAMES = 6
LABELS = "results/videos/bob/labels.zip"
KEYPOINTS = "results/videos/bob/keypoints.raw.h5"


def checkout_with(folder: Path, pose: str) -> Path:
    """A checkout with a grey video of 200 x 400 px and these settings of `pose`."""
    make_checkout(folder)
    (folder / "config/config.yaml").write_text(f"preset: cpu\npose: {{{pose}}}\n")
    grey = (np.full((400, 200, 3), 90 + i, np.uint8) for i in range(N_FRAMES))
    encode(folder / "videos/bob.mp4", grey, Fraction(25))
    return folder


def write_openpose_json(folder: Path) -> None:
    """OpenPose's files of the video: the dancer, a pixel further right in each frame, and, in every
    second one, somebody small."""
    for frame in range(N_FRAMES):
        dancer = standing() + [frame, 0, 0]
        small = dancer * [0.2, 0.2, 1] + [140, 5, 0]
        people = [dancer] if frame % 2 == 0 else [small, dancer]
        found = [{"pose_keypoints_2d": one.ravel().tolist()} for one in people]
        write(folder, f"bob_{frame:012d}_keypoints.json", *found)


def write_opencv_yaml(folder: Path) -> None:
    """Files as the method's published data have them: one per frame and part, 23 body points."""
    folder.mkdir(parents=True)
    for frame in range(N_FRAMES):
        values = yaml_matrix((standing(EDN_23) + [frame, 0, 0])[None])
        (folder / f"frame{frame:06d}_pose.yml").write_text(values)


def test_labels_come_from_keypoints_found_before_in_either_format(tmp_path):
    folder = checkout_with(tmp_path, "backend: openpose_files")
    write_openpose_json(folder / "openpose/bob")
    ran = snakemake(folder, LABELS)
    assert ran.status == 0, ran.output
    assert len(FrameReader(folder / LABELS)) == N_FRAMES
    found = read_keypoints(folder / KEYPOINTS)
    wrists = np.array(STANDING["left_wrist"]) + [[frame, 0] for frame in range(N_FRAMES)]
    assert found.skeleton == COCO_18
    np.testing.assert_allclose(found.point("left_wrist"), wrists, atol=0.01)
    assert found.n_people.tolist() == [1, 2] * 3
    # Files that changed make the keypoints again, files that were only touched do not.
    touched, changed = sorted((folder / "openpose/bob").iterdir())[:2]
    touched.touch()
    assert plan(folder, KEYPOINTS) == {}
    changed.write_text(changed.read_text().replace("1.3", "1.4"))
    assert plan(folder, KEYPOINTS) == {"estimate_pose": 1}
    # The same person in the other format: 23 points, the same places.
    write_opencv_yaml(folder / "yaml/bob")
    config = folder / "config/config.yaml"
    config.write_text(
        config.read_text().replace("_files", "_files, openpose_files: 'yaml/{video}'")
    )
    ran = snakemake(folder, KEYPOINTS)
    assert ran.status == 0, ran.output
    again = read_keypoints(folder / KEYPOINTS)
    assert again.skeleton == EDN_23
    np.testing.assert_allclose(again.point("left_wrist"), found.point("left_wrist"), atol=0.01)


def test_own_weight_files_are_inputs_of_the_jobs_that_use_them_which_ask_for_a_gpu(tmp_path):
    folder = checkout_with(tmp_path, "backend: openpose, openpose: {body: body.pth}")
    (folder / "body.pth").touch()
    said = dry_run(folder, KEYPOINTS).output
    (job,) = [block for block in said.split("\n\n") if "rule estimate_pose" in block]
    assert "body.pth" in job and "gpu=1" in job
    assert "fetch_pose_models" not in said
