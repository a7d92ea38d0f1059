"""How long a step of each model takes at the size of its publication, on whatever accelerator there is.

Single and mixed precision, as it is and compiled, on random numbers: ``python benchmarks/full_size.py [--models aro]
[--share S] [--batch N] [--steps N]``. Prints one JSON object: seconds per step (median, after the first two), peak
memory of the accelerator, and the seconds of the first step, which of a compiled model includes compiling. `--share`
takes that share of the features, to try the script on a small machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import lightning.pytorch as lightning
import numpy as np
import torch
from torch.utils.data import DataLoader

from models.batch import MultiOmicsBatch, Targets
from models.checkpoint import environment
from models.loaders import Batches, SeededBatches
from models.memory import placed
from models.registry import get_model
from models.train import quiet_lightning

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Model and preset, the features of its publication, and the batch.
CASES: dict[str, tuple[str, dict[str, int], int]] = {
    "aro default": ("aro", {"rna": 50_455, "prot": 20_573, "metab": 66}, 64),
    "aro paper": ("aro", {"rna": 50_455, "prot": 20_573, "metab": 66}, 80),
    "modis paper": ("modis", {"meth": 367, "rna": 131, "prot": 160}, 96),
    "imputmae paper": ("imputmae", {"rna": 16_304, "meth": 25_978}, 256),
    "imputmae paper-large": ("imputmae", {"rna": 16_304, "meth": 25_978}, 256),
}
UNTIMED = 2


class Times(lightning.Callback):
    """Seconds of each step, counted when the accelerator is done."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._start = 0.0

    def on_train_batch_start(self, *_: object) -> None:
        """Start the clock."""
        _wait()
        self._start = time.perf_counter()

    def on_train_batch_end(self, *_: object) -> None:
        """Stop it."""
        _wait()
        self.seconds.append(time.perf_counter() - self._start)


class Random(lightning.LightningDataModule):
    """One batch of random numbers, given out again and again."""

    def __init__(self, axes: dict[str, int], n: int, steps: int, classes: int) -> None:
        super().__init__()
        rng = np.random.default_rng(1)
        arrays = {m: rng.standard_normal((n, f), dtype=np.float32) for m, f in axes.items()}
        ids = [f"S{i}" for i in range(n)]
        targets = replace(Targets.empty(n), label=torch.arange(n) % classes)
        self.whole, self.steps = MultiOmicsBatch.from_arrays(arrays, ids, ids, targets), steps

    def train_dataloader(self) -> DataLoader[MultiOmicsBatch]:
        """Return the same rows so many times."""
        assert self.trainer is not None
        whole = placed(self.whole, self.trainer.strategy.root_device)
        return DataLoader(Batches(whole), batch_size=None, sampler=_Again(len(whole), self.steps))

    def val_dataloader(self) -> DataLoader[MultiOmicsBatch]:
        """Return two rows: the learning rate of some models looks at their loss."""
        return DataLoader(Batches(self.whole.take([0, 1])), batch_size=None, sampler=_Again(2, 1))


class _Again(SeededBatches):
    def __init__(self, n: int, steps: int) -> None:
        super().__init__(n, n, seed=None)
        self.steps = steps

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[int]]:
        for _ in range(self.steps):
            yield list(range(self.n))


def _wait() -> None:
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()


def timed(case: str, precision: str, *, compiled: bool, args: argparse.Namespace) -> dict[str, Any]:
    """Return what the steps of one model in one way took."""
    model, axes, n = CASES[case]
    axes = {m: max(8, int(f * args.share)) for m, f in axes.items()}
    spec = get_model(model)
    changes: dict[str, Any] = {"precision": precision} | ({"compile": True} if compiled else {})
    config = spec.make_config(case.split()[1], changes)
    torch.manual_seed(1)
    module, times = spec.build(axes, config), Times()
    if torch.accelerator.is_available():
        torch.accelerator.reset_peak_memory_stats()
    with quiet_lightning():
        lightning.Trainer(
            accelerator="auto",
            devices=1,
            precision=precision,
            max_epochs=1,
            callbacks=[times],
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=False,
        ).fit(module, datamodule=Random(axes, args.batch or n, args.steps, getattr(config, "n_classes", 1)))
    peak = torch.accelerator.max_memory_allocated() if torch.accelerator.is_available() else None
    return {
        "case": case,
        "precision": precision,
        "compiled": compiled,
        "batch": args.batch or n,
        "n_features": sum(axes.values()),
        "n_parameters": module.n_parameters,
        "first_step_s": round(times.seconds[0], 4),
        "step_s": round(statistics.median(times.seconds[UNTIMED:]), 4),
        "peak_gb": None if peak is None else round(peak / 1e9, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=sorted({model for model, _, _ in CASES.values()}))
    parser.add_argument("--share", type=float, default=1.0, help="of the features")
    parser.add_argument("--batch", type=int, help="rows, instead of those of the publication")
    parser.add_argument("--steps", type=int, default=12)
    args = parser.parse_args()
    rows = []
    for case, (model, _, _) in CASES.items():
        if model not in args.models:
            continue
        can_compile = hasattr(get_model(model).make_config(case.split()[1], {}), "compile")
        for precision in ("32-true", "bf16-mixed"):
            for compiled in (False, True) if can_compile else (False,):
                rows.append(timed(case, precision, compiled=compiled, args=args))
                print(rows[-1], file=sys.stderr)
    print(json.dumps({"environment": environment(), "threads": torch.get_num_threads(), "steps": rows}, indent=1))


if __name__ == "__main__":
    main()
