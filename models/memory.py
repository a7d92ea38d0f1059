"""How much memory there is, here and on an accelerator, and what fits into it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from models.batch import MultiOmicsBatch

__all__ = ["available", "budget", "placed"]

#: Share of an accelerator's free memory that a part may take: weights are there already, moments and activations come.
DEVICE_SHARE = 0.5

#: What the system, and the group of processes that this one is in, say of memory.
_SYSTEM = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")


def available() -> int:
    """Return how many bytes of memory can be had, at least about."""
    try:
        lines = dict(line.split(":", 1) for line in _SYSTEM.read_text(encoding="utf-8").splitlines())
        free = int(lines["MemAvailable"].split()[0]) << 10
    except (OSError, KeyError, ValueError):  # not Linux: what the machine has, of which others may use some
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = int((_GROUP / "memory.max").read_text()) - int((_GROUP / "memory.current").read_text())
    except (OSError, ValueError):  # no limit
        return free
    return min(free, max(limit, 0))


def budget(memory: float) -> int:
    """Return bytes: `memory` itself, or where it is at most 1 that share of what is `available`.

    Examples
    --------
    >>> budget(4e9)
    4000000000
    """
    return int(memory * available()) if memory <= 1 else int(memory)


def placed(whole: MultiOmicsBatch, device: torch.device) -> MultiOmicsBatch:
    """Return a part on the accelerator that trains, where it fits into a share of what is free there; else as it is."""
    if device.type == "cpu":
        return whole
    try:
        free, _ = torch.accelerator.get_memory_info(device)
    except (RuntimeError, NotImplementedError):  # of some accelerators it is not known
        return whole
    return whole.to(device) if whole.nbytes <= DEVICE_SHARE * free else whole
