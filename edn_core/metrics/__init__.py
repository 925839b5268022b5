"""How near an output is to the truth: on held-out frames of the target, where truth is known.

Pictures (``images``), steadiness (``motion``), poses (``poses``), colours of a person
(``colours``), and the table of all of them (``table``). Nothing here needs torch; images are
(H, W, 3) uint8 RGB.
"""

from edn_core.metrics.colours import colour_distance, colour_intersection, lab_histogram
from edn_core.metrics.images import (
    MAX_PSNR,
    METRICS,
    l1_map,
    psnr,
    region_mean,
    squared_error_map,
    ssim_map,
)
from edn_core.metrics.motion import backward_flow, flow_warping_error, temporal_difference_error
from edn_core.metrics.poses import (
    POSE_GROUPS,
    closest_person,
    inside,
    nearest_pose,
    person_mask,
    pose_distance,
    pose_errors,
    torso_length,
)
from edn_core.metrics.table import (
    ALL_COLUMNS,
    COLUMNS,
    REGIONS,
    SHORT_COLUMNS,
    Column,
    markdown_table,
    mean_columns,
    metrics_table,
)

__all__ = [
    "ALL_COLUMNS",
    "COLUMNS",
    "MAX_PSNR",
    "METRICS",
    "POSE_GROUPS",
    "REGIONS",
    "SHORT_COLUMNS",
    "Column",
    "backward_flow",
    "closest_person",
    "colour_distance",
    "colour_intersection",
    "flow_warping_error",
    "inside",
    "l1_map",
    "lab_histogram",
    "markdown_table",
    "mean_columns",
    "metrics_table",
    "nearest_pose",
    "person_mask",
    "pose_distance",
    "pose_errors",
    "psnr",
    "region_mean",
    "squared_error_map",
    "ssim_map",
    "temporal_difference_error",
    "torso_length",
]
