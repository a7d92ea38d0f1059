"""Which of several profiles of one sample is taken, and why the others are not."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["RULES", "Choice", "choose"]

Profile = dict[str, Any]

#: RNA analytes by preference: total RNA prepared by hybrid selection, by RNeasy, whole-genome amplified RNA.
_RNA = {"H": 0, "R": 1, "T": 2}
#: DNA analytes: native before amplified.
_DNA = {"D": 0, "G": 1, "W": 2, "X": 3}
_ARRAYS = {"epicv2": 0, "epic": 1, "hm450": 2, "hm27": 3}


def _text(key: str) -> Callable[[Profile], Any]:
    # What a barcode does not say comes after what it says.
    return lambda profile: (profile[key] is None, profile[key] or "")


def _analyte(profile: Profile) -> Any:
    preference = _RNA if profile["modality"] in ("rna", "mirna") else _DNA
    return (preference.get(profile["analyte"] or "", len(preference)), profile["analyte"] or "")


def _newest_plate(profile: Profile) -> Any:
    # A later plate is a repeat, made because something was wrong with the earlier one.
    return tuple(-ord(c) for c in profile["plate"]) if profile["plate"] else (0,)


#: The rules in the order in which they are asked: the reason that a profile is not chosen, and the key that is least
#: for the one that is.
RULES: tuple[tuple[str, Callable[[Profile], Any]], ...] = (
    ("FFPE", lambda p: bool(p["ffpe"])),
    ("patient-level id", lambda p: bool(p["sample_type_inferred"])),
    ("later vial", _text("vial")),
    ("other platform", lambda p: (_ARRAYS.get(p["platform"] or "", len(_ARRAYS)), 0)),
    ("other analyte", _analyte),
    ("later portion", _text("portion")),
    ("other plate", _newest_plate),
    ("other center", _text("center")),
    ("later source", lambda p: p["source_order"]),
)

INDISTINGUISHABLE = "indistinguishable"


@dataclass(frozen=True, slots=True)
class Choice:
    """The decision on one profile: chosen, with reason None; or not, with the first rule that spoke against it.

    `rank` is its place among the profiles of its sample, from 0.
    """

    chosen: bool
    reason: str | None
    rank: int


def choose(profiles: Sequence[Profile]) -> list[Choice]:
    """Choose one profile per sample.

    Parameters
    ----------
    profiles
        One mapping per profile of one modality and cohort: the columns of the profiles table, and ``source_order``,
        the place of its source in the study file.

    Returns
    -------
    list of Choice
        One per profile. Where no rule decides, the profile with the fewest missing values is chosen, then that with the
        smaller content hash; the reason for the other is ``indistinguishable``. The order of `profiles` has no
        influence.
    """
    by_sample: dict[str, list[int]] = defaultdict(list)
    for i, profile in enumerate(profiles):
        by_sample[profile["sample_id"]].append(i)
    decided: list[Choice | None] = [None] * len(profiles)
    for members in by_sample.values():
        keys = {i: _key(profiles[i]) for i in members}
        ranked = sorted(members, key=lambda i: (keys[i], profiles[i]["n_missing"], profiles[i]["content_hash"]))
        best = keys[ranked[0]]
        for rank, i in enumerate(ranked):
            decided[i] = Choice(rank == 0, None if rank == 0 else _reason(keys[i], best), rank)
    return [d for d in decided if d is not None]


def _key(profile: Profile) -> tuple[Any, ...]:
    return tuple(key(profile) for _, key in RULES)


def _reason(key: tuple[Any, ...], best: tuple[Any, ...]) -> str:
    return next((name for (name, _), mine, its in zip(RULES, key, best, strict=True) if mine != its), INDISTINGUISHABLE)
