"""L4: transforms, scaling and selection that were fitted on more than the training rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omicstore.audit.encoding import row_hash
from omicstore.audit.finding import not_applicable, result
from omicstore.audit.leaks.upstream import picked_by_label, scaled_on_all
from omicstore.audit.numbers import cohorts_of, modalities_of
from omicstore.audit.reading import BROKEN, at, because
from omicstore.audit.refit import can_fit, differs, fitting_rows, refit

if TYPE_CHECKING:
    from omicstore.audit.bundle import Bundle, State
    from omicstore.audit.finding import Finding

__all__ = ["fitting"]

_WHAT = "transforms fitted on held-out rows"

#: A state is taken for fitted on some rows if so few of its numbers differ from what these give.
_FEW = 0.001

#: What files say of the rows that their numbers were normalised on, if those were more than one sample's own.
_ON_ALL = {"per_cohort": "all samples of its cohort", "all_samples": "all samples of its source"}


def fitting(bundle: Bundle) -> Finding:
    """Look for anything that was fitted on rows other than the training part of its fold.

    The states of a model are fitted again from the store's numbers on the training rows; where that gives other
    numbers, on the other parts, to say what they were fitted on. A failure there is an error. What happened before the
    store is a warning: tables that say, or whose numbers say, that they were scaled over all samples, and tables of
    features that were picked by the label.
    """
    if bundle.store is None or not bundle.matrices:
        return not_applicable("L4", _WHAT, "no store, or none with matrices")
    states, notes = [], []
    offenders: list[str] = []
    if bundle.checkpoint is not None and can_fit(bundle):
        for state in bundle.states:
            try:
                sentence, entry = _fitted_on(bundle, state)
            except BROKEN as error:
                notes.append(f"{state.path.name} was not fitted again: {because(error)}")
                continue
            states.append(entry)
            offenders += [sentence] if sentence else []
    is_error = bool(offenders)
    declared = _declared(bundle)
    # a table that says so is not told of twice
    told = {(c, m) for c, m, _ in declared}
    offenders += [sentence for _, _, sentence in declared]
    offenders += scaled_on_all(bundle, told) + picked_by_label(bundle)
    how = (
        "what each table says of its normalisation was read, and its numbers were tested for being scaled over all "
        "samples and for features that were picked by the label"
    )
    if states:
        how = "every fitted number was fitted again on the training rows, from the store's numbers; " + how
    return result(
        "L4", _WHAT, offenders, how, "error" if is_error else "warning",
        tables_that_do_not_say=_unsaid(bundle), states=states, notes=notes,
    )  # fmt: skip


def _fitted_on(bundle: Bundle, state: State) -> tuple[str, dict[str, Any]]:
    """Return what a state was fitted on if it is not the training rows, and how far its numbers are off."""
    fold = int(state.body["fold"])
    rows = {part: fitting_rows(bundle, fold, part) for part in ("train", "val", "test")}
    claims = state.body.get("fitted_on_row_hash")
    off = _off(bundle, state, rows["train"])
    entry: dict[str, Any] = {
        "state": state.path.name,
        "fold": fold,
        "off_train": None if off is None else round(off, 5),
    }
    claims_train = claims == row_hash(rows["train"])
    if off is not None and off <= _FEW:
        if claims_train:
            return "", entry
        return (
            f"{state.path.name} of fold {fold} names other rows than the training rows as those it was fitted on",
            entry,
        )
    others = {
        "all rows of the split": [r for own in rows.values() for r in own],
        "train and val together": rows["train"] + rows["val"],
        "train and test together": rows["train"] + rows["test"],
        "the test rows alone": rows["test"],
        "the val rows alone": rows["val"],
    }
    said = state.body.get("fitted_on")
    if isinstance(said, list):
        others["the rows that it names"] = [str(s) for s in said]
    if off is None:
        known = next((name for name, own in others.items() if claims == row_hash(own)), None)
        if claims_train:
            return "", entry
        return (
            f"{state.path.name} of fold {fold} says it was fitted on {known or 'other rows than the training rows'}",
            entry,
        )
    entry |= {"off": {name: _rounded(_off(bundle, state, own)) for name, own in others.items()}}
    fits = next((name for name, share in entry["off"].items() if share is not None and share <= _FEW), None)
    if fits == "the rows that it names" and isinstance(said, list):
        more = sorted(set(map(str, said)) - set(rows["train"]))
        fits = (
            f"{len(more)} rows beside the training rows, e.g. {', '.join(more[:3])}"
            if more
            else "fewer rows than train"
        )
    truth = f"they are those of {fits}" if fits else "they are those of no part or union of parts"
    return (
        f"{off:.1%} of the numbers in {state.path.name} of fold {fold} are not those of its training rows: {truth}",
        entry,
    )


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 5)


def _off(bundle: Bundle, state: State, rows: list[str]) -> float | None:
    """Return the share of a state's numbers that fitting on rows does not give; None where nothing can be fitted."""
    if not rows:
        return 1.0
    wrong, total = 0, 0
    for (modality, number, key), expected in refit(bundle, state, rows).items():
        found = state.arrays.get(f"{modality}/{number}/{key}")
        total += len(expected)
        same_size = found is not None and found.shape == expected.shape
        wrong += int(differs(found, expected).sum()) if same_size and found is not None else len(expected)
    return wrong / total if total else None


def _unsaid(bundle: Bundle) -> list[str]:
    """Return the tables that do not say on what they were normalised: of these a pass tells less."""
    read, cohorts = modalities_of(bundle), cohorts_of(bundle)
    return [
        f"{modality} of {cohort}"
        for cohort, modality in bundle.matrices
        if cohort in cohorts
        and modality in read
        and at(bundle.body, "matrices", cohort, modality, "upstream_fit") in (None, "unknown")
    ]


def _declared(bundle: Bundle) -> list[tuple[str, str, str]]:
    """Return the tables that say that they were normalised over samples of all parts: cohort, modality, sentence."""
    read, cohorts = modalities_of(bundle), cohorts_of(bundle)
    found = []
    for cohort, modality in bundle.matrices:
        fit = at(bundle.body, "matrices", cohort, modality, "upstream_fit")
        if cohort not in cohorts or modality not in read:
            continue
        if fit in _ON_ALL:
            sentence = f"{modality} of {cohort} says that it was normalised over {_ON_ALL[fit]}, test rows among them"
            found.append((cohort, modality, sentence))
        elif bundle.unit(cohort, modality) == "zscore":
            sentence = f"{modality} of {cohort} is in z-scores, which are fitted on samples, and does not say on which"
            found.append((cohort, modality, sentence))
    return found
