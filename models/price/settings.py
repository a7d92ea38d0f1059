"""What params.yaml says of the price list."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from models.settings import section_of
from omicstore.errors import StudyError, UnknownNameError
from omicstore.splits import RANDOM, STRATEGIES

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PriceSettings"]

#: From what leaks most to what leaks least.
_USUAL = (RANDOM, "grouped_kfold", "site_preserved_kfold", "cross_cohort")


@dataclass(frozen=True, slots=True)
class PriceSettings:
    """The ``price`` section; what is trained and judged is said by ``train`` and ``evaluate``.

    Attributes
    ----------
    strategies
        Split strategies, from what leaks most to what leaks least.
    k
        Folds, of strategies that have folds.
    label
        A task of the labels table to predict from the embedding; None for none.
    sample_type
        As in a query. ``all`` has a patient's normal and metastasis beside the tumour, which is what rows dealt out at
        random part; None takes that of ``train``.
    config
        Settings of the model that replace those of ``train.config``, such as ``max_epochs``.
    """

    strategies: tuple[str, ...] = _USUAL
    k: int = 3
    label: str | None = None
    sample_type: str | None = None
    config: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> PriceSettings:
        """Read the section ``price``; absent, everything is as usual.

        Raises
        ------
        StudyError, UnknownNameError
            If the section has what it may not, or names no strategy that there is.
        """
        section = section_of(params, "price", cls) if "price" in params else {}
        strategies = section.get("strategies", _USUAL)
        if not isinstance(strategies, list | tuple) or not strategies:
            raise StudyError(f"price.strategies of params.yaml is {strategies!r}", expected="a list of strategies")
        for name in strategies:
            if name not in STRATEGIES:
                raise UnknownNameError("split strategy in price.strategies", str(name), STRATEGIES)
        section["strategies"] = tuple(strategies)
        section["config"] = dict(section.get("config") or {})
        return cls(**section)
