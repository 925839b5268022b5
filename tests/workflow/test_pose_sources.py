"""The whole workflow with other sources of keypoints than the default one."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from checkout import make_checkout, plan, snakemake
from tiny_openpose import NET_HEIGHT, write_tiny_weights

from edn_core.frames import FrameReader
from edn_core.keypoints import Keypoints, read_keypoints
from edn_core.skeleton import COCO_18, EDN_23, convert
from edn_core.video import probe

pytestmark = pytest.mark.workflow
VIDEOS = ("demo_source", "demo_target")
RESULT = "results/transfer/demo_source_to_demo_target.mp4"


def checkout_with(folder: Path, pose: dict) -> Path:
    """A checkout in which the demo's videos are filmed and other pose settings hold."""
    make_checkout(folder)
    settings = yaml.safe_load((folder / "config/test.yaml").read_text())
    (folder / "config/other.yaml").write_text(yaml.safe_dump(settings | {"pose": pose}))
    ran = run(folder, *(f"results/demo/{video}.mp4" for video in VIDEOS))
    assert ran.status == 0, ran.output
    return folder


def run(folder: Path, *targets: str):
    return snakemake(folder, "--configfile", "config/other.yaml", "--", *targets)


def truth_of(folder: Path, video: str) -> Keypoints:
    return read_keypoints(folder / f"results/demo/{video}.keypoints.h5")


def flat(points: np.ndarray) -> list[float]:
    return np.nan_to_num(points).astype(float).ravel().round(3).tolist()


def write_openpose_json(folder: Path, truth: Keypoints, width: int) -> None:
    """OpenPose's files of a video: the dancer and, in every second frame, somebody small."""
    folder.mkdir(parents=True)
    for frame in range(len(truth)):
        person = truth.person(frame)
        body = convert(person["body"], truth.skeleton, COCO_18)
        dancer = {
            "pose_keypoints_2d": flat(body),
            "face_keypoints_2d": flat(person["face"]),
            "hand_left_keypoints_2d": flat(person["hand_left"]),
            "hand_right_keypoints_2d": None,
        }
        people = [dancer]
        if frame % 2:
            small = body * np.float32([0.2, 0.2, 1]) + np.float32([0.7 * width, 5, 0])
            people.insert(0, {"pose_keypoints_2d": flat(small)})
        path = folder / f"{truth.video}_{frame:012d}_keypoints.json"
        path.write_text(json.dumps({"version": 1.3, "people": people}))


def write_opencv_yaml(folder: Path, truth: Keypoints) -> None:
    """Files as the method's published data have them: one per frame and part, 23 body points."""
    folder.mkdir(parents=True)
    for frame in range(len(truth)):
        points = convert(truth.person(frame)["body"], truth.skeleton, EDN_23)
        values = ", ".join(f"{value:.4f}" for value in np.nan_to_num(points).ravel())
        (folder / f"frame{frame:06d}_pose.yml").write_text(
            f"%YAML:1.0\n---\nframe{frame:06d}_pose_0: !!opencv-nd-matrix\n   sizes: [ 1, 23, 3 ]\n"
            f"   dt: f\n   data: [ {values} ]\n"
        )


def test_a_transfer_from_imported_keypoints(tmp_path):
    folder = checkout_with(tmp_path, {"backend": "openpose_files"})
    for video in VIDEOS:
        width = probe(folder / f"results/demo/{video}.mp4").width
        write_openpose_json(folder / "openpose" / video, truth_of(folder, video), width)
    ran = run(folder, RESULT)
    assert ran.status == 0, ran.output
    assert probe(folder / RESULT).n_frames == 25
    found = read_keypoints(folder / "results/videos/demo_target/keypoints.raw.h5")
    info = FrameReader(folder / "results/videos/demo_target/frames.zip").info
    truth = truth_of(folder, "demo_target")
    assert found.skeleton == COCO_18
    np.testing.assert_allclose(
        found.point("left_wrist"), info.to_canvas(truth.point("left_wrist")), atol=0.01
    )
    assert found.n_people.tolist() == [1, 2] * 30
    assert found.bystander_frames.tolist() == list(range(1, 60, 2))
    # Files that changed make the keypoints again, files that were only touched do not.
    touched, changed = sorted((folder / "openpose/demo_target").iterdir())[:2]
    keypoints = "results/videos/demo_target/keypoints.raw.h5"
    touched.touch()
    assert plan(folder, "--configfile", "config/other.yaml", "--", keypoints) == {}
    changed.write_text(changed.read_text().replace("1.3", "1.4"))
    assert plan(folder, "--configfile", "config/other.yaml", "--", keypoints) == {
        "estimate_pose": 1
    }
    # The same people in the other format: 23 points, the same places.
    for video in VIDEOS:
        write_opencv_yaml(folder / "yaml" / video, truth_of(folder, video))
    settings = yaml.safe_load((folder / "config/other.yaml").read_text())
    settings["pose"]["openpose_files"] = "yaml/{video}"
    (folder / "config/other.yaml").write_text(yaml.safe_dump(settings))
    ran = run(folder, "results/videos/demo_target/labels.zip")
    assert ran.status == 0, ran.output
    again = read_keypoints(folder / "results/videos/demo_target/keypoints.raw.h5")
    assert again.skeleton == EDN_23
    np.testing.assert_allclose(again.point("left_wrist"), found.point("left_wrist"), atol=0.01)


def test_a_transfer_with_openposes_networks(tmp_path):
    weights = tmp_path / "weights.pth"
    write_tiny_weights(weights)
    pose = {"backend": "openpose", "openpose": {"body": str(weights), "net_height": NET_HEIGHT}}
    folder = checkout_with(tmp_path / "checkout", pose)
    ran = run(folder, RESULT)
    assert ran.status == 0, ran.output
    assert probe(folder / RESULT).n_frames == 25
    found = read_keypoints(folder / "results/videos/demo_target/keypoints.raw.h5")
    assert (found.backend, found.skeleton) == ("openpose", COCO_18)
    assert (found.score["body"] > 0).any(axis=1).mean() > 0.9
