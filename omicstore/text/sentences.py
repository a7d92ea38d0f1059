"""The sentences of a report.

A report is no prose: headings, numbered findings and lists stand between the sentences, and lines are broken at the
width of a page. The libraries that split sentences expect prose and bring a language model or a download with them
(spaCy, nltk), so the few rules that a report needs are written here; they rather leave two sentences together than cut
one apart.
"""

from __future__ import annotations

import re

__all__ = ["split_sentences"]

#: A line that is shorter than this ends what it says; longer ones may go on in the next.
_SHORT = 45
_ENDED = re.compile(r"[.:;!?]['\")\]]*$")
_ITEM = re.compile(r"[-*•+·►]|\(?(?:[A-Z]|\d{1,2})[.):]\s")
_BORDER = re.compile(r"(?<=[.!?])['\")\]]*\s+(?=[\"'(\[]?[A-Z])")
#: What ends in a full stop and ends no sentence.
_ABBREVIATED = re.compile(
    r"(?:^|[\s(])(?:[A-Z]|\d{1,2}|Dr|Drs|Mr|Mrs|Ms|St|No|Nos|vs|cf|Fig|approx|ca|e\.g|i\.e|etc|incl|max|min|al|Inc|dept)"
    r"\.$",
    re.IGNORECASE,
)
_LETTER = re.compile(r"[^\W\d_]")


def split_sentences(text: str) -> list[str]:
    r"""Return the sentences, headings and list items of a report, in order.

    Parameters
    ----------
    text
        A report, cleaned.

    Returns
    -------
    list of str
        Each on one line. Together they hold every word of the text.

    Examples
    --------
    >>> split_sentences("DIAGNOSIS:\nA. Left kidney, approx. 5.2 cm. No invasion of the\nrenal vein.\n- Margins free")
    ['DIAGNOSIS:', 'A. Left kidney, approx. 5.2 cm.', 'No invasion of the renal vein.', '- Margins free']
    """
    found: list[str] = []
    for block in _blocks(text):
        start = 0
        for border in _BORDER.finditer(block):
            head = block[start : border.start()]
            if _ABBREVIATED.search(head):
                continue
            found.append(block[start : border.end()].strip())
            start = border.end()
        found.append(block[start:].strip())
    return _with_letters(found)


def _blocks(text: str) -> list[str]:
    """Join the lines that go on in the next."""
    blocks: list[str] = []
    goes_on = False
    for line in (line.strip() for line in text.split("\n")):
        if goes_on and line and not _ITEM.match(line):
            blocks[-1] = f"{blocks[-1]} {line}"
        elif line:
            blocks.append(line)
        goes_on = len(line) >= _SHORT and not _ENDED.search(line)
    return blocks


def _with_letters(found: list[str]) -> list[str]:
    """Put what has no letters to what stands before it."""
    kept: list[str] = []
    for sentence in found:
        if kept and not _LETTER.search(sentence):
            kept[-1] = f"{kept[-1]} {sentence}"
        else:
            kept.append(sentence)
    return kept
