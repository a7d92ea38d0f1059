"""What a split is asked to be: the ``split`` section of params.yaml."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from omicstore.errors import SplitError, UnknownNameError
from omicstore.modalities import get_modality
from omicstore.splits.strategies import IMPORTED, RANDOM, STRATEGIES, Strategy

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BLOCKS", "CHECKS", "LEAST_FOLDS", "NotSame", "SplitSpec"]

#: Every fold needs a test, a val and a train part, each of other folds' blocks.
LEAST_FOLDS = 3

#: What the checks of a manifest look for, in the order to show them: the leaks, and whether the folds are fair.
CHECKS: dict[str, str] = {
    "L1": "aliquots, vials or slides of one patient on both sides",
    "L2": "tumour and normal, or primary and metastasis, of one patient on both sides",
    "L3": "tissue source sites on both sides",
    "L4": "transforms fitted on held-out rows",
    "L5": "the epoch or the model chosen on the reported part",
    "L6": "overlapping cohorts, and encoders pre-trained on them",
    "L7": "the same person under another name",
    "L8": "near-duplicate profiles of different patients on both sides",
    "L9": "labels called from the data that predicts them",
    "L10": "later follow-up served as if known",
    "L11": "the test part read again and again",
    "L12": "which modalities are missing tells the outcome",
    "L13": "classes or cohorts normalised apart",
    "balance": "parts far from their fair share of the patients",
}

#: What `split.preserve` can keep whole beside the sites, which the strategy does: columns of the profiles.
BLOCKS = ("center", "plate", "platform")

#: Keys that some strategies alone read.
_OF_SOME: dict[str, tuple[str, ...]] = {
    "whole_sites": (IMPORTED, "cross_cohort", "external"),
    "test_cohorts": ("external",),
    "test_from": ("temporal",),
    "min_test": ("leave_site_out",),
    "price_list": (RANDOM,),
    "preserve": ("site_preserved_kfold", "grouped_kfold"),
}

#: Left out of the manifest where nobody set them.
_OPTIONAL = frozenset({*_OF_SOME, "repeats", "nested", "not_same"})

_NAMES = ("cohorts", "modalities", "test_cohorts", "preserve")
_KINDS: tuple[tuple[tuple[str, ...], Any, str], ...] = (
    (("k", "seed", "time_bins", "node_limit", "repeats", "nested", "test_from", "min_test"), int, "a whole number"),
    (("near_duplicate_r", "time_limit_s"), int | float, "a number"),
    (("whole_sites", "price_list"), bool, "true or false"),
)

#: The inner split of fold 2 of ``default`` is ``default/inner/2``.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/inner/\d+)?")


@dataclass(frozen=True, slots=True)
class NotSame:
    """Two patients whom an edge of the identity graph takes for one, and who are not.

    Attributes
    ----------
    left, right
        The patients, the smaller id first.
    reason
        Why the edge is wrong.
    """

    left: str
    right: str
    reason: str


@dataclass(frozen=True, slots=True)
class SplitSpec:
    """The ``split`` section, checked.

    Attributes
    ----------
    name
        The folder under ``splits/``.
    strategy
        One of `omicstore.splits.strategies.STRATEGIES`.
    k
        How many folds; each is the test part once, so at least `LEAST_FOLDS`.
    seed
        Breaks ties between groups of one size and says which block is fold 0.
    cohorts
        The cohorts to split, upper case; empty for all of the store.
    modalities, require
        Samples that have ``any`` or ``all`` of these are assigned, the others excluded by name; empty for all samples.
    endpoint, time_bins
        Folds are balanced on event x time bins of this endpoint (OS, DSS, PFI, DFI).
    label
        Or on the labels of this task.
    near_duplicate_r
        Profiles of two patients that correlate at least so much are taken for one person.
    aliases
        A CSV with the columns patient_id and alias, relative to the study: the same person under two names.
    node_limit
        How far the integer programme of `site_preserved_kfold` searches. A limit on nodes gives the same folds on every
        machine, which one on seconds would not.
    time_limit_s
        After so many seconds without an answer the split is refused, rather than left to the machine's speed.
    waive
        Check id to the reason why its finding is accepted.
    whole_sites
        Where val is cut from train: by whole sites, not by people. Import sets it where the published folds keep sites
        apart.
    repeats
        How many rounds of folds, each with a seed of its own that follows from `seed`; one where absent.
    nested
        How many inner folds to make of what each fold trains and validates on; none where absent.
    preserve
        What else goes to one fold whole, as far as it can: of `BLOCKS`.
    test_cohorts
        The cohorts that ``external`` holds out.
    test_from
        The first year that ``temporal`` tests; where absent, years are cut so that one k-th of the people is tested.
    min_test
        Sites with fewer patients are tested together by ``leave_site_out``.
    price_list
        Whether a ``random`` split is for the price list, which alone may read it.
    not_same
        Edges between two patients that are struck out of the identity graph, with the reason; see
        `omicstore.splits.identity`.
    """

    name: str = "default"
    strategy: str = "site_preserved_kfold"
    k: int = 5
    seed: int = 0
    cohorts: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    require: str = "any"
    endpoint: str | None = None
    time_bins: int = 2
    label: str | None = None
    near_duplicate_r: float = 0.999
    aliases: str | None = None
    node_limit: int = 50
    time_limit_s: float = 120.0
    waive: dict[str, str] = field(default_factory=dict)
    whole_sites: bool | None = None
    repeats: int | None = None
    nested: int | None = None
    preserve: tuple[str, ...] | None = None
    test_cohorts: tuple[str, ...] | None = None
    test_from: int | None = None
    min_test: int | None = None
    price_list: bool | None = None
    not_same: tuple[NotSame, ...] | None = None

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise UnknownNameError("split strategy", self.strategy, STRATEGIES)
        if self.require not in ("any", "all"):
            raise UnknownNameError("value of split.require", self.require, ("any", "all"))
        if not _NAME.fullmatch(self.name):
            raise _wrong("name", self.name, "letters, digits, '.', '_' and '-'")
        self._refuse_numbers()
        if self.endpoint is not None and self.label is not None:
            raise SplitError(
                f"split names the endpoint {self.endpoint} and the label {self.label}",
                expected="one of them to balance folds on",
                run="remove split.endpoint or split.label from params.yaml",
            )
        for name in self.waive:
            if name not in CHECKS:
                raise UnknownNameError("leak check in split.waive", name, CHECKS)
        self._refuse_unknown_blocks()
        self._refuse_idle_keys()

    def _refuse_numbers(self) -> None:
        for key, needed in (("k", self.way.turns), ("nested", self.nested is not None)):
            if needed and getattr(self, key) < LEAST_FOLDS:
                raise _wrong(key, getattr(self, key), f"at least {LEAST_FOLDS}, for a test, a val and a train part")
        for key in ("k", "time_bins", "repeats", "min_test"):
            if (value := getattr(self, key)) is not None and value < 1:
                raise _wrong(key, value, "at least 1")
        if not 0.0 < self.near_duplicate_r <= 1.0:
            raise _wrong("near_duplicate_r", self.near_duplicate_r, "a correlation over 0 and up to 1")
        if self.node_limit < 1 or self.time_limit_s <= 0:
            raise SplitError("split.node_limit or split.time_limit_s is not positive", expected="positive limits")

    def _refuse_unknown_blocks(self) -> None:
        for name in self.preserve or ():
            if name == "site":
                raise SplitError(
                    "split.preserve names the site",
                    expected=f"some of {', '.join(BLOCKS)}: sites are kept whole by the strategy",
                    run="set split.strategy: site_preserved_kfold in params.yaml",
                )
            if name not in BLOCKS:
                raise UnknownNameError("block in split.preserve", name, BLOCKS)

    def _refuse_idle_keys(self) -> None:
        for key, ways in _OF_SOME.items():
            if getattr(self, key) is not None and self.strategy not in ways:
                raise SplitError(
                    f"split.{key} is set, and {self.strategy} does not read it",
                    expected=f"split.strategy: {' or '.join(ways)}",
                    run=f"remove split.{key}, or change split.strategy, in params.yaml",
                )

    @property
    def way(self) -> Strategy:
        """The strategy, and what it keeps apart."""
        return STRATEGIES[self.strategy]

    @property
    def seeds(self) -> list[int]:
        """The seed of each round of folds: the first is `seed` itself."""
        rounds = range(1, self.repeats or 1)
        further = [hashlib.sha256(f"{self.seed} round {i}".encode()).digest()[:4] for i in rounds]
        return [self.seed, *(int.from_bytes(f) for f in further)]

    @property
    def keeps_sites(self) -> bool:
        """Whether no site may be in two parts of a fold."""
        return self.way.sites == "preserve" or (self.strategy == IMPORTED and bool(self.whole_sites))

    @classmethod
    def from_params(cls, section: Mapping[str, Any]) -> SplitSpec:
        """Read the ``split`` section of params.yaml.

        Parameters
        ----------
        section
            The mapping; names of cohorts, modalities and endpoints in any case.

        Raises
        ------
        UnknownNameError
            If a key, strategy or modality is mistyped; names the nearest ones.
        SplitError
            If a value is of the wrong kind or out of range.

        Examples
        --------
        >>> SplitSpec.from_params({"k": 4, "cohorts": ["brca"], "endpoint": "os"}).cohorts
        ('BRCA',)
        """
        known = {f.name for f in fields(cls)}
        values: dict[str, Any] = {}
        for key, value in section.items():
            if key not in known:
                raise UnknownNameError("key in split", str(key), sorted(known))
            if value is not None:
                values[key] = _coerced(key, value)
        return cls(**values)

    def under(self, strategy: str, **changes: Any) -> SplitSpec:
        """Return the same split by another strategy, less the keys that this one does not read.

        Parameters
        ----------
        strategy
            One of `omicstore.splits.strategies.STRATEGIES`.
        changes
            Other attributes, and what they become.

        Examples
        --------
        >>> own = SplitSpec(strategy="temporal", test_from=2009, endpoint="OS")
        >>> own.under("grouped_kfold", k=3) == SplitSpec(strategy="grouped_kfold", k=3, endpoint="OS")
        True
        """
        idle = {key: None for key, ways in _OF_SOME.items() if strategy not in ways}
        return replace(self, strategy=strategy, **{**idle, **changes})

    def to_params(self) -> dict[str, Any]:
        """Return the section with everything that was left out filled in, as plain JSON types."""
        body = {k: v for k, v in asdict(self).items() if v is not None or k not in _OPTIONAL}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in body.items()}


def _coerced(key: str, value: Any) -> Any:
    if key in _NAMES:
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list | tuple) or not all(isinstance(n, str) for n in names):
            raise _wrong(key, value, "a list of names")
        if key == "modalities":
            return tuple(sorted({get_modality(n).name for n in names}))
        if key == "preserve":
            return tuple(sorted({n.strip().lower() for n in names})) or None
        return tuple(sorted({n.strip().upper() for n in names}))
    for keys, kind, expected in _KINDS:
        if key in keys:
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
                raise _wrong(key, value, expected)
            return float(value) if expected == "a number" else value
    if key == "waive":
        if not isinstance(value, dict) or not all(isinstance(v, str) and v for v in value.values()):
            raise _wrong(key, value, "a mapping of check id to the reason")
        return {str(k): v for k, v in value.items()}
    if key == "not_same":
        return _struck(value)
    if not isinstance(value, str):
        raise _wrong(key, value, "text")
    return value.strip().upper() if key == "endpoint" else value.strip()


def _struck(value: Any) -> tuple[NotSame, ...] | None:
    expected = "a list of {left: PATIENT, right: PATIENT, reason: why they are two people}"
    names = [f.name for f in fields(NotSame)]
    if not isinstance(value, list | tuple):
        raise _wrong("not_same", value, expected)
    found: dict[tuple[str, str], NotSame] = {}
    for entry in value:
        if not isinstance(entry, dict) or sorted(map(str, entry)) != sorted(names):
            raise _wrong("not_same", entry, expected)
        told = {name: entry[name].strip() for name in names if isinstance(entry[name], str)}
        if len(told) < len(names) or not all(told.values()) or told["left"] == told["right"]:
            raise _wrong("not_same", entry, expected)
        left, right = sorted((told["left"], told["right"]))
        if (left, right) in found:
            raise _wrong("not_same", entry, f"the pair {left} and {right} once")
        found[left, right] = NotSame(left, right, told["reason"])
    return tuple(found[pair] for pair in sorted(found)) or None


def _wrong(key: str, value: object, expected: str) -> SplitError:
    return SplitError(f"split.{key} is {value!r}", expected=expected, run=f"correct split.{key} in params.yaml")
