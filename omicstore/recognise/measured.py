"""What a matrix measures and in which unit, from its ids, a sample of its values and its name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from omicstore.recognise.ids import GENE_IDS
from omicstore.recognise.values import HIGHEST_LOG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from omicstore.recognise.names import Named
    from omicstore.recognise.values import Stats

__all__ = ["Measured", "judge"]

#: Sums of a transcriptome in TPM, whole or of its protein-coding genes.
_MILLION = (0.5e6, 1.02e6)

#: Features of ratios deviate less than this, as a rule; of z-scores by 1.
_WIDE = 0.8

_MODALITY_OF = {"illumina_probe": "meth", "antibody": "prot", "metabolite": "metab", "mirna": "mirna"}

_BASES = {"rna": "tpm, fpkm, fpkm_uq, rsem_normalized or counts", "mirna": "rpm or counts"}


@dataclass(slots=True)
class Measured:
    """A modality and a unit, None where nothing fits, and what would settle each that is a guess."""

    modality: str | None = None
    unit: str | None = None
    unsure: dict[str, str] = field(default_factory=dict)


def judge(feature_kind: str | None, certainty: float, stats: Stats, name: Named) -> Measured:
    """Tell modality and unit.

    Parameters
    ----------
    feature_kind, certainty
        From `omicstore.recognise.ids.kind_of_features`.
    stats
        Of a sample of the values.
    name
        What the path says; it decides between what the values leave open.
    """
    found = Measured()
    if feature_kind is None:
        found.modality = name.modality
        found.unsure["modality"] = "the features have no known form of name: say what was measured"
    elif feature_kind in GENE_IDS:
        found.modality = _of_genes(stats, name, found.unsure)
    else:
        found.modality = _MODALITY_OF[feature_kind]
    if certainty < 0.7 and "modality" not in found.unsure:
        found.unsure["modality"] = f"few feature names look like {feature_kind} ids: say what was measured"
    if found.modality is None:
        return found
    choices = {"meth": _meth, "prot": _ratio, "cnv": _cnv, "mut": _mut, "metab": _metab, "mirna": _amount}
    for unit, why in choices.get(found.modality, _amount)(stats, name, found.modality):
        found.unit = unit
        if why:
            found.unsure["unit"] = why
        break
    return found


def _of_genes(stats: Stats, name: Named, unsure: dict[str, str]) -> str:
    """Gene-level tables are of expression, copy number, mutation, protein or methylation."""
    if stats.whole == 1 and stats.low >= -2 and stats.high <= 2:
        if stats.low < 0:
            return "cnv"
        unsure["modality"] = "0 and 1 for genes: mutations (mut), or calls of another kind"
        return name.modality if name.modality in ("cnv", "mut") else "mut"
    in_unit = stats.low >= 0 and stats.high <= 1
    if name.modality not in (None, "rna"):
        fits = {"meth": in_unit, "mut": False, "mirna": False, "metab": False}.get(name.modality or "", stats.low < 0)
        if fits or (name.modality == "prot" and not in_unit):
            unsure["modality"] = f"gene names fit several modalities; the file's name says {name.modality}"
            return name.modality or "rna"
        if name.modality == "cnv" and _copies(stats):
            return "cnv"
        unsure["modality"] = f"the file's name says {name.modality}, which its values do not fit"
    if in_unit:
        unsure["modality"] = "values between 0 and 1 for genes: methylation (meth), or rna of little expression"
        return "meth"
    if stats.negative > 0.2 and stats.offset is None:
        unsure["modality"] = "values around 0 for genes: rna, cnv or prot, which the ids do not tell"
    return "rna"


def _meth(stats: Stats, _name: Named, _modality: str) -> Iterator[tuple[str, str]]:
    if stats.low >= 0 and stats.high <= 1:
        yield "beta", ""
    elif stats.negative and stats.high < HIGHEST_LOG:
        yield "m_value", "" if stats.low < -2 else "m_value or beta residuals: values under 0 that are small"
    else:
        percent = stats.low >= 0 and stats.high <= 100
        yield (
            "beta",
            "values over 1 are no beta values: " + ("divide percentages by 100" if percent else "say what they are"),
        )


def _ratio(stats: Stats, name: Named, _modality: str) -> Iterator[tuple[str, str]]:
    if _standardised(stats) or name.base == "zscore":
        yield "zscore", _z_doubt(name)
    if stats.negative > 0.05:
        # Few values leave the deviation of z-scores at anything near 1; that of antibodies' ratios is about half of it.
        narrow = stats.n > 1_000 and stats.feature_sd is not None and stats.feature_sd < _WIDE
        centred = abs(stats.median) < 0.5
        doubt = "log2_ratio or zscore: values under 0" + (", as wide as z-scores" if centred else ", not centred at 0")
        yield "log2_ratio", "" if centred and narrow else doubt
    yield "intensity", "no value under 0: intensities, logged or not"


def _cnv(stats: Stats, name: Named, _modality: str) -> Iterator[tuple[str, str]]:
    if stats.whole == 1 and stats.low >= -2 and stats.high <= 2:
        yield "gistic", "" if stats.negative else "calls of GISTIC, or copies of a gene (copy_number)"
    if stats.negative:
        yield "log2_ratio", "" if name.modality == "cnv" else "log2_ratio or another ratio: say which"
    yield "copy_number", "" if _copies(stats) else "no value under 0: copies of a gene, or a ratio that is not logged"


def _copies(stats: Stats) -> bool:
    """Whether the values are copies of a gene in a cell: whole numbers, two of most genes."""
    return stats.whole == 1 and stats.low >= 0 and stats.median in (1, 2, 3, 4)


def _mut(_stats: Stats, _name: Named, _modality: str) -> Iterator[tuple[str, str]]:
    yield "mutated", "1 where mutated is taken for granted"


def _metab(stats: Stats, name: Named, _modality: str) -> Iterator[tuple[str, str]]:
    if _standardised(stats):
        yield "zscore", _z_doubt(name)
    if stats.negative > 0.05:
        yield "log2_ratio", "log2_ratio or zscore: values on both sides of 0"
    if stats.high > 60 or stats.high > 1000 * max(stats.low, 1e-9):
        yield "intensity", ""
    log = "log2" if stats.high > 15 else "log10"
    yield f"{log}(intensity)", "a narrow range over 0 is logged: log10 or log2, which only its makers know"


def _amount(stats: Stats, name: Named, modality: str) -> Iterator[tuple[str, str]]:
    """Tell the unit of expression: an amount, logged or not, or a ratio."""
    base = name.base if name.base in ("tpm", "fpkm", "fpkm_uq", "rsem_normalized", "counts", "rpm") else None
    likely = base or ("rpm" if modality == "mirna" else "tpm")
    named = "" if base else f"{_BASES[modality]}: neither the values nor the name say"
    if stats.offset is not None:
        yield f"log2({likely}+{stats.offset:g})", named
    if stats.negative:
        if _standardised(stats) or name.base == "zscore":
            yield "zscore", _z_doubt(name)
        yield "log2_ratio", "log2_ratio or zscore: values on both sides of 0"
    if stats.whole == 1 and stats.high > HIGHEST_LOG:
        yield "counts", "" if base in (None, "counts") else f"whole numbers, but the file's name says {base}"
    if stats.whole_unlogged and name.log == "log2" and base in (None, "counts"):
        yield "log2(counts+1)", ""
    if stats.high <= HIGHEST_LOG:
        sure = base is not None and (name.logged or stats.n > 1_000)
        if modality == "mirna" and stats.high > 12:  # 2^12 reads per million of let-7, but no logged 12 linear
            sure, named = True, ""
        yield f"{name.log}({likely}+1)", "" if sure else (named or "values under 28 are taken for logged")
    if stats.upper_quartile is not None and abs(stats.upper_quartile - 1000) < 1:
        yield "rsem_normalized", ""
    if stats.total is not None and _MILLION[0] <= stats.total <= _MILLION[1] and base in (None, "tpm"):
        yield "tpm", ""
    yield likely, named


def _standardised(stats: Stats) -> bool:
    """Whether features have mean 0 and standard deviation 1, as far as the profiles that are seen tell."""
    if stats.feature_sd is None or stats.feature_mean is None or stats.negative < 0.2:
        return False
    return abs(stats.feature_mean) < 0.15 and abs(stats.feature_sd - 1) < 0.05


def _z_doubt(name: Named) -> str:
    return "" if name.base == "zscore" else "zscore or log2_ratio: features have mean 0 and standard deviation 1"
