"""What to cite for the sources of a store: well-known programmes, portals and formats, each in one line."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CITATIONS", "Citation", "citations_of"]


@dataclass(frozen=True, slots=True)
class Citation:
    """A publication, as reference lists and BibTeX have it.

    Examples
    --------
    >>> CITATIONS["xena"].text
    'Goldman MJ et al. Visualizing and interpreting cancer genomics data via the Xena platform. Nat Biotechnol 2020;38:675-678. doi:10.1038/s41587-020-0546-8'
    >>> print(CITATIONS["firehose"].bibtex)
    @misc{firehose2016,
      author = {{Broad Institute TCGA Genome Data Analysis Center}},
      title = {{Analysis-ready standardized TCGA data from Broad GDAC Firehose, run 2016_01_28}},
      howpublished = {Broad Institute of MIT and Harvard},
      year = {2016},
      doi = {10.7908/C11G0KM9},
    }
    """  # noqa: E501 - a citation is one line

    key: str
    author: str
    title: str
    journal: str
    year: int
    pages: str
    doi: str

    @property
    def text(self) -> str:
        """The entry of a reference list."""
        where = f"{self.year};{self.pages}" if self.pages else str(self.year)
        return f"{self.author}. {self.title}. {self.journal} {where}. doi:{self.doi}"

    @property
    def bibtex(self) -> str:
        """The entry for BibTeX."""
        group = " et al" not in self.author
        fields = {
            "author": f"{{{self.author}}}" if group else self.author.replace(" et al", " and others"),
            "title": f"{{{self.title}}}",
            "journal" if self.pages else "howpublished": self.journal,
            "year": str(self.year),
        }
        if self.pages:
            volume, _, pages = self.pages.rpartition(":")
            fields |= {"volume": volume, "pages": pages.replace("-", "--")}
        fields["doi"] = self.doi
        lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items() if value)
        return f"@{'article' if self.pages else 'misc'}{{{self.key}{self.year},\n{lines}}}"


CITATIONS: dict[str, Citation] = {
    c.key: c
    for c in (
        Citation(
            "tcga", "Weinstein JN et al", "The Cancer Genome Atlas Pan-Cancer analysis project",
            "Nat Genet", 2013, "45:1113-1120", "10.1038/ng.2764",
        ),
        Citation(
            "tcga-cdr", "Liu J et al",
            "An integrated TCGA pan-cancer clinical data resource to drive high-quality survival outcome analytics",
            "Cell", 2018, "173:400-416", "10.1016/j.cell.2018.02.052",
        ),
        Citation(
            "ccle", "Ghandi M et al", "Next-generation characterization of the Cancer Cell Line Encyclopedia",
            "Nature", 2019, "569:503-508", "10.1038/s41586-019-1186-3",
        ),
        Citation(
            "ccle-metabolites", "Li H et al", "The landscape of cancer cell line metabolism",
            "Nat Med", 2019, "25:850-860", "10.1038/s41591-019-0404-8",
        ),
        Citation(
            "cptac", "Lindgren CM et al", "Simplified and unified access to cancer proteogenomic data",
            "J Proteome Res", 2021, "20:1902-1910", "10.1021/acs.jproteome.0c00919",
        ),
        Citation(
            "gdc", "Grossman RL et al", "Toward a shared vision for cancer genomic data",
            "N Engl J Med", 2016, "375:1109-1112", "10.1056/NEJMp1607591",
        ),
        Citation(
            "xena", "Goldman MJ et al",
            "Visualizing and interpreting cancer genomics data via the Xena platform",
            "Nat Biotechnol", 2020, "38:675-678", "10.1038/s41587-020-0546-8",
        ),
        Citation(
            "firehose", "Broad Institute TCGA Genome Data Analysis Center",
            "Analysis-ready standardized TCGA data from Broad GDAC Firehose, run 2016_01_28",
            "Broad Institute of MIT and Harvard", 2016, "", "10.7908/C11G0KM9",
        ),
        Citation(
            "cbioportal", "Cerami E et al",
            "The cBio Cancer Genomics Portal: an open platform for exploring multidimensional cancer genomics data",
            "Cancer Discov", 2012, "2:401-404", "10.1158/2159-8290.CD-12-0095",
        ),
        Citation(
            "cbioportal-analysis", "Gao J et al",
            "Integrative analysis of complex cancer genomics and clinical profiles using the cBioPortal",
            "Sci Signal", 2013, "6:pl1", "10.1126/scisignal.2004088",
        ),
        Citation(
            "linkedomics", "Vasaikar SV et al",
            "LinkedOmics: analyzing multi-omics data within and across 32 cancer types",
            "Nucleic Acids Res", 2018, "46:D956-D963", "10.1093/nar/gkx1090",
        ),
        Citation(
            "mcat", "Chen RJ et al",
            "Multimodal co-attention transformer for survival prediction in gigapixel whole slide images",
            "Proc IEEE/CVF Int Conf Comput Vis", 2021, "4015-4025", "10.1109/ICCV48922.2021.00398",
        ),
        Citation(
            "porpoise", "Chen RJ et al",
            "Pan-cancer integrative histology-genomic analysis via multimodal deep learning",
            "Cancer Cell", 2022, "40:865-878", "10.1016/j.ccell.2022.07.004",
        ),
    )
}  # fmt: skip

#: What a source of a format asks to be cited, by the first part of the format's name.
_BY_FORMAT: dict[str, tuple[str, ...]] = {
    "cbioportal": ("cbioportal", "cbioportal-analysis"),
    "cptac": ("cptac",),
    "firehose": ("firehose",),
    "gdc": ("gdc",),
    "linkedomics": ("linkedomics",),
    "mcat": ("mcat", "porpoise"),
    "tcga-cdr": ("tcga-cdr",),
    "xena": ("xena",),
}


def citations_of(reader: str, modality: str, programmes: set[str]) -> list[str]:
    """Return the keys in `CITATIONS` of what a source asks to be cited.

    Parameters
    ----------
    reader
        The source's format.
    modality
        What was taken from it.
    programmes
        tcga, ccle: whose patients or cell lines they are.

    Examples
    --------
    >>> citations_of("xena-matrix", "rna", {"tcga"})
    ['tcga', 'xena']
    >>> citations_of("matrix", "metab", {"ccle"})
    ['ccle', 'ccle-metabolites']
    """
    keys: list[str] = [key for key in ("tcga", "ccle") if key in programmes]
    if "ccle" in programmes and modality == "metab":
        keys.append("ccle-metabolites")
    names = (reader, reader.partition("-")[0])
    return keys + list(next((_BY_FORMAT[name] for name in names if name in _BY_FORMAT), ()))
