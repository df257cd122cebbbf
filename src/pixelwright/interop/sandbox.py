"""Work on a stranger's file in a process of its own: a crash, a hang or a hunger for memory ends there, in a sentence.

Native parsers can be brought down by a file; Python cannot catch that. The child is a new interpreter, so that it works
alike on every system and runs nothing of the caller's script. It answers in JSON, never in pickles.

Time is limited everywhere. Memory is limited where the system limits what a process may write to (Linux).
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwright import errors
from pixelwright.errors import PixelwrightError, RuntimeFailure

REQUEST, ANSWER, COMPLAINTS = "request.json", "answer.json", "complaints.txt"
TAIL_BYTES = 2000
OUT_OF_MEMORY = (
    "bad_alloc", "bad allocation", "MemoryError", "annot allocate memory", "Failed to allocate memory",
)  # fmt: skip
ORPHAN_CORES = 8  # a child whose parent was killed ends after that many times its time
LEAST_BYTES, TIMES_FILE = 1_800_000_000, 8  # with the libraries themselves, 0.1 GB, a small file stays below 2 GB


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may use.

    Attributes:
        seconds: By the clock, start included.
        memory_bytes: That it can write to: what it asks for counts, used or not, and code of libraries does not.
    """

    seconds: float = 300.0
    memory_bytes: int = LEAST_BYTES

    @classmethod
    def of(cls, file_bytes: int) -> Limits:
        """For work on a model file of some size: it is read, parsed, written, and held by the runtime twice."""
        return cls(memory_bytes=max(LEAST_BYTES, TIMES_FILE * file_bytes))


def run(job: str, folder: Path, request: dict[str, Any], *, what: str, limits: Limits = Limits()) -> dict[str, Any]:
    """What a job answers.

    Args:
        job: `module:function`, called in the child with `(folder, request)`; it answers with what JSON can hold.
        folder: Of the job's own: request and answer are written there, and whatever files the job makes.
        request: What JSON can hold.
        what: The file it is about, for the sentence.
        limits: Of time and memory.

    Raises:
        PixelwrightError: As the job raised it.
        RuntimeFailure: It crashed, or needed more than the limits.
    """
    (folder / ANSWER).unlink(missing_ok=True)  # of an earlier job
    (folder / REQUEST).write_text(json.dumps(request), encoding="ascii")
    with (folder / COMPLAINTS).open("wb") as complaints:
        command = [
            sys.executable,
            "-P",
            "-m",
            __name__,
            job,
            str(folder),
            str(limits.memory_bytes),
            str(limits.seconds),
        ]
        try:
            code = subprocess.run(
                command,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=complaints,
                stderr=subprocess.STDOUT,
                timeout=limits.seconds,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired as err:
            raise RuntimeFailure(
                f"{what}: not finished after {limits.seconds:.0f} s. The file is damaged, or far too big for this."
            ) from err
    return _answer(folder, code, what, limits)


def _answer(folder: Path, code: int, what: str, limits: Limits) -> dict[str, Any]:
    try:
        answer = json.loads((folder / ANSWER).read_bytes())
    except (OSError, ValueError):
        answer = None
    complaints = _tail(folder / COMPLAINTS)
    hungry = f"{what}: needs more than {limits.memory_bytes / 1e9:.1f} GB of memory. The file is damaged, or too big."
    if not isinstance(answer, dict):
        if any(sign in complaints for sign in OUT_OF_MEMORY):
            raise RuntimeFailure(hungry)
        raise RuntimeFailure(
            f"{what}: the process that worked on it crashed ({_ending(code)}). "
            "The file is damaged, or made to do harm: fetch it again from a source you trust."
        )
    if "value" in answer:
        return answer["value"]
    message = str(answer.get("message"))
    if any(sign in message for sign in OUT_OF_MEMORY):
        raise RuntimeFailure(hungry)
    kind = getattr(errors, str(answer.get("error")), None)
    if isinstance(kind, type) and issubclass(kind, PixelwrightError):
        with contextlib.suppress(TypeError):  # a kind that takes more than a sentence
            raise kind(message)
    raise RuntimeFailure(f"{what}: {answer.get('error')}: {message}")


def _ending(code: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"code {code}"


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        return file.read().decode("utf-8", "replace")


def _environment() -> dict[str, str]:
    # The child sees the modules that we see. Threads have memory each, so that their number has to be known.
    # ONNX Runtime 1.31 otherwise keeps records of use in the home folder, to be sent away.
    few = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "4", "ORT_DISABLE_TELEMETRY": "1"}
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **few}


def _serve(job: str, folder: Path, limits: Limits) -> None:
    """The child's side."""
    _limit(limits)
    module, _, name = job.partition(":")
    try:
        request = json.loads((folder / REQUEST).read_bytes())
        answer: dict[str, Any] = {"value": getattr(importlib.import_module(module), name)(folder, request)}
    except MemoryError:
        answer = {"error": "RuntimeFailure", "message": "MemoryError"}
    except Exception as err:  # whatever it is, the parent says it
        answer = {"error": type(err).__name__, "message": " ".join(str(err).split())[:4000]}
    aside = folder / f"{ANSWER}.partial"
    aside.write_text(json.dumps(answer), encoding="ascii")
    aside.replace(folder / ANSWER)
    os._exit(0)  # native libraries may yet crash on their way out


def _limit(limits: Limits) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    for name, most in (
        ("RLIMIT_CORE", 0),
        ("RLIMIT_DATA", limits.memory_bytes),
        ("RLIMIT_FSIZE", limits.memory_bytes),
        ("RLIMIT_CPU", ORPHAN_CORES * int(limits.seconds)),
    ):
        kind = getattr(resource, name, None)
        with contextlib.suppress(ValueError, OSError):  # macOS knows the names and refuses the values
            if kind is not None:
                hard = resource.getrlimit(kind)[1]
                known = hard != resource.RLIM_INFINITY
                resource.setrlimit(kind, (min(most, hard) if known else most, hard))


if __name__ == "__main__":
    _serve(sys.argv[1], Path(sys.argv[2]), Limits(memory_bytes=int(sys.argv[3]), seconds=float(sys.argv[4])))
