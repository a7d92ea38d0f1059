"""The card of a trained model: ``artifacts/MODEL/card.md``, out of its sealed files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models.card.figures import head_table, interval_table, risk_table, set_table
from models.card.markdown import bullets, commands, paragraph, section, table
from models.card.sealed import Sealed, read_sealed
from models.checkpoint import SEAL
from models.registry import get_model
from omicstore.files import write_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from models.registry import ModelSpec

__all__ = ["assemble_card", "front_matter", "model_card", "write_card"]

#: Of the fixed part of a card, what stands before the data and figures; the rest stands after.
_FIRST = ("What it is", "What it is for")


def write_card(folder: Path) -> Path:
    """Write ``card.md`` into a trained model's folder and return its path.

    It is made of sealed files alone, so the same model has the same card, and it is written anew with each training.

    Raises
    ------
    OmicstoreError, LeakageError
        As `models.card.sealed.read_sealed`.
    """
    path = folder / "card.md"
    write_bytes(path, model_card(folder).encode())
    return path


def model_card(folder: Path) -> str:
    """Return the card of the model in a folder, in Markdown."""
    sealed = read_sealed(folder)
    tested = paragraph(
        "Not judged yet. `omicstore evaluate` judges the model beside simple predictors and writes the figures, with"
        " this card, to `reports/card.md`."
    )
    return assemble_card(sealed, front_matter(sealed.sidecar, []), section("On the test part", tested))


def front_matter(sidecar: dict[str, Any], results: Sequence[dict[str, Any]]) -> str:
    """Return the YAML that a hub reads.

    Parameters
    ----------
    sidecar
        The model's.
    results
        Entries of ``model-index``.
    """
    import yaml

    body: dict[str, Any] = {
        "library_name": "omicstore",
        "license": "other",
        "license_name": "terms-of-the-training-data",
        "tags": [
            "multi-omics",
            "cancer",
            sidecar["model"],
            *sidecar["modalities"],
            *(["simulated-data"] if sidecar["simulated"] else []),
        ],
    }
    if results:
        body["model-index"] = [{"name": f"{sidecar['model']}-{sidecar['preset']}", "results": list(results)}]
    return "---\n" + yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=120) + "---"


def assemble_card(sealed: Sealed, front: str, tested: str) -> str:
    """Return a whole card.

    Parameters
    ----------
    sealed
        The model's files.
    front
        The YAML at its head.
    tested
        The section on the test part.
    """
    sidecar = sealed.sidecar
    spec = get_model(sidecar["model"])
    fixed = {part["title"]: part["text"] for part in spec.card()}
    warning = "**Trained on simulated data: it knows nothing of real patients.**" if sidecar["simulated"] else ""
    parts = [
        front,
        section(f"{spec.title} on {', '.join(sidecar['cohorts'])}", warning, _summary(sealed, spec), level=1),
        *(section(title, _texts(fixed[title])) for title in _FIRST if title in fixed),
        section("What it was trained on", _data(sealed)),
        section("How it was made and chosen", _making(sealed)),
        section(
            "On val",
            paragraph("Val chose the epoch, so these figures flatter; they say how wide intervals are, not how good."),
            risk_table(sealed.calibration),
            set_table(sealed),
            head_table(sealed),
            interval_table(sealed.calibration),
        ),
        tested,
        *(section(title, _texts(texts)) for title, texts in fixed.items() if title not in _FIRST),
        section("Limits of this one", bullets(_limits(sealed))),
        section("How to use it", _usage(sealed)),
        section("What it rests on", _hashes(sidecar)),
        section("Licence and citation", _licence(spec)),
    ]
    return "\n\n".join(parts) + "\n"


def _texts(texts: Sequence[str]) -> str:
    return paragraph(texts[0]) if len(texts) == 1 else bullets(texts)


def _summary(sealed: Sealed, spec: ModelSpec) -> str:
    sidecar = sealed.sidecar
    sizes = ", ".join(f"{name} ({sidecar['axes'][name]['n_features']:,} features)" for name in sidecar["modalities"])
    return paragraph(
        f"{spec.title}, preset {sidecar['preset']}, {sidecar['n_parameters']:,} parameters. It reads {sizes}, and was "
        f"trained on {sidecar['n_train']:,} samples."
    )


def _data(sealed: Sealed) -> str:
    sidecar, state = sealed.sidecar, sealed.state
    split = sidecar["split"]
    facts = [
        ("data", "simulated" if sidecar["simulated"] else "real"),
        ("cohorts", ", ".join(sidecar["cohorts"])),
        ("sample type", sidecar["sample_type"]),
        ("training samples", f"{sidecar['n_train']:,}"),
        ("val samples", f"{sidecar['n_val']:,}"),
        ("split", f"{split['name']}, fold {split['fold']}"),
        ("release", sidecar["release"][:12]),
    ]
    if "label" in sidecar:
        facts.append(("labels", f"{sidecar['label']['task']}: {', '.join(sidecar['label']['classes'])}"))
    matrices = [
        (name, f"{said['n_rows']:,}", f"{said['n_features']:,}", said["unit"])
        for name, said in state["modalities"].items()
    ]
    return (
        table(("what", "which"), facts) + "\n\n" + table(("modality", "training samples", "features", "unit"), matrices)
    )


def _making(sealed: Sealed) -> str:
    sidecar = sealed.sidecar
    chosen = sidecar["selection"]
    by = (
        f"Epoch {chosen['epoch'] + 1} was chosen by the lowest {chosen['metric']} on {chosen['part']}, "
        f"{chosen['value']:.4f}. The test part had no say."
    )
    said = [
        f"Preset {sidecar['preset']}: {', '.join(f'{k} {v}' for k, v in sorted(sidecar['config'].items()))}.",
        f"Inputs go through the transform {sealed.state['transform']}, fitted on the training rows.",
        by,
        f"Seed {sidecar['seed']}; {_environment(sidecar)}.",
    ]
    return bullets(said)


def _environment(sidecar: dict[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(sidecar["environment"].items()))


def _limits(sealed: Sealed) -> list[str]:
    from models.new.conformal import LEVELS, rows_needed

    sidecar, calibration = sealed.sidecar, sealed.calibration
    seen = (
        f"It has seen {sidecar['sample_type']} samples of {', '.join(sidecar['cohorts'])} and of nothing else. "
        "Of other tissues, platforms and kinds of samples its answers are not to be trusted, even where no warning "
        "comes."
    )
    said = [seen] + [
        f"{name}: too few training rows to say what lies outside the training data."
        for name in sealed.state["modalities"]
        if name not in calibration.get("distances", {})
    ]
    for level in LEVELS:
        short = [pair for pair, own in calibration.get("intervals", {}).items() if own["n_val"] < rows_needed(level)]
        if short:
            names = ", ".join(pair.replace(">", " to ") for pair in short)
            said.append(f"Intervals of {level:.0%} have no bound: too few val rows for {names}.")
    for name, head in sealed.heads.items():
        if "not_trained" in head:
            said.append(f"The head {name} was not trained: {head['not_trained']}.")
            continue
        if head["left_out"]:
            left = ", ".join(f"{label} ({n} training rows)" for label, n in head["left_out"].items())
            said.append(f"The head {name} does not know classes with too few rows: {left}.")
        few = {label: n for label, n in head["counts"]["train"].get("classes", {}).items() if n < _FEW}
        if few:
            said.append(
                f"The head {name} learned some classes from fewer than {_FEW} rows: "
                + ", ".join(f"{label} ({n})" for label, n in few.items())
                + "."
            )
    return said


#: Rows of a class that are few enough to be named.
_FEW = 20


def _usage(sealed: Sealed) -> str:
    sidecar = sealed.sidecar
    first = sidecar["modalities"][0]
    lines = [f"omicstore embed {first}.tsv.gz --model DIR --out place"]
    if sealed.calibration.get("intervals"):
        lines.append(f"omicstore impute {first}.tsv.gz --model DIR --out imputed")
    if sealed.heads or sealed.calibration.get("risks") or sealed.calibration.get("classes"):
        lines.append(f"omicstore predict {first}.tsv.gz --model DIR --out predicted")
    text = paragraph(
        "`DIR` is the folder with this file, or `hf://OWNER/NAME` where it lies on the Hugging Face hub. Every command "
        "checks the seals first, and warns of samples that lie outside the training data."
    )
    return text + "\n\n" + commands(lines)


def _hashes(sidecar: dict[str, Any]) -> str:
    rows = [
        ("release", sidecar["release"]),
        ("split manifest", sidecar["split"]["manifest_hash"]),
        ("training rows", sidecar["row_hash"]["train"]),
        ("val rows", sidecar["row_hash"]["val"]),
        ("fitted state", sidecar["states"][0]["sha256"]),
        ("weights", sidecar["weights"]["sha256"]),
        ("sidecar", sidecar[SEAL]),
    ]
    return (
        table(("what", "hash"), rows)
        + "\n\n"
        + paragraph("This card is made of the files that these hashes seal; `omicstore audit DIR` derives them anew.")
    )


def _licence(spec: ModelSpec) -> str:
    return paragraph(
        "The software is omicstore, BSD-3-Clause, to be cited by its CITATION.cff. The weights were learned from data, "
        f"whose terms hold for them: see the sources of the release. {spec.title} is written from a publication, which "
        "is to be cited beside them; the weights are not its authors'."
    )
