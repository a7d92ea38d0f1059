"""What the form of an identifier says, without any table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from omicstore.harmonize.probes import is_probe
from omicstore.identifiers import (
    cohort_of_disease,
    excel_date_symbols,
    find_barcode,
    is_ensembl_gene,
    is_par_y,
    parse_barcode,
    strip_version,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from omicstore.identifiers import Barcode

__all__ = ["explain_form"]

#: Two-digit sample codes in words, as the portion of a barcode has them.
SAMPLES = {
    "01": "primary solid tumour", "02": "recurrent solid tumour", "03": "primary cancer in peripheral blood",
    "05": "additional new primary", "06": "metastasis", "07": "additional metastasis", "10": "blood-derived normal",
    "11": "solid tissue normal", "12": "buccal cell normal", "13": "normal of an EBV-immortalised line",
    "14": "bone marrow normal", "20": "cell line control", "40": "recurrent blood-derived cancer", "50": "cell line",
    "60": "primary xenograft", "61": "cell line derived xenograft",
}  # fmt: skip

ANALYTES = {
    "D": "DNA", "G": "whole genome amplified DNA", "H": "RNA (mirVana)", "R": "RNA", "T": "total RNA",
    "W": "whole genome amplified DNA", "X": "whole genome amplified DNA", "Y": "DNA (Y)",
}  # fmt: skip

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
#: Pattern, what it is, and what its second part is.
_FORMS = (
    (r"(?i)(?P<case>C3[LN]-\d{5})(?:-(?P<number>\d{2}))?", "CPTAC case {case}", "specimen {number}"),
    (r"(?i)(?P<case>ACH-\d{6})", "cell line of DepMap, model {case}", ""),
    (r"(?i)(?P<case>MB-\d{4})", "patient of METABRIC, {case}", ""),
    (r"(?P<case>C\d{5})", "compound of KEGG, {case}", ""),
    (r"(?i)(?P<case>HMDB\d{5,7})", "metabolite of HMDB, {case}", ""),
    (
        r"(?P<case>[A-Z0-9]+)_(?P<number>[A-Z]{3,}(?:_[A-Z]+)*)",
        "cell line {case}, as CCLE spells it",
        "tissue {number}",
    ),
)


def explain_form(name: str, sites: Mapping[str, tuple[str, str]] | None = None) -> list[dict[str, Any]]:
    """Return what the form of an identifier says.

    Parameters
    ----------
    name
        Any identifier.
    sites
        Tissue source site code to (site, disease), where a study has such a table.

    Examples
    --------
    >>> explain_form("tcga.ar.a1ay.01a.21r.a12p.07")[0]["text"]
    'barcode TCGA-AR-A1AY-01A-21R-A12P-07: aliquot; site AR; patient TCGA-AR-A1AY; sample 01, primary solid tumour; vial A; portion 21; analyte R, RNA; plate A12P; centre 07'
    >>> explain_form("ACH-000001")[0]["text"]
    'cell line of DepMap, model ACH-000001'
    """  # noqa: E501
    if barcode := parse_barcode(name):
        return [_barcode(barcode, name, sites or {})]
    if (barcode := find_barcode(name)) and len(name) > len(barcode.text):
        found = _barcode(barcode, name, sites or {})
        return [found | {"text": f"a name with the {found['text']}"}]
    if is_ensembl_gene(name):
        return [_ensembl(name)]
    if is_probe(name):
        return [_form("probe", "a methylation probe of Illumina", name)]
    if _UUID.fullmatch(name):
        return [_form("uuid", "a UUID: the GDC names cases, aliquots and files so; its sample sheet tells which", name)]
    for pattern, what, more in _FORMS:
        if match := re.fullmatch(pattern, name):
            parts = {key: value.upper() for key, value in match.groupdict().items() if value}
            text = "; ".join(t.format(**parts) for t in (what, more if "number" in parts else "") if t)
            return [_form("id", text, name)]
    if dates := excel_date_symbols(name):
        return [_form("date", f"a date, which a spreadsheet makes of {' or '.join(dates)}", name)]
    return []


def _form(kind: str, text: str, name: str) -> dict[str, Any]:
    return {"kind": "form", "form": kind, "name": name, "text": text}


def _barcode(code: Barcode, name: str, sites: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    site, disease = sites.get(code.site, ("", ""))
    cohort = cohort_of_disease(disease) if disease else None
    about = ", ".join(part for part in (site, cohort or disease) if part)
    kind = SAMPLES.get(code.sample_type_code or "", code.sample_type)
    parts = [
        _level(code),
        f"site {code.site}{f' ({about})' if about else ''}",
        f"patient {code.patient_id}",
        f"sample {code.sample_type_code}, {kind}" if code.sample_type_code else "",
        f"vial {code.vial}" if code.vial else "",
        f"portion {code.portion}" if code.portion else "",
        f"analyte {code.analyte}, {ANALYTES.get(code.analyte, 'unknown')}" if code.analyte else "",
        f"plate {code.plate}" if code.plate else "",
        f"slide {code.slide}" if code.slide else "",
        f"centre {code.center}" if code.center else "",
    ]
    fields = ("programme", "site", "patient_id", "sample_id", "sample_type", "sample_type_code", "vial", "portion")
    known = {field: getattr(code, field) for field in (*fields, "analyte", "plate", "slide", "center")}
    text = f"barcode {code.text}: {'; '.join(part for part in parts if part)}"
    return _form("barcode", text, name) | known | {"barcode": code.text, "site_name": site or None, "cohort": cohort}


def _level(code: Barcode) -> str:
    levels = (
        ("slide", code.slide), ("aliquot", code.plate), ("analyte", code.analyte), ("portion", code.portion),
        ("vial", code.vial), ("sample", code.sample_id),
    )  # fmt: skip
    return next((level for level, there in levels if there), "patient")


def _ensembl(name: str) -> dict[str, Any]:
    plain = strip_version(name)
    if is_par_y(name):
        text = f"{plain}'s copy in the pseudoautosomal region of Y; it is dropped, the copy on X counts"
    elif plain != name.upper():
        text = f"Ensembl gene {plain}, version {name.partition('.')[2]}; the version is left out"
    else:
        text = f"Ensembl gene {plain}"
    return _form("ensembl", text, name) | {"feature_id": plain}
