"""The words that pathology reports have for the labels of common tasks."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TERMS", "Terms"]


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms of one task.

    Attributes
    ----------
    task
        The task.
    labels
        What tables of labels call it, in small letters and without blanks and signs; empty for what concerns no one
        label.
    terms
        What reports call it: as `omicstore.text.vocabulary.word_rule` reads it, or ``name=/regular expression/``.
    """

    task: str
    labels: frozenset[str]
    terms: tuple[str, ...]


#: Task | labels | terms. Regular expressions heed no case but where they say so.
_TABLE = r"""
breast_histology | idc ductal invasiveductalcarcinoma infiltratingductalcarcinoma | duct* ; IDC ; DCIS ; NST ; NOS type
breast_histology | idc | no special type
breast_histology | ilc lobular invasivelobularcarcinoma infiltratinglobularcarcinoma | lobul* ; lobular ; ILC ; LCIS
breast_histology | ilc | signet ring* ; indian file* ; single file*
breast_histology | mdlc mixed | mixed ductal* ; mixed type
colorectal_site | coad colon colonadenocarcinoma | colon* ; COAD ; sigmoid* ; cecum* ; cecal* ; caecum* ; caecal*
colorectal_site | coad | hepatic flexure* ; splenic flexure* ; ileocecal* ; appendix ; appendic*
colorectal_site | read rectum rectaladenocarcinoma | rect* ; READ ; anal* ; anus ; low anterior* ; mesorect*
kidney_subtype | kirc ccrcc clearcell clearcellrenalcellcarcinoma | clear cell* ; *clearcell* ; lear cell* ; ccRCC ; cRCC ; KIRC ; conventional type
kidney_subtype | kirc | ~conventional* ; conventia* ; conventional clear cell=/conventional\s*\(?\s*clear(?:[\s-]*cell\w*\)?)?/ ; ~hypernephroma*
kidney_subtype | kirp prcc papillary papillaryrenalcellcarcinoma | ~papillar* ; *papill* ; papillary without p=/\w*(?<![cC])apil[l1ijI|]a\w*/ ; pRCC ; KIRP ; ~chromophil*
kidney_subtype | kirp | papillary type=/type\s*(?:[12]|I{1,2}|[1l]{1,2}|one|two)(?![A-Za-z0-9])/
kidney_subtype | kich chrcc chromophobe | ~chromophob* ; chRCC ; KICH ; ~oncocyt*
lung_subtype | luad adenocarcinoma lungadenocarcinoma | adenocarcinoma* ; adeno* ; LUAD ; lepidic* ; acinar* ; BAC
lung_subtype | luad | bronchioloalveolar* ; bronchiolo alveolar* ; micropapillar*
lung_subtype | lusc squamous squamouscellcarcinoma lungsquamouscellcarcinoma | squamous* ; LUSC ; SCC ; keratin*
lung_subtype | lusc | epidermoid*
pam50 | luma lumb luminala luminalb luminal brcaluma brcalumb | luminal* ; LumA ; LumB
pam50 | basal basallike brcabasal | basal like* ; basal type* ; basaloid* ; triple negative* ; TNBC
pam50 | her2 her2enriched brcaher2 | HER 2 neu* ; HER2* ; ERBB2 ; c erbB 2 ; cerbB2 ; herceptest* ; herceptin*
pam50 | normal normallike brcanormal | normal like*
pam50 | | PAM 50 ; estrogen receptor* ; oestrogen receptor* ; progesterone receptor* ; hormone receptor* ; Ki 67 ; MIB 1
pam50 | | receptor status=/(?:ER|PR)\s*[:(=/+-]+\s*(?:PR|pos\w*|neg\w*|\d+\s*%|[+-])?/ ; trastuzumab*
stage | | *stage* ; *staging* ; AJCC ; UICC ; TNM ; Dukes* ; Astler Coller ; FIGO ; Jewett* ; metasta*
stage | | stage group=/stage\s*(?:grouping|group|is)?\s*[:=.]?\s*(?:I{1,3}|[l1]{1,3}|IV|[0-4])\s?[ABC]?[1-3]?(?![A-Za-z0-9])/
stage | | T category=/(?-i:[yra]?(?:[pP][Tt]|cT)\s?(?:[0-4][a-dA-D8]?|[lI][a-cA-C]?(?![a-z])|is|[Xx]|a(?![a-z]))|T(?:[0-4][a-dA-D]?|is|[Xx]|a)(?![A-Za-z0-9]))/
stage | | N category=/(?-i:[yra]?(?:[pP][Nn]|cN)\s?[0-3oOxXlI](?:[a-c](?![a-z]))?|N[0-3Xx][a-c]?(?![A-Za-z0-9]))/
stage | | M category=/(?-i:[yra]?(?:[pP][Mm]|cM)\s?[01oOxXlI]|M[01Xx][a-c]?(?![A-Za-z0-9]))/
stage | | TNM in one=/(?-i:[yra]?[pP]?T\s?(?:[0-4][a-dA-D]?|[lI][a-c]?|is|[Xx])[\s,;.\/]*[pP]?N\s?(?:[0-3xX][a-c]?|[oOlI](?=[\s,;.)\/]*(?:[pP]?M|\n|$)))(?:[\s,;.\/]*[pP]?M\s?(?:[01xX]|[oOlI](?![A-Za-z])))?)/
stage | | category in a form=/(?-i:(?:Pathologic(?:al)?|Clinical)\s+[TNM]\s+[TNM]?(?:[0-4oOxXlI]|is)[a-d]?(?![A-Za-z]))/
grade | | grade* ; grading ; Grade in one word=/(?-i:[A-Za-z]*[a-z]Grad(?:e|ing)[A-Za-z]*)/ ; Fuhrman* ; Gleason*
grade | | Nottingham* ; Bloom Richardson* ; anaplas*
grade | | low grad* ; high grad* ; intermediate grad* ; G number=/G[\s:]?[1-4](?![A-Za-z0-9])/
grade | | differentiation=/(?:well|moderately|poorly|un|de)[\s-]*(?:to[\s-]*(?:moderately|poorly)[\s-]*)?differentiated/
grade | | how differentiated=/differentiation\s*[:-]?\s*(?:well|moderate|poor|I{1,3}|IV|[1-4])(?![A-Za-z0-9])/
grade | | grade number=/(?:(?:fuhrman|nuclear|histologic(?:al)?|WHO|tumou?r|overall)['s,:]*\s*)*grade\s*[:=.(]*\s*(?:I{1,3}|[l1]{1,3}|IV|[0-4])(?:\s*(?:\/|of|-|to)\s*(?:I{1,3}V?|[l1]{1,3}V?|[0-4]))?(?![A-Za-z0-9])/
survival | | decease* ; died ; dead ; death* ; expired ; autops* ; post mortem ; surviv* ; alive ; recurren* ; progress*
survival | | prognos* ; follow up* ; hospice* ; palliat*
"""  # noqa: E501


def _read(line: str) -> Terms:
    task, labels, terms = (part.strip() for part in line.split("|", 2))
    return Terms(task, frozenset(labels.split()), tuple(term.strip() for term in terms.split(" ; ")))


TERMS: tuple[Terms, ...] = tuple(_read(line) for line in _TABLE.strip().splitlines())
