"""What an audit found as one HTML file: no scripts, nothing from elsewhere, light or dark as the reader's screen is."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING

from omicstore.audit.render import checked, details, plain, said, status, title

if TYPE_CHECKING:
    from omicstore.audit.finding import Finding
    from omicstore.audit.run import Audit

__all__ = ["to_html"]

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2126; --soft: #5d6873; --page: #fff; --box: #f4f6f8; --line: #dde2e7;
  --bad: #b3261e; --warn: #8a5a00; --good: #1d6b3a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ec; --soft: #9aa5b0; --page: #14181c; --box: #1d2328;
  --line: #343c44; --bad: #ff8a80; --warn: #f2bd5a; --good: #7bd39a; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); margin: 0 auto;
  max-width: 62rem; padding: 2rem 1.25rem 3rem; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; margin: 0 0 .25rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { margin: .3rem 0; } .soft { color: var(--soft); }
.found { background: var(--box); border-left: 4px solid var(--bad); padding: .6rem 1rem; margin: .75rem 0; }
.found.warning { border-color: var(--warn); }
.found h3 { font-size: 1rem; margin: 0; } .found ul { margin: .4rem 0; padding-left: 1.2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; } td:first-child, td:nth-child(3) { white-space: nowrap; }
td:nth-child(2) { width: 34%; }
.fail { color: var(--bad); font-weight: 600; } .warning { color: var(--warn); font-weight: 600; }
.pass { color: var(--good); } .waived { color: var(--warn); } .not_applicable { color: var(--soft); }
.found.warning { color: inherit; font-weight: inherit; }
details { margin: .15rem 0 0; } summary { cursor: pointer; color: var(--soft); }
pre { background: var(--box); padding: .6rem; overflow-x: auto; font-size: .8rem; max-height: 24rem; margin: .3rem 0; }
footer { margin-top: 2rem; border-top: 1px solid var(--line); padding-top: .75rem; }
@media (max-width: 40rem) { td:nth-child(2) { width: auto; } th, td { padding-right: .5rem; } }
"""


def to_html(audit: Audit) -> str:
    """Return the page: what failed first and in detail, then a row per check with its evidence."""
    failed = [*audit.failures, *audit.warnings]
    boxes = "".join(_box(finding) for finding in failed)
    rows = "".join(_row(finding) for finding in audit.findings)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Audit of {escape(str(audit.about['target']))}</title><style>{_STYLE}</style></head><body>\n"
        f"<h1>Audit</h1>\n<p>{escape(title(audit))}</p>\n<p class=soft>{escape(_counts(audit))}</p>\n"
        + (f"<h2>Found</h2>\n{boxes}" if failed else "")
        + "<h2>Checks</h2>\n<table><thead><tr><th>id</th><th>what</th><th>status</th><th>evidence</th></tr></thead>"
        f"<tbody>\n{rows}</tbody></table>\n<footer>{escape(checked(audit))}.</footer>\n</body></html>\n"
    )


def _counts(audit: Audit) -> str:
    made = [f for f in audit.findings if f.status != "not_applicable"]
    return (
        f"{len(made)} checks made, {len(audit.failures)} failed, {len(audit.warnings)} warned, "
        f"{len(audit.findings) - len(made)} not made"
    )


def _box(finding: Finding) -> str:
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in details(finding))
    return (
        f'<div class="found {escape(finding.severity)}"><h3>{escape(finding.id)}: {escape(finding.what)}</h3>'
        f"<ul>{items}</ul><p class=soft>{escape(finding.how)}</p></div>\n"
    )


def _row(finding: Finding) -> str:
    kind = "warning" if status(finding) == "warning" else finding.status
    held = json.dumps(plain(finding.evidence), indent=1, ensure_ascii=False)
    more = f"<details><summary>evidence</summary><pre>{escape(held)}</pre></details>" if finding.evidence else ""
    how = f"<p class=soft>{escape(finding.how)}</p>" if finding.status in ("pass", "fail") else ""
    return (
        f"<tr><td>{escape(finding.id)}</td><td>{escape(finding.what)}</td>"
        f"<td class={kind}>{escape(status(finding))}</td><td>{escape(said(finding))}{how}{more}</td></tr>\n"
    )
