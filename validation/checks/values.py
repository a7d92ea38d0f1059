"""Constant, missing and infinite values, and the order of the axes."""

from __future__ import annotations

from omicstore.units import BASES
from validation.rules import Between, Check, OneOf

__all__ = ["VALUES"]

#: Units of measurements; those of calls have a few levels.
MEASURED: tuple[str, ...] = tuple(sorted({base.stored for base in BASES.values() if not base.call}))

_NO_MATRIX = "the store has no matrix"

VALUES: tuple[Check, ...] = (
    Check(
        "modality-measured",
        "error",
        "matrices",
        "a modality has at least one value",
        "Everything in the matrix is missing.",
        "Look at the missing tokens of the source, and at its drops in the provenance table.",
        Between("observed", low=1),
        shown=("n_samples", "n_features"),
        absent=_NO_MATRIX,
    ),
    Check(
        "modality-varies",
        "error",
        "matrices",
        "a modality is not constant or all zero",
        "The matrix holds one number throughout, so nothing was measured.",
        "Look at the source: the wrong columns were read, or the file is a template.",
        Between("range", low=0.0, strict=True),
        shown=("min", "max"),
        absent=_NO_MATRIX,
    ),
    Check(
        "values-finite",
        "error",
        "features",
        "no value is infinite",
        "A logarithm of zero or a division by zero came through.",
        "Build the cohort again; if it stays, fetch the file again.",
        Between("n_infinite", high=0),
        shown=("n_infinite",),
        absent=_NO_MATRIX,
    ),
    Check(
        "feature-varies",
        "warning",
        "features",
        "a feature is not constant over its cohort",
        "It tells nothing within the cohort, and between cohorts it can give away the cohort itself.",
        "Models leave it out by themselves; in a cohort of z-scores it marks an unexpressed gene.",
        Between("range", low=0.0, strict=True),
        shown=("symbol", "min", "n"),
        absent="no feature has two values",
    ),
    Check(
        "feature-measured",
        "warning",
        "features",
        "a feature has at least one value",
        "No sample of the cohort has it; a probe or antibody that failed everywhere.",
        "Nothing need be done; a query returns NaN for it.",
        Between("n", low=1),
        shown=("symbol",),
        absent=_NO_MATRIX,
    ),
    Check(
        "sample-varies",
        "warning",
        "samples",
        "a sample is not constant or all zero",
        "The sample has one number throughout: a failed measurement.",
        "Leave its column out with drop: in params.yaml, if the upstream says that it failed.",
        Between("range", low=0.0, strict=True),
        only=("unit", MEASURED),  # a tumour may have no mutation and a quiet genome
        shown=("profile_id", "min", "n"),
        absent="no sample has two values",
    ),
    Check(
        "sample-measured",
        "warning",
        "samples",
        "at most half of a sample's values are missing",
        "Few features were measured, or they come from an array of which the matrix has few.",
        "Look at the profile in its file; omicstore ids PROFILE says where it comes from.",
        Between("missing", high=0.5),
        shown=("profile_id", "missing", "n"),
        absent=_NO_MATRIX,
    ),
    Check(
        "features-in-order",
        "error",
        "matrices",
        "features are unique and sorted",
        "The matrix and its axis may not belong together.",
        "Build the cohort again: omicstore build COHORT, then omicstore assemble.",
        OneOf("features_in_order"),
        shown=("first_feature_out_of_order",),
        absent=_NO_MATRIX,
    ),
    Check(
        "samples-in-order",
        "error",
        "matrices",
        "samples are unique and sorted",
        "Rows of the matrix may be taken for those of other samples.",
        "Build the cohort again: omicstore build COHORT, then omicstore assemble.",
        OneOf("samples_in_order"),
        shown=("first_sample_out_of_order",),
        absent=_NO_MATRIX,
    ),
)
