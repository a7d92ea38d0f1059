"""The table of competitors on a tiny study."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from models.datamodule import CohortDataModule
from models.imputmae.rows import after_zero, judged_rows
from models.outside.customics import CUSTOMICS
from models.outside.flexynesis import FLEXYNESIS
from models.outside.risks import Effort
from models.outside.run import Outside
from models.outside.table import Protocol, competitors_table

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.store.reader import Store

pytest.importorskip("sksurv", reason="the survival forest is of the extra bench")

# On so few patients the elastic net may choose nothing.
pytestmark = pytest.mark.filterwarnings("ignore:all coefficients are zero:UserWarning")

PROTOCOL = Protocol(("rna", "prot"), bootstrap=20, effort=Effort(components=5, epochs=(1,), rounds=1, most=1))
SIMPLE = {f"{m}, {n}" for m in ("ridge", "coxnet", "forest") for n in ("rna", "prot", "all")}
SIMPLE |= {f"clinical + {m}, {n}" for m in ("ridge", "forest") for n in ("rna", "prot", "all")}

#: Learns nothing, and answers with the first gene; fails in the fold whose number is asked for.
WORKER = """
import sys
from pathlib import Path
import numpy as np
folder = Path(sys.argv[1])
given = dict(np.load(folder / "given.npz"))
assert not any(k.startswith("new") and k.endswith(("time", "event")) for k in given)
parts = {k.split(".")[0] for k in given}
answer = {p: given[f"{p}.view.rna"][:, 0] for p in parts if p == "val" or p.startswith("new")}
np.savez(folder / "answer.npz", **answer)
"""


@pytest.fixture(autouse=True)
def _light(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("models.imputmae.rivals._TREES", "models.outside.risks._TREES"):
        monkeypatch.setattr(name, 5)
    monkeypatch.setattr("models.outside.mofa._ITERATIONS", 20)
    for method in (CUSTOMICS, FLEXYNESIS):
        monkeypatch.delenv(method.variable, raising=False)


def make(study: Path, store: Store, folds: list[int]) -> dict[str, Any]:
    return competitors_table(store, study / "splits/default", PROTOCOL, folds=folds, say=lambda _: None)


def test_what_is_not_installed_has_a_reason_and_no_row(study: Path, store: Store) -> None:
    body = make(study, store, [0])
    methods = {row["method"] for row in body["rows"]}
    assert methods - {"MOFA2 + Cox", "clinical + MOFA2"} == SIMPLE | {"clinical Cox"}
    assert set(body["left_out"]) >= {"CustOmics", "Flexynesis"}
    assert "OMICSTORE_CUSTOMICS_PYTHON names no interpreter" in body["left_out"]["CustOmics"]
    assert {(r["method"], r["measure"]) for r in body["rows"]} == {
        (m, c) for m in methods for c in ("c_harrell", "c_uno")
    }
    for row in (*body["rows"], *body["differences"]):
        assert row["low"] - 1e-6 <= row["mean"] <= row["high"] + 1e-6
    rows = {(r["method"], r["measure"]): r["mean"] for r in body["rows"]}
    for d in body["differences"]:
        one, two = (rows[d[key], d["measure"]] for key in ("method", "against"))
        assert d["mean"] == pytest.approx(one - two, abs=2e-6)
    assert {d["method"] for d in body["differences"] if d["against"] == "clinical Cox"} == methods - {"clinical Cox"}
    part = CohortDataModule(store, study / "splits/default", 0, modalities=["rna", "prot"], endpoint="OS").part("test")
    able = part.present.all(dim=1) & torch.isfinite(part.targets.time)
    patients = {p for p, kept in zip(part.patient_id, able.tolist(), strict=True) if kept}
    assert body["folds"][0]["n_judged"] == len(patients) == len(judged_rows(part))
    assert (after_zero(part).targets.time > 0).all()


def test_a_method_elsewhere_stands_in_the_table_and_one_that_fails_once_does_not(
    study: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = tmp_path / "calls"
    failing = f"open({str(calls)!r}, 'a').write('x')\nif len(open({str(calls)!r}).read()) > 1: raise OSError('full')\n"
    for method, script in ((CUSTOMICS, WORKER), (FLEXYNESIS, failing + WORKER)):
        worker = tmp_path / f"{method.name}.py"
        worker.write_text(script)
        fake = Outside(method.name, method.requires, method.variable, str(worker))
        monkeypatch.setenv(method.variable, sys.executable)
        for module in ("models.outside.risks", f"models.outside.{method.name.lower()}"):
            monkeypatch.setattr(f"{module}.{method.name.upper()}", fake)
    body = make(study, store, [0, 1])
    rows = {r["method"]: r for r in body["rows"] if r["measure"] == "c_harrell"}
    assert {"CustOmics, all", "clinical + CustOmics, all"} < set(rows)
    assert not any("Flexynesis" in name for name in rows)
    assert body["left_out"]["Flexynesis"] == "Flexynesis ended with exit code 1, saying: OSError: full."
    assert list(rows["CustOmics, all"]["each"]) == ["fold 0", "fold 1"]
    assert rows["CustOmics, all"]["sd"] is not None
    pairs = {(d["method"], d["against"]) for d in body["differences"]}
    assert {("CustOmics, all", "ridge, all"), ("clinical + CustOmics, all", "clinical Cox")} < pairs
    assert np.isfinite([d["mean"] for d in body["differences"]]).all()
