"""The release itself, its sources and its reports."""

from __future__ import annotations

from validation.rules import Between, Check, OneOf

__all__ = ["STORE"]

STORE: tuple[Check, ...] = (
    Check(
        "release-integrity",
        "error",
        "files",
        "every file holds what the release says",
        "A file was changed after it was written, so the release id does not describe the store.",
        "dvc checkout, or build the cohort and assemble again.",
        OneOf("intact"),
        shown=("found",),
    ),
    Check(
        "report-has-text",
        "warning",
        "reports",
        "a report has text",
        "Nothing was recognised on the page.",
        "Nothing need be done; a query returns the empty text.",
        Between("n_characters", low=1),
        absent="no reports in the store",
    ),
    Check(
        "report-unique",
        "warning",
        "reports",
        "no two patients have the same report",
        "One report was filed under two names, so a model of texts can meet it in train and in test.",
        "Ask upstream whose it is, and leave the other one out.",
        Between("n_twins", high=0),
        shown=("profile_id", "twin"),
        absent="no reports in the store",
    ),
    Check(
        "source-unremarkable",
        "warning",
        "provenance",
        "a source file gave no warnings when it was read",
        "Something in the file was not as usual; the sentences say what.",
        "Read the sentences; they say what to do.",
        Between("n_warnings", high=0),
        shown=("warnings",),
        absent="the store has no provenance",
    ),
)
