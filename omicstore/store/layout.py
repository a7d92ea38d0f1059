"""Where things lie in a store."""

from __future__ import annotations

import re

__all__ = [
    "CATALOG",
    "EVENTS",
    "INDEX",
    "LEASES",
    "LOCKS",
    "RELEASES",
    "STORE_JSON",
    "cohort_folder",
    "cohort_json",
    "cohort_table",
    "features_file",
    "index_features_file",
    "index_file",
    "part_of",
    "patches_folder",
    "pull_command",
    "release_file",
    "reports_file",
    "samples_file",
    "table_file",
    "values_file",
]

STORE_JSON = "store.json"
CATALOG = "catalog"
INDEX = "index"
#: Neither locks nor leases belong to a release; both are empty when nobody reads or writes.
LOCKS = ".locks"
LEASES = ".leases"
#: What was released, in the study and a copy in the store; and who was named or retracted, an event per line.
RELEASES = "releases"
EVENTS = f"{RELEASES}/log.jsonl"

_DIGITS = 16


def cohort_folder(cohort: str) -> str:
    """Return the folder of a cohort."""
    return f"cohort={cohort}"


def cohort_json(cohort: str) -> str:
    """Return the file that says what a cohort's folder holds."""
    return f"{cohort_folder(cohort)}/cohort.json"


def values_file(cohort: str, modality: str, digest: str) -> str:
    """Return the file of a matrix, named by its content hash."""
    return f"{cohort_folder(cohort)}/modality={modality}/values-{digest[:_DIGITS]}.parquet"


def features_file(cohort: str, modality: str, digest: str) -> str:
    """Return the file of a matrix's feature axis, named by its content hash."""
    return f"{cohort_folder(cohort)}/modality={modality}/features-{digest[:_DIGITS]}.parquet"


def release_file(release: str) -> str:
    """Return the file that says what a release held, named by its id."""
    return f"{RELEASES}/{release[:_DIGITS]}.json"


def reports_file(cohort: str, digest: str) -> str:
    """Return the file of a cohort's report texts, named by its content hash."""
    return f"{cohort_folder(cohort)}/reports-{digest[:_DIGITS]}.parquet"


def patches_folder(cohort: str, digest: str) -> str:
    """Return the folder of a cohort's patch features, named by its content hash."""
    return f"{cohort_folder(cohort)}/patches-{digest[:_DIGITS]}"


def cohort_table(cohort: str, table: str, digest: str) -> str:
    """Return the file of a cohort's part of a catalogue table, named by its content hash."""
    return f"{cohort_folder(cohort)}/catalog/{table}-{digest[:_DIGITS]}.parquet"


def table_file(table: str, digest: str) -> str:
    """Return the file of a catalogue table over all cohorts, named by its content hash."""
    return f"{CATALOG}/{table}-{digest[:_DIGITS]}.parquet"


def index_file(modality: str, digest: str) -> str:
    """Return the file of a modality's turned matrix, named by the hash of what it was made from."""
    return f"{INDEX}/modality={modality}-{digest[:_DIGITS]}.parquet"


def index_features_file(modality: str, digest: str) -> str:
    """Return the file of a modality's union axis, named by its content hash."""
    return f"{INDEX}/features-{modality}-{digest[:_DIGITS]}.parquet"


def samples_file(digest: str) -> str:
    """Return the file that joins samples to the rows of the matrices, named by its content hash."""
    return f"{INDEX}/samples-{digest[:_DIGITS]}.parquet"


_PART = re.compile(
    r"(?:cohort=(?P<cohort>[^/]+)/(?:modality=(?P<matrix>[^/]+)/|(?P<kind>reports|patches)-)"
    r"|index/(?:features-|modality=)(?P<turned>.+)-[0-9a-f]+\.parquet)"
)


def part_of(path: str) -> tuple[str | None, str | None]:
    """Return the cohort and the modality that a file of a store is of; None for what is of all.

    Examples
    --------
    >>> part_of("cohort=BRCA/modality=rna/values-00.parquet"), part_of("cohort=BRCA/reports-00.parquet")
    (('BRCA', 'rna'), ('BRCA', 'report'))
    >>> part_of("index/modality=rna-00.parquet"), part_of("catalog/patients-00.parquet")
    ((None, 'rna'), (None, None))
    """
    found = _PART.match(path)
    if found is None:
        return None, None
    kind = {"reports": "report", None: None}.get(found["kind"], found["kind"])
    return found["cohort"], found["matrix"] or kind or found["turned"]


def pull_command(path: str, release: str | None = None) -> str:
    """Return the command that brings a file of a store from a remote."""
    cohort, modality = part_of(path)
    words = ["omicstore pull", release or "", f"--cohort {cohort}" if cohort else ""]
    return " ".join(word for word in (*words, f"--modalities {modality}" if modality else "") if word)
