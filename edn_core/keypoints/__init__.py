"""The central contract: where the dancer's keypoints are in every frame (``edn-keypoints``).

Coordinates are float32 pixels of the full-size video, origin at the centre of the top-left pixel,
x right, y down; no setting of the pictures changes them. A keypoint that was not found is NaN with
score 0; frames are never left out.
"""

from edn_core.keypoints.dancer import Doubt, Keypoints, Person, from_people, missing_person
from edn_core.keypoints.file import check_keypoints, read_keypoints, write_keypoints
