"""Style ``limb_index``: the 1..17 mask, exact to stored label maps of its re-implementation.

The rules are those of spec algorithms 4.6.
"""

from pathlib import Path

import numpy as np
import pytest
from conftest import STANDING

from edn_core.keypoints import missing_person
from edn_core.render.limb_index import draw_limb_index, limb_classes, limb_colors
from edn_core.skeleton import BODY_25, COCO_18, EDN_23

CASES = np.load(Path(__file__).parent / "fixtures" / "limb_label_1_17.npz")


def people_of(case: str) -> list[np.ndarray]:
    """The case's people: joints in a list, and per person and keypoint a row of it or -1."""
    joints = CASES[f"{case}/joint_list_x_y_score_id_type"]
    people = []
    for rows in CASES[f"{case}/person_to_joint"][:, :18].astype(int):
        person = np.full((18, 3), np.nan)
        person[rows >= 0] = joints[rows[rows >= 0], :3]
        people.append(person)
    return people


def standing(skeleton) -> dict:
    person = missing_person(skeleton)
    person["body"] = np.array([(*STANDING[one], 0.9) for one in skeleton.keypoints], np.float32)
    return person


@pytest.mark.parametrize("case", ["case0", "case1", "case2", "case3"])
def test_the_classes_are_those_of_the_stored_label_maps(case):
    # A whole square frame of 512 rows: half-width 4; case2 has two people.
    people = people_of(case)
    assert len(people) == (2 if case == "case2" else 1)
    np.testing.assert_array_equal(limb_classes(people, (512, 512)), CASES[f"{case}/label"])


@pytest.mark.parametrize("skeleton", [BODY_25, COCO_18, EDN_23], ids=lambda one: one.name)
def test_every_skeleton_gives_the_same_label_for_the_same_joints(skeleton):
    label = draw_limb_index(standing(skeleton), skeleton, (400, 200))
    np.testing.assert_array_equal(label, draw_limb_index(standing(COCO_18), COCO_18, (400, 200)))
    assert set(np.unique(label)) == set(range(18))


@pytest.mark.parametrize(("height", "thickness", "rows"), [(512, 1, 9), (512, 2, 17), (64, 1, 3)])
def test_the_width_is_in_proportion_to_the_canvas(height, thickness, rows):
    # Half-widths 4, 8 and, of 0.5 rounded half up, 1.
    person = missing_person(COCO_18)
    for name, x in (("right_elbow", 10), ("right_wrist", 50)):
        person["body"][COCO_18.index(name)] = x, 32, 0.9
    label = draw_limb_index(person, COCO_18, (height, 64), thickness)
    assert (label[:, 30, 0] == 4).sum() == rows
    assert set(np.unique(label)) == {0, 4}


def test_people_see_eighteen_colors_on_white():
    label = draw_limb_index(standing(BODY_25), BODY_25, (400, 200))
    picture = limb_colors(label)
    assert (picture[label[..., 0] == 0] == 255).all()
    colors = {tuple(picture[label[..., 0] == number][0].tolist()) for number in range(18)}
    assert len(colors) == 18
