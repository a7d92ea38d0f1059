"""What encoders have seen, and what the split's check makes of it (L6)."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from omicstore.schema import PROFILES
from omicstore.slides.exposure import ENCODERS, Exposure, exposure, overlap
from omicstore.splits import Catalogue, SplitSpec, split_catalogue


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("ctranspath", ("PAIP", "TCGA")),
        ("phikon_v2", ("CPTAC", "GTEx", "TCGA")),
        ("owkin/phikon", ("TCGA",)),
        ("uni_v1", ("GTEx", "Mass-100K")),
        ("MahmoodLab/UNI", ("GTEx", "Mass-100K")),
        ("prov-gigapath/prov-gigapath", ("Providence",)),
        ("bioptimus/H-optimus-0", ("Bioptimus",)),
        ("paige-ai/Virchow2", ("MSKCC", "Paige")),
        ("facebook/dinov2-base", ("LVD-142M",)),
        ("resnet50", ("ImageNet",)),
        ("kaiko-vitb8", ("TCGA",)),
        ("unit", None),
        ("dinov2-base-tuned-on-tcga", None),
        ("unknown", None),
    ],
)
def test_known_encoders(name: str, seen: tuple[str, ...] | None) -> None:
    assert exposure(name).seen == seen


def test_the_table_names_each_once_and_says_where_it_is_written() -> None:
    assert len({e.name for e in ENCODERS}) == len(ENCODERS)
    for known in ENCODERS:
        assert known.source
        assert known.seen == tuple(sorted(known.seen))


def test_the_study_file_comes_first() -> None:
    assert exposure("ctranspath", ()).seen == ()
    assert exposure("ctranspath", ["unknown"]).seen is None
    assert exposure("ours", ["TCGA-BRCA"]).source == "the study file"


@pytest.mark.parametrize("of", [exposure("uni"), exposure("ours"), exposure("ours", (), "ab")])
def test_what_the_store_holds_reads_back(of: Exposure) -> None:
    assert Exposure.of_json(of.to_json()) == of


@pytest.mark.parametrize(
    ("seen", "cohort", "found"),
    [
        (["TCGA"], "BRCA", ["TCGA"]), (["tcga-brca"], "BRCA", ["tcga-brca"]), (["TCGA-BRCA"], "LUAD", []),
        (["TCGA-COAD"], "COADREAD", ["TCGA-COAD"]), (["BRCA"], "BRCA", ["BRCA"]), (["CPTAC", "PAIP"], "BRCA", []),
        (["Mass-100K"], "BRCA", []),
    ],
)  # fmt: skip
def test_overlap(seen: list[str], cohort: str, found: list[str]) -> None:
    assert overlap(seen, ["tcga"], cohort) == found


def catalogue(said: Exposure, *, cohorts: tuple[str, ...] = ("BRCA",), prefix: str = "TCGA") -> Catalogue:
    rows = [
        {
            "profile_id": f"{prefix}-{c}-{i:04d}-01Z", "sample_id": f"{prefix}-{c}-{i:04d}-01",
            "patient_id": f"{prefix}-{c}-{i:04d}", "cohort": c, "modality": "patches", "sample_type": "primary",
            "site": f"{i % 6}",
        }
        for c in cohorts for i in range(24)
    ]  # fmt: skip
    provenance = pl.DataFrame(
        {"cohort": cohorts, "modality": "patches", "source_id": "x", "name": "s", "encoder": said.to_json()}
    )
    return Catalogue(profiles=PROFILES.conform(pl.DataFrame(rows)), provenance=provenance)


SPEC = SplitSpec(strategy="grouped_kfold", k=3)


def l6(of: Catalogue, spec: SplitSpec = SPEC) -> tuple[dict[str, object], dict[str, object]]:
    body = split_catalogue(of, spec).body
    return body["checks"]["L6"], body["exposure"]


def test_an_encoder_that_has_seen_the_patients_is_warned_of() -> None:
    check, exposed = l6(catalogue(exposure("ctranspath")))
    assert (check["status"], check["severity"]) == ("fail", "warning")
    assert check["evidence"]["offenders"] == ["ctranspath (patches of BRCA) was pre-trained on TCGA"]
    assert exposed["pretrained_encoders"] == [
        {
            "encoder": "ctranspath", "features": "patches of BRCA", "seen": ["PAIP", "TCGA"],
            "says": "Wang et al. 2022, doi:10.1016/j.media.2022.102559",
        }
    ]  # fmt: skip


def test_a_reason_waives_it() -> None:
    check, _ = l6(catalogue(exposure("ctranspath")), replace(SPEC, waive={"L6": "compared with UNI"}))
    assert (check["status"], check["why"]) == ("waived", "compared with UNI")


def test_an_encoder_that_has_not_seen_them() -> None:
    check, _ = l6(catalogue(exposure("uni_v2")))
    assert (check["status"], check["why"]) == (
        "pass", "one cohort is split; uni_v2 has seen none of these patients in pre-training",
    )  # fmt: skip
    assert l6(catalogue(exposure("ctranspath"), prefix="C3L"))[0]["status"] == "pass"


def test_an_unknown_encoder_is_said() -> None:
    check, exposed = l6(catalogue(exposure("ours")))
    assert check["status"] == "not_applicable"
    assert "what ours has seen in pre-training is unknown: say it in exposure of the source" in str(check["why"])
    assert exposed["pretrained_encoders"][0]["seen"] == "unknown"
    check, _ = l6(catalogue(exposure("ours"), cohorts=("BRCA", "LUAD")))
    assert check["status"] == "pass"
    assert "what ours has seen" in str(check["why"])


def test_a_split_that_does_not_use_the_features_is_not_concerned() -> None:
    of = catalogue(exposure("ctranspath"))
    rna = of.profiles.with_columns(modality=pl.lit("rna"))
    of = replace(of, profiles=pl.concat([of.profiles, rna]))
    check, exposed = l6(of, replace(SPEC, modalities=("rna",)))
    assert (check["status"], check["why"]) == ("not_applicable", "one cohort is split")
    assert exposed["pretrained_encoders"] == []


def test_a_patient_in_two_parts_outweighs_an_encoder() -> None:
    # Two cohorts that share their patients, of which every patient is one group: nothing straddles, so the encoder shows.
    of = catalogue(exposure("ctranspath"), cohorts=("BRCA", "LUAD"))
    check, _ = l6(of)
    assert check["evidence"]["n_offenders"] == 2
