"""Workers of the fuzzers: processes that are given numbers of inputs, listened to, and replaced if they die or hang."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

HARMLESS = ("read", "refused")
START_S = 60.0  # more for the first input of a worker, which loads libraries and tries sound files before


class Worker:
    """A process that answers each number on its standard input with a line of JSON, and the thread that listens."""

    def __init__(self, command: Sequence[str], noise: Any) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=noise, text=True, bufsize=1
        )
        self.answers: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self.process.stdout or ():
            self.answers.put(line)
        self.answers.put(None)

    def ask(self, number: int, timeout_s: float) -> str:
        """The outcome of one input; afterwards the worker may be dead."""
        try:
            if self.process.stdin is not None:
                self.process.stdin.write(f"{number}\n")
                self.process.stdin.flush()
            answer = self.answers.get(timeout=timeout_s)
        except queue.Empty:
            self.process.kill()
            return "hang"
        except BrokenPipeError:
            answer = None
        return json.loads(answer) if answer else f"crash: exit {self.process.wait()}"


def outcomes(
    command: Sequence[str], numbers: Iterable[int], timeout_s: float, noise: Any, jobs: int = 1
) -> tuple[Counter[str], list[tuple[int, str]]]:
    """Outcomes of all inputs counted by their first word, and those listed that must not be."""
    counts: Counter[str] = Counter()
    findings: list[tuple[int, str]] = []
    lock, pending = threading.Lock(), iter(numbers)

    def drive() -> None:
        worker, fresh = Worker(command, noise), True
        while True:
            with lock:
                number = next(pending, None)
            if number is None:
                worker.process.kill()
                return
            outcome = worker.ask(number, timeout_s + START_S * fresh)
            fresh = worker.process.poll() is not None or outcome == "hang"
            if fresh:
                worker = Worker(command, noise)
            kind = outcome.replace(":", " ").split()[0]
            with lock:
                counts[kind] += 1
                if kind not in HARMLESS:
                    findings.append((number, outcome))

    threads = [threading.Thread(target=drive) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return counts, sorted(findings)
