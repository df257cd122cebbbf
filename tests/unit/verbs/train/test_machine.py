"""What there is to train with."""

from __future__ import annotations

import pytest
import torch

from pixelwright.errors import TrainingError
from pixelwright.verbs.train.machine import device_of, free_bytes, is_out_of_memory, threads_of
from pixelwright.verbs.train.settings.config import MachineConfig


def test_there_is_free_memory() -> None:
    assert free_bytes() > 1_000_000


@pytest.mark.parametrize(
    ("err", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (MemoryError(), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:117] not enough memory"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (TrainingError("out of memory with 1 pictures at once: take smaller ones."), False),  # in words already
    ],
)
def test_it_is_seen_when_memory_ran_out(err: Exception, expected: bool) -> None:
    assert is_out_of_memory(err) is expected


def test_where_a_cpu_is_asked_for_it_is_taken() -> None:
    assert device_of(MachineConfig(accelerator="cpu")) == "cpu"


def test_threads_that_are_asked_for_are_taken() -> None:
    assert threads_of(MachineConfig(threads=3)) == 3
    assert threads_of(MachineConfig()) >= 1
