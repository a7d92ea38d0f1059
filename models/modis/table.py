"""The table of MODIS's publication on simulated clusters, with simple methods beside it and a value per seed."""

from __future__ import annotations

import json
import math
from concurrent.futures import as_completed
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.files import write_json
from models.modis.config import make_config
from models.modis.settings import SETTINGS, Setting
from models.processes import processes
from omicstore.simulate.intersim import draw_clusters
from omicstore.simulate.intersim_moments import read_moments, simulated_moments

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["FORMAT", "Finished", "Job", "jobs_of", "make_table", "run_job"]

FORMAT = "omicstore.modis_table/1"

#: As published: samples, classes and the shift at which the benchmark is easy; and shifts that leave room.
SAMPLES, CLASSES, EASY, HARDER = 11_500, 5, 2.0, (0.5, 0.3)


@dataclass(frozen=True, slots=True)
class Job:
    """One training.

    Attributes
    ----------
    setting, delta, seed
        What is drawn: the setting, the shift of a cluster, and the seed of clusters, rows, labels and weights.
    samples
        How many.
    moments
        A folder in InterSIM's layout; simulated moments where absent.
    preset, config
        MODIS's preset, and settings that replace the preset's.
    """

    setting: Setting
    delta: float
    seed: int
    samples: int
    moments: Path | None
    preset: str
    config: dict[str, Any]


def jobs_of(
    *,
    seeds: Sequence[int] = range(5),
    samples: int = SAMPLES,
    moments: Path | None = None,
    preset: str = "table",
    config: dict[str, Any] | None = None,
) -> list[Job]:
    """Return what the whole table takes: every setting at delta 2, and the label shares at smaller shifts as well.

    Parameters
    ----------
    seeds, samples, moments, preset, config
        As in `Job`.

    Examples
    --------
    >>> len(jobs_of(seeds=[0]))
    22
    """
    pairs = [(s, EASY) for s in SETTINGS] + [(s, d) for d in HARDER for s in SETTINGS if not s.scarce]
    return [Job(s, d, seed, samples, moments, preset, dict(config or {})) for s, d in pairs for seed in seeds]


def run_job(job: Job) -> dict[str, dict[str, float]]:
    """Train and judge once; return per method its measures on the test rows."""
    import torch

    from models.modis.judge import baselines, modis_measures
    from models.modis.module import MODIS
    from models.modis.study import make_study
    from models.train import fit

    moments = read_moments(job.moments) if job.moments else simulated_moments()
    drawn = draw_clusters(moments, job.samples, delta=job.delta, shares=(1 / CLASSES,) * CLASSES, seed=job.seed)
    config = make_config(job.preset, job.config | {"n_classes": CLASSES})
    study = make_study(drawn, job.setting, batch_size=config.batch_size, seed=job.seed)
    with torch.random.fork_rng():
        torch.manual_seed(job.seed)
        module = MODIS({m: v.shape[1] for m, v in drawn.values.items()}, config)
    best = fit(module, study, config, devices=1, seed=job.seed, advance=lambda: None)
    module.load_state_dict(best.weights)
    return {"modis": modis_measures(module, study)} | baselines(study, job.seed)


class Finished:
    """What trainings have given, kept in a file of a line each, so that a table that was interrupted goes on.

    A line counts for the same job, run by the same code of this package.

    Parameters
    ----------
    path
        The file; made where absent.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        code = sha256()
        for file in sorted(Path(__file__).parent.glob("*.py")):
            code.update(file.read_bytes())
        self._code = code.hexdigest()
        text = path.read_text() if path.is_file() else ""
        whole = text[: text.rfind("\n") + 1]
        if whole != text:  # a full disk leaves half a line, and nothing may be written after that
            path.write_text(whole)
        self._known = {line["job"]: line["found"] for line in map(json.loads, whole.splitlines())}

    def _key(self, job: Job) -> str:
        return json.dumps([self._code, asdict(job)], sort_keys=True, default=str)

    def get(self, job: Job) -> dict[str, dict[str, float]] | None:
        """Return what a job has given, or None."""
        return self._known.get(self._key(job))

    def add(self, job: Job, found: dict[str, dict[str, float]]) -> None:
        """Keep what a job has given."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write(json.dumps({"job": self._key(job), "found": found}) + "\n")


def make_table(
    jobs: Sequence[Job], path: Path, finished: Finished, *, workers: int = 2, advance: Callable[[], None]
) -> dict[str, Any]:
    """Run jobs, and write a row per setting, shift, method and measure.

    Parameters
    ----------
    jobs
        As `jobs_of` gives them.
    path
        The JSON file.
    finished
        What need not be run again; each job is kept there when it is done.
    workers
        Processes.
    advance
        Called after each job.

    Returns
    -------
    What the file holds: ``rows``, each with ``mean``, ``sd``, ``low`` and ``high`` (95% interval of the mean over
    seeds, Student's t) and ``seeds`` (the value of each); ``difference`` rows hold MODIS minus the other method, by
    seed.
    """
    found = {i: known for i, job in enumerate(jobs) if (known := finished.get(job))}
    for _ in found:
        advance()
    with processes(workers) as pool:
        waiting = {pool.submit(run_job, job): i for i, job in enumerate(jobs) if i not in found}
        for done in as_completed(waiting):
            found[waiting[done]] = done.result()
            finished.add(jobs[waiting[done]], done.result())
            advance()
    groups: dict[tuple[str, float], list[int]] = {}
    for i, job in enumerate(jobs):
        groups.setdefault((job.setting.name, job.delta), []).append(i)
    rows = [
        row
        for (_, delta), own in groups.items()
        for row in _rows(jobs[own[0]].setting, delta, {jobs[i].seed: found[i] for i in own})
    ]
    config = make_config(jobs[0].preset, jobs[0].config)
    body = {
        "format": FORMAT,
        "samples": jobs[0].samples,
        "moments": jobs[0].moments.name if jobs[0].moments else "simulated",
        "preset": jobs[0].preset,
        "config": asdict(config),
        "rows": rows,
    }
    write_json(path, body)
    return body


def _rows(setting: Setting, delta: float, found: dict[int, dict[str, dict[str, float]]]) -> list[dict[str, Any]]:
    rows = []
    for method in dict.fromkeys(m for by_method in found.values() for m in by_method):
        by_seed = {seed: by_method[method] for seed, by_method in found.items() if method in by_method}
        for measure in next(iter(by_seed.values())):
            about = {"setting": setting.name, "delta": delta, "method": method, "measure": measure}
            values = {seed: own[measure] for seed, own in by_seed.items()}
            row = about | _summary(values)
            if method == "modis" and delta == EASY:
                row["published"] = setting.published
            rows.append(row)
            if method != "modis" and measure in found[next(iter(found))]["modis"]:
                apart = {seed: found[seed]["modis"][measure] - value for seed, value in values.items()}
                rows.append(about | {"method": f"modis - {method}"} | _summary(apart))
    return rows


def _summary(values: dict[int, float]) -> dict[str, Any]:
    from scipy.stats import t

    each = np.array(list(values.values()))
    n = len(each)
    sd = float(each.std(ddof=1)) if n > 1 else math.nan
    half = float(t.ppf(0.975, n - 1)) * sd / math.sqrt(n) if n > 1 else math.nan
    mean = float(each.mean())
    numbers = {"mean": mean, "sd": sd, "low": mean - half, "high": mean + half}
    return {k: round(v, 6) if math.isfinite(v) else None for k, v in numbers.items()} | {
        "seeds": {str(seed): round(value, 6) for seed, value in values.items()}
    }
