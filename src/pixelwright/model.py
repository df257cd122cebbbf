"""Model: a bundle, its task and a runtime, loaded and ready for pictures."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from threading import Event, Lock
from typing import Any

from pixelwright import hub, registry
from pixelwright.bundle import ModelBundle, read_bundle
from pixelwright.contract import Graphs, PredictOptions, Task
from pixelwright.errors import PixelwrightError, RuntimeFailure, UsageError
from pixelwright.io.exchange import from_numpy, from_pillow
from pixelwright.io.icc import to_srgb
from pixelwright.io.images import MAX_PIXELS, open_raster
from pixelwright.io.live import Newest, live_frames
from pixelwright.io.sources import Item, is_live, list_images
from pixelwright.io.video import MAX_PIXELS as MAX_FRAME_PIXELS
from pixelwright.io.video import open_video
from pixelwright.io.video_frame import Frame, FrameRef
from pixelwright.pipeline import Budget, Done, flow
from pixelwright.runtimes.choose import choose, open_graphs
from pixelwright.runtimes.protocol import Graph, Runtime
from pixelwright.structures.image import Image
from pixelwright.structures.raster import Raster, Window
from pixelwright.structures.spec import Precision, TensorSpec

# Four tensors in one call of a ResNet-18 take 4 % less time each than one by one; eight gain no more.
BATCH_SIZE = 4

# Decoded pictures that several threads hold at once; a larger one is worked on alone.
PICTURE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Execution:
    """Where and how graphs run.

    Attributes:
        runtime: Registry name, or `auto`: the fastest installed one that the bundle's parity record vouches for.
        precision: `f32`, `f16`, `bf16`, `int8`, or `auto` (f32).
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        threads: Cores to use; 0 for all this process may use.
        workers: Pictures under way at once; 0 for one a core, as far as there are pictures.
        batch_size: Pictures in one call of the graph; 0 for `BATCH_SIZE` where a task allows batches.
        max_pixels: Pictures with more are refused, unless they can be read in windows. Frames of videos have a lower
            limit as long as this is the default.
    """

    runtime: str = "auto"
    precision: str = "auto"
    device: str = "auto"
    threads: int = 0
    workers: int = 0
    batch_size: int = 0
    max_pixels: int = MAX_PIXELS

    @property
    def max_frame_pixels(self) -> int:
        """Videos with larger frames are refused: a decoder holds many of them at once."""
        return MAX_FRAME_PIXELS if self.max_pixels == MAX_PIXELS else self.max_pixels


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A source whose header was read and whose input is prepared."""

    source: Any
    raster: Raster
    prepared: Any
    heard: list[str] = field(default_factory=list)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What had to be overlooked, in the header and, as far as pixels were decoded by now, in them."""
        return tuple(dict.fromkeys((*self.raster.warnings, *self.heard)))


@dataclass(frozen=True, eq=False)
class Model:
    """A model, ready to be called.

    Attributes:
        bundle: The contract and its files.
        task: What it does.
        runtime: What runs its graphs.
        precision: In which arithmetic.
        options: Defaults for every call.
        execution: Threads, workers, batches, device.
    """

    bundle: ModelBundle
    task: Task
    runtime: Runtime
    precision: Precision
    options: PredictOptions = PredictOptions()
    execution: Execution = Execution()
    _graphs: dict[int, Graphs] = field(default_factory=dict, repr=False)
    _lock: Any = field(default_factory=Lock, repr=False)

    def __call__(self, source: Any, **options: Any) -> Any:
        """The result for one picture, computed now with all cores.

        Args:
            source: A file name, an `Image`, a `Raster`, a NumPy array (RGB) or a Pillow image.
            options: Fields of `PredictOptions` that differ from the model's own.

        Returns:
            What the task makes: `ClassScores`, `Detections`, `LabelMap`, `Embedding`, or an `Image`.
        """
        chosen = self._options(options)
        raster = as_raster(source, max_pixels=self.execution.max_pixels)
        with raster:
            prepared = self.task.prepare(raster, self.bundle)
            result = self.task.predict([prepared], self.graphs(self._cores()), self.bundle, chosen)[0]
            return result.read() if isinstance(result, Raster) else result

    def draw(self, source: Any, result: Any) -> Image:
        """A picture with its result painted on: upright, sRGB, in full size.

        Args:
            source: What the result is of: whatever `model(...)` takes.
            result: What `model(source)` gave.

        Example:
            >>> import pixelwright as pw
            >>> model = pw.load("digits")
            >>> shown = model.draw("scans/7.png", model("scans/7.png"))  # a notebook shows an Image
            >>> pw.write_image(shown, "seven.png")
        """
        with as_raster(source, max_pixels=self.execution.max_pixels) as raster:
            upright = to_srgb(raster.read())
        # A task hands out rasters where a caller gets images.
        return self.task.draw(upright, Raster.of(result) if isinstance(result, Image) else result, self.bundle)

    def stream(self, sources: Any, **options: Any) -> Iterator[Done[Any, Any]]:
        """Results of many pictures in their order, with bounded memory, whatever ran in parallel.

        Args:
            sources: A file, a folder, a glob, a tar, an address, a video or camera, or any iterable of what
                `model(...)` takes, videos among them.
            options: Fields of `PredictOptions` that differ from the model's own.

        Yields:
            `Done` with `item`, and either `result` or `error`: a bad picture stops nobody. A video gives one for each
            frame, whose `item` is a `FrameRef` with `path`, `number` and `time_s`. A camera is worked on in real time,
            is a source by itself only, and raises an `ImageError` when it has gone.
        """
        chosen = self._options(options)
        if isinstance(sources, str | os.PathLike):
            if is_live(os.fspath(sources)):
                yield from self._stream_live(os.fspath(sources), chosen)
                return
            sources = (item.path for item in list_images([os.fspath(sources)]))
        with closing(_with_frames(sources, self.execution.max_frame_pixels)) as pictures:
            for done in self.apply(pictures, _materialize, options=chosen, open_source=_opened):
                yield _without_pixels(done)

    def _stream_live(self, path: str, options: PredictOptions) -> Iterator[Done[Any, Any]]:
        with closing(iter(Newest(path, lambda: live_frames(path)))) as frames:
            for frame in frames:
                done = self.apply([frame], _materialize, options=options, open_source=_opened, count=1)
                yield from map(_without_pixels, done)

    def apply(
        self,
        sources: Iterable[Any],
        then: Callable[[Opened, Any], Any],
        *,
        options: PredictOptions | None = None,
        open_source: Callable[[Any], Any] | None = None,
        count: int | None = None,
    ) -> Generator[Done[Any, Any]]:
        """Like `stream`, with a last step `then(opened, result)` that runs beside the network on the same threads.

        A result that is a `Raster` is computed while `then` reads it. `open_source` turns an item into something to
        open; `count` says how many items there are, so that few of them get all cores nevertheless.
        """
        most = self.execution.workers or self._cores()
        workers = most if count is None else max(1, min(most, count))
        stopped = Event()
        graphs = {role: _Stoppable(graph, stopped) for role, graph in self.graphs(self._cores() // workers).items()}
        steps = _Steps(self, graphs, options or self.options, then, open_source or _itself)
        return flow(
            sources,
            steps.prepare,
            steps.predict,
            key=steps.key,
            workers=workers,
            batch_size=(self.execution.batch_size or BATCH_SIZE) if self.task.key else 1,
            on_stop=stopped.set,  # a picture of many tiles need not be finished
        )

    def graphs(self, threads: int) -> Graphs:
        """The bundle's graphs, opened once for a number of threads."""
        threads = max(1, threads)
        with self._lock:
            if threads not in self._graphs:
                self._graphs[threads] = open_graphs(
                    self.bundle, self.runtime, self.precision, threads=threads, device=self.execution.device
                )
            return self._graphs[threads]

    def _cores(self) -> int:
        return self.execution.threads or usable_cores()

    def _options(self, changes: dict[str, Any]) -> PredictOptions:
        unread = sorted(set(changes) - self.task.options)
        if unread:
            raise UsageError(
                f"{self.task.name} does not read {', '.join(unread)}; it reads {', '.join(sorted(self.task.options))}."
            )
        options = replace(self.options, **changes)
        self.task.check(self.bundle, options)
        return options


def load(
    name: str | os.PathLike[str],
    *,
    task: str | None = None,
    options: PredictOptions = PredictOptions(),
    execution: Execution = Execution(),
) -> Model:
    """A model by zoo name or bundle folder.

    Args:
        name: A name that `pixelwright models list` shows, or a folder with a `bundle.json`.
        task: Refuse a model of another task.
        options: Defaults for every call.
        execution: Runtime, precision, device, threads.

    Raises:
        UnknownName: No such model; the message proposes the nearest names.
        BundleError: The bundle is damaged or altered.
        UsageError: The model is for another task.
        RuntimeFailure: The runtime or precision asked for is not to be had here.

    Example:
        >>> import pixelwright as pw
        >>> model = pw.load("digits")
        >>> model.task.name
        'classify'
    """
    bundle = read_bundle(hub.locate(name))
    if task is not None and bundle.spec.task != task:
        raise UsageError(
            f"model {bundle.spec.name!r} is for {bundle.spec.task}, not for {task}. "
            f"Use: pixelwright {bundle.spec.task} ... --model {os.fspath(name)}"
        )
    runtime, precision = choose(
        bundle, runtime=execution.runtime, precision=execution.precision, device=execution.device
    )
    model = Model(bundle, registry.get("task", bundle.spec.task), runtime, precision, options, execution)
    model.task.check(bundle, options)
    return model


def usable_cores() -> int:
    """Cores this process may run on: fewer than the machine's where its affinity (`taskset`, cpusets) says so."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def as_raster(source: Any, *, max_pixels: int = MAX_PIXELS) -> Raster:
    """Anything that stands for a picture as a raster: path, bytes, `Raster`, `Image`, NumPy (RGB), Pillow.

    Raises:
        UsageError: It is none of these.
        UnreadableImage: The file is no sound image.
    """
    if isinstance(source, Raster):
        return source
    if isinstance(source, Image):
        return Raster.of(source)
    if isinstance(source, str | bytes | os.PathLike):
        return open_raster(source, max_pixels=max_pixels)
    module = type(source).__module__.partition(".")[0]
    if module == "numpy":
        return Raster.of(from_numpy(source))
    if module == "PIL":
        return Raster.of(from_pillow(source))
    raise UsageError(
        f"a {type(source).__name__} is no picture. Give a path, an Image, a NumPy array or a Pillow image."
    )


@dataclass(frozen=True, slots=True)
class _Steps:
    """The two steps of the pipeline: open and prepare one source; predict a batch and finish each of it."""

    model: Model
    graphs: Graphs
    options: PredictOptions
    then: Callable[[Opened, Any], Any]
    open_source: Callable[[Any], Any]
    budget: Budget = field(default_factory=lambda: Budget(PICTURE_BYTES))

    def prepare(self, item: Any) -> Opened:
        heard: list[str] = []
        raster = _listened(as_raster(self.open_source(item), max_pixels=self.model.execution.max_pixels), heard)
        try:
            with self.budget.hold(raster.nbytes):
                return Opened(item, raster, self.model.task.prepare(raster, self.model.bundle), heard)
        except BaseException:
            raster.close()
            raise

    def key(self, opened: Opened) -> Hashable:
        # Where nothing may share a batch every picture is of its own kind.
        return self.model.task.key(opened.prepared) if self.model.task.key else id(opened)

    def predict(self, batch: Sequence[Opened]) -> list[Any]:
        prepared = [one.prepared for one in batch]
        try:
            results = self.model.task.predict(prepared, self.graphs, self.model.bundle, self.options)
        except BaseException:
            if len(batch) == 1:  # a larger batch is tried again one by one, and still needs its files
                batch[0].raster.close()
            raise
        return [self._finish(opened, result) for opened, result in zip(batch, results, strict=True)]

    def _finish(self, opened: Opened, result: Any) -> Any:
        raster, picture = opened.raster, result if isinstance(result, Raster) else None
        # Where both sides are read in windows nothing is held whole.
        in_windows = raster.windowed and (picture is None or picture.windowed)
        weight = 0 if in_windows else raster.nbytes + (picture.nbytes if picture else 0)
        with raster, self.budget.hold(weight):
            return self.then(opened, result)


@dataclass(frozen=True, slots=True)
class _Stoppable:
    """A graph that does not begin another run once its user has gone."""

    graph: Graph
    stopped: Event

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return self.graph.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return self.graph.outputs

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        if self.stopped.is_set():
            raise RuntimeFailure("stopped.")
        return self.graph.run(feeds)


def _listened(raster: Raster, heard: list[str]) -> Raster:
    """The raster, whose decoder's complaints go into a list as well."""

    def decode(window: Window | None, at_least_hw: tuple[int, int] | None) -> Image:
        image = raster.decode(window, at_least_hw)
        heard.extend(sentence for sentence in image.warnings if sentence not in heard)
        return image

    return replace(raster, decode=decode)


def _itself(item: Any) -> Any:
    return item


def _with_frames(sources: Iterable[Any], max_pixels: int) -> Generator[Any]:
    """The sources, with its frames in the place of each video."""
    for source in sources:
        if not (isinstance(source, str | os.PathLike) and Item(os.fspath(source), "").is_video):
            yield source
            continue
        path = os.fspath(source)
        try:
            if is_live(path):  # it has no end, and reading ahead of it is the opposite of real time
                raise UsageError(f"{path}: a camera or stream is no part of a list. Give it alone: stream({path!r}).")
            with open_video(path, max_pixels=max_pixels) as video:
                yield from video.frames()
        except PixelwrightError as err:
            yield Frame(FrameRef(path, 0, None), error=err)


def _opened(item: Any) -> Any:
    return item.open() if isinstance(item, Frame) else item


def _without_pixels(done: Done[Any, Any]) -> Done[Any, Any]:
    # Whoever keeps the outcomes of a video should not keep its frames with them.
    return replace(done, item=done.item.ref) if isinstance(done.item, Frame) else done


def _materialize(opened: Opened, result: Any) -> Any:
    del opened
    return result.read() if isinstance(result, Raster) else result
