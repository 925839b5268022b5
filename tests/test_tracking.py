"""The right dancer: people linked into tracks, and which of the tracks is followed."""

import numpy as np
import pytest
from conftest import STANDING
from hypothesis import given, settings
from hypothesis import strategies as st

from edn_core.config import PoseConfig
from edn_core.keypoints import Person, missing_person
from edn_core.pose.linking import MAX_LOST_FRAMES, link_people
from edn_core.pose.tracking import follow_dancer
from edn_core.skeleton import BODY_25

SIZE = (720, 1280)
# A person 1 px high, the middle of the hips at 0, 0: 0.25 px wide.
SHAPE = (np.array([STANDING[name] for name in BODY_25.keypoints]) - (100, 200)) / 296


def standing(x: float, y: float = 400, height: float = 300, only: str = "") -> Person:
    """Somebody whose hips are at x, y; of whom only the points named are seen."""
    person = missing_person()
    person["body"] = np.column_stack([SHAPE * height + (x, y), np.full(len(BODY_25), 0.9)]).astype(
        np.float32
    )
    for row, name in enumerate(BODY_25.keypoints):
        if only and name not in only.split():
            person["body"][row] = (np.nan, np.nan, 0)
    return person


def hips(people: list[list[Person]], dancer: list[int | None]) -> list[float | None]:
    """x of the dancer in every frame, None where he is not seen."""
    row = BODY_25.index("mid_hip")
    return [
        None if index is None else round(float(found[index]["body"][row, 0]), 3)
        for found, index in zip(people, dancer, strict=True)
    ]


def follow(people: list[list[Person]], dancer: str = "largest", **settings) -> list[float | None]:
    """Where the dancer is in every frame: x of the hips."""
    return hips(people, follow_dancer(people, PoseConfig(dancer=dancer, **settings), SIZE))


# Linking


@pytest.mark.parametrize(("lost", "speed", "higher"), [(0, 2, 0), (9, 10, 20), (25, 2, 20)])
def test_two_people_of_one_size_cross_and_stay_who_they_are(lost, speed, higher):
    rightward = [640 + speed * (frame - 50) for frame in range(101)]
    leftward = [1280 - x for x in rightward]
    people = []
    for frame in range(101):
        is_hidden = abs(frame - 50) <= lost // 2 and lost > 0
        behind = [] if is_hidden else [standing(leftward[frame], 400 - higher)]
        people.append([*behind, standing(rightward[frame])])
    for index, where in enumerate((rightward, leftward)):
        found = follow(people, "index", dancer_index=index)
        assert all(x is None or x == truth for x, truth in zip(found, where, strict=True))
        # While they are in one place only one may be told; while hidden, none.
        n_told = 101 - (lost if index == 1 else 0)
        assert sum(x is not None for x in found) >= n_told - (0 if higher else 20 / speed)


def test_a_track_outlives_a_loss_of_less_than_a_second_and_no_longer_one():
    for gap, n_tracks in ((MAX_LOST_FRAMES - 1, 1), (MAX_LOST_FRAMES, 2)):
        people = [[standing(600)]] * 10 + [[]] * gap + [[standing(600)]] * 10
        tracks = link_people(people, SIZE)
        assert [len(track) for track in tracks] == ([20] if n_tracks == 1 else [10, 10])


def test_somebody_lost_while_walking_is_looked_for_where_he_must_be_by_now():
    # He is lost at x = 490; when he is found again, somebody else stands where he was last seen.
    people = [[standing(200 + 10 * frame)] for frame in range(30)] + [[]] * 10
    people += [[standing(490), standing(200 + 10 * frame)] for frame in range(40, 60)]
    expected = [200 + 10 * frame for frame in range(60)]
    expected[30:40] = [None] * 10
    assert follow(people) == expected


def test_half_a_person_is_recognised_by_the_half_that_is_seen():
    upper = "nose neck right_shoulder left_shoulder right_elbow left_elbow right_wrist left_wrist"
    lower = "right_knee left_knee right_ankle left_ankle right_heel left_heel"
    shown = [*[""] * 10, *[upper] * 10, *[lower] * 10, *[""] * 10]
    people = [[standing(600, only=only), standing(680, only=only)] for only in shown]
    assert [len(track) for track in link_people(people, SIZE)] == [40, 40]
    assert follow(people[:10] + people[30:], "index", dancer_index=1) == [680] * 20


def test_one_person_found_twice_is_one():
    twice = [standing(600), standing(604, only="neck nose right_hip left_hip left_knee")]
    people = [[standing(600)]] * 10 + [twice] * 10 + [[standing(604)]] * 10
    tracks = link_people(people, SIZE)
    assert [len(track) for track in tracks] == [30]
    assert not tracks[0].indices.any()


# Choosing


def test_an_empty_video_and_one_without_anybody_have_no_dancer():
    for dancer in ("largest", "centre", "longest", "index"):
        config = PoseConfig(dancer=dancer)
        assert follow_dancer([], config, SIZE) == []
        assert follow_dancer([[], []], config, SIZE) == [None, None]
        assert follow_dancer([[missing_person()]], config, SIZE) == [None]


def test_a_passer_by_who_comes_close_for_a_second_is_not_the_dancer():
    # 700 px against 300: more than five times the area, for 25 of 500 frames.
    people = [[standing(640)] for _ in range(500)]
    for frame in range(200, 225):
        people[frame].append(standing(40 * (frame - 200), 400, 700))
    assert follow(people) == [640] * 500


def test_the_largest_is_the_dancer_even_if_he_enters_late():
    people = [[standing(300, height=150)] for _ in range(200)]
    for frame in range(60, 200):
        people[frame].append(standing(800, height=400))
    assert follow(people) == [None] * 60 + [800] * 140
    assert follow(people, "longest") == [300] * 200
    people = [[standing(150, height=400), standing(660, 360, 200), standing(1000)]] * 20
    assert follow(people, "centre") == [660] * 20


def test_people_are_counted_from_the_left_where_the_most_are_seen():
    people = [[standing(700)]] * 10 + [[standing(700), standing(300), standing(1000)]] * 10
    for index, x in enumerate((300, 700, 1000)):
        found = follow(people, "index", dancer_index=index)
        assert found[10:] == [x] * 10
    assert follow(people, "index", dancer_index=1) == [700] * 20


def test_an_index_beyond_the_people_is_refused_with_where_they_are():
    people = [[standing(700)]] * 10 + [[standing(700), standing(300)]] * 10
    message = (
        r"dancer_index is 2, but at most 2 are seen at once \(first in frame 10, at "
        r"x = 300, 700 px\); give 0 to 1"
    )
    with pytest.raises(ValueError, match=message):
        follow(people, "index", dancer_index=2)


def test_the_one_who_fills_the_box_best_is_the_dancer():
    # The box is meant for where he is first seen: later he is where the other one was.
    people = [[standing(300 + 4 * frame), standing(700 + 4 * frame)] for frame in range(100)]
    for x in (300, 700):
        found = follow(people, "box", dancer_box=(x - 60, 200, x + 60, 600))
        assert found == [x + 4 * frame for frame in range(100)]


def test_a_box_without_anybody_is_refused_with_the_boxes_there_are():
    people = [[]] * 7 + [[standing(300), standing(700)]] * 10
    message = (
        r"dancer_box is \[0, 0, 50, 50\], where nobody is .*"
        r"\[259, 260, 341, 560\] from frame 7 on; \[659, 260, 741, 560\] from frame 7 on"
    )
    with pytest.raises(ValueError, match=message):
        follow(people, "box", dancer_box=(0, 0, 50, 50))


@pytest.mark.parametrize(
    ("dancer", "more"),
    [("largest", {}), ("longest", {}), ("index", {}), ("box", {"dancer_box": (200, 0, 400, 720)})],
)
def test_a_dancer_who_leaves_for_seconds_and_returns_is_the_dancer_again(dancer, more):
    there = [*range(0, 100), *range(160, 300)]
    people = [
        [standing(300 if frame < 100 else 500)] if frame in there else [] for frame in range(300)
    ]
    for frame in range(20, 280):
        people[frame].append(standing(900, height=150))
    expected = [300] * 100 + [None] * 60 + [500] * 140
    if dancer == "longest":
        expected = [None] * 20 + [900] * 260 + [None] * 20
    assert follow(people, dancer, **more) == expected


def test_a_bystander_who_is_found_now_and_then_is_not_taken_for_the_dancer_who_is_away():
    people = [[standing(300)] if frame < 200 or frame >= 400 else [] for frame in range(600)]
    for start in range(0, 600, 60):  # each time a track of its own
        for frame in range(start, start + 20):
            people[frame].append(standing(900, height=280))
    assert len(link_people(people, SIZE)) == 12
    assert follow(people) == [300] * 200 + [None] * 200 + [300] * 200


def test_the_log_says_how_many_there_were_and_who_was_chosen(log):
    people = [[standing(300, height=148), standing(700, height=296)]] * 10 + [[]] * 2
    follow(people)
    assert (
        "at most 2 people in a frame, 2 tracks; the dancer (largest) is seen in 10 of 12 frames: "
        "frames 0 to 9"
    ) in log()


walks = st.lists(
    st.tuples(
        st.integers(0, 20),  # enters
        st.integers(1, 60),  # stays
        st.integers(0, 1280),  # x
        st.integers(-20, 20),  # px per frame
        st.sampled_from([100, 200, 300]),  # height
    ),
    max_size=4,
)


@settings(deadline=None, max_examples=12)
@given(
    walks=walks,
    lost=st.sets(st.tuples(st.integers(0, 3), st.integers(0, 60)), max_size=30),
    dancer=st.sampled_from(["largest", "centre", "longest", "index"]),
    order=st.randoms(use_true_random=False),
)
def test_the_order_of_the_people_within_a_frame_changes_nothing(walks, lost, dancer, order):
    people: list[list[Person]] = [[] for _ in range(60)]
    for number, (enters, stays, x, speed, height) in enumerate(walks):
        for frame in range(enters, min(60, enters + stays)):
            if (number, frame) not in lost:
                people[frame].append(standing(x + speed * frame, 400, height))
    shuffled = [order.sample(found, len(found)) for found in people]
    assert follow(shuffled, dancer) == follow(people, dancer)
