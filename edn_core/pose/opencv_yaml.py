"""One keypoint file in OpenCV's YAML, as OpenPose's ``--write_keypoint`` wrote it.

The form of the keypoints that "Everybody Dance Now" was published with: a file per frame and part,
in it one matrix of people x keypoints x 3.
"""

import re

import numpy as np

_MATRIX = re.compile(
    r"!!opencv-(?:nd-)?matrix\s+"
    r"(?:sizes:\s*\[(?P<sizes>[\d,\s]*)\]|rows:\s*(?P<rows>\d+)\s+cols:\s*(?P<cols>\d+))\s+"
    r"dt:\s*\"?(?P<channels>\d*)[a-z]\"?\s+"
    r"data:\s*\[(?P<data>[^\]]*)\]"
)


def parse_matrix(content: bytes, where: str) -> np.ndarray:
    """The first matrix in a file.

    Read as text, not with cv2.FileStorage: damaged files end the program there (a negative size
    frees memory twice in OpenCV 5.0), and PyYAML takes 9 ms for a frame's four files, this 0.1 ms.

    Args:
        content: of the file.
        where: what messages call it.

    Returns:
        (people, K, 3) float64 x, y, score, in the file's own coordinates; (0, 0, 3) for nobody.

    Raises:
        ValueError: no such matrix; names the file and what is wrong.
    """
    found = _MATRIX.search(content.decode("utf-8", "replace"))
    if found is None:
        raise ValueError(
            f"{where}: holds no matrix of OpenCV's (!!opencv-nd-matrix with sizes, dt and data); "
            "expected a YAML file of OpenPose's --write_keypoint"
        )
    sizes = found["sizes"] if found["sizes"] is not None else f"{found['rows']},{found['cols']}"
    data = found["data"].replace(".Nan", "nan").replace(".Inf", "inf")
    try:
        shape = [int(size) for size in sizes.split(",") if size.strip()]
        shape += [int(found["channels"])] if found["channels"] not in ("", "1") else []
        values = np.array([float(value) for value in data.split(",") if value.strip()])
    except ValueError as error:
        raise ValueError(
            f"{where}: holds something that is no number ({str(error)[:80]}); copy it anew"
        ) from error
    if not values.size and 0 in (*shape, len(shape)):
        return np.zeros((0, 0, 3))
    if len(shape) != 3 or shape[2] != 3 or shape[0] * shape[1] * 3 != values.size:
        raise ValueError(
            f"{where}: {values.size} numbers in a matrix of {str(shape)[:80]}, expected people x "
            "keypoints x 3; copy it anew"
        )
    return values.reshape(shape)
