"""Pathology reports as optical character recognition leaves them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import polars as pl

from omicstore.simulate.design import LATENTS
from omicstore.simulate.files import write_table
from omicstore.simulate.streams import stream

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from omicstore.simulate.people import People
    from omicstore.simulate.programmes import State
    from omicstore.simulate.survival import FollowUp

__all__ = ["LABEL_SENTENCE", "make_reports", "write_reports"]

#: How the one sentence begins that gives the subtype away; about a quarter of the reports have it.
LABEL_SENTENCE = "ADDENDUM (label stated):"

MISREAD = {"l": "1", "O": "0", "m": "rn", "S": "5", "e": "c", "i": "l"}
MISREAD_SHARE = 0.04
LEVELS = ("minimal", "mild", "moderate", "marked")


def make_reports(seed: int, people: People, state: State, follow_up: FollowUp) -> pl.DataFrame:
    """Make the reports: patient_id, profile_id (the file's name), text, states_label; a few patients have two."""
    rng = stream(seed, people.design.name, "reports")
    latents = state.latents[people.primary]
    found = follow_up.frame
    rows: list[tuple[str, str, str, bool]] = []
    for i, patient in enumerate(people.patients.iter_rows(named=True)):
        if not patient["has_report"]:
            continue
        for _ in range(2 if rng.random() < 0.02 else 1):
            number = str(uuid.UUID(bytes=rng.bytes(16), version=4)).upper()
            states_label = bool(rng.random() < 0.25)
            text = _text(patient, found["stage"][i], found["grade"][i], latents[i], people.design.tissue, number, rng)
            text = _misread(text, rng)
            if states_label:
                text += f"\n{LABEL_SENTENCE} molecular subtype {patient['subtype']}."
            rows.append((patient["patient_id"], f"{patient['patient_id']}.{number}.PDF", text, states_label))
    return pl.DataFrame(rows, schema=["patient_id", "profile_id", "text", "states_label"], orient="row")


def write_reports(path: Path, seed: int, people: People, state: State, follow_up: FollowUp) -> Path:
    """Write the reports; one row has an empty text and one no barcode."""
    made = make_reports(seed, people, state, follow_up)
    rows: list[tuple[str, str | None, str]] = [
        (name, text, "yes" if states_label else "no") for _, name, text, states_label in made.iter_rows()
    ]
    rows.append(("scan_without_barcode.PDF", "SIMULATED REPORT of nobody", "no"))
    rows[0] = (rows[0][0], None, "no")
    names = ["pdf_file_name_path", "ocr_text", "states_label"]
    return write_table(path, pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row"))


def _text(
    patient: dict[str, object], stage: str, grade: str, latents: NDArray[np.float64], tissue: str, number: str,
    rng: np.random.Generator,
) -> str:  # fmt: skip
    def level(name: str) -> str:
        score = latents[LATENTS.index(name)] + rng.normal(0.0, 0.6)
        return LEVELS[int(min(max(score + 2.0, 0.0), 3.0))]

    size = max(0.4, 2.6 + 0.9 * latents[LATENTS.index("proliferation")] + rng.normal(0.0, 0.8))
    nodes = int(rng.integers(3, 24))
    lines = [
        "SIMULATED REPORT of no real patient",
        f"UUID:{number}",
        f"{patient['patient_id']}-01A-PR Redacted",
        "".join(rng.choice(["I", "1", " ", "l"], 60, p=[0.5, 0.35, 0.1, 0.05])),
        "SURGICAL PATHOLOGY REPORT",
        "Patient Name:   Med. Rec. #:   DOB:",
        f"Gender: {patient['sex']}   Age: [redacted]",
        f"Specimen: {tissue}, excision.",
        f"GROSS DESCRIPTION: The specimen weighs {rng.integers(20, 400)} g and holds a firm tan mass of {size:.1f} cm.",
        f"MICROSCOPIC DESCRIPTION: Mitotic activity is {level('proliferation')}. Necrosis is {level('hypoxia')}.",
        f"There is {level('immune')} lymphocytic infiltration and {level('stroma')} stromal reaction.",
    ]
    if stage:
        positive = int(rng.integers(0, 2)) if stage in ("Stage I", "Stage II") else int(rng.integers(1, nodes))
        lines.append(f"LYMPH NODES: {positive} of {nodes} positive. Pathologic {stage.lower()}.")
    if grade:
        lines.append(f"Histologic grade: {grade}.")
    lines.append("DIAGNOSIS: Tumor as described. Margins are free.")
    return "\n".join(lines)


def _misread(text: str, rng: np.random.Generator) -> str:
    # The head, with the barcode, is left as it is: upstream it was printed over the scan.
    head, _, body = text.partition("SURGICAL PATHOLOGY REPORT")
    draw = rng.random(len(body))
    return (
        head
        + "SURGICAL PATHOLOGY REPORT"
        + "".join(MISREAD.get(c, c) if d < MISREAD_SHARE else c for c, d in zip(body, draw, strict=True))
    )
