"""New people of the simulated world that a model was trained in: the same biology, other patients."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from model_runs import run_train
from numpy.typing import NDArray

import omicstore
from omicstore.build.store import build_study
from omicstore.cli import main
from omicstore.simulate import simulate
from omicstore.simulate.aliquots import make_aliquots
from omicstore.simulate.assays import Assays
from omicstore.simulate.design import COHORTS
from omicstore.simulate.genes import make_genes
from omicstore.simulate.panels import make_antibodies
from omicstore.simulate.people import make_people
from omicstore.simulate.probes import make_probes
from omicstore.simulate.programmes import make_programmes, make_state
from omicstore.splits import SplitSpec, make
from omicstore.study.create import create_study

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SEED = 7
TRAINED = ("BRCA", "UCEC", "LGG")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of RNA and proteins of three cohorts, trained."""
    raw = simulate(tmp_path_factory.mktemp("raw"), seed=SEED)
    folder = tmp_path_factory.mktemp("study") / "demo"
    create_study(folder, raw)
    params = yaml.safe_load((folder / "params.yaml").read_text())
    section = params["study"]
    section["cohorts"] = list(TRAINED)
    section["sources"] = [
        s
        for s in section["sources"]
        if s.get("modality") in (None, "rna", "prot") and s.get("cohort") in (None, *TRAINED)
    ]
    params["split"] = {"name": "default", "strategy": "grouped_kfold", "k": 4, "seed": 1, "cohorts": list(TRAINED)}
    params["train"] = {
        "model": "aro", "preset": "small", "modalities": ["rna", "prot"], "cohorts": list(TRAINED), "fold": 0, "seed": 1,
    }  # fmt: skip
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    build_study(folder, lambda _: None)
    with omicstore.open(folder / "data/store") as store:
        make(store, SplitSpec.from_params(params["split"]), folder / "splits/default")
    run_train(folder)
    return folder


def newcomers(cohort: str) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str], list[str]]:
    """Return TPM, proteins, Ensembl ids with versions and antibodies of people beyond those of the demo."""
    design = next(d for d in COHORTS if d.name == cohort)
    genes, people = make_genes(SEED), make_people(design, 99, 2.0)
    programmes = make_programmes(SEED, genes)
    # The state of the first half is that of the demo's people, so these are left out.
    state = make_state(SEED, people, programmes)
    assays = Assays(SEED, people, state, genes, make_probes(SEED, genes), programmes)
    aliquots = make_aliquots(99, people, "rna", "sample", 0.0)
    of = people.samples[aliquots.sample.tolist()]
    rows = ((of["patient"] >= design.patients) & (of["type"] == "01")).to_numpy()
    panel = make_antibodies(SEED, genes)
    proteins = assays.proteins(aliquots, panel.gene, panel.phospho)
    return assays.rna(aliquots)[rows], proteins[rows], [f"{g}.3" for g in genes.frame["ensembl"]], list(panel.names)


def write(path: Path, genes: list[str], values: NDArray[np.floating]) -> Path:
    rows = {f"lab-{i}": row for i, row in enumerate(values.round(4))}
    pl.DataFrame({"Ensembl_ID": genes, **rows}).write_csv(path, separator="\t")
    return path


def run(folder: Path, capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("sys.argv", ["omicstore", *words, "--json"])
        with pytest.raises(SystemExit) as left:
            main()
    shown = capsys.readouterr()
    assert left.value.code in (0, 3, None), shown.err
    return json.loads(shown.out)


def test_proteins_of_new_people_are_imputed_and_covered(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tpm, truth, genes, names = newcomers("UCEC")
    file = write(tmp_path / "rna.tsv", genes, np.log2(tpm + 1))
    words = ("--modality", "rna", "--unit", "log2(tpm+1)", "--samples-in", "columns")
    body = run(study, capsys, "impute", str(file), *words, "--out", str(tmp_path / "o"))
    value, low, high = (pl.read_parquet(tmp_path / f"o/prot{n}.parquet") for n in ("", ".low", ".high"))
    plain = [re.sub(r"@.*", "", name) for name in value.columns[1:]]
    place = [names.index(name) for name in plain]
    order = [int(s.removeprefix("lab-")) for s in value["sample_id"]]
    expected = truth[np.ix_(order, place)]
    guess, low_, high_ = (t.drop("sample_id").to_numpy() for t in (value, low, high))
    seen = ~np.isnan(expected)
    r = [np.corrcoef(guess[own, j], expected[own, j])[0, 1] for j, own in enumerate(seen.T)]
    assert np.mean(r) > 0.5
    ends = pl.read_parquet(tmp_path / "o/prot.features.parquet")
    held = ((expected >= low_) | (low_ <= ends["lowest"].to_numpy())) & (
        (expected <= high_) | (high_ >= ends["highest"].to_numpy())
    )
    assert held[seen].mean() == pytest.approx(0.9, abs=0.05)
    assert body["samples"]["outside"] <= 0.05 * len(tpm)
    assert not any("as a group" in warning for warning in body["warnings"])


def test_what_is_foreign_is_flagged(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tpm, _, genes, _ = newcomers("UCEC")
    brain, _, _, _ = newcomers("GBM")
    rng = np.random.default_rng(0)
    cases = {
        "shuffled": (rng.permuted(tpm, axis=1), "tpm", 0.95),
        "logarithms": (np.log2(tpm + 1), "tpm", 0.95),
        "tissue": (brain, "tpm", 0.05),  # its programmes are those of the other cohorts, so few are strange by far
    }
    for name, (values, unit, least) in cases.items():
        file = write(tmp_path / f"{name}.tsv", genes, values)
        words = ("--modality", "rna", "--unit", unit, "--samples-in", "columns", "--dry-run")
        body = run(study, capsys, "embed", str(file), *words)
        assert body["samples"]["outside"] >= least * len(values), name
        assert any("as a group the samples lie farther" in warning for warning in body["warnings"]), name
