"""Which upstream layout each matrix of the simulated study has; between them, most of those that people meet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from omicstore.simulate.files import write_matrix

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from omicstore.simulate.aliquots import IdForm

__all__ = ["LAYOUTS", "Layout"]


@dataclass(frozen=True, slots=True)
class Layout:
    """One matrix file.

    Attributes
    ----------
    file
        Its name.
    format, unit
        As in the study file.
    ids
        How much of the barcode the file has.
    corner
        The first header cell.
    features_in_rows
        Which way round it is.
    decimals, null
        How numbers are written.
    platform
        The array, where there are several kinds.
    keep_probes
        Whether the study keeps the probes too.
    """

    file: str
    format: str
    unit: str
    ids: IdForm
    corner: str
    features_in_rows: bool = True
    decimals: int = 4
    null: str = "NA"
    platform: str | None = None
    keep_probes: bool = False

    def write(self, folder: Path, ids: Sequence[str], features: Sequence[str], values: NDArray[np.float64]) -> Path:
        """Write linear values, (profiles, features), in this layout and unit; return the path."""
        converted = TO_UNIT[self.unit](values)
        rows, columns = ids, features
        if self.features_in_rows:
            converted, rows, columns = converted.T, features, ids
        path = folder / self.file
        return write_matrix(path, self.corner, rows, columns, converted, decimals=self.decimals, null=self.null)


#: From the linear unit, or the only one, to that of the file.
TO_UNIT: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "tpm": lambda x: x,
    "log2(tpm+1)": lambda x: np.log2(x + 1.0),
    "log2(tpm+0.001)": lambda x: np.log2(x + 0.001),
    "beta": lambda x: x,
    "log2_ratio": lambda x: x,
    "intensity": lambda x: x,
    "log10(intensity)": np.log10,
}


def _firehose_rppa(cohort: str) -> Layout:
    return Layout(
        f"{cohort}.rppa.tsv.gz",
        "firehose-rppa",
        "log2_ratio",
        ids="aliquot",
        corner="bcr_patient_barcode",
        features_in_rows=False,
        decimals=6,
        null="",
    )


LAYOUTS: dict[tuple[str, str], Layout] = {
    ("BRCA", "rna"): Layout(
        "SIMU-BRCA.star_tpm.tsv.gz", "xena-matrix", "log2(tpm+1)", ids="vial", corner="Ensembl_ID"
    ),
    ("BRCA", "meth"): Layout(
        "HumanMethylation450.tsv.gz", "matrix", "beta", ids="dotted vial", corner="sample", platform="hm450"
    ),
    ("BRCA", "prot"): Layout("RPPA.gz", "xena-matrix", "log2_ratio", ids="sample", corner="sample", decimals=6),
    ("BRCA", "metab"): Layout(
        "metabolites_log10.csv.gz", "matrix", "log10(intensity)", ids="sample", corner="sample",
        features_in_rows=False, null="",
    ),
    ("UCEC", "rna"): Layout("UCEC.tpm.tsv.gz", "matrix", "tpm", ids="aliquot", corner="gene_id"),
    ("UCEC", "meth"): Layout(
        "HumanMethylation450.tsv.gz", "matrix", "beta", ids="aliquot", corner="probe", platform="hm450"
    ),
    ("UCEC", "prot"): _firehose_rppa("UCEC"),
    ("GBM", "rna"): Layout(
        "toil_log2tpm.csv.gz", "matrix", "log2(tpm+0.001)", ids="patient", corner="", features_in_rows=False
    ),
    ("GBM", "meth"): Layout(
        "HumanMethylation450.tsv.gz", "matrix", "beta", ids="sample", corner="sample", platform="hm450"
    ),
    ("GBM", "prot"): _firehose_rppa("GBM"),
    ("LGG", "rna"): Layout(
        "LGG.log2tpm.csv.gz", "matrix", "log2(tpm+1)", ids="dotted aliquot", corner="aliquot", features_in_rows=False
    ),
    ("LGG", "meth"): Layout(
        "SIMU-LGG.methylation450.tsv.gz", "xena-matrix", "beta", ids="vial", corner="Composite Element REF",
        platform="hm450", keep_probes=True,
    ),
    ("LGG", "prot"): _firehose_rppa("LGG"),
    ("LGG", "metab"): Layout(
        "metabolites.tsv.gz", "matrix", "intensity", ids="sample", corner="metabolite", decimals=1, null=""
    ),
}  # fmt: skip
