"""Checkpoint files of pix2pixHD and of Everybody Dance Now's release: read, written, converted.

Such a file (``<epoch>_net_G.pth``, ``_net_D.pth``; of the face ``_net_Gface.pth``,
``_net_Dface.pth``) is a plain state dict on the CPU. Sizes are read from the shapes; which labels
and pictures of which size a generator was trained on stands nowhere in it and has to be told.
"""

from edn_core.published.conversion import export_generator, import_generator
from edn_core.published.former import convert_generator
from edn_core.published.state_dicts import read_published_discriminator, read_published_generator
