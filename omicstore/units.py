"""Units of measurement: reading an expression such as ``log2(tpm+0.001)`` and undoing it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from omicstore.errors import StudyError, UnknownNameError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BASES", "LINEAR_UNITS", "Base", "Unit", "parse_unit"]

#: Values are converted this many at a time, so that no second copy of a matrix is needed.
BLOCK = 1 << 20

#: How far beyond its range a float32 may lie from rounding alone.
TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Base:
    """What a unit measures before any logarithm.

    Attributes
    ----------
    name
        As in the study file.
    stored
        The unit that the store holds.
    low, high
        The range of the stored unit.
    additive
        Whether the values of several rows for one gene may be summed.
    call
        Whether it is a call of a few levels: of several rows for one gene, the one farthest from 0 counts.
    """

    name: str
    stored: str
    low: float | None
    high: float | None
    additive: bool
    call: bool = False

    @property
    def several(self) -> Literal["sum", "mean", "extreme"]:
        """How several rows for one gene become one."""
        return "sum" if self.additive else "extreme" if self.call else "mean"


BASES: dict[str, Base] = {
    b.name: b
    for b in (
        *(Base(name, name, 0.0, None, additive=True) for name in ("tpm", "fpkm", "fpkm_uq", "rsem_normalized")),
        *(Base(name, name, 0.0, None, additive=True) for name in ("counts", "rpm", "intensity")),
        Base("beta", "beta", 0.0, 1.0, additive=False),
        Base("m_value", "beta", 0.0, 1.0, additive=False),
        Base("mutated", "mutated", 0.0, 1.0, additive=False, call=True),
        Base("log2_ratio", "log2_ratio", None, None, additive=False),
        # -2 deep loss, -1, 0, 1, 2 amplification
        Base("gistic", "gistic", -2.0, 2.0, additive=False, call=True),
        Base("copy_number", "copy_number", 0.0, None, additive=False),  # copies of a gene in a cell
        Base("zscore", "zscore", None, None, additive=False),
    )
}

#: Units of amounts, as the store names them: never negative and without an upper limit, so log(1 + x) means something.
LINEAR_UNITS = frozenset(base.stored for base in BASES.values() if base.low == 0.0 and base.high is None)

_LOGS = {"log2": 2.0, "log10": 10.0, "ln": math.e, "log": math.e}
_LOGGED = re.compile(r"(?P<log>[a-z]+\d*)\((?P<base>[a-z0-9_]+)(?:\+(?P<offset>[0-9.e+-]+))?\)")


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of a source file.

    Attributes
    ----------
    base
        What is measured, e.g. ``tpm``.
    log
        The base of the logarithm that was taken, or None.
    offset
        What was added before the logarithm.
    text
        The expression in its canonical spelling.
    """

    base: Base
    log: float | None
    offset: float
    text: str

    @property
    def stored(self) -> str:
        """The unit that the store holds, e.g. ``tpm`` for ``log2(tpm+1)`` and ``beta`` for ``m_value``."""
        return self.base.stored

    def half_step(self, decimals: int | None) -> float:
        """Return half a unit of the last decimal, plus what float32 loses at the zero of this unit."""
        rounding = 0.5 * 10.0**-decimals if decimals is not None else 0.0
        return rounding + 2.0 * float(np.finfo(np.float32).eps) * abs(self._logged_zero)

    @property
    def _logged_zero(self) -> float:
        return math.log(self.offset, self.log) if self.log is not None and self.offset > 0 else 0.0

    def to_linear(self, values: NDArray[np.float32], decimals: int | None = None) -> NDArray[np.float32]:
        """Convert to the stored unit.

        Parameters
        ----------
        values
            Any shape, float32, in this unit, NaN where missing.
        decimals
            The most decimals that the file gives. What lies within half a unit of the last one of
            the code for zero becomes exactly 0.

        Returns
        -------
        ndarray
            The same shape, float32, a new array; values out of range are left for the caller to refuse, and
            there is no negative zero.

        Examples
        --------
        >>> unit = parse_unit("log2(tpm+0.001)")
        >>> unit.to_linear(np.array([-9.9658, 0.0], dtype=np.float32), decimals=4).round(3).tolist()
        [0.0, 0.999...]
        """
        out = np.empty(values.shape, dtype=np.float32)
        flat_in, flat_out = np.ravel(values), out.reshape(-1)
        for start in range(0, flat_in.size, BLOCK):
            part = slice(start, start + BLOCK)
            self._convert(flat_in[part], flat_out[part], decimals)
        return out

    def _convert(self, x: NDArray[np.float32], out: NDArray[np.float32], decimals: int | None) -> None:
        # A value too large for float32 becomes infinite, which the caller refuses with its place in the file.
        with np.errstate(over="ignore", invalid="ignore"):
            if self.base.name == "m_value":
                # 2^m / (1 + 2^m), in the form that cannot overflow
                np.divide(1.0, 1.0 + np.exp2(-x), out=out)
            elif self.log is None:
                np.copyto(out, x)
            else:
                np.exp2(x, out=out) if self.log == 2.0 else np.exp(x * np.float32(math.log(self.log)), out=out)
                out -= np.float32(self.offset)
                if self.offset > 0:
                    zero, half = np.float32(self._logged_zero), np.float32(self.half_step(decimals))
                    out[np.abs(x - zero) <= half] = 0.0
        out += np.float32(0.0)  # turns -0 into 0, so that equal values have equal bytes


def parse_unit(text: str) -> Unit:
    """Read a unit expression: a base, or ``log2(base+offset)``, ``log10(...)``, ``ln(...)``.

    Raises
    ------
    UnknownNameError
        If the base is unknown; names the nearest ones.
    StudyError
        If the expression cannot be read, or takes a logarithm of what can be negative.

    Examples
    --------
    >>> parse_unit("log2(TPM + 1)").text, parse_unit("m_value").stored
    ('log2(tpm+1)', 'beta')
    """
    squeezed = "".join(text.split()).lower()
    match = _LOGGED.fullmatch(squeezed)
    if match is None:
        if "(" in squeezed:
            raise _unreadable(text)
        return Unit(_base(squeezed), None, 0.0, squeezed)
    if match["log"] not in _LOGS:
        raise UnknownNameError(f"logarithm in the unit {text!r}", match["log"], _LOGS)
    base = _base(match["base"])
    if not base.additive:
        raise StudyError(
            f"the unit {text!r} takes a logarithm of {base.name}, which is none of an amount",
            expected=f"a logarithm of {', '.join(sorted(b.name for b in BASES.values() if b.additive))}",
        )
    try:
        offset = float(match["offset"] or 0.0)
    except ValueError:
        raise _unreadable(text) from None
    if offset < 0 or not math.isfinite(offset):
        raise _unreadable(text)
    return Unit(base, _LOGS[match["log"]], offset, squeezed)


def _unreadable(text: str) -> StudyError:
    return StudyError(
        f"the unit {text!r} cannot be read",
        expected="tpm, beta, zscore, ... or log2(tpm+1), log10(intensity), ...",
    )


def _base(name: str) -> Base:
    if name not in BASES:
        raise UnknownNameError("unit", name, BASES)
    return BASES[name]
