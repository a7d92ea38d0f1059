"""Values that cannot be of the unit that the store says they have.

Nothing is said of sums: a matrix may hold any subset of the genes.
"""

from __future__ import annotations

from omicstore.units import BASES, LINEAR_UNITS
from validation.rules import Between, Check

__all__ = ["UNITS"]

#: Units of amounts, which have no negative values.
AMOUNTS: tuple[str, ...] = tuple(sorted(LINEAR_UNITS))

#: Calls of a few levels.
CALLS = tuple(sorted((base for base in BASES.values() if base.call), key=lambda base: base.stored))

_OTHER_UNIT = "The file is in another unit than the study file says, or was changed after it was normalised."
_CORRECT_UNIT = "Correct the unit of the source in params.yaml and run dvc repro."

UNITS: tuple[Check, ...] = (
    Check(
        "beta-in-range",
        "error",
        "features",
        "methylation betas lie in [0, 1]",
        "These are no betas: M-values, percentages, or a fault in the file.",
        "If they are M-values, say unit: m_value in params.yaml; else fetch the file again.",
        Between("n_outside", high=0),
        only=("unit", ("beta",)),
        shown=("n_outside", "min", "max"),
        absent="no modality is in betas",
    ),
    Check(
        "calls-in-range",
        "error",
        "features",
        f"calls lie in their range: {', '.join(f'{c.stored} in [{c.low:g}, {c.high:g}]' for c in CALLS)}",
        "These are no calls: counts of mutations, log ratios, or another table.",
        "Look at the source of this modality, and correct its unit in params.yaml.",
        Between("n_outside", high=0),
        only=("unit", tuple(c.stored for c in CALLS)),
        shown=("n_outside", "min", "max"),
        absent="no modality holds calls",
    ),
    Check(
        "amount-not-negative",
        "error",
        "features",
        f"amounts ({', '.join(AMOUNTS)}) are not negative",
        "Log-transformed, centred or standardised values were declared as amounts.",
        "Say what was done to the values, as unit: log2(tpm+0.001) or unit: zscore, in params.yaml.",
        Between("n_outside", high=0),
        only=("unit", AMOUNTS),
        shown=("n_outside", "min"),
        absent="no modality is in amounts",
    ),
    Check(
        "counts-are-integers",
        "error",
        "features",
        "counts are whole numbers",
        "These are no counts: they were normalised, or are estimated counts.",
        _CORRECT_UNIT,
        Between("n_fractions", high=0),
        only=("unit", ("counts",)),
        shown=("n_fractions", "min", "max"),
        absent="no modality is in counts",
    ),
    Check(
        "tpm-below-million",
        "error",
        "features",
        "no TPM is over a million",
        "TPM are parts of a million, so these are counts, FPKM-UQ or intensities.",
        _CORRECT_UNIT,
        Between("max", high=1.001e6),
        only=("unit", ("tpm",)),
        shown=("max",),
        absent="no modality is in TPM",
    ),
    Check(
        "tpm-not-logged",
        "error",
        "matrices",
        "TPM have some value over 50",
        "The values are probably still logarithms; with so few highly expressed genes they can hardly be TPM.",
        "If the file holds log2(TPM + 1), say unit: log2(tpm+1) in params.yaml.",
        Between("max", low=50.0, strict=True),
        only=("unit", ("tpm",)),
        shown=("max",),
        absent="no modality is in TPM",
    ),
    Check(
        "zscore-has-negatives",
        "error",
        "matrices",
        "z-scores have negative values",
        _OTHER_UNIT,
        _CORRECT_UNIT,
        Between("min", high=0.0, strict=True),
        only=("unit", ("zscore",)),
        shown=("min",),
        absent="no modality is in z-scores",
    ),
    Check(
        "zscore-is-scaled",
        "error",
        "matrices",
        "the median |z-score| is below 2",
        _OTHER_UNIT,
        _CORRECT_UNIT,
        Between("median_abs", high=2.0, strict=True),
        only=("unit", ("zscore",)),
        shown=("median_abs",),
        absent="no modality is in z-scores",
    ),
    Check(
        "log-ratio-has-negatives",
        "error",
        "matrices",
        "log ratios have negative values",
        "A ratio to a reference is below one somewhere; these are amounts or their logarithms.",
        _CORRECT_UNIT,
        Between("min", high=0.0, strict=True),
        only=("unit", ("log2_ratio",)),
        shown=("min",),
        absent="no modality is in log ratios",
    ),
)
