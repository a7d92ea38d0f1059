"""What was measured: the aliquots of a cohort for one assay, their barcodes and their batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from omicstore.simulate.people import base36
from omicstore.simulate.streams import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from omicstore.simulate.people import People

__all__ = ["Aliquots", "IdForm", "make_aliquots"]

IdForm = Literal["patient", "sample", "vial", "dotted vial", "aliquot", "dotted aliquot"]

#: Analyte letter and centre in the barcode.
ANALYTE = {"rna": ("R", "07"), "meth": ("D", "05"), "prot": ("", "20"), "metab": ("M", "90")}
PLATE_SIZE = 45
#: Share of the normals and metastases that an assay covers.
OTHER_SAMPLES = {"rna": 1.0, "meth": 1.0, "prot": 0.35, "metab": 0.5}


@dataclass(frozen=True, slots=True)
class Aliquots:
    """The aliquots of one assay in one cohort, in the order in which the file has them.

    Attributes
    ----------
    ids
        Ids as the file writes them.
    sample
        (n,) row of each in ``People.samples``.
    site, plate
        (n,) batch numbers.
    ffpe
        (n,) whether the aliquot comes from paraffin.
    """

    ids: list[str]
    sample: NDArray[np.int64]
    site: NDArray[np.int64]
    plate: NDArray[np.int64]
    ffpe: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)


def make_aliquots(seed: int, people: People, modality: str, form: IdForm, scale: float) -> Aliquots:
    """Choose who is measured, which samples twice, and name the aliquots.

    A second aliquot is a later vial, the same vial on another plate or, for each third one, a later vial from
    paraffin; as far as the file's ids can tell them apart. In a file of patients it is an unexplained second row.
    """
    design = people.design
    rng = stream(seed, design.name, modality, "aliquots")
    sample = _measured(people, modality, form, rng)
    sites = {code: i for i, code in enumerate(sorted(set(people.patients["site"])))}
    site_of = np.array([sites[code] for code in people.patients["site"]])[people.samples["patient"].to_numpy()]
    # Sites ship their samples together, so plates follow sites, but not strictly.
    order = np.argsort(site_of[sample] + rng.normal(0.0, 1.5, sample.size), kind="stable")
    plate = np.empty(sample.size, dtype=np.int64)
    plate[order] = np.arange(sample.size) // PLATE_SIZE
    vial = np.full(sample.size, "A")
    portion = rng.choice(["11", "12", "21"], sample.size, p=[0.8, 0.1, 0.1])
    ffpe = np.zeros(sample.size, dtype=bool)
    primaries = np.flatnonzero((people.samples["type"] == "01").to_numpy()[sample])
    twice = rng.permutation(primaries)[: _replicates(people, form, scale)]
    for i, row in enumerate(np.sort(twice)):
        later = form not in ("aliquot", "dotted aliquot") or i % 2 == 0
        sample = np.append(sample, sample[row])
        vial = np.append(vial, "B" if later else "A")
        portion = np.append(portion, "11" if later else portion[row])
        ffpe = np.append(ffpe, later and i % 3 == 0)
        plate = np.append(plate, plate.max() + 1 if i == 0 else plate.max())
    names = people.samples["sample_id"].to_list()
    codes = _plates(people, modality, int(plate.max()) + 1)
    ids = [
        _barcode(names[s], form, str(v), str(p), modality, codes[n])
        for s, v, p, n in zip(sample, vial, portion, plate, strict=True)
    ]
    shuffled = rng.permutation(sample.size)
    return Aliquots(
        [ids[i] for i in shuffled], sample[shuffled], site_of[sample][shuffled], plate[shuffled], ffpe[shuffled]
    )


def _measured(people: People, modality: str, form: IdForm, rng: np.random.Generator) -> NDArray[np.int64]:
    has = people.patients[f"has_{modality}"].to_numpy()[people.samples["patient"].to_numpy()]
    primary = (people.samples["type"] == "01").to_numpy()
    others = ~primary & (rng.random(primary.size) < OTHER_SAMPLES[modality]) & (form != "patient")
    return np.flatnonzero(has & (primary | others))


def _replicates(people: People, form: IdForm, scale: float) -> int:
    if form == "sample":  # ids cut to the sample could not tell the two apart, and a header must not repeat
        return 0
    return people.design.scaled(people.design.replicates, scale)


def _plates(people: People, modality: str, count: int) -> list[str]:
    # Plate codes of the real programme are four characters that begin with a letter.
    first = 36 * (ord(people.design.site_prefix) * 8 + list(ANALYTE).index(modality))
    return ["A" + base36(first + i, 3) for i in range(count)]


def _barcode(sample: str, form: IdForm, vial: str, portion: str, modality: str, plate: str) -> str:
    analyte, centre = ANALYTE[modality]
    if form == "patient":
        return sample[:-3]
    if form == "sample":
        return sample
    text = sample + vial
    if form.endswith("aliquot"):
        text += f"-{portion}{analyte}-{plate}-{centre}"
    return text.replace("-", ".") if form.startswith("dotted") else text
