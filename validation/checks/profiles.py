"""The sample map: replicates, duplicates, and what the matrices hold of it."""

from __future__ import annotations

from validation.rules import Between, Check, OneOf, Unique

__all__ = ["NEAR", "PROFILES"]

#: From this correlation on, two patients' profiles are held for one measurement.
NEAR = 0.999

_NO_PROFILES = "the store has no profiles"
_BUILD = "Build the cohort again: omicstore build COHORT, then omicstore assemble."

PROFILES: tuple[Check, ...] = (
    Check(
        "profile-unique",
        "error",
        "profiles",
        "a profile is once in the sample map",
        "It would be counted twice.",
        _BUILD,
        Unique(("cohort", "modality", "profile_id")),
        shown=("sample_id",),
        absent=_NO_PROFILES,
    ),
    Check(
        "chosen-unique",
        "error",
        "profiles",
        "of the profiles of one sample and modality that compete, one is chosen",
        "The replicate rule left two, so which of them a query returns is not determined.",
        _BUILD,
        Unique(("cohort", "modality", "sample_id", "own_platform")),
        only=("has_row", (True,)),
        shown=("sample_id", "reason"),
        absent=_NO_PROFILES,
    ),
    Check(
        "chosen-has-values",
        "error",
        "profiles",
        "a chosen profile has values in its matrix",
        "The sample map promises what the store does not hold.",
        _BUILD,
        OneOf("has_values"),
        shown=("sample_id",),
        absent="no profile is chosen",
    ),
    Check(
        "values-have-profile",
        "error",
        "samples",
        "a row of a matrix is a chosen profile of the sample map",
        "It is not known whose values these are.",
        _BUILD,
        OneOf("is_chosen"),
        shown=("profile_id",),
        absent="the store has no matrix",
    ),
    Check(
        "sample-one-patient",
        "error",
        "profiles",
        "a sample belongs to one patient",
        "The same sample could be in two parts of a split.",
        "Look at study.samples in params.yaml.",
        Between("n_patients_of_sample", high=1),
        shown=("sample_id", "patient_id"),
        absent=_NO_PROFILES,
    ),
    Check(
        "duplicate-profile",
        "error",
        "profiles",
        "no two patients have the same values",
        "One measurement stands under two names: a leak wherever one is in train and the other in test.",
        "Ask upstream whose it is, and leave the other out with drop: in params.yaml; or join both in study.samples.",
        Between("n_twins", high=0),
        shown=("patient_id", "twin"),
        absent="no profile has a content hash",
    ),
    Check(
        "near-duplicate",
        "warning",
        "profiles",
        f"no profile correlates by r >= {NEAR} with another patient's",
        "They may be one person, twins, or one measurement processed twice.",
        "Compare the two patients; if they are one, join them in study.samples.",
        Between("r_of_other", high=NEAR, strict=True),
        shown=("patient_id", "nearest_profile", "nearest_r"),
        absent="no similarity was computed: too few features or patients",
    ),
    Check(
        "copied-sample",
        "warning",
        "profiles",
        "no two samples of one patient have the same values",
        "A tumour and a normal with the same numbers are one measurement under two names.",
        "Ask upstream which of them was measured.",
        Between("n_copies", high=0),
        shown=("patient_id", "copy"),
        absent="no profile has a content hash",
    ),
    Check(
        "replicate-distinguishable",
        "warning",
        "profiles",
        "the replicate rule knows why it chose",
        "Nothing tells the replicates apart, so the smaller content hash was chosen.",
        "Nothing need be done; drop: in params.yaml chooses another.",
        OneOf("distinguishable"),
        shown=("sample_id", "chosen", "n_missing"),
        absent="no replicates",
    ),
)
