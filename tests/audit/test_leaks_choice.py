"""L5: the epoch is the best by val, and the test part had no say in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from audit_cases import tiny_case, usual_history

from omicstore.audit.leaks.choice import choice


def test_the_best_epoch_by_val_passes(tmp_path: Path) -> None:
    found = choice(tiny_case(tmp_path).write_model())
    assert (found.status, found.evidence["epoch"], found.evidence["n_epochs"]) == ("pass", 6, 10)


def test_a_split_chooses_nothing(tmp_path: Path) -> None:
    found = choice(tiny_case(tmp_path).write())
    assert (found.status, found.how) == ("not_applicable", "a split chooses nothing")


def test_selection_on_test_is_an_error(tmp_path: Path) -> None:
    found = choice(tiny_case(tmp_path).write_model(selection={"part": "test"}))
    assert (found.severity, found.found) == ("error", "the model was chosen on the test part, by its own sidecar")


def test_an_epoch_that_is_not_the_best_is_named(tmp_path: Path) -> None:
    found = choice(tiny_case(tmp_path).write_model(selection={"epoch": 9, "value": 0.56}))
    assert found.found == "epoch 9 was chosen, whose val loss is 0.56, though that of epoch 6 is 0.5"


def test_equal_losses_may_be_either_epoch(tmp_path: Path) -> None:
    history = usual_history()
    history[8]["val"] = history[6]["val"] + 1e-6  # as rounding may have it
    assert choice(tiny_case(tmp_path).write_model(history=history, selection={"epoch": 8})).status == "pass"


def test_a_loss_that_the_history_does_not_have_is_named(tmp_path: Path) -> None:
    found = choice(tiny_case(tmp_path).write_model(selection={"value": 0.4}))
    assert found.found == "the sidecar says that the val loss of epoch 6 is 0.4, history.json 0.5"


def test_a_history_with_the_test_part_is_an_error(tmp_path: Path) -> None:
    history = [row | {"test": 0.5} for row in usual_history()]
    found = choice(tiny_case(tmp_path).write_model(history=history))
    assert found.found == "history.json has test of every epoch, so that the test part was read while training"


def test_training_that_something_else_ended_is_a_warning(tmp_path: Path) -> None:
    history = usual_history()[:8]
    found = choice(tiny_case(tmp_path).write_model(history=history, config={"patience": 3, "max_epochs": 10}))
    assert found.severity == "warning"
    assert found.found.startswith("history.json ends 1 epochs after the best, where the patience is 3")


def test_a_metric_that_is_best_where_it_is_highest_passes(tmp_path: Path) -> None:
    history = [row | {"val/c_index": 0.5 + 0.01 * row["epoch"]} for row in usual_history()]
    selection = {"metric": "c_index", "epoch": 9, "value": 0.59}
    assert choice(tiny_case(tmp_path).write_model(history=history, selection=selection)).status == "pass"


def test_other_weights_that_read_test_first_may_be_a_choice(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    bundle = case.write_model()
    own, made = bundle.sidecar["weights"]["sha256"], case.manifest()["manifest_hash"]
    reads = [{"manifest_hash": made, "reader": f"omicstore evaluate: tiny, weights {w}"} for w in ("ab" * 6, own[:12])]
    case.log_reads(reads)
    assert choice(bundle).found == (
        "the test part of fold 0 was read for other weights of tiny before (abababababab): these may be a choice"
    )
    case.log_reads(reads[::-1])
    assert choice(bundle).status == "pass"


@pytest.mark.parametrize("content", [b"{}", b"no json", b"\xff", b""])
def test_a_broken_history_is_named(tmp_path: Path, content: bytes) -> None:
    bundle = tiny_case(tmp_path).write_model()
    (bundle.checkpoint / "history.json").write_bytes(content)
    assert "history.json cannot be read as a list of epochs" in choice(bundle).found


@pytest.mark.parametrize("epoch", ["six", None, 99, 6.5])
def test_odd_epochs_do_not_break_the_check(tmp_path: Path, epoch: Any) -> None:
    found = choice(tiny_case(tmp_path).write_model(selection={"epoch": epoch}))
    assert found.status == ("pass" if epoch is None else "fail")
