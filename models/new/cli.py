"""The commands ``omicstore embed``, ``impute`` and ``predict``: a trained model on new patients or a part of a split.

With --json one object, which summary.json in the folder holds as well: command, model (name, release, split, fold,
sidecar_hash, simulated), samples (n, outside, from), features (per modality given: known, expected, further), files,
warnings, and per command what the tables hold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omicstore.cli.common import DryRun, Output, StudyMissingError, command, find_store, find_study
from omicstore.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from models.batch import MultiOmicsBatch
    from models.checkpoint import Checkpoint
    from models.new.align import Aligned
    from models.new.apply import Found
    from models.new.calibration import Calibration

__all__ = ["embed", "impute", "predict"]

#: What a source calls the two ways round.
_ORIENTATION = {"rows": "features_in_columns", "columns": "features_in_rows"}


@dataclass(frozen=True, slots=True)
class Given:
    """Whom a model is put to; the fields are options of the command line."""

    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE...]", help="New patients' files, and reference tables; or --part, or --sources."),
    ] = None
    folder: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="The folder to make; needed unless --dry-run.")
    ] = None
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="NAME|DIR|hf://OWNER/NAME", help="A model. [train.model]"),
    ] = None
    modality: Annotated[
        str | None, typer.Option("--modality", metavar="NAME", help="What the one file measures. [recognised]")
    ] = None
    unit: Annotated[
        str | None, typer.Option("--unit", metavar="UNIT", help="In which unit, e.g. 'log2(tpm+1)'. [recognised]")
    ] = None
    samples_in: Annotated[
        str | None, typer.Option("--samples-in", metavar="rows|columns", help="Which way round it is. [recognised]")
    ] = None
    references: Annotated[
        list[Path] | None,
        typer.Option("--references", metavar="FILE", help="Reference tables. [those of the study]"),
    ] = None
    sources: Annotated[
        Path | None,
        typer.Option("--sources", metavar="FILE", help="A study file of new patients, as omicstore sources writes it."),
    ] = None
    part: Annotated[
        str | None,
        typer.Option("--part", metavar="train|val|test", help="A part of the model's split; a test read is logged."),
    ] = None
    store: Annotated[
        str | None, typer.Option("--store", metavar="PATH|URL", help="With --part: the store. [that of the study]")
    ] = None
    only: Annotated[
        str | None,
        typer.Option("--from", metavar="NAME,...", help="Use these modalities of the samples and no other. [all]"),
    ] = None
    written_as: Annotated[str, typer.Option("--format", metavar="parquet|csv", help="Of the tables.")] = "parquet"


@command(warns=True)
def embed(out: Output, *, given: Given, dry_run: DryRun = False) -> None:
    r"""Say where samples lie in a trained model's space.

    Writes DIR/embedding (a row per sample: z1, z2, ...), samples (what each has, and how far it lies from the training
    rows) and summary.json. New samples are transformed as the training rows were; nothing is fitted.

    \b
    Examples:
      omicstore embed rna.tsv.gz --out place
      omicstore embed --part val --out place
    """
    from models.new.apply import embedding

    _run(out, "embed", given, lambda checkpoint, _, batch, __: embedding(checkpoint, batch), dry_run=dry_run)


@command(warns=True)
def impute(
    out: Output,
    *,
    given: Given,
    to: Annotated[
        str | None, typer.Option("--to", metavar="NAME,...", help="What to impute. [all that the samples lack]")
    ] = None,
    level: Annotated[float, typer.Option("--level", metavar="0.8|0.9|0.95", help="Of the intervals.")] = 0.9,
    dry_run: DryRun = False,
) -> None:
    r"""Predict what was not measured, such as proteins from RNA, with an interval for each value.

    Writes for each modality M that is imputed DIR/M, M.low and M.high (a row per sample, a column per feature, in the
    unit of the training data), M.features (the range of each feature: a bound at its end is open), samples and
    summary.json.

    \b
    Examples:
      omicstore impute rna.tsv.gz --to prot --out proteins
      omicstore impute rna.csv --modality rna --unit 'log2(tpm+1)' --format csv --out proteins
      omicstore impute --part val --from rna --to prot --out proteins
    """
    from models.new.apply import imputation

    targets = _names(to)

    def work(checkpoint: Checkpoint, calibration: Calibration, batch: MultiOmicsBatch, _: Path) -> Found:
        return imputation(checkpoint, calibration, batch, targets=targets, level=level)

    _run(out, "impute", given, work, dry_run=dry_run)


@command(warns=True)
def predict(
    out: Output,
    *,
    given: Given,
    head: Annotated[
        str | None,
        typer.Option("--head", metavar="NAME,...", help="Heads of train.tune. [all; a model without: its probes]"),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    r"""Predict risk or class, as far as the model has a head or a survival probe.

    Writes DIR/head.NAME of each head that train.tune of params.yaml asked for: classes with their probabilities and the
    set that holds the true one in 90 of 100 patients, or risk with its percentile among the training patients and
    survival at 1, 3 and 5 years beside what became of val patients of like risk. Of a model without heads DIR/risk, by
    its survival probe, or DIR/classes; and samples and summary.json, which says what each was worth on val. A research
    result, not advice.

    \b
    Examples:
      omicstore predict rna.tsv.gz --out risk
      omicstore predict rna.tsv.gz --head subtype --out classes
    """
    from models.new.apply import prediction

    names = _names(head)

    def work(checkpoint: Checkpoint, calibration: Calibration, batch: MultiOmicsBatch, folder: Path) -> Found:
        from models.checkpoint import SEAL
        from models.new.heads import load_heads, read_head_calibration
        from models.tune.saved import load_tuned

        heads = load_tuned(folder, checkpoint)
        calibrated = read_head_calibration(folder, {name: own.sidecar[SEAL] for name, own in heads.items()})
        asked = {name: (own, calibrated[name]) for name, own in load_heads(heads, names).items()}
        return prediction(checkpoint, calibration, batch, heads=asked, alone=bool(names))

    _run(out, "predict", given, work, dry_run=dry_run)


def _run(
    out: Output,
    name: str,
    given: Given,
    work: Callable[[Checkpoint, Calibration, MultiOmicsBatch, Path], Found],
    *,
    dry_run: bool,
) -> None:
    from models.cli import _need

    _need("torch", "lightning", "safetensors")
    from models.new.show import show
    from models.new.write import FORMATS, check_folder, write_results

    _check(given, dry_run=dry_run)
    if given.written_as not in FORMATS:
        raise UnknownNameError("format", given.written_as, FORMATS)
    if given.folder is not None:
        check_folder(given.folder)
    given = _downloaded(given)
    from models.checkpoint import load_checkpoint
    from models.new.apply import only_given, samples_table
    from models.new.calibration import load_calibration

    home = _home(given)
    folder = _model_folder(given, home)
    checkpoint = load_checkpoint(folder)
    calibration = load_calibration(folder, checkpoint.sidecar)
    if dry_run and given.part == "test":
        raise UsageError("a dry run does not read the test part", expected="--part val or train, or no --dry-run")
    new = _samples(out, given, home, checkpoint)
    batch = new.batch
    if given.only is not None:
        batch = only_given(batch, _names(given.only))
    samples, warnings = samples_table(batch, calibration)
    found = _seeded(checkpoint, lambda: work(checkpoint, calibration, batch, folder))
    warnings = [*new.warnings, *warnings, *found.warnings]
    for warning in warnings:
        out.warn(warning)
    out.stop_if_strict()
    tables = {**found.tables, "samples": samples}
    sidecar = checkpoint.sidecar
    body: dict[str, Any] = {
        "command": name,
        "model": {k: sidecar[k] for k in ("model", "release", "split", "sidecar_hash", "simulated")},
        "samples": {
            "n": len(batch),
            "outside": int((samples["outside"] != "").sum()),
            "from": given.part or [str(p) for p in given.files or ()] or [str(given.sources)],
        },
        "features": new.features,
        "warnings": warnings,
        **found.summary,
    }
    files = [f"{table}.{given.written_as}" for table in tables] + ["summary.json"]
    if not dry_run and given.folder is not None:
        files = write_results(given.folder, tables, body, given.written_as)
    word = "would_write" if dry_run else "written"
    out.result(body | {word: str(given.folder or ""), "files": sorted(files)}, lambda: show(out, body, tables))
    if not dry_run:
        out.note(f"wrote {given.folder}: {', '.join(sorted(files))}")


def _seeded(checkpoint: Checkpoint, work: Callable[[], Found]) -> Found:
    """Return what `work` gives from the training's seed: a model may draw from its latent space."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(checkpoint.sidecar["seed"])
        return work()


def _check(given: Given, *, dry_run: bool) -> None:
    """Raise unless exactly one place is named that samples come from, and one that results go to."""
    ways = [bool(given.files), given.part is not None, given.sources is not None]
    if sum(ways) != 1:
        raise UsageError(
            "samples come from files, from --sources or from --part, and "
            + ("none is named" if not any(ways) else "more than one is named"),
            expected="FILE..., --sources FILE or --part val",
        )
    if given.part is not None and given.part not in ("train", "val", "test"):
        raise UnknownNameError("part", given.part, ("train", "val", "test"))
    if not given.files and (given.modality or given.unit or given.samples_in):
        raise UsageError("--modality, --unit and --samples-in are of a file", expected="FILE...")
    if given.samples_in is not None and given.samples_in not in _ORIENTATION:
        raise UnknownNameError("value of --samples-in", given.samples_in, _ORIENTATION)
    if given.part is None and given.store is not None:
        raise UsageError("--store is read with --part alone", expected="--part val")
    if given.folder is None and not dry_run:
        raise UsageError("no folder is named for the results", expected="--out DIR", run="add --out DIR or --dry-run")


def _downloaded(given: Given) -> Given:
    """Return the same with the folder of a model that lies on the hub."""
    from models.new.hub import SCHEME, fetch_model

    if given.model is None or not given.model.startswith(SCHEME):
        return given
    return replace(given, model=str(fetch_model(given.model)))


def _home(given: Given) -> Path | None:
    """Return the study that the model lies in, or the working folder where the model is no folder."""
    start = Path(given.model) if given.model is not None and Path(given.model).is_dir() else None
    try:
        return find_study(start)
    except StudyMissingError:
        if start is None or given.part is not None:
            raise
        return None


def _model_folder(given: Given, home: Path | None) -> Path:
    if given.model is not None and Path(given.model).is_dir():
        return Path(given.model)
    from models.settings import TrainSettings, read_params

    assert home is not None  # a name is one of a study's models
    return home / "artifacts" / TrainSettings.of(read_params(home), given.model).model


def _samples(out: Output, given: Given, home: Path | None, checkpoint: Checkpoint) -> Aligned:
    """Return the samples with what is to be said of them."""
    from models.new.align import Aligned, align

    if given.part is not None:
        assert home is not None
        return Aligned(_part(given, home, checkpoint))
    from models.new.read import declared_study, read_matrices, recognised_study

    if given.sources is not None:
        data = declared_study(given.sources, home)
    else:
        data = recognised_study(
            given.files or [],
            modality=given.modality,
            unit=given.unit,
            orientation=_ORIENTATION.get(given.samples_in or ""),
            references=given.references or (),
            home=home,
        )
    modalities = checkpoint.sidecar["modalities"]
    units = {m: checkpoint.state.pipelines[m].unit for m in modalities}
    matrices = read_matrices(data, units)
    aligned = align(matrices, checkpoint.state, modalities, sample_type=checkpoint.sidecar["sample_type"])
    for note in data.notes:
        out.note(note)
    for modality, count in aligned.features.items():
        out.note(f"{modality}: {count['known']} of the model's {count['expected']} features, {count['further']} others")
    aligned.warnings[:0] = [*data.warnings, *data.strange_to(checkpoint.sidecar["cohorts"])]
    return aligned


def _part(given: Given, home: Path, checkpoint: Checkpoint) -> MultiOmicsBatch:
    import omicstore
    from models.datamodule import CohortDataModule
    from omicstore.errors import LeakageError

    sidecar = checkpoint.sidecar
    with omicstore.open(given.store or find_store(str(home / "data" / "store"))) as store:
        if sidecar["release"] != store.release:
            raise LeakageError(
                f"the model was trained on release {sidecar['release'][:12]} and the store holds {store.release[:12]}",
                expected="a model of this release",
                run="omicstore split make and omicstore train, or give files instead of --part",
            )
        data = CohortDataModule(
            store,
            home / "splits" / sidecar["split"]["name"],
            sidecar["split"]["fold"],
            modalities=sidecar["modalities"],
            cohorts=sidecar["cohorts"],
            sample_type=sidecar["sample_type"],
            state=checkpoint.state,
            reader=f"omicstore use: {sidecar['model']}, weights {sidecar['weights']['sha256'][:12]}",
        )
        return data.part(given.part or "")


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]
