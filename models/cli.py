"""The commands ``omicstore train``, ``evaluate``, ``price`` and ``report``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from models.registry import MODELS, get_model
from omicstore.cli.common import DryRun, Output, StoreOption, command, find_store, find_study
from omicstore.errors import MissingExtraError

__all__ = ["evaluate", "price", "report", "train"]

_Fresh = Annotated[
    bool, typer.Option("--fresh", help="Start anew where a training that was stopped could go on.", show_default=False)
]

_Model = Annotated[
    str | None,
    typer.Argument(
        metavar="MODEL", help=f"{', '.join(sorted(MODELS))}; what train.model in params.yaml says where absent."
    ),
]


def _need(*packages: str) -> None:
    """Check that packages are there, and settle how their threads wait before any of them is imported."""
    import os
    from importlib.util import find_spec

    # Small layers end too soon for threads that spin while they wait: on a busy machine that costs five times the time.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

    for package in packages:
        if find_spec(package) is None:
            raise MissingExtraError(package, "models")


@command()
def train(
    out: Output, *, model: _Model = None, fresh: _Fresh = False, store: StoreOption = None, dry_run: DryRun = False
) -> None:
    """Train a model on the training rows of one fold.

    What it reads, its preset and the fold are the section train of params.yaml; the split is split.name. Writes
    artifacts/MODEL: weights.safetensors, sidecar.json, state/, history.json and calibration.json, which embed, impute
    and predict need. The validation rows choose the epoch; the test rows are not read. The heads of train.tune, which
    learn labels or survival on top of the model, go to artifacts/MODEL/tuned.

    A training that was stopped goes on from its last finished epochs where settings, data and code are the same, and
    ends with the same bytes; until it ends, artifacts/.MODEL.resume holds what that takes.
    """
    _need("torch", "lightning", "safetensors", "lifelines")
    from models.settings import TrainSettings, read_params

    root = find_study()
    settings = TrainSettings.of(read_params(root), model)
    get_model(settings.model)
    folder = root / "artifacts" / settings.model
    if dry_run:
        out.result({"would_write": str(folder)}, lambda: out.text(f"would write {folder}"))
        return
    import omicstore
    from models.train import train as run
    from models.tune.saved import heads_of

    with omicstore.open(find_store(store)) as opened:
        sidecar = run(root, opened, say=out.note, model=model, fresh=fresh)
    body = {"written": str(folder), "selection": sidecar["selection"], "simulated": sidecar["simulated"]}
    body["heads"] = heads_of(folder)
    out.result(body, lambda: out.text(f"{_mark(sidecar)}trained {settings.model}: {folder}"))


@command()
def evaluate(out: Output, *, model: _Model = None, store: StoreOption = None, dry_run: DryRun = False) -> None:
    """Judge the trained model on the test part, beside simple predictors.

    What is judged is the section evaluate of params.yaml. Writes reports/metrics.json, reports/evaluation.json,
    reports/predictions.parquet (what each number is made of, per test sample), reports/plots/ and reports/card.md, the
    model's card with the figures. Reading the test part is logged in splits/NAME/test_reads.jsonl.
    """
    _need("torch", "lightning", "sklearn", "lifelines")
    root = find_study()
    if model is not None:
        get_model(model)
    if dry_run:
        out.result({"would_write": str(root / "reports")}, lambda: out.text(f"would write {root / 'reports'}"))
        return
    import omicstore
    from models.evaluate.run import evaluate as run

    with omicstore.open(find_store(store)) as opened:
        body = run(root, opened, say=out.note, model=model)

    def show() -> None:
        if body["trained"]["simulated"]:
            out.text("Simulated data.")
        for sentence in body["conclusions"]:
            out.text(sentence)

    out.result(body, show)


@command()
def price(out: Output, *, model: _Model = None, store: StoreOption = None, dry_run: DryRun = False) -> None:
    """Show what leaks are worth: the model under random, patient, site and cohort splits, side by side.

    Trains and judges the model anew in every fold of every strategy of the section price of params.yaml. Writes
    reports/price.json and reports/price.svg; the splits are splits/price/STRATEGY, and say of the rows dealt out at
    random that they serve nothing else.
    """
    _need("torch", "lightning", "sklearn", "lifelines", "matplotlib")
    root = find_study()
    if dry_run:
        out.result(
            {"would_write": str(root / "reports" / "price.json")},
            lambda: out.text("would write reports/price.json, reports/price.svg and splits/price"),
        )
        return
    import omicstore
    from models.price.run import price as run

    with omicstore.open(find_store(store)) as opened:
        body = run(root, opened, say=out.note, model=model)
    out.result(body, lambda: _show_price(out, body))


def _show_price(out: Output, body: dict[str, Any]) -> None:
    from models.price.show import price_table

    if body["simulated"]:
        out.text("Simulated data.")
    for name, found in body["tasks"].items():
        out.print(price_table(name, found))
        for strategy, reason in found["not_applicable"].items():
            out.text(f"  {strategy}: {reason}")
    out.note("written: reports/price.json, reports/price.svg")


@command()
def report(out: Output, *, dry_run: DryRun = False) -> None:
    """Write reports/report.html, one file that opens anywhere, from the evaluation."""
    _need("matplotlib", "jinja2")
    root = find_study()
    path = root / "reports" / "report.html"
    if not dry_run:
        from models.report.html import write_report

        path = write_report(root)
    word = "would write" if dry_run else "written"
    out.result({word.replace(" ", "_"): str(path)}, lambda: out.text(f"{word}: {path}"))


def _mark(sidecar: dict[str, Any]) -> str:
    return "simulated data: " if sidecar["simulated"] else ""
