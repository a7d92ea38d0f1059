"""Names of patients, samples, cohorts and genes: what can be told from the text alone.

Nothing here needs a reference table; `omicstore.harmonize.references` resolves against those.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

__all__ = [
    "COHORT_UNIONS",
    "DISEASES",
    "SAMPLE_TYPES",
    "Barcode",
    "cohort_of_disease",
    "cohorts_agree",
    "excel_date_symbols",
    "find_barcode",
    "is_ensembl_gene",
    "is_par_y",
    "parse_barcode",
    "sample_type_of",
    "split_symbol_entrez",
    "strip_version",
]

#: Two-digit sample codes of TCGA barcodes to the sample types of queries.
SAMPLE_TYPES: dict[str, str] = {
    "01": "primary",
    "02": "recurrent",
    "03": "primary",  # blood-derived, peripheral blood: the primary tumour of a leukaemia
    "04": "recurrent",
    "05": "additional_primary",
    "06": "metastasis",
    "07": "metastasis",
    "08": "cell_culture",
    "09": "primary",  # blood-derived, bone marrow
    "10": "normal",
    "11": "normal",
    "12": "normal",
    "13": "normal",
    "14": "normal",
    "15": "normal",
    "16": "normal",
    "20": "control",
    "40": "recurrent",
    "50": "cell_line",
    "60": "xenograft",
    "61": "xenograft",
    "99": "other",
}

#: The primary tumour's code where it is not 01.
PRIMARY_CODES: dict[str, str] = {"LAML": "03"}

#: Cohorts that are others taken together.
COHORT_UNIONS: dict[str, tuple[str, ...]] = {
    "COADREAD": ("COAD", "READ"),
    "GBMLGG": ("GBM", "LGG"),
    "KIPAN": ("KICH", "KIRC", "KIRP"),
    "STES": ("ESCA", "STAD"),
}

#: Full study names, as the table of tissue source sites spells them, to cohort codes.
DISEASES: dict[str, str] = {
    "Acute Myeloid Leukemia": "LAML",
    "Adrenocortical carcinoma": "ACC",
    "Bladder Urothelial Carcinoma": "BLCA",
    "Brain Lower Grade Glioma": "LGG",
    "Breast invasive carcinoma": "BRCA",
    "Cell Line Control": "CNTL",
    "Cervical squamous cell carcinoma and endocervical adenocarcinoma": "CESC",
    "Cholangiocarcinoma": "CHOL",
    "Chronic Myelogenous Leukemia": "LCML",
    "Colon adenocarcinoma": "COAD",
    "Esophageal carcinoma": "ESCA",
    "Glioblastoma multiforme": "GBM",
    "Head and Neck squamous cell carcinoma": "HNSC",
    "Kidney Chromophobe": "KICH",
    "Kidney renal clear cell carcinoma": "KIRC",
    "Kidney renal papillary cell carcinoma": "KIRP",
    "Liver hepatocellular carcinoma": "LIHC",
    "Lung adenocarcinoma": "LUAD",
    "Lung squamous cell carcinoma": "LUSC",
    "Lymphoid Neoplasm Diffuse Large B-cell Lymphoma": "DLBC",
    "Mesothelioma": "MESO",
    "Miscellaneous": "MISC",
    "Ovarian serous cystadenocarcinoma": "OV",
    "Pancreatic adenocarcinoma": "PAAD",
    "Pheochromocytoma and Paraganglioma": "PCPG",
    "Prostate adenocarcinoma": "PRAD",
    "Rectum adenocarcinoma": "READ",
    "Sarcoma": "SARC",
    "Skin Cutaneous Melanoma": "SKCM",
    "Stomach adenocarcinoma": "STAD",
    "Testicular Germ Cell Tumors": "TGCT",
    "Thymoma": "THYM",
    "Thyroid carcinoma": "THCA",
    "Uterine Carcinosarcoma": "UCS",
    "Uterine Corpus Endometrial Carcinoma": "UCEC",
    "Uveal Melanoma": "UVM",
}

#: Study codes of the site table that are no disease of a cohort.
NOT_A_DISEASE = frozenset({"CNTL", "MISC"})

_DISEASES_FOLDED = {name.casefold(): code for name, code in DISEASES.items()}

_GRAMMAR = r"""
    (?P<programme>TCGA|SIMU)(?P<sep>[-._])(?P<site>[A-Z0-9]{2})(?P=sep)(?P<part>[A-Z0-9]{4})
    (?:(?P=sep)(?P<code>\d\d)(?P<vial>[A-Z])?
      (?:(?P=sep)(?P<portion>\d\d)(?P<analyte>[A-Z])?
        (?:(?P=sep)(?:(?P<slide>(?:DX|TS|BS|MS)[A-Z0-9]{1,2})|(?P<plate>[A-Z0-9]{4}))
          (?:(?P=sep)(?P<center>\d\d))?
        )?
      )?
    )?
    (?![A-Z0-9])
"""
_FIND = re.compile(r"(?<![A-Z0-9])" + _GRAMMAR, re.IGNORECASE | re.VERBOSE)


@dataclass(frozen=True, slots=True)
class Barcode:
    """A TCGA-like barcode in its parts.

    Attributes
    ----------
    text
        The whole barcode, upper case, with hyphens.
    programme, site, patient_id
        ``TCGA`` or ``SIMU``; the tissue source site; the first three fields.
    sample_id
        The first four fields without the vial; None in a patient-level barcode.
    sample_type_code, sample_type
        E.g. ``01`` and ``primary``; None in a patient-level barcode.
    sample_type_inferred
        Whether the sample was filled in by `as_sample`.
    vial, portion, analyte, plate, center, slide
        The rest, as far as the barcode goes.
    """

    text: str
    programme: str
    site: str
    patient_id: str
    sample_id: str | None = None
    sample_type_code: str | None = None
    sample_type: str | None = None
    sample_type_inferred: bool = False
    vial: str | None = None
    portion: str | None = None
    analyte: str | None = None
    plate: str | None = None
    center: str | None = None
    slide: str | None = None

    def as_sample(self, cohort: str | None = None) -> Barcode:
        """Return the barcode with a sample; a patient-level one means the primary tumour (01; 03 for LAML).

        Examples
        --------
        >>> parse_barcode("TCGA-AB-2802").as_sample("LAML").sample_id
        'TCGA-AB-2802-03'
        """
        if self.sample_id is not None:
            return self
        code = PRIMARY_CODES.get(cohort or "", "01")
        return replace(
            self,
            sample_id=f"{self.patient_id}-{code}",
            sample_type_code=code,
            sample_type=sample_type_of(code),
            sample_type_inferred=True,
        )


def parse_barcode(text: str) -> Barcode | None:
    """Read a barcode that is the whole text (blanks around it aside), or return None.

    The grammar is ``PROG-TSS-PART[-SSV[-PPA[-PLATE[-CENTER]]]]``, in either case;
    dots or underscores may stand for the hyphens.

    Examples
    --------
    >>> code = parse_barcode("tcga.ar.a1ay.01a.21r.a12p.07")
    >>> code.sample_id, code.vial, code.plate, code.sample_type
    ('TCGA-AR-A1AY-01', 'A', 'A12P', 'primary')
    >>> parse_barcode("DMS53_LUNG") is None
    True
    """
    text = text.strip()
    match = _FIND.match(text)
    return _barcode(match) if match and match.end() == len(text) else None


def find_barcode(text: str) -> Barcode | None:
    """Find the first barcode in a text such as a file name, or return None.

    Examples
    --------
    >>> find_barcode("reports/TCGA-4Z-AA7M.8F5F9EFF-35D0-4DC5-A6C3.PDF").patient_id
    'TCGA-4Z-AA7M'
    >>> find_barcode("TCGA-A1-A0SB-01Z-00-DX1.B34C267B-CAAA-4AB6.h5").slide
    'DX1'
    """
    match = _FIND.search(text)
    return _barcode(match) if match else None


def _barcode(match: re.Match[str]) -> Barcode:
    parts = {name: value.upper() if value else None for name, value in match.groupdict().items()}
    programme, site, code = parts["programme"] or "", parts["site"] or "", parts["code"]
    patient_id = f"{programme}-{site}-{parts['part']}"
    return Barcode(
        text=match.group(0).upper().replace(match.group("sep"), "-"),
        programme=programme,
        site=site,
        patient_id=patient_id,
        sample_id=f"{patient_id}-{code}" if code else None,
        sample_type_code=code,
        sample_type=sample_type_of(code) if code else None,
        vial=parts["vial"],
        portion=parts["portion"],
        analyte=parts["analyte"],
        plate=parts["plate"],
        center=parts["center"],
        slide=parts["slide"],
    )


def sample_type_of(code: str) -> str:
    """Return the sample type of a two-digit code; ``other`` for codes that TCGA never gave out.

    Examples
    --------
    >>> sample_type_of("11")
    'normal'
    """
    return SAMPLE_TYPES.get(code, "other")


def cohort_of_disease(disease: str) -> str | None:
    """Return the cohort code of a disease name of the site table, of a code itself, or None if it is neither.

    Examples
    --------
    >>> cohort_of_disease("Rectum adenocarcinoma"), cohort_of_disease("BLCA"), cohort_of_disease("gout")
    ('READ', 'BLCA', None)
    """
    name = " ".join(disease.split())
    if name.upper() in _CODES:
        return name.upper()
    return _DISEASES_FOLDED.get(name.casefold())


_CODES = frozenset(DISEASES.values()) | frozenset(COHORT_UNIONS)


def cohorts_agree(one: str, other: str) -> bool:
    """Whether two cohort names can be true of one patient: they are equal, or one is a union with the other.

    Examples
    --------
    >>> cohorts_agree("COAD", "COADREAD"), cohorts_agree("COAD", "READ")
    (True, False)
    """
    first, second = (
        set(COHORT_UNIONS.get(one, (one,))) | {one},
        set(COHORT_UNIONS.get(other, (other,))) | {other},
    )
    return bool(first & second)


_ENSEMBL = re.compile(r"ENS[A-Z]{0,4}G\d{11}(?:\.\d+)?(?:_PAR_Y)?", re.IGNORECASE)


def is_ensembl_gene(text: str) -> bool:
    """Whether the text is an Ensembl gene id, with or without version.

    Examples
    --------
    >>> is_ensembl_gene("ENSG00000141510.16"), is_ensembl_gene("TP53")
    (True, False)
    """
    return _ENSEMBL.fullmatch(text) is not None


def is_par_y(text: str) -> bool:
    """Whether an Ensembl id names the copy of a gene in Y's pseudoautosomal region.

    Examples
    --------
    >>> is_par_y("ENSG00000002586.18_PAR_Y")
    True
    """
    return text.upper().endswith("_PAR_Y")


def strip_version(text: str) -> str:
    """Return an Ensembl id without its version, upper case.

    Examples
    --------
    >>> strip_version("ENSG00000141510.16")
    'ENSG00000141510'
    """
    return text.split(".", 1)[0].split("_", 1)[0].upper()


_IN_BRACKETS = re.compile(r"(?P<symbol>[^\s|]+) \((?P<entrez>\d+)\)")


def split_symbol_entrez(text: str) -> tuple[str | None, str | None] | None:
    """Split ``SYMBOL|ENTREZ``, where either may be ``?``, or DepMap's ``SYMBOL (ENTREZ)``; None for any other text.

    Examples
    --------
    >>> split_symbol_entrez("SLC35E2|9906"), split_symbol_entrez("?|10431"), split_symbol_entrez("TP53")
    (('SLC35E2', '9906'), (None, '10431'), None)
    >>> split_symbol_entrez("TP53 (7157)")
    ('TP53', '7157')
    """
    if match := _IN_BRACKETS.fullmatch(text):
        return match["symbol"], match["entrez"]
    symbol, bar, entrez = text.partition("|")
    if not bar or not (entrez.isdigit() or entrez == "?"):
        return None
    return (None if symbol in ("", "?") else symbol, None if entrez == "?" else entrez)


_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
#: Stems of gene symbols that a spreadsheet takes for a month.
_STEMS = {"MAR": ("MARCH", "MARC"), "APR": ("APR",), "SEP": ("SEPT", "SEP"), "OCT": ("OCT",), "DEC": ("DEC",)}
_DATES = (
    re.compile(r"(?P<day>\d{1,2})[-/ ](?P<month>[A-Z]{3})(?:[-/ ]\d{2,4})?", re.IGNORECASE),
    re.compile(r"(?P<month>[A-Z]{3})[-/ ](?P<day>\d{1,2})", re.IGNORECASE),
    re.compile(r"\d{4}-(?P<number>\d\d)-(?P<day>\d\d)(?: 00:00:00)?"),
)


def excel_date_symbols(text: str) -> tuple[str, ...] | None:
    """Return the symbols that a spreadsheet can have turned into this date; None where the text is no date.

    Examples
    --------
    >>> excel_date_symbols("1-Sep"), excel_date_symbols("Mar-01"), excel_date_symbols("TP53")
    (('SEPT1', 'SEP1'), ('MARCH1', 'MARC1'), None)
    """
    for pattern in _DATES:
        if match := pattern.fullmatch(text.strip()):
            parts = match.groupdict()
            month = (parts.get("month") or "").upper()
            if parts.get("number"):
                index = int(parts["number"])
                month = _MONTHS[index - 1] if 1 <= index <= 12 else ""
            if month in _MONTHS:
                return tuple(f"{stem}{int(parts['day'])}" for stem in _STEMS.get(month, (month,)))
    return None
