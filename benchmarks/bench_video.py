"""Frames per second of a video through a model, decoding included, against OpenCV's VideoCapture; and memory.

    python benchmarks/bench_video.py --video CLIP.mp4 [--model digits] [--frames 300] [--rounds 5] [--loops 20]

300 frames looped 300 times are an hour.

The video is first brought to 1280x720 (H.264, 25 frames a second) and looped up to `--frames`. The peer is the loop
that people write: `cv2.VideoCapture`, then the same bundle's own preparation, graph and decoding for one frame after
the other, with as many threads in the graph and the same runtime and precision. Rounds of the two take turns, and the
ratio is that of each round. `same_answers` is the share of frames in which both name the same things in the same order
(the two convert colors a little differently): the quality beside the speed.

Memory is the peak of a process of its own that runs over a video `--loops` times as long, against one over the video
itself.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

import pixelwright as pw
from pixelwright.io.video import open_video
from pixelwright.io.video_write import VideoWriter, encodable
from pixelwright.model import Model, as_raster, usable_cores
from report import report, spread

SIZE = (1280, 720)
RATE = Fraction(25)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, help="default: a made one")
    parser.add_argument("--model", default="digits", help="zoo name or bundle folder")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--loops", type=int, default=20)
    parser.add_argument("--memory-only", action="store_true")
    parser.add_argument("--peak-of", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak_of:
        print(peak_mb(options.model, options.peak_of))
        return
    with tempfile.TemporaryDirectory() as folder:
        video = make(Path(folder) / "a.mp4", options.video, options.frames)
        if not options.memory_only:
            speed(pw.load(options.model), video, options.frames, options.rounds)
        memory(options.model, video, loop(Path(folder) / "b.mp4", video, options.loops))


def make(path: Path, source: Path | None, count: int) -> Path:
    """A 720p video of so many frames, of the source's over and over."""
    with path.open("wb+") as file, VideoWriter(file, ".mp4", rate=RATE, time_base=1 / RATE) as writer:
        for number, pixels in zip(range(count), pictures(source), strict=False):
            writer.write(encodable(pw.from_numpy(pixels)), number / float(RATE))
    return path


def loop(path: Path, source: Path, loops: int) -> Path:
    """The video several times over, its packets copied: an hour takes seconds to make."""
    with av.open(str(path), "w") as target:
        stream, offset = None, 0
        for _ in range(loops):
            with av.open(str(source)) as once:
                video = once.streams.video[0]
                stream = stream or target.add_stream_from_template(video)
                length = round(video.frames / RATE / (video.time_base or 1))
                for packet in once.demux(video):
                    if packet.pts is None or packet.dts is None:  # what ends the stream
                        continue
                    packet.stream = stream
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    target.mux(packet)
                offset += length
    return path


def pictures(source: Path | None) -> Iterator[np.ndarray]:
    while source is not None:
        with open_video(source) as video:
            for frame in video.frames():
                yield cv2.resize(frame.open().read().pixels, SIZE, interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(0).integers(0, 256, (9, 16, 3), np.uint8)
    still = cv2.resize(noise, (2 * SIZE[0], SIZE[1]), interpolation=cv2.INTER_CUBIC)
    number = 0
    while True:  # a pattern that moves sideways
        yield np.ascontiguousarray(np.roll(still, -4 * number, axis=1)[:, : SIZE[0]])
        number += 1


def speed(model: Model, video: Path, count: int, rounds: int) -> None:
    """Both ways over the same video, in turns."""
    ours, theirs = list(stream(model, video)), list(peer(model, video))  # also warms up
    seconds: dict[str, list[float]] = {"ours": [], "peer": []}
    for _ in range(rounds):
        for name, way in (("ours", stream), ("peer", peer)):
            began = time.perf_counter()
            sum(1 for _ in way(model, video))
            seconds[name].append(time.perf_counter() - began)
    report(
        "video-720p",
        model=f"{model.bundle.spec.name} {model.bundle.spec.version}",
        runtime=f"{model.runtime.name} {model.precision}",
        frames=count,
        fps=spread([count / one for one in seconds["ours"]]),
        fps_opencv_loop=spread([count / one for one in seconds["peer"]]),
        times_as_fast_as_opencv_loop=spread([b / a for a, b in zip(seconds["ours"], seconds["peer"], strict=True)]),
        same_answers=round(float(np.mean([agree(a, b) for a, b in zip(ours, theirs, strict=True)])), 4),
    )


def stream(model: Model, video: Path) -> Iterator[dict[str, Any]]:
    """Our way."""
    for done in model.stream(video):
        if done.error or done.result is None:
            raise done.error or SystemExit(f"{video}: a frame gave no result")
        yield done.result.to_dict()


def peer(model: Model, video: Path) -> Iterator[dict[str, Any]]:
    """One frame after the other from OpenCV through the same graph."""
    capture, graphs = cv2.VideoCapture(str(video)), model.graphs(usable_cores())
    while True:
        good, bgr = capture.read()
        if not good:
            return
        raster = as_raster(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
        prepared = model.task.prepare(raster, model.bundle)
        yield model.task.predict([prepared], graphs, model.bundle, model.options)[0].to_dict()


def agree(first: Any, second: Any) -> bool:
    """Whether two answers name the same things, in the same order."""
    return _labels(first) == _labels(second)


def _labels(answer: Any) -> list[str]:
    if isinstance(answer, dict):
        own = [answer["label"]] if isinstance(answer.get("label"), str) else []
        return own + [label for value in answer.values() for label in _labels(value)]
    return [label for value in answer for label in _labels(value)] if isinstance(answer, list) else []


def memory(model: str, short: Path, long: Path) -> None:
    """Peaks of two processes."""
    peaks = []
    for video in (short, long):
        command = [sys.executable, __file__, "--model", model, "--peak-of", str(video)]
        peaks.append(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    with open_video(short) as first, open_video(long) as second:
        report(
            "video-memory",
            model=model,
            peak_mb={"short": peaks[0], "long": peaks[1]},
            frames={"short": first.frame_count, "long": second.frame_count},
        )


def peak_mb(model: str, video: Path) -> float:
    """The peak of this process after a whole video."""
    for _ in stream(pw.load(model), video):
        pass
    status = Path("/proc/self/status")
    if status.exists():  # Linux: `ru_maxrss` would begin with what the parent had when it made this process
        (peak,) = (line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return round(int(peak) / 1e3, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3), 1)


if __name__ == "__main__":
    main()
