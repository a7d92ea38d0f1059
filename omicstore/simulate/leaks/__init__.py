"""Leak canaries: known leaks, planted in cases whose truth is known, at any strength.

`CANARIES` is the table; each line names the function that plants one. A plant is pure: it returns another case, and
says what it changed; all else stays as it was. What strength means is each plant's own, and said in the table.

>>> from omicstore.simulate.leaks import CANARIES
>>> CANARIES["L1"].strength
'tumours with two aliquots, whose aliquots are dealt out one by one'
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal, cast

from omicstore.simulate.leaks.case import Case, Planted
from omicstore.simulate.leaks.draw import draw_case

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

__all__ = ["CANARIES", "Canary", "Case", "Planted", "draw_case"]

_HERE = "omicstore.simulate.leaks"


@dataclass(frozen=True, slots=True)
class Canary:
    """A leak that can be planted.

    Attributes
    ----------
    name
        Of the canary.
    finding
        Of the audit, which is to catch it.
    where
        ``module:function`` of the plant.
    title
        What is planted.
    strength
        What is 100% of at full strength.
    shown_by
        Whether a split shows it, or a trained model.
    temporal
        Whether it is planted in a split by years.
    """

    name: str
    finding: str
    where: str
    title: str
    strength: str
    shown_by: Literal["split", "model"] = "split"
    temporal: bool = False

    def plant(self, case: Case, strength: float, rng: np.random.Generator) -> Planted:
        """Plant the leak in a case."""
        module, name = self.where.split(":")
        function = getattr(import_module(f"{_HERE}.{module}"), name)
        return cast("Callable[[Case, float, np.random.Generator], Planted]", function)(case, strength, rng)


#: The canaries by name, in the order of the table.
CANARIES: dict[str, Canary] = {
    c.name: c
    for c in (
        Canary(
            "L1", "L1", "people:one_patient", "aliquots of one tumour on both sides",
            "tumours with two aliquots, whose aliquots are dealt out one by one",
        ),
        Canary(
            "L2", "L2", "people:sample_types", "normal or metastasis apart from the tumour",
            "patients with samples of two types, whose samples are dealt out one by one",
        ),
        Canary(
            "L3", "L3", "sites:scattered", "patients of one site on both sides",
            "sites whose patients are dealt out one by one",
        ),
        Canary(
            "L4", "L4", "fitting:fitted_on_all", "scaling fitted on held-out rows too",
            "held-out samples that the transform was fitted on as well", "model",
        ),
        Canary(
            "L5", "L5", "choice:chosen_by_test", "epoch chosen by test loss",
            "epochs, those of lowest val loss, of which the test loss chose one", "model",
        ),
        Canary(
            "L6", "L6", "overlap:overlapping", "COAD and COADREAD overlap, in two parts",
            "patients of COAD who are in COADREAD too",
        ),
        Canary(
            "L6 encoder", "L6", "overlap:pretrained", "encoder trained on the test patients' cohorts",
            "cohorts whose reports the encoder was trained on",
        ),
        Canary(
            "L7", "L7", "names:measured_again", "measured again by another programme",
            "half of COAD, measured again under other ids; no table says who is who",
        ),
        Canary(
            "L7 followed", "L8", "names:followed_anew", "the same, with a follow-up of its own (found as L8)",
            "half of COAD, measured again under other ids",
        ),
        Canary(
            "L7 aliases", "L7", "names:aliased", "the same, and the table of aliases not heeded",
            "half of COAD, measured again under other ids",
        ),
        Canary(
            "L8", "L8", "similarity:doubled", "one profile under two patients' names",
            "closeness of four copies: noise of 0.02 in log2 at 100%, 0.41 at 50%, 0.61 at 25%",
        ),
        Canary(
            "L9", "L9", "labels:called", "labels called from the RNA",
            "patients whose label was called",
        ),
        Canary(
            "L9 report", "L9", "labels:told", "label named in reports that are said to be redacted",
            "reports that name it",
        ),
        Canary(
            "L9 column", "L9", "labels:treated", "treatment follows the label",
            "patients whose treatment was chosen by their label; the others' is tossed up",
        ),
        Canary(
            "L10", "L10", "later:followed_on", "later follow-up of training patients, in a split by years",
            "patients diagnosed before the cut, followed beyond it", temporal=True,
        ),
        Canary(
            "L11", "L11", "openings:read_again", "test part read by many models",
            "20 models", "model",
        ),
        Canary(
            "L12", "L12", "missingness:by_label", "missing proteins tell the class",
            "patients of one class, whose proteins are missing",
        ),
        Canary(
            "L12 site", "L12", "missingness:by_site", "missing proteins tell the site",
            "patients of half of the sites, whose proteins are missing",
        ),
        Canary(
            "L13", "L13", "fingerprint:scaled_apart", "classes scaled apart",
            "genes that were scaled within each class",
        ),
        Canary(
            "swaps", "swaps", "swaps:swapped", "a patient's RNA with another's proteins",
            "16 patients, whose RNA is exchanged in pairs",
        ),
        Canary(
            "wrong_cohort", "wrong_cohort", "swaps:filed_elsewhere", "profiles filed under another cohort",
            "8 patients, who lie in the other cohort",
        ),
    )
}  # fmt: skip
