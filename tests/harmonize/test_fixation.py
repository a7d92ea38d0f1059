"""Whether a profile is of formalin-fixed tissue: what tables of samples say, joined to profiles."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from omicstore.harmonize.fixation import Fixation
from omicstore.harmonize.samples import SampleMap
from omicstore.readers.table import RawTable
from omicstore.sources import Source

P = "TCGA-4Z-000"


def table(**told: str) -> RawTable:
    info = pl.DataFrame({"raw_id": [f"{P}{raw_id}" for raw_id in told], "ffpe": list(told.values())})
    return RawTable("clinical", Source(path=Path("x.tsv"), format="xena-clinical"), profile_info=info)


def filled(study, profiles: list[tuple[int, str | None, bool | None]], *tables: RawTable) -> list[bool | None]:
    frame = pl.DataFrame(
        [(f"{P}{patient}-01", vial, ffpe) for patient, vial, ffpe in profiles],
        schema={"sample_id": pl.String, "vial": pl.String, "ffpe": pl.Boolean},
        orient="row",
    )
    return Fixation(tables, SampleMap(study, "BLCA")).fill(frame)["ffpe"].to_list()


def test_a_row_speaks_for_its_vial_or_for_all_vials_of_its_sample(study) -> None:
    told = table(**{"1-01A": "YES", "1-01B": "NO", "2-01": "true", "3": "yes", "4-01A": "True", "4-01B": "True"})
    profiles = [(1, "A", None), (1, "B", None), (1, "C", None), (1, None, None)]
    assert filled(study, profiles, told) == [True, False, None, None]
    # A sample's row is of all vials, a patient's of none; vials that agree say it of an id without one.
    assert filled(study, [(2, "A", None), (2, None, None), (3, "A", None), (4, None, None)], told) == [
        True, True, None, True,
    ]  # fmt: skip


def test_the_first_to_say_so_is_believed(study) -> None:
    profiles = [(1, "A", None), (1, "A", False), (2, "A", None)]
    assert filled(study, profiles, table(**{"1-01A": "yes"}), table(**{"1-01A": "no", "2-01A": "no"})) == [
        True, False, False,
    ]  # fmt: skip
    assert filled(study, profiles) == [None, False, None]
