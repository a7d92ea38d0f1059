"""Single rules: who is one person, what is balanced, what is refused, what the checks say."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest
from split_catalogues import make_catalogue, with_profiles

from omicstore.errors import SplitError, UnknownNameError
from omicstore.splits import STRATEGIES, Catalogue, SplitSpec, default_spec, split_catalogue
from omicstore.splits.catalogue import read_aliases, universe
from omicstore.splits.folds import refuse_unusable
from omicstore.splits.identity import identity
from omicstore.splits.strata import patient_strata


def profile(patient, *, code="01", modality="rna", cohort="AAA", **more):
    kinds = {"01": "primary", "11": "normal"}
    name = f"{patient}-{code}A"
    return {
        "profile_id": name, "sample_id": f"{patient}-{code}", "patient_id": patient, "cohort": cohort,
        "modality": modality, "sample_type": kinds[code], **more,
    }  # fmt: skip


def groups(profiles, threshold=0.999, aliases=None) -> dict[str, str]:
    catalogue = Catalogue(profiles=pl.DataFrame(profiles, infer_schema_length=None), aliases=aliases)
    return identity(catalogue, catalogue.profiles["patient_id"].to_list(), threshold).group_of


def test_tumour_and_normal_travel_together():
    found = groups([profile("P1"), profile("P1", code="11"), profile("P2")])
    assert found == {"P1": "P1", "P2": "P2"}


@pytest.mark.parametrize(
    ("modality", "joined"),
    [("rna", True), ("meth", True), ("prot", True), ("mut", False), ("cnv", False), ("report", False)],
)
def test_equal_content_joins_people_where_it_cannot_be_chance(modality, joined):
    same = [profile(p, modality=modality, content_hash="h", n_features=9, n_missing=0) for p in ("P1", "P2")]
    assert len(set(groups(same).values())) == (1 if joined else 2)


def test_profiles_without_any_value_are_not_alike():
    empty = [profile(p, content_hash="h", n_features=9, n_missing=9) for p in ("P1", "P2")]
    assert len(set(groups(empty).values())) == 2


@pytest.mark.parametrize(("r", "joined"), [(0.998, False), (0.999, True), (1.0, True)])
def test_near_duplicates_join_from_the_threshold_on(r, joined):
    near = [profile("P1", nearest_profile="P2-01A", nearest_r=r), profile("P2")]
    assert len(set(groups(near).values())) == (1 if joined else 2)


def test_an_alias_joins_two_names():
    aliases = pl.DataFrame({"patient_id": ["P1"], "alias": ["C3L-1"]})
    assert groups([profile("P1"), profile("C3L-1"), profile("P2")], aliases=aliases) == {
        "C3L-1": "C3L-1",
        "P1": "C3L-1",
        "P2": "P2",
    }


def test_one_aliquot_or_slide_under_two_patients_joins_them():
    shared = [profile("P1"), profile("P2") | {"profile_id": "P1-01A#2"}]
    assert len(set(groups(shared).values())) == 1
    slides = [profile(p, modality="patches") | {"profile_id": "slide-7"} for p in ("P1", "P2")]
    assert len(set(groups(slides).values())) == 1


def test_people_linked_through_a_cohort_that_is_not_split_stay_together():
    catalogue = make_catalogue(("AAA", "BBB"))
    a1, a2 = catalogue.patients.filter(pl.col("cohort") == "AAA")["patient_id"].to_list()[:2]
    b1 = catalogue.patients.filter(pl.col("cohort") == "BBB")["patient_id"][0]
    linked = replace(catalogue, aliases=pl.DataFrame({"patient_id": [a1, a2], "alias": [b1, b1]}))
    split = split_catalogue(linked, SplitSpec(cohorts=("AAA",), strategy="grouped_kfold"))
    rows = split.assignments.filter(pl.col("patient_id").is_in([a1, a2]))
    assert rows["group_id"].n_unique() == 1
    assert rows.group_by("fold").agg(pl.col("part").n_unique())["part"].max() == 1
    assert split.body["checks"]["L7"]["status"] == "pass"


def test_overlapping_cohorts_are_one():
    catalogue = make_catalogue(("AAA",), n_patients=40)
    union = catalogue.profiles.with_columns(cohort=pl.lit("AAABBB"))
    both = replace(catalogue, profiles=pl.concat([catalogue.profiles, union]))
    split = split_catalogue(both, SplitSpec(strategy="grouped_kfold"))
    parts = split.assignments.group_by("fold", "sample_id").agg(pl.col("part").n_unique())
    assert parts["part"].max() == 1
    assert split.body["checks"]["L6"]["evidence"]["patients_of_two_cohorts"] == 40
    assert split.body["strategy"]["solutions"][0]["cohorts"] == ["AAA", "AAABBB"]


def test_the_universe_is_every_sample_and_what_is_left_out_is_named():
    catalogue = make_catalogue(n_patients=40)
    everything = universe(catalogue, SplitSpec())
    assert set(everything.samples["sample_type"]) == {"primary", "normal", "metastasis"}
    assert everything.exclusions.is_empty()
    both = universe(catalogue, SplitSpec(modalities=("meth", "prot"), require="all"))
    assert both.samples.height + both.exclusions.height == everything.samples.height
    assert set(both.exclusions["reason"]) == {"does not have all of meth, prot"}
    extra = pl.DataFrame({"patient_id": ["P-report"], "cohort": ["AAA"]})
    patients = pl.concat([catalogue.patients, extra], how="diagonal")
    seen = universe(replace(catalogue, patients=patients), SplitSpec())
    assert seen.exclusions.rows() == [("AAA", "P-report", None, "no_sample", "the patient has no profile")]


def test_strata_are_cut_within_the_cohort():
    outcomes = pl.DataFrame(
        [("P1", 10.0, 1), ("P2", 20.0, 1), ("P3", 30.0, 1), ("P4", 25.0, 0), ("P5", 0.0, 1)],
        schema=["patient_id", "time_days", "event"],
        orient="row",
    ).with_columns(cohort=pl.lit("AAA"), endpoint=pl.lit("OS"))
    catalogue = Catalogue(profiles=pl.DataFrame([profile(f"P{i}") for i in range(1, 7)]), outcomes=outcomes)
    spec = SplitSpec(endpoint="OS")
    found = patient_strata(catalogue, universe(catalogue, spec), spec)
    assert found.select("stratum", "event").rows() == [
        ("event in time bin 0", True),
        ("event in time bin 1", True),
        ("event in time bin 1", True),
        ("censored in time bin 1", False),
        ("event in time bin 0", False),  # a time of 0 is left out of fitting
        ("unknown", None),
    ]


def test_a_label_may_be_the_patients_or_a_samples():
    labels = pl.DataFrame(
        [("P1", None, "A"), ("P2", "P2-11", "N"), ("P2", "P2-01", "B")],
        schema=["patient_id", "sample_id", "label"],
        orient="row",
    ).with_columns(cohort=pl.lit("AAA"), task=pl.lit("t"), source=pl.lit("s"))
    profiles = [profile("P1"), profile("P2"), profile("P2", code="11"), profile("P3")]
    catalogue = Catalogue(profiles=pl.DataFrame(profiles), labels=labels)
    spec = SplitSpec(label="t")
    assert patient_strata(catalogue, universe(catalogue, spec), spec)["stratum"].to_list() == ["A", "B", "unknown"]


@pytest.mark.parametrize(
    ("section", "error", "message"),
    [
        ({"strategie": "x"}, UnknownNameError, r"unknown key in split 'strategie'\. Expected one of strategy"),
        (
            {"strategy": "site_kfold"},
            UnknownNameError,
            "unknown split strategy 'site_kfold'. Expected one of site_preserved_kfold",
        ),
        ({"modalities": ["rns"]}, UnknownNameError, "unknown modality 'rns'. Expected one of rna"),
        ({"k": 2}, SplitError, r"split\.k is 2\. Expected at least 3, for a test, a val and a train part"),
        ({"k": "five"}, SplitError, r"split\.k is 'five'\. Expected a whole number"),
        ({"near_duplicate_r": 2}, SplitError, r"split\.near_duplicate_r is 2\.0\. Expected a correlation"),
        ({"name": "../x"}, SplitError, r"split\.name is '\.\./x'\. Expected letters"),
        ({"endpoint": "OS", "label": "t"}, SplitError, "the endpoint OS and the label t"),
        ({"waive": {"L99": "x"}}, UnknownNameError, r"unknown leak check in split\.waive 'L99'"),
        ({"cohorts": [3]}, SplitError, r"split\.cohorts is \[3\]\. Expected a list of names"),
    ],
)
def test_a_wrong_section_is_refused(section, error, message):
    with pytest.raises(error, match=message):
        SplitSpec.from_params(section)


def test_params_go_through_and_back():
    spec = SplitSpec.from_params(
        {"k": 4, "cohorts": "brca", "modalities": ["RNA", "prot"], "endpoint": "os", "label": None}
    )
    assert (spec.cohorts, spec.modalities, spec.endpoint) == (("BRCA",), ("prot", "rna"), "OS")
    assert SplitSpec.from_params(spec.to_params()) == spec


def no_events(catalogue):
    return replace(catalogue, outcomes=catalogue.outcomes.with_columns(event=pl.lit(0)))


def one_label(catalogue):
    return replace(catalogue, labels=catalogue.labels.with_columns(label=pl.lit("A")))


@pytest.mark.parametrize(
    ("change", "spec", "message"),
    [
        (
            no_events,
            {"endpoint": "OS"},
            r"has no OS event among \d+ patients in its train part\. Expected at least one event",
        ),
        (
            one_label,
            {"label": "subtype"},
            "has only the class 'A' of subtype in its train part. Expected at least two classes",
        ),
        (None, {"endpoint": "OSS"}, "unknown split.endpoint 'OSS'. Expected one of OS"),
        (None, {"cohorts": ("AAB",)}, r"unknown cohort in split\.cohorts 'AAB'\. Expected one of AAA"),
        (None, {"modalities": ("metab",)}, "no sample of AAA has any of metab"),
        (None, {"k": 90}, "60 groups of people apart, for 90 folds"),
        (
            None,
            {"k": 13, "strategy": "site_preserved_kfold"},
            r"AAA have \d+ known sites for 13 folds\. Expected at least 13 sites",
        ),
        (
            lambda c: replace(c, outcomes=c.outcomes.clear()),
            {"endpoint": "OS"},
            r"split\.endpoint is 'OS' and the store has no endpoint",
        ),
    ],
)
def test_what_the_data_cannot_bear_is_refused_with_the_reason(change, spec, message):
    catalogue = make_catalogue()
    with pytest.raises((SplitError, UnknownNameError), match=message):
        split_catalogue(change(catalogue) if change else catalogue, SplitSpec(**{"strategy": "grouped_kfold", **spec}))


def test_sites_that_people_join_are_one_and_too_few_are_refused():
    catalogue = with_profiles(make_catalogue(n_sites=6), pl.col("content_hash").str.head(0) + "same")
    with pytest.raises(SplitError, match="there are 1 groups of people and sites apart, for 3 folds"):
        split_catalogue(catalogue, SplitSpec(k=3))


def test_sites_that_are_not_kept_whole_are_said_to_be():
    split = split_catalogue(make_catalogue(), SplitSpec(strategy="grouped_kfold"))
    check = split.body["checks"]["L3"]
    assert check["status"] == "waived"
    assert check["why"].startswith("grouped_kfold does not keep sites whole, and fold ")
    assert f"shares {max(check['evidence']['shared_by_fold'].values())} sites" in check["why"]
    assert check["evidence"]["n_shared"] > 0


def test_a_label_that_was_called_from_the_data_fails_and_can_be_waived():
    catalogue = make_catalogue()
    catalogue = replace(catalogue, labels=catalogue.labels.with_columns(derived_from=pl.lit("rna")))
    spec = {"strategy": "grouped_kfold", "label": "subtype"}
    check = split_catalogue(catalogue, SplitSpec(**spec)).body["checks"]["L9"]
    assert (check["status"], check["severity"]) == ("fail", "warning")
    assert check["evidence"]["offenders"] == ["subtype is called from rna"]
    others = SplitSpec(**spec, modalities=("meth", "prot"))
    assert split_catalogue(catalogue, others).body["checks"]["L9"]["status"] == "pass"
    waived = split_catalogue(catalogue, SplitSpec(**spec, waive={"L9": "a test of the pipeline"})).body["checks"]["L9"]
    assert (waived["status"], waived["why"]) == ("waived", "a test of the pipeline")


@pytest.mark.parametrize(
    ("redacted", "status", "why"),
    [
        (None, "fail", "a report may say the label in words: redact: [subtype] in its source takes them out"),
        ('["stage"]', "fail", "a report may say the label in words: redact: [subtype] in its source takes them out"),
        ('["subtype"]', "pass", "the words for subtype are redacted from the reports, which can still hint at it"),
        ('["kidney_subtype"]', "pass", "the words for subtype are redacted from the reports"),
    ],
)
def test_reports_that_may_say_the_label_are_told(redacted: str | None, status: str, why: str):
    catalogue = make_catalogue()
    people = catalogue.profiles.unique("patient_id", keep="first", maintain_order=True)
    texts = people.with_columns(modality=pl.lit("report"), profile_id=pl.col("patient_id"), content_hash=None)
    about = {"cohort": "AAA", "modality": "report", "source_id": "r", "profiles_kept": 60, "redacted": redacted}
    names = pl.when(pl.col("label") == "A").then(pl.lit("CCRCC")).otherwise(pl.lit("PRCC"))
    catalogue = replace(
        catalogue,
        profiles=pl.concat([catalogue.profiles, texts.cast(catalogue.profiles.schema)]),
        provenance=pl.DataFrame([about], schema_overrides={"redacted": pl.String}),
        labels=catalogue.labels.with_columns(label=names),
    )
    check = split_catalogue(catalogue, SplitSpec(strategy="grouped_kfold", label="subtype")).body["checks"]["L9"]
    assert (check["status"], check["severity"]) == (status, "warning")
    assert why in check["why"]
    assert check["evidence"]["reports_redacted"] == {"AAA": status == "pass"}
    without = SplitSpec(strategy="grouped_kfold", label="subtype", modalities=("rna",))
    assert "reports_redacted" not in split_catalogue(catalogue, without).body["checks"]["L9"]["evidence"]


def test_a_modality_that_only_the_dead_have_is_found():
    catalogue = make_catalogue(n_patients=80)
    dead = catalogue.outcomes.filter(pl.col("event") == 1)["patient_id"].implode()
    told = replace(
        catalogue, profiles=catalogue.profiles.filter((pl.col("modality") != "prot") | pl.col("patient_id").is_in(dead))
    )
    spec = SplitSpec(strategy="grouped_kfold", endpoint="OS")
    assert split_catalogue(catalogue, spec).body["checks"]["L12"]["status"] == "pass"
    check = split_catalogue(told, spec).body["checks"]["L12"]
    assert check["status"] == "fail"
    assert check["evidence"]["offenders"] == ["prot"]


def test_tables_normalised_within_their_cohort_are_found():
    provenance = pl.DataFrame(
        {"cohort": ["AAA", "BBB"], "modality": ["rna", "rna"], "upstream_fit": ["per_cohort", "none"]}
    )
    catalogue = replace(make_catalogue(("AAA", "BBB")), provenance=provenance)
    split = split_catalogue(catalogue, SplitSpec(strategy="grouped_kfold"))
    assert split.body["checks"]["L13"]["evidence"]["offenders"] == ["rna of AAA"]
    assert split.body["exposure"]["upstream_fit"] == ["rna of AAA: per_cohort", "rna of BBB: none"]


def test_normalised_apart_matters_only_where_cohorts_are_pooled():
    provenance = pl.DataFrame({"cohort": ["AAA"], "modality": ["prot"], "upstream_fit": ["per_cohort"]})
    both = replace(make_catalogue(("AAA", "BBB")), provenance=provenance)
    alone = replace(both, profiles=both.profiles.filter((pl.col("cohort") == "AAA") | (pl.col("modality") != "prot")))

    def status(catalogue, **spec):
        return split_catalogue(catalogue, SplitSpec(strategy="grouped_kfold", **spec)).body["checks"]["L13"]["status"]

    assert status(both) == "fail"
    assert status(both, cohorts=("AAA",)) == status(both, modalities=("rna",)) == "not_applicable"
    assert status(alone) == "not_applicable"


def one_large_group(catalogue, n):
    people = catalogue.profiles["patient_id"].unique().sort().to_list()[:n]
    aliases = pl.DataFrame({"patient_id": people[1:], "alias": [people[0]] * (n - 1)})
    return replace(catalogue, aliases=aliases)


def test_a_part_far_from_its_share_is_warned_of():
    catalogue = make_catalogue(n_patients=100)
    fair = split_catalogue(catalogue, SplitSpec(strategy="grouped_kfold")).body["checks"]["balance"]
    assert (fair["status"], fair["severity"]) == ("pass", "warning")
    found = split_catalogue(one_large_group(catalogue, 90), SplitSpec(strategy="grouped_kfold"))
    check = found.body["checks"]["balance"]
    assert check["status"] == "fail"
    assert any(s.endswith("patients in train, where 60 would be fair") for s in check["evidence"]["offenders"])
    assert check["evidence"]["n_offenders"] > len(check["evidence"]["offenders"]) == 5
    waived = split_catalogue(
        one_large_group(catalogue, 90), SplitSpec(strategy="grouped_kfold", waive={"balance": "one family"})
    )
    assert waived.body["checks"]["balance"]["status"] == "waived"


def test_a_part_without_a_patient_is_refused():
    split = split_catalogue(make_catalogue(), SplitSpec(strategy="grouped_kfold", k=3))
    rows = split.assignments.with_columns(event=pl.lit(None, pl.Boolean), label=pl.lit(None, pl.String))
    with pytest.raises(SplitError, match="fold 1 of split default has no patient in its val part"):
        refuse_unusable(rows.filter((pl.col("fold") != 1) | (pl.col("part") != "val")), SplitSpec(k=3), 3)


def test_every_check_is_there_and_none_is_silent():
    split = split_catalogue(make_catalogue(), SplitSpec(strategy="grouped_kfold"))
    assert set(split.body["checks"]) == {f"L{i}" for i in range(1, 14)} | {"balance"}
    assert all(check["why"] for check in split.body["checks"].values())


@pytest.mark.parametrize(
    ("shape", "strategy", "k", "endpoint"),
    [
        ({"n_sites": 14, "n_patients": 70}, "site_preserved_kfold", 5, "OS"),
        ({"n_sites": 5}, "grouped_kfold", 5, "OS"),
        ({"n_sites": 2, "n_patients": 36}, "grouped_kfold", 3, "OS"),
        ({"n_sites": 2, "n_patients": 12, "outcome": False}, "grouped_kfold", 3, None),
    ],
)
def test_defaults_fit_the_data(shape, strategy, k, endpoint):
    spec, reasons = default_spec(make_catalogue(**shape))
    assert (spec.strategy, spec.k, spec.endpoint) == (strategy, k, endpoint)
    assert reasons[-1].startswith("chosen: ")
    assert ("no outcome" in " ".join(reasons)) == (endpoint is None)


def test_defaults_go_without_an_endpoint_that_cannot_be_borne():
    spec, reasons = default_spec(no_events(make_catalogue(n_sites=2)))
    assert spec.endpoint is None
    assert any("no OS event" in reason for reason in reasons)


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "does not exist"), ("patient,alias\na,b\n", "has no column patient_id"), ("", "cannot be read")],
)
def test_a_wrong_alias_table_is_refused(text, message, tmp_path):
    path = tmp_path / "aliases.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SplitError, match=message):
        read_aliases(path)


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_a_spec_under_another_strategy_keeps_what_is_not_of_the_first_alone(strategy):
    struck = [{"left": "P1", "right": "P2", "reason": "seen both"}]
    kept = {"modalities": ["rna"], "require": "all", "endpoint": "OS", "not_same": struck, "waive": {"L3": "known"}}
    for own in ({"strategy": "temporal", "test_from": 2009}, {"strategy": "leave_site_out", "min_test": 5}):
        found = SplitSpec.from_params(kept | own).under(strategy, k=4).to_params()
        assert found == SplitSpec.from_params(
            kept | {"strategy": strategy, "k": 4} | (own if own["strategy"] == strategy else {})
        ).to_params()  # fmt: skip
