"""The scorecard: every claim, on each kind of faces, with what was measured.

It is HTML and not a drawing, so that its rows stack where the page is narrow.
"""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from IPython.display import HTML
from matplotlib.ticker import MaxNLocator

from fersep_book.evidence import RULES
from fersep_book.figures import parts, style

#: Arm of an experiment -> its words, the path of its mark, its color.
ARMS = {
    "exact": (RULES["exact"], "M0-5a5 5 0 1 0 .1 0Z", style.BLUE),
    "published": (RULES["published"], "M-4.5-4.5h9v9h-9Z", style.RED),
    "mean": (RULES["mean"], "M0-6.5 6.5 0 0 6.5-6.5 0Z", style.GREEN),
}
#: Verdict -> its sign; the word stands beside it.
SIGNS = {"holds": "✓", "fails": "✗", "depends": "±", "undecided": "~"}

#: How an outcome begins -> what its numbers are.
QUANTITIES = {
    "gain": "gain",
    "order": "rank correlation",
    "change of neighbor": "change of share",
    "change of int": "change of cosine",
    "rise of agreement": "rise of cosine",
    "agreement": "cosine",
}

_STYLE = """
.fersep-scorecard { container-type: inline-size; margin: 1rem 0; padding-inline: 7px; }
.fersep-scorecard .title { font-weight: 700; margin: 0 0 .25rem; }
.fersep-scorecard :is(.key, small, .ends) {
  font-size: .8125rem; line-height: 1.35; opacity: .85; }
.fersep-scorecard .key a { color: inherit; }
.fersep-scorecard .bare-rows { font-size: .8125rem; }
.fersep-scorecard .row { display: grid; gap: 2px 14px; margin: 0; padding: .35rem 0;
  grid-template-columns: 185px minmax(0, 1fr) 130px; align-items: start;
  border-top: 1px solid light-dark(#d9d9d9, #4a4f57); }
.fersep-scorecard .row > * {
  margin: 0; padding-inline: 0; font-size: .9375rem; line-height: 1.3; }
.fersep-scorecard .heads { font-size: .875rem; font-weight: 600; border: 0; }
.fersep-scorecard .cell { display: grid; gap: 0 12px;
  grid-template-columns: minmax(0, 1fr) 105px; font-size: .9375rem; line-height: 1.3; }
.fersep-scorecard .cell.bare { display: block; }
.fersep-scorecard .cell > div > svg { display: block; width: 100%; overflow: visible; }
.fersep-scorecard .ends { display: flex; justify-content: space-between; }
.fersep-scorecard .kind { display: none; }
@container (max-width: 38rem) {
  .fersep-scorecard .row { display: block; }
  .fersep-scorecard .row.heads { display: none; }
  .fersep-scorecard .row .claim { font-weight: 600; }
  .fersep-scorecard .cell { display: block; padding-top: .2rem; }
  .fersep-scorecard .kind { display: inline; opacity: .85; }
}
"""


def scorecard(
    claims: Sequence[Any], judged: Mapping[str, Mapping[str, Any]], title: str
) -> HTML:
    """Every claim in a row, and what was found on each kind of faces.

    ``judged`` has for each of two kinds of faces a `fersep_book.outcomes.Judgment` by
    the claim's id; the dots and intervals of the first are drawn, where there is room.
    """
    kinds = [f"{kind[0].upper()}{kind[1:]} faces" for kind in judged]
    heads = "".join(f"<p>{each}</p>" for each in ["The paper's claim", *kinds])
    rows = [f'<div class="row heads" aria-hidden="true">{heads}</div>']
    bare = [c for c in claims if _is_bare(c, judged)]
    for claim in (c for c in claims if c not in bare):
        cells = "".join(
            _cell(claim, found[claim.id], kind, drawn=kind == kinds[0])
            for kind, found in zip(kinds, judged.values(), strict=True)
        )
        rows.append(
            f'<div class="row"><p class="claim">{_link(claim)}</p>{cells}</div>'
        )
    if bare:
        rows.append(
            f'<p class="bare-rows">Not measured: {", ".join(map(_link, bare))}.</p>'
        )
    marks = ", ".join(
        _marked(arm, words, 'aria-hidden="true"') for arm, (words, _, _) in ARMS.items()
    )
    key = (
        f'<a href="06_centers.html">Rule of the centers</a>: {marks}. Lines are 95 % '
        "intervals, each for one claim alone; verdicts are stricter, since many claims "
        "are judged together. The "
        "dotted line is no effect. The shaded part speaks for the claim: it lies "
        "beyond the smallest effect that matters, which stands below. Where <i>p</i> "
        "is written, it decides. Undecided: these runs cannot tell. No verdict: runs "
        "are missing, or a class has too few images or is never predicted. Not "
        "measured: no sealed experiment asks. By construction: the renderer draws it "
        "so."
    )
    return HTML(
        f'<style>{_STYLE}</style><div class="fersep-scorecard">'
        f'<p class="title">{html.escape(title)}</p><p class="key">{key}</p>'
        f"{''.join(rows)}</div>"
    )


def _link(claim: Any) -> str:
    return f'<a href="{claim.chapter}.html">{html.escape(claim.says)}</a>'


def _is_bare(claim: Any, judged: Mapping[str, Mapping[str, Any]]) -> bool:
    """Tell whether there is nothing on any kind of faces."""
    return all(found[claim.id].verdict == "not measured" for found in judged.values())


def _cell(claim: Any, judgment: Any, kind: str, *, drawn: bool) -> str:
    sign = SIGNS.get(judgment.verdict, "")
    verdict = f"<b>{sign} {judgment.verdict}</b>" if sign else judgment.verdict
    words = [
        _marked(arm, word, f'role="img" aria-label="rule: {ARMS[arm][0]}"')
        if arm in ARMS
        else f"{arm}: {word}"
        for arm, word in judgment.words.items()
    ]
    said = f'<span class="kind">{kind}: </span>{verdict}'
    said += f"<br><small>{', '.join(words)}</small>" if words else ""
    if not (drawn and judgment.measured):
        return f'<p class="cell bare">{said}</p>'
    picture = strip(claim, judgment.measured)
    return f'<div class="cell"><div>{picture}</div><p style="margin:0">{said}</p></div>'


def strip(claim: Any, measured: Mapping[str, Any]) -> str:
    """Dots and intervals of each arm on one line of numbers, as SVG with its ends."""
    values = [x for e in measured.values() for x in (e.mean, e.low, e.high)]
    zero = [] if claim.outcome == "agreement at the end" else [0.0]
    known = [v for v in [*values, *zero, claim.margin] if np.isfinite(v)]
    ends = np.array(MaxNLocator(5).tick_values(min(known), max(known)))[[0, -1]]
    if claim.outcome.startswith("order"):
        ends = np.array([-1.0, 1.0])
    elif not zero:
        ends = ends.clip(-1, 1)  # cosines

    def at(value: float) -> str:
        return f"{100 * (value - ends[0]) / (ends[1] - ends[0]):.2f}%"

    above = claim.direction == "above"
    start = claim.margin if above else ends[0]
    width = abs(ends[int(above)] - claim.margin) / (ends[1] - ends[0])
    shade, gray = style.light_dark("#e7f0f7"), style.light_dark(style.GRAY)
    look = f'width="{100 * width:.2f}%" height="100%" fill="{shade}"'
    drawn = [f'<rect x="{at(start)}" {look}/>']
    for x in zero:
        look = f'y2="100%" stroke="{gray}" stroke-dasharray="1 3"'
        drawn.append(f'<line x1="{at(x)}" x2="{at(x)}" {look}/>')
    for k, (arm, e) in enumerate(measured.items()):
        y = 13 * k + 7.5
        if np.isfinite(e.low):
            look = f'stroke="{style.light_dark(ARMS[arm][2])}" stroke-width="2"'
            places = f'x1="{at(e.low)}" x2="{at(e.high)}" y1="{y}" y2="{y}"'
            drawn.append(f"<line {places} {look}/>")
        else:
            drawn.append(_p_value(e, (e.mean - ends[0]) / (ends[1] - ends[0]), y))
        drawn.append(_mark(arm, at(e.mean), y))
    points = f" point{'s' * (claim.margin != 1)}"
    unit = points if claim.outcome.startswith("gain") else ""
    digits = digits_of(claim.outcome)
    told = [f"{ARMS[arm][0]} {in_figures(e, digits)}" for arm, e in measured.items()]
    alt = f"{claim.outcome}{unit and ', in points'}: {'; '.join(told)}"
    sign = "&gt;" if above else "&lt;"
    what = next((q for o, q in QUANTITIES.items() if claim.outcome.startswith(o)), "")
    low, high, least = (f"{x:g}".replace("-", "−") for x in (*ends, claim.margin))
    return (
        f'<svg height="{13 * len(measured) + 3}" role="img" '
        f'aria-label="{html.escape(alt)}">{"".join(drawn)}</svg>'
        f'<div class="ends" aria-hidden="true"><span>{low}</span>'
        f"<span>{what} {sign} {least}{unit}</span>"
        f"<span>{high}</span></div>"
    )


def _p_value(estimate: Any, place: float, y: float) -> str:
    """Write a p-value beside its mark, on the side where there is room."""
    anchor, gap = ("start", 9) if place < 0.65 else ("end", -9)
    return (
        f'<text x="{100 * place:.2f}%" dx="{gap}" y="{y + 4}" font-size="11" '
        f'text-anchor="{anchor}" fill="currentColor">'
        f"p = {estimate.p_value:.3f}</text>"
    )


def _marked(arm: str, words: str, look: str) -> str:
    """Words after the mark of an arm."""
    return (
        '<span style="white-space:nowrap"><svg width="14" height="12" '
        f'style="display:inline-block;width:14px" {look}>{_mark(arm, "7", 6)}</svg>'
        f"{words}</span>"
    )


def _mark(arm: str, x: str, y: float) -> str:
    _, path, color = ARMS[arm]
    look = f'fill="{style.light_dark(color)}" overflow="visible"'
    return f'<svg x="{x}" y="{y}" width="1" height="1" {look}><path d="{path}"/></svg>'


def in_figures(estimate: Any, digits: int = 2) -> str:
    """Say an estimate with its interval, or with its p-value where it has no ends."""
    words = parts.interval_words(estimate, f"+.{digits}f")
    if np.isfinite(estimate.low):
        return words
    return f"{words} (p = {estimate.p_value:.3f})"


def digits_of(outcome: str) -> int:
    """Return the decimals that an outcome is written with: two for points."""
    return 2 if outcome.startswith(("gain", "order")) else 3
