"""Methods that live in an environment of their own: arrays go there through a temporary folder, and risks come back.

The worker is a script of ours that imports the other package, calls what it documents, and knows nothing of omicstore.
No line of the other package is here, and none of them is needed to install or test omicstore.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from omicstore.errors import OmicstoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.floating]

__all__ = ["Followed", "Outside", "OutsideError", "matrices"]

_WORKERS = Path(__file__).parent / "workers"

#: A method that has not answered after so many seconds is given up.
_LIMIT = 3600


class OutsideError(OmicstoreError):
    """A method in an environment of its own is not there, or did not answer."""


@dataclass(frozen=True, slots=True)
class Followed:
    """Samples with follow-up.

    Attributes
    ----------
    views
        Per modality (n, F); NaN where not observed.
    time, event
        (n,) days above 0, and 1 = event.
    """

    views: Mapping[str, Array]
    time: Array
    event: Array

    def whole(self) -> Followed:
        """Return the samples that have every modality."""
        rows = np.all([~np.isnan(values).all(axis=1) for values in self.views.values()], axis=0)
        return Followed({m: values[rows] for m, values in self.views.items()}, self.time[rows], self.event[rows])

    def arrays(self, part: str) -> dict[str, NDArray[np.float32]]:
        """Return what a worker reads under ``PART.time``, ``PART.event`` and ``PART.view.MODALITY``."""
        outcome = {f"{part}.time": self.time, f"{part}.event": self.event}
        return {name: np.asarray(a, dtype=np.float32) for name, a in outcome.items()} | matrices(part, self.views)


def matrices(part: str, views: Mapping[str, Array]) -> dict[str, NDArray[np.float32]]:
    """Return what a worker reads under ``PART.view.MODALITY``; not observed is 0, as models of ours read it."""
    return {f"{part}.view.{m}": np.nan_to_num(np.asarray(values, dtype=np.float32)) for m, values in views.items()}


@dataclass(frozen=True, slots=True)
class Outside:
    """A package in an environment of its own.

    Attributes
    ----------
    name
        As tables print it.
    requires
        What pip installs in that environment, beside torch.
    variable
        The environment variable that names its interpreter.
    worker
        The script that runs there: a file name in ``workers/``, or a path.
    """

    name: str
    requires: str
    variable: str
    worker: str

    @property
    def how(self) -> str:
        """The commands that make the environment and name it."""
        folder = f".venv-{self.requires.partition('==')[0]}"
        # PyPI's torchvision is built for CUDA and fails to load beside a torch for CPUs; neither package uses it.
        return (
            f"python -m venv {folder} && {folder}/bin/pip install torch==2.13.0 {self.requires} "
            f"&& {folder}/bin/pip uninstall -y torchvision && export {self.variable}=$PWD/{folder}/bin/python"
        )

    @property
    def absent(self) -> str | None:
        """Why it cannot run, or None."""
        named = os.environ.get(self.variable)
        if not named:
            return f"{self.variable} names no interpreter that has {self.requires}"
        if not os.access(named, os.X_OK):
            return f"{self.variable} names {named}, which cannot be executed"
        return None

    def run(
        self, arrays: Mapping[str, NDArray[np.float32]], settings: Mapping[str, float | Sequence[float]]
    ) -> dict[str, NDArray[np.float64]]:
        """Run the worker and return the arrays that it answers.

        Parameters
        ----------
        arrays
            What it reads, by name.
        settings
            How it is to go about it.

        Raises
        ------
        OutsideError
            If there is no interpreter, or the worker fails, answers nothing, or takes over an hour.
        """
        if self.absent is not None:
            raise OutsideError(self.absent, run=self.how)
        with TemporaryDirectory(prefix="omicstore-outside-") as name:
            folder = Path(name)
            np.savez(folder / "given.npz", **arrays)  # type: ignore[arg-type]
            (folder / "settings.json").write_text(json.dumps(dict(settings)))
            self._call(folder)
            answer = folder / "answer.npz"
            if not answer.is_file():
                raise OutsideError(f"{self.name} ended without an answer", expected="answer.npz of its worker")
            with np.load(answer, allow_pickle=False) as found:
                answered = {key: np.asarray(found[key], dtype=np.float64) for key in found.files}
        for key, values in answered.items():
            if not np.isfinite(values).all():
                raise OutsideError(f"{self.name} answered {key} with values that are no numbers")
        return answered

    def _call(self, folder: Path) -> None:
        log = folder / "log"
        # Isolated: the worker sees its own environment's packages, and neither this folder nor user settings.
        command = [os.environ[self.variable], "-I", str(_WORKERS / self.worker), str(folder)]
        try:
            with log.open("wb") as out:
                subprocess.run(command, cwd=folder, stdout=out, stderr=subprocess.STDOUT, check=True, timeout=_LIMIT)
        except subprocess.TimeoutExpired as error:
            raise OutsideError(f"{self.name} took over {_LIMIT} seconds") from error
        except subprocess.CalledProcessError as error:
            lines = log.read_text(errors="replace").strip().splitlines()
            said = lines[-1].strip() if lines else "nothing"
            raise OutsideError(f"{self.name} ended with exit code {error.returncode}, saying: {said}") from error
