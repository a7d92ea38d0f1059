"""Frames of the cptac package; the fixtures are made as pandas writes such frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from omicstore.errors import StudyError
from omicstore.harmonize.samples import SampleMap
from omicstore.readers import expand, profile_ids, read
from omicstore.readers.cptac import recognise
from omicstore.readers.recognise import look
from omicstore.sources import Source, Study

MADE = Path(__file__).parents[1] / "made" / "cptac"


def test_levels_name_proteins() -> None:
    (part,) = expand(Source(MADE / "made_umich_proteomics.csv", "cptac", cohort="UCEC"))
    assert (part.modality, part.unit, part.part, part.platform) == ("prot", "log2_ratio", "proteomics", "ms")
    (raw,) = read(part)
    assert raw.ids == profile_ids(part) == ["C3L-00006", "C3L-00008", "C3L-00006.N"]
    assert raw.features == ["A1BG", "AAAS", "ERBB2:NP_004439.2", "ERBB2:NP_001005862.1"]
    np.testing.assert_allclose(raw.values[1], [-0.68, -0.1, np.nan, 1])
    assert raw.feature_info is not None
    assert raw.feature_info["symbol"].to_list() == ["A1BG", "AAAS", "ERBB2", "ERBB2"]


def test_sites_stay_features() -> None:
    (raw,) = read(expand(Source(MADE / "made_umich_phosphoproteomics.csv", "cptac", cohort="UCEC"))[0])
    assert raw.source.platform == "phospho"
    assert raw.features == ["AAAS_S495:AAAAsPEK", "AAAS_S495:AAAAsPEKR", "TP53_S15"]


def test_a_joined_frame_holds_several_assays() -> None:
    joined = MADE / "made_joined.tsv"
    with pytest.raises(StudyError, match="nothing tells the unit of its transcriptomics"):
        expand(Source(joined, "cptac", cohort="UCEC"))
    with pytest.raises(StudyError, match="says nothing of which assay"):
        expand(Source(joined, "cptac", cohort="UCEC", unit="log2(fpkm+1)"))
    (rna,) = expand(Source(joined, "cptac", cohort="UCEC", part="transcriptomics", unit="log2(fpkm+1)"))
    (raw,) = read(rna)
    assert raw.features == ["TP53", "A1BG"]
    np.testing.assert_array_equal(raw.values, [[10.5, 1.25], [11, 2.5]])
    (clinical,) = read(expand(Source(joined, "cptac", cohort="UCEC", part="clinical"))[0])
    assert clinical.frame is not None
    assert clinical.frame.rows() == [("C3L-00006", "female", 64.0), ("C3L-00008", "male", 58.0)]


def test_follow_up() -> None:
    source = Source(MADE / "made_mssm_clinical.csv", "cptac", cohort="UCEC")
    (part,) = expand(source)
    _, outcome = read(part)
    assert outcome.frame is not None
    assert outcome.frame.rows() == [("C3L-00006", "OS", 737.0, 0), ("C3L-00008", "OS", 898.0, 1)]


def test_normals_belong_to_their_patients() -> None:
    source = Source(MADE / "made_umich_proteomics.csv", "cptac", cohort="UCEC")
    mapped = SampleMap(Study("cptac", ("UCEC",), (source,)), "UCEC")
    normal, tumour = mapped.sample("C3L-00006.N"), mapped.sample("C3L-00006")
    assert normal is not None
    assert tumour is not None
    assert (normal.patient_id, normal.sample_type) == ("C3L-00006", "normal")
    assert (tumour.patient_id, tumour.sample_type) == ("C3L-00006", "primary")
    assert normal.sample_id != tumour.sample_id


def test_frames_of_pandas_are_read(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    columns = pd.MultiIndex.from_tuples([("A1BG", "NP_1"), ("TP53", "NP_2")], names=["Name", "Database_ID"])
    frame = pd.DataFrame([[0.5, 1.0], [None, -2.0]], index=["C3L-1", "C3L-2"], columns=columns)
    frame.index.name = "Patient_ID"
    for name, sep in (("proteomics.csv", ","), ("proteomics.tsv.gz", "\t")):
        frame.to_csv(tmp_path / name, sep=sep)
        (raw,) = read(expand(Source(tmp_path / name, "cptac", cohort="X"))[0])
        assert (raw.ids, raw.features) == (["C3L-1", "C3L-2"], ["A1BG", "TP53"])
        np.testing.assert_array_equal(raw.values, [[0.5, 1], [np.nan, -2]])


@pytest.mark.parametrize(
    ("name", "modality"),
    [
        ("made_umich_proteomics.csv", "prot"),
        ("made_umich_phosphoproteomics.csv", "prot"),
        ("made_joined.tsv", "prot"),
        ("made_mssm_clinical.csv", None),
    ],
)
def test_recognised(name: str, modality: str | None) -> None:
    guess = recognise(look(MADE / name))
    assert guess is not None
    assert (guess.format, guess.modality) == ("cptac", modality)
