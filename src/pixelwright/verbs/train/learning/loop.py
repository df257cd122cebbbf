"""The loop: steps until the budget is used up, validations in between, a checkpoint now and then."""

from __future__ import annotations

import logging
import math
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from lightning_fabric import Fabric

from pixelwright.errors import NotFinite, TrainingError
from pixelwright.models.schedules import factor
from pixelwright.verbs.train.folder import Run
from pixelwright.verbs.train.learning.learner import NOT_FINITE, Learner
from pixelwright.verbs.train.learning.progress import Shown, Watch
from pixelwright.verbs.train.learning.source import Source
from pixelwright.verbs.train.scoring.validate import Validation

log = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 60.0  # what a kill costs at the most
SHOWN_SECONDS = 0.5
VALIDATION_SHARE = 0.2  # of the minutes, at the most


@dataclass(eq=False, slots=True)
class Loop:
    """A training on one of the devices it runs on.

    Attributes:
        fabric: Devices, precision, loggers.
        learner: The network.
        source: Batches.
        validation: Scores; only the first device asks for them.
        run: Where checkpoints go.
        watch: The clock.
        data: Fingerprint of the data, for the best weights: they are the best on these.
    """

    fabric: Fabric
    learner: Learner
    source: Source
    validation: Validation
    run: Run
    watch: Watch
    data: str
    _scores: Mapping[str, float] = field(default_factory=dict)
    _checkpoint_s: float = 0.0
    _shown: tuple[float, int] = (0.0, 0)
    _validation_s: float = 0.0
    _undone: float = math.nan
    _diverged: bool = False

    def train(self) -> None:
        """All steps that remain.

        Raises:
            KeyboardInterrupt: The user wants to stop; all of it is in the checkpoint.
            TrainingError: The loss is not finite, or memory does not suffice.
            OutputError: A checkpoint cannot be written.
        """
        progress, schedule = self.learner.progress, self.learner.plan.config.optimizer.schedule
        self._checkpoint_s, self._shown = progress.seconds, (self.watch.seconds, progress.step)
        self._compare_with_kept()
        with self.source.ahead(progress.step) as take, _stop_asked() as stop:
            done, stopped = self._done(asked=stop())
            while done < 1 and not self._gave_up():
                self.learner.step(take(progress.step), factor(schedule, done))
                before, (done, stopped) = done, self._done(asked=stop())
                self._show(done)
                if self._is_due(before, done):
                    self._validate(done)
                    if self._diverged:
                        break  # without a checkpoint, from which nobody could go on
                    self._save()
                elif progress.seconds - self._checkpoint_s >= CHECKPOINT_SECONDS:
                    self._save()
                if stopped:
                    self._save()
                    raise KeyboardInterrupt
            if stop():  # in the last validation
                raise KeyboardInterrupt

    def _done(self, *, asked: bool) -> tuple[float, bool]:
        """Share of the training that is done, and whether it is to stop: the same on all devices.

        Raises:
            TrainingError: The minutes were used up before anything was learned.
        """
        progress, budget = self.learner.progress, self.learner.plan.config.budget
        progress.seconds, stopped = self._agreed(asked=asked)
        if budget.minutes is None:
            return min(progress.step / self.source.order.steps(budget.epochs or 1), 1.0), stopped
        # From the first step on, in which kernels are chosen: loading and that must not use up the warm-up.
        if progress.step <= 1:
            progress.began = progress.seconds
        left = 60 * budget.minutes - progress.began
        if left <= 0:
            raise TrainingError(
                f"--minutes {budget.minutes:g}: {progress.began:.1f} seconds went by before anything was learned, for "
                "looking at the data, decoding them, and the first step. Allow more, or give --epochs."
            )
        return min((progress.seconds - progress.began) / left, 1.0), stopped

    def _agreed(self, *, asked: bool) -> tuple[float, bool]:
        """The time as the first device has it, and whether any of them was asked to stop."""
        seconds, fabric = self.watch.seconds, self.fabric
        if fabric.world_size == 1:
            return seconds, asked
        mine = torch.tensor([seconds if fabric.is_global_zero else 0.0, asked], dtype=torch.float64)
        both = fabric.all_reduce(mine.to(fabric.device), reduce_op="sum")
        return float(both[0]), bool(both[1])

    def _compare_with_kept(self) -> None:
        """Have scores from now on be compared with that of the best weights, if these were chosen by the same data.

        Those of other data stay until one of these is scored: of a run that was at its end none follows.
        """
        progress, best = self.learner.progress, self.run.kept()
        if best is not None and best["data"] != self.data:
            progress.best, progress.best_step, progress.stale = math.nan, 0, 0
        elif best is not None and best["step"] > progress.step:
            # Best weights are written before the checkpoint. By the clock this may not get as far again as the kill.
            self._undone = best["scores"][self.validation.goal]

    def _is_due(self, before: float, done: float) -> bool:
        """Whether a validation lies between the shares before and after a step."""
        count = self.learner.plan.config.budget.validations or 1
        if math.floor(before * count) == math.floor(done * count):
            return False
        # By the clock, training must not drown in validations. Never so with epochs, where runs have to be equal.
        timed = self.learner.plan.config.budget.minutes is not None
        slow = self._validation_s > VALIDATION_SHARE * self.learner.progress.seconds
        return done == 1 or not (timed and slow)

    def _validate(self, done: float) -> None:
        progress, started = self.learner.progress, self.watch.clock()
        found = self.fabric.broadcast(self._scored() if self.fabric.is_global_zero else None)
        if found is None:
            self._diverged = True
            return
        self._scores = found
        value = self._scores[self.validation.goal]
        if math.isnan(value):
            log.warning("step %d: %s has no value on this validation part", progress.step, self.validation.goal)
        better = self._better(value, progress.best)
        progress.stale = 0 if better else progress.stale + 1
        if better or value == progress.best:  # of equals the later, which have learned more
            progress.best, progress.best_step = value, progress.step
            if not self._better(self._undone, value):
                best = {"step": progress.step, "scores": dict(self._scores), "data": self.data}
                self.run.save(self.fabric, self.run.best, {"net": self.learner.validated, **best})
        self._validation_s += self.watch.clock() - started
        self._record(done)

    def _scored(self) -> Mapping[str, float] | None:
        """None if the network answers with values that are not finite, and better weights are kept.

        Raises:
            TrainingError: It does, and there are none.
        """
        try:
            return self.validation(self.learner.validated)
        except NotFinite as err:
            rate = self.learner.optimizer.param_groups[0]["lr"]
            at = f"step {self.learner.progress.step}"
            what = f"the network answers with values that are not finite (learning rate {rate:.3g})"
            best = self.run.kept()
            if best is None:
                raise TrainingError(f"{at}: {what}. {NOT_FINITE}") from err
            log.warning("%s: %s. It ends here with the weights of step %d. %s", at, what, best["step"], NOT_FINITE)
            return None

    def _better(self, value: float, best: float) -> bool:
        if math.isnan(best):
            return not math.isnan(value)
        return value > best if self.validation.more else value < best

    def _record(self, done: float) -> None:
        progress = self.learner.progress
        rate = self.learner.optimizer.param_groups[0]["lr"]
        epoch = progress.step * self.source.order.batch_size / self.source.order.count
        row = {"step": progress.step, "epoch": round(epoch, 3), "minutes": round(progress.seconds / 60, 3)}
        row |= {"learning_rate": rate, "loss": progress.loss, **self._scores}
        if self.fabric.is_global_zero:
            self.run.add_row(row)
        self.fabric.log_dict({name: value for name, value in row.items() if name != "step"}, step=progress.step)
        log.info(
            "%3.0f %%  step %d  loss %.4f  %s %.4f%s",
            100 * done, progress.step, progress.loss, self.validation.goal, self._scores[self.validation.goal],
            "  best so far" if progress.best_step == progress.step else "",
        )  # fmt: skip
        progress.losses, progress.counted = 0.0, 0

    def _gave_up(self) -> bool:
        patience = self.learner.plan.config.budget.patience
        return bool(patience) and self.learner.progress.stale >= patience

    def _save(self) -> None:
        self.run.save(self.fabric, self.run.last, self.learner.state())
        self._checkpoint_s = self.learner.progress.seconds

    def _show(self, done: float) -> None:
        (last_s, last_step), now, progress = self._shown, self.watch.seconds, self.learner.progress
        if now - last_s < SHOWN_SECONDS and done < 1:
            return
        rate = (progress.step - last_step) / max(now - last_s, 1e-9)
        left = (1 - done) / done * now if done else math.inf
        if self.learner.plan.config.budget.epochs is not None:
            left = (self.source.order.steps(self.learner.plan.config.budget.epochs) - progress.step) / max(rate, 1e-9)
        size = self.source.order.batch_size
        if self.watch.show is not None:
            self.watch.show(Shown(done, progress.step, now, left, progress.loss, rate * size, self._scores))
        self._shown = now, progress.step


@contextmanager
def _stop_asked() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed: a step is finished first, so that what is kept fits. Again stops at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def note(number: int, frame: object) -> None:
        del number, frame
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
