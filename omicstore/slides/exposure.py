"""What encoders of tiles and of sentences have seen in pre-training (leak L6), as their authors tell it.

A model that was pre-trained on slides of TCGA has seen the test patients of every split of TCGA. The table holds the
data sets by name, as far as a publication or a model card names them; what is private is under its owner's name.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omicstore.files import canonical_cell
from omicstore.identifiers import cohorts_agree

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ENCODERS", "NO_ENCODER", "UNKNOWN", "Exposure", "KnownEncoder", "exposure", "overlap"]

#: What a study file says of an encoder whose training data nobody knows.
UNKNOWN = "unknown"

#: The encoder of tiles that are stored as pictures alone.
NO_ENCODER = "none"


@dataclass(frozen=True, slots=True)
class KnownEncoder:
    """An encoder, what it was trained on, and who says so.

    Attributes
    ----------
    name
        As people call it.
    pattern
        A regular expression that its names match: lower case, without owner and without ``-``, ``_`` and ``.``.
    seen
        The data sets.
    source
        Where that is written.
    """

    name: str
    pattern: str
    seen: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Exposure:
    """An encoder and what it has seen.

    Attributes
    ----------
    encoder
        Its name.
    seen
        The data sets, sorted; None if that is unknown.
    source
        Who says so: a publication, or ``the study file``; None if nobody does.
    weights
        The sha256 of the encoder's files, where features were made with it here.
    """

    encoder: str
    seen: tuple[str, ...] | None
    source: str | None
    weights: str | None = None

    def to_json(self) -> str:
        """Return the canonical JSON of the provenance table."""
        body = {
            "encoder": self.encoder,
            "seen": None if self.seen is None else list(self.seen),
            "source": self.source,
            "weights": self.weights,
        }
        return canonical_cell(body)

    @classmethod
    def of_json(cls, text: str) -> Exposure:
        """Read what `to_json` wrote."""
        body = json.loads(text)
        seen = body["seen"]
        return cls(body["encoder"], None if seen is None else tuple(seen), body["source"], body.get("weights"))


_K = KnownEncoder

ENCODERS: tuple[KnownEncoder, ...] = (
    _K("CTransPath", r"ctranspath", ("PAIP", "TCGA"), "Wang et al. 2022, doi:10.1016/j.media.2022.102559"),
    _K("RetCCL", r"retccl", ("PAIP", "TCGA"), "Wang et al. 2023, doi:10.1016/j.media.2022.102645"),
    _K("HIPT", r"hipt(256|4k)?", ("TCGA",), "Chen et al. 2022, arXiv:2206.02647"),
    _K("Lunit DINO", r"lunit(vits(8|16)|dino\d*)", ("TCGA", "TULIP"), "Kang et al. 2023, arXiv:2212.04690"),
    _K("Phikon", r"phikon(v1)?", ("TCGA",), "Filiot et al. 2023, doi:10.1101/2023.07.21.23292757"),
    _K("Phikon-v2", r"phikonv2", ("CPTAC", "GTEx", "TCGA"), "Filiot et al. 2024, arXiv:2409.09173"),
    _K("kaiko", r"kaikovit.*|kaikoai.*", ("TCGA",), "kaiko.ai 2024, arXiv:2404.15217"),
    _K("Midnight-12k", r"midnight(12k)?", ("TCGA",), "Karasikov et al. 2025, arXiv:2504.05186"),
    _K("MUSK", r"musk", ("TCGA",), "Xiang et al. 2025, doi:10.1038/s41586-024-08378-w"),
    _K("H0-mini", r"h0mini", ("Bioptimus", "TCGA"), "Filiot et al. 2025, arXiv:2501.16239"),
    _K("H-optimus-0", r"hoptimus0", ("Bioptimus",), "Saillard et al. 2024, github.com/bioptimus/releases"),
    _K("H-optimus-1", r"hoptimus1", ("Bioptimus",), "model card of bioptimus/H-optimus-1"),
    _K("UNI", r"uni(v1|1)?", ("GTEx", "Mass-100K"), "Chen et al. 2024, doi:10.1038/s41591-024-02857-3"),
    _K("UNI2-h", r"univ2|uni2h?", ("Mass General Brigham",), "model card of MahmoodLab/UNI2-h"),
    _K("CONCH", r"conch(v1)?", ("Mass General Brigham", "PMC"), "Lu et al. 2024, doi:10.1038/s41591-024-02856-4"),
    _K("Virchow", r"virchow", ("MSKCC",), "Vorontsov et al. 2024, doi:10.1038/s41591-024-03141-0"),
    _K("Virchow2", r"virchow2", ("MSKCC", "Paige"), "Zimmermann et al. 2024, arXiv:2408.00738"),
    _K("Prov-GigaPath", r"(prov)?gigapath", ("Providence",), "Xu et al. 2024, doi:10.1038/s41586-024-07441-w"),
    _K("Hibou", r"hibou[bl]", ("HistAI",), "Nechaev et al. 2024, arXiv:2406.05074"),
    _K("PLIP", r"plip", ("OpenPath",), "Huang et al. 2023, doi:10.1038/s41591-023-02504-3"),
    _K(
        "DINOv2",
        r"dinov2(withregisters)?(small|base|large|giant)",
        ("LVD-142M",),
        "Oquab et al. 2023, arXiv:2304.07193",
    ),
    _K(
        "ViT",
        r"vit(tiny|base|large|huge)patch\d+224in21k",
        ("ImageNet-21k",),
        "Dosovitskiy et al. 2020, arXiv:2010.11929",
    ),
    _K(
        "all-MiniLM-L6-v2",
        r"allminilml6v2",
        ("MS MARCO", "Reddit", "S2ORC", "WikiAnswers"),
        "model card of sentence-transformers/all-MiniLM-L6-v2, the largest of its data sets",
    ),
    _K("ResNet", r"resnet(18|34|50|101|152)(trunc|imagenet)*", ("ImageNet",), "He et al. 2015, arXiv:1512.03385"),
)


def exposure(encoder: str, said: Iterable[str] | None = None, weights: str | None = None) -> Exposure:
    """Return what an encoder has seen.

    Parameters
    ----------
    encoder
        Its name, as TRIDENT's folders, Hugging Face or a study file have it.
    said
        What the study file says of it; this comes before the table.
    weights
        The hash of its files.

    Examples
    --------
    >>> exposure("uni_v1").seen, exposure("MahmoodLab/UNI2-h").seen, exposure("ours").seen
    (('GTEx', 'Mass-100K'), ('Mass General Brigham',), None)
    >>> exposure("ours", ["CPTAC"])
    Exposure(encoder='ours', seen=('CPTAC',), source='the study file', weights=None)
    """
    if said is not None:
        named = tuple(sorted(set(said)))
        return Exposure(encoder, None if UNKNOWN in map(str.lower, named) else named, "the study file", weights)
    plain = re.sub(r"[-_. ]", "", encoder.rsplit("/", 1)[-1].lower())
    known = next((e for e in ENCODERS if re.fullmatch(e.pattern, plain)), None)
    return Exposure(encoder, known.seen if known else None, known.source if known else None, weights)


def overlap(seen: Iterable[str], datasets: Iterable[str], cohort: str) -> list[str]:
    """Return which of the data sets that an encoder has seen hold the patients of a cohort.

    Parameters
    ----------
    seen
        Data sets (``TCGA``), cohorts (``BRCA``), or both in one (``TCGA-BRCA``).
    datasets
        The programmes that the cohort's patients belong to.
    cohort
        Its name; COAD is a part of COADREAD.

    Examples
    --------
    >>> overlap(["TCGA", "CPTAC"], ["tcga"], "BRCA"), overlap(["TCGA-BRCA"], ["tcga"], "LUAD")
    (['TCGA'], [])
    """
    programmes = {name.upper() for name in datasets}
    found = []
    for name in seen:
        programme, _, part = name.upper().partition("-")
        whole = name.upper() in programmes or cohorts_agree(name.upper(), cohort)
        if whole or (part and programme in programmes and cohorts_agree(part, cohort)):
            found.append(name)
    return sorted(found)
