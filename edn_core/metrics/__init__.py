"""How near an output is to the truth: on held-out frames of the target, where truth is known.

Pictures (``images``), steadiness (``motion``), poses (``poses``), colours of a person
(``colours``), and the table of all of them (``table``). Nothing here needs torch; images are
(H, W, 3) uint8 RGB.
"""

from edn_core.metrics.images import METRICS, region_mean, ssim_map
from edn_core.metrics.motion import temporal_difference_error
from edn_core.metrics.table import ALL_COLUMNS, SHORT_COLUMNS, read_table, short_table

__all__ = [
    "ALL_COLUMNS",
    "METRICS",
    "SHORT_COLUMNS",
    "read_table",
    "region_mean",
    "short_table",
    "ssim_map",
    "temporal_difference_error",
]
