"""Report text without the debris that scanning and optical character recognition leave in it.

Only what is certainly no part of the report goes: control characters, bar codes read as letters, the identifiers that
were printed over the scan, page numbers, rules and boxes, lines in which nothing can be read. Misread words stay as
they are: which word was meant is a guess, and a guess is no cleaning.

No library does this: ftfy, which is well kept, mends text that was decoded wrongly, and there is none of that in the
reports of TCGA. What it does for ligatures, `unicodedata` does too.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["clean"]

_HEX = r"[0-9A-Fa-fOoIlSB]"
#: The identifiers that TCGA printed over each scan; the recognition has read them more or less well.
_UUID = re.compile(
    rf"(?:[UQO]U|\bU)[IlU1]D[ \t]?:[ \t]?{_HEX}{{4,}}(?:[ \t]?[-.:~_•@]?[ \t]?{_HEX}{{3,}})*", re.IGNORECASE
)
_BARE_UUID = re.compile(r"\b[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}\b", re.IGNORECASE)
_BARCODE = re.compile(
    r"\b(?:T[CO0G]G[A4]|SIMU)[ \t]?-[ \t]?[0-9A-Z]{2}[ \t]?-[ \t]?[0-9A-Z]{4}"
    r"(?:[ \t]?-[ \t]?[0-9OIG][0-9OI][A-Z]?)?(?:[ \t]?-[ \t]?PR)?(?:[ \t]*Redacted)?",
    re.IGNORECASE,
)
_PAGE = re.compile(r"\bpage[ \t]*[:#]?[ \t]*\d{1,3}[ \t]*(?:of|/)[ \t]*\d{1,3}\b", re.IGNORECASE)
#: Control characters other than line feeds, and all that is not ASCII.
_UNUSUAL = re.compile(r"[^\n -~]")
#: A bar code across the page is read as a row of thin letters, with others where its bars are thick or touch.
_BARS = re.compile(r"(?<!\d)[Il1|!^(){}\[\]]{8,}")
_ROW = re.compile(r"[Il1|!i^]{5,}")
_THIN = frozenset("Iil1|!^(){}[]/\\")
_MOSTLY = 0.8
_RULE = re.compile(r"([^\w\s])\1{3,}|(?:[^\w\s] ){5,}[^\w\s](?!\S)|[^\w\s]{6,}")

_BREAK = re.compile(r"\b(\w*[^\W\d_])-\n([^\W\d_]+)")
_WORDS = re.compile(r"[^\W\d_]+")
#: Ends of English and medical words that are no words by themselves.
_ENDS = re.compile(
    r"(?:tion|tions|sion|sions|ment|ments|ing|ings|noma|nomas|nomatous|tous|tic|tics|tically|ical|ically|logic|logical|"
    r"logically|logy|tomy|ectomy|scopic|static|stases|stasis|ity|ities|ness|ble|bly|ated|ative|tive|tively|lar|lary|"
    r"phoma|sis|ses|tis|cytic|ular|ously|ous|ally|ly|ed|er|ers|es)",
    re.IGNORECASE,
)

_WORD = re.compile(r"(?<![^\W_])[^\W\d_]{3,}(?![^\W_])")
_VOWEL = re.compile(r"[aeiouy]", re.IGNORECASE)
#: A number that stands by itself, perhaps with its unit, or as a size; what is said of stage and grade,
#: and the letter of a specimen in brackets.
_NUMBER = re.compile(r"(?<!\S)[(<>~]?\d+(?:[.,/:x-]\d+)*(?:%|[cm]?m|k?g|ml|cc)?[).,;:]?(?!\S)", re.IGNORECASE)
_STAGE = re.compile(
    r"\([A-Z0-9]{1,2}\)|\b(?:stage|grade|[yrac]?p?[TNM][0-4isxX][a-d]?(?![A-Z])|G[1-4X]|I{1,3}[ABC]?|IV[ABC]?|AJCC|UICC|TNM)\b",
    re.IGNORECASE,
)
#: A line with no word, number or stage in it is unreadable if it has so many signs, and more marks than this share.
_LEAST_SIGNS, _MANY_MARKS = 4, 0.5


def clean(text: str) -> str:
    r"""Return a report's text without debris.

    Parameters
    ----------
    text
        As the file has it.

    Returns
    -------
    str
        Lines of single-spaced text. Cleaning it again changes nothing. Every word, number and stage of a text without
        debris is kept, in order. A word that was broken over two lines is joined where the text has it in one piece
        elsewhere or its end is the end of a word only; else its hyphen is kept.

    Examples
    --------
    >>> clean("UUID:935F1F78-4048-4844-81F0-1E56842A73B1\n11111IIIIIII1111111\nPage 1 of 2\nStage III,  2.5 cm; no inva-\nsion")
    'Stage III, 2.5 cm; no invasion'
    >>> clean("a yellow-\ntan mass\x0c")
    'a yellow-tan mass'
    """  # noqa: E501
    before, after = text, _once(text)
    while after != before:  # what one kind of debris hid, the next pass sees
        before, after = after, _once(after)
    return after


def _once(text: str) -> str:
    text = _characters(text)
    text = "\n".join(line for line in text.split("\n") if not _unreadable(line))
    for debris in (_UUID, _BARE_UUID, _BARCODE, _PAGE, _BARS, _RULE):
        text = debris.sub(" ", text)
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return _joined("\n".join(line for line in lines if line and not _unreadable(line)))


def _characters(text: str) -> str:
    """Return the text without control characters and boxes, ligatures in letters, hyphens and blanks of one kind."""
    text = re.sub(r"\r\n|\x0b|\x0c|\x85|\u2028|\u2029", "\n", text)
    text = re.sub(r"[ \t\xa0]*\r[ \t\xa0]*(?=\S)", " ", text)  # between the words of a converted document
    text = re.sub(r"(?<=\w)\xad\n", "-\n", text.replace("\r", "\n"))
    text = re.sub(r"-?\xad\u2010|[\u2010\u2011]", "-", text)
    return unicodedata.normalize("NFC", _UNUSUAL.sub(_character, text))


def _character(match: re.Match[str]) -> str:
    sign = match[0]
    if "\ufb00" <= sign <= "\ufb06":
        return unicodedata.normalize("NFKC", sign)
    kind = unicodedata.category(sign)
    if kind in ("Cf", "Cs", "Co", "Cn") or (kind == "Cc" and sign != "\t"):
        return ""
    if kind in ("Zs", "Cc") or "\u2500" <= sign <= "\u25ff" or sign == "\ufffd":
        return " "
    return sign


def _unreadable(line: str) -> bool:
    signs = line.replace(" ", "")
    if _ROW.search(line) and sum(sign in _THIN for sign in signs) >= _MOSTLY * len(signs):
        return True
    # Nearly every line has a word, which is found soonest.
    if any(_VOWEL.search(word[0]) for word in _WORD.finditer(line)) or _NUMBER.search(line) or _STAGE.search(line):
        return False
    marks = sum(not sign.isalnum() for sign in signs)
    return len(signs) >= _LEAST_SIGNS and marks > _MANY_MARKS * len(signs)


def _joined(text: str) -> str:
    known: set[str] | None = None

    def join(match: re.Match[str]) -> str:
        nonlocal known
        if known is None:
            known = {word.casefold() for word in _WORDS.findall(text)}
        start, end = match.groups()
        whole = (start + end).casefold() in known or _ENDS.fullmatch(end)
        return start + ("" if whole else "-") + end

    return _BREAK.sub(join, text)
