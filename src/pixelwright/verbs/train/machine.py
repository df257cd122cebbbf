"""Machine: what there is to train with, and what of it a configuration asks for."""

from __future__ import annotations

import ctypes
import platform
from pathlib import Path
from typing import Literal

import torch
from lightning_fabric.plugins.precision import MixedPrecision, Precision

from pixelwright.errors import PixelwrightError
from pixelwright.model import usable_cores
from pixelwright.verbs.train.settings.config import MachineConfig

Device = Literal["cpu", "cuda"]

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
GLIBC_LARGEST_HEAPED = 32 << 20  # bytes: DEFAULT_MMAP_THRESHOLD_MAX


def device_of(machine: MachineConfig) -> Device:
    """On what it trains: a GPU where there is one that PyTorch can use, unless it was said otherwise."""
    return "cuda" if machine.accelerator != "cpu" and torch.cuda.is_available() else "cpu"


def threads_of(machine: MachineConfig) -> int:
    """As many threads as were asked for, or else as this process has cores."""
    return machine.threads or usable_cores()


def precision_of(machine: MachineConfig) -> Precision:
    """Fabric's plugin for the arithmetic."""
    if machine.precision == "f32":
        return Precision()
    return MixedPrecision("bf16-mixed" if machine.precision == "bf16" else "16-mixed", device_of(machine))


def free_bytes() -> int:
    """Memory that can be had now: of the machine, and within the limit of a container; 4 GB where it is not said."""
    found = []
    try:
        fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        found.append(int(fields["MemAvailable"].split()[0]) * 1024)
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        if limit != "max":
            found.append(int(limit) - int(Path("/sys/fs/cgroup/memory.current").read_text()))
    except (OSError, KeyError, ValueError):
        pass  # another system, or another kind of control groups
    return max(min(found, default=4_000_000_000), 0)


def keep_freed_memory() -> None:
    """Have glibc keep what tensors gave back instead of asking the system for it anew in every step.

    The system clears each page it hands out: 9 % of a step of `blood-cells` on two cores. Up to 64 MB are kept for each
    thread that allocates, by limits that glibc also raises that high by itself (mallopt(3)), for the whole process;
    elsewhere nothing happens.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, GLIBC_LARGEST_HEAPED)
        libc.mallopt(M_TRIM_THRESHOLD, 2 * GLIBC_LARGEST_HEAPED)


def is_out_of_memory(err: Exception) -> bool:
    """Whether an error is that memory ran out, of a GPU or of the machine, and nobody has put it in words yet."""
    if isinstance(err, torch.OutOfMemoryError | MemoryError):
        return True
    if isinstance(err, PixelwrightError):
        return False
    return any(said in str(err) for said in ("can't allocate memory", "not enough memory", "out of memory"))
