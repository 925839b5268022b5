"""Frames out of a video, on a constant-rate timeline: undamaged, and as people see them."""

import heapq
import math
from collections import deque
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import av
import av.error
import av.filter
import numpy as np

from edn_core.errors import Refused
from edn_core.logs import LOGGER
from edn_core.timeline import Timeline
from edn_core.video.opening import (
    MAX_PIXELS,
    check_size,
    open_container,
    picture_stream,
    read_packets,
)
from edn_core.video.picture import Developer, display_matrix

MOST_LOST = 0.1
"""Part of the frames wanted of a video that may be damaged or missing; beyond, it is refused."""

Lost = list[tuple[int, float, float]]
"""Frames left out: how many, and between which times, s after the first frame."""


def is_timed_by_decoding(
    container: "av.container.InputContainer", stream: "av.video.stream.VideoStream"
) -> bool:
    """Whether a file names the order of decoding only: AVI, whose H.264 comes out shuffled."""
    return container.format.name == "avi" and stream.codec_context.name in ("h264", "hevc")


def decode_stream(
    container: "av.container.InputContainer",
    stream: "av.video.stream.VideoStream",
    path: str | Path,
    lost: Lost,
) -> Iterator[tuple[float, "av.VideoFrame"]]:
    """Every undamaged frame with its time, in the file's own clock, s.

    After a packet that cannot be decoded, or a frame that the decoder calls corrupt, all frames up
    to the next one that stands alone are left out: they are built upon what was lost. Those after
    the first good one are noted in ``lost``. Raises Refused: none of the frames can be decoded.
    """
    decoder = _alpha_decoder(stream) or stream.codec_context
    waiting: list[int] | None = [] if is_timed_by_decoding(container, stream) else None
    step = float(1 / (stream.average_rate or stream.guessed_rate or 25))
    first, last, n_left_out, is_damaged = 0.0, None, 0, False
    try:
        for packet in chain(read_packets(container, stream), [None]):
            if waiting is not None and packet is not None and packet.dts is not None:
                heapq.heappush(waiting, packet.dts)
            try:
                frames = decoder.decode(packet)
            except av.error.InvalidDataError:
                is_damaged, n_left_out = True, n_left_out + 1
                if waiting:
                    waiting.pop()  # which frame it would have been is not known
                    heapq.heapify(waiting)
                continue
            for frame in frames:
                stamp = heapq.heappop(waiting) if waiting else frame.pts
                time = None if stamp is None else float(stamp * stream.time_base)
                if time is None:
                    time = 0.0 if last is None else last + step
                is_damaged = frame.is_corrupt or (is_damaged and not frame.key_frame)
                if is_damaged:
                    n_left_out += 1
                    continue
                first = time if last is None else first
                if n_left_out and last is not None:
                    lost.append((n_left_out, last - first, time - first))
                n_left_out = 0
                # Times that stand still or go back would hold up all that follow.
                last = time if last is None else max(time, last)
                yield last, frame
        if n_left_out and last is not None:
            lost.append((n_left_out, last - first, math.inf))
    except MemoryError:
        raise
    except av.error.FFmpegError as error:
        where = "" if last is None else f" after {last:.2f} s"
        found = f"cannot be decoded{where} ({error.strerror})"
        raise Refused(path, found, "", "convert or copy the video again") from error
    if last is None:
        most = f"those of more than {MAX_PIXELS // 1_000_000} million px are not"
        found = f"none of its frames can be decoded ({most})"
        raise Refused(path, found, "", "convert or copy it again")


def _alpha_decoder(stream: "av.video.stream.VideoStream") -> "av.VideoCodecContext | None":
    """libvpx, for a stream of VP8 or VP9 with alpha: libav's own decoders leave the alpha out."""
    name = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(stream.codec_context.name, "")
    if stream.metadata.get("alpha_mode") != "1" or name not in av.codecs_available:
        return None
    decoder = av.VideoCodecContext.create(name, "r")
    decoder.extradata = stream.codec_context.extradata
    decoder.options = {"max_pixels": str(MAX_PIXELS)}
    return decoder


def _describe_lost(lost: Lost, timeline: Timeline, path: str | Path) -> str:
    """What of a timeline's frames was lost, in words; refused where it is more than MOST_LOST."""
    begin, fps = timeline.start_s, float(timeline.fps)
    end = begin + timeline.n_frames / fps
    within = [(n, max(one, begin), min(other, end)) for n, one, other in lost]
    within = [(n, before, after) for n, before, after in within if before < after]
    n_lost = sum(min(n, math.ceil((after - before) * fps)) for n, before, after in within)
    places = ", ".join(f"{before:.2f}" for _, before, _ in within[:5])
    said = f"{n_lost} of {timeline.n_frames} frames are damaged, after {places} s"
    if n_lost > MOST_LOST * timeline.n_frames:
        part = "leave that part out (start_s and stop_s of the video in config/config.yaml)"
        raise Refused(path, said, "at most a tenth", f"copy the video again, or {part}")
    return said if n_lost else ""


def _progressive(
    frames: Iterator[tuple[float, "av.VideoFrame"]], stream: "av.video.stream.VideoStream"
) -> Iterator[tuple[float, "av.VideoFrame", np.ndarray]]:
    """Deinterlace from the first interlaced frame on; with each frame the file's display matrix.

    Bob Weaver (``bwdif``) gives one frame for each, one later, and leaves progressive ones alone.
    """
    # The first frame's matrix: a frame and the metadata that it is asked for hold each other, so
    # that asking every one would keep them in memory until Python looks for cycles.
    graph = matrix = None
    told: deque[tuple[float, np.ndarray]] = deque()  # what filters lose
    for time, frame in frames:
        matrix = display_matrix(frame) if matrix is None else matrix
        if graph is None and not frame.interlaced_frame:
            yield time, frame, matrix
            continue
        if graph is None:
            graph = av.filter.Graph()
            source = graph.add_buffer(
                width=frame.width,
                height=frame.height,
                format=frame.format,
                time_base=stream.time_base,
            )
            filter_ = graph.add("bwdif", "mode=send_frame:deint=interlaced")
            graph.link_nodes(source, filter_, graph.add("buffersink")).configure()
        told.append((time, matrix))
        frame.pts = len(told) if frame.pts is None else frame.pts
        graph.push(frame)
        yield from _pull(graph, told)
    if graph is not None:
        graph.push(None)
        yield from _pull(graph, told)


def _pull(
    graph: "av.filter.Graph", told: deque[tuple[float, np.ndarray]]
) -> Iterator[tuple[float, "av.VideoFrame", np.ndarray]]:
    while told:
        try:
            frame = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        time, matrix = told.popleft()
        yield time, frame, matrix


def _decoded(path: str | Path, lost: Lost) -> Iterator[tuple[float, np.ndarray]]:
    """Every decodable frame as (seconds after the first frame, (H, W, 3) uint8 RGB as shown)."""
    with open_container(path) as container:
        stream = picture_stream(container, path)
        ratio = stream.sample_aspect_ratio
        develop, first = Developer(), None
        frames = decode_stream(container, stream, path, lost)
        for time, frame, matrix in _progressive(frames, stream):
            check_size(frame.width, frame.height, path)
            first = time if first is None else first
            yield time - first, develop(frame, ratio, matrix)


def decode(path: str | Path, timeline: Timeline) -> Iterator[np.ndarray]:
    """Decode a video at the times of a timeline: for each the frame nearest in time.

    (H, W, 3) uint8 RGB, BT.709, rotation applied, ``timeline.n_frames`` of them. For damaged ones
    the nearest good ones stand in; one warning says for how many, and where.

    Raises:
        Refused: more than MOST_LOST of them are damaged, or the video changes its size, or ends
            more than two frames before the timeline.
    """
    lost: Lost = []
    frames = _decoded(path, lost)
    time, image = next(frames)
    size = image.shape
    later = next(frames, None)
    for i in range(timeline.n_frames):
        wanted = timeline.start_s + i / float(timeline.fps)
        while later is not None and abs(later[0] - wanted) <= abs(time - wanted):
            time, image = later
            later = next(frames, None)
        said = _describe_lost(lost, timeline, path) if lost else ""
        if said and i == timeline.n_frames - 1:
            LOGGER.warning(f"{path}: {said}; the nearest good ones stand in for them")
        if later is None and wanted - time > 2.5 / float(timeline.fps) and not said:
            found = f"ends at {time:.2f} s, but frame {i} lies at {wanted:.2f} s"
            raise Refused(path, found, "", "it is damaged or cut off: copy the video again")
        if image.shape != size:
            found = f"the picture changes size to {image.shape[1]}x{image.shape[0]} at {time:.2f} s"
            raise Refused(path, found, f"{size[1]}x{size[0]}", "convert it to one size")
        yield image
