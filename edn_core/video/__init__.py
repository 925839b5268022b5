"""Video files in, frames out, and back: any container PyAV reads; mp4, webm and mov are written.

Frames come out on a constant-frame-rate timeline (the nearest frame for a variable rate), with
rotation metadata and pixel aspect applied.
"""

from edn_core.timeline import Timeline
from edn_core.video.decoding import MOST_LOST, decode
from edn_core.video.encoding import Metadata, encode
from edn_core.video.opening import open_container
from edn_core.video.probing import VideoInfo, probe, read_metadata
from edn_core.video.seal import check_video
from edn_core.video.sound import Sound, SoundTrack
