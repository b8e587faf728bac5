"""Live figures: what a reader drags in the page, drawn by the scripts in `_static`.

A page of the book loads the script of each of its figures. In Jupyter the same scripts
make an ipywidget, whose `state` is what the reader chose. Without scripts, and in print
before they ran, a still picture stands in its place.
"""

import base64
import html
import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from matplotlib.figure import Figure
from torch import Tensor

from fersep_book import ROOT
from fersep_book.figures.style import png

if TYPE_CHECKING:
    from fersep_book.live_widget import LiveFigure

STATIC = ROOT / "book" / "_static"
#: What every figure needs; a page of the book loads it once.
SHARED = ("equations.js", "stage.js")


class _Words(NamedTuple):
    """What to look for, something to try, what comes of it, and the scripts."""

    look: str
    attempt: str
    answer: str
    scripts: Sequence[str]


WORDS = {
    "signature": _Words(
        "Drag a center (△), or all features of a class at once (▽). Thin arrows pull "
        "each feature toward its center, thick ones move the centers. Watch the loss: "
        "it falls when you do what the arrows ask.",
        "Try this: lay all centers on one another. What do the arrows do?",
        "The features still feel their pull, but the push between centers is zero: it "
        "has no direction. Move one center a little, and the push returns.",
        ["signature"],
    ),
    "vectors": _Words(
        "Drag the two vectors. Look for where the curve is steep and where it is flat.",
        "Try this: turn the square by ten degrees, first at 0 degrees, then at 90. "
        "Where does Eq. 1 change more?",
        "At 90 degrees, where the cosine is steepest. Near 0 and near 180 degrees a "
        "turn hardly counts, and a change of length never does.",
        ["pair"],
    ),
    "resultant": _Words(
        "Drag the centers. The thick arrow is the sum of their directions, divided by "
        "their number. L_inter sees nothing but the length of this arrow.",
        "Try this: press “Clumps”. Five centers, three directions: is the loss at its "
        "floor?",
        "Yes. The sum is zero, and L_inter is as low as for the even spread, although "
        "two pairs of classes share a direction.",
        ["resultant"],
    ),
    "push": _Words(
        "Drag the feature (●) and its center (△). The thick arrow is the push, minus "
        "Eq. 5 for a batch of one. Look for two surprises: the push is not strongest "
        "where the feature is worst, and a long feature feels less.",
        "Try this: put the feature exactly opposite its center and let it go.",
        "At 180 degrees the loss is 1, the highest there is, and the push is zero: the "
        "feature rests. Beside that line it turns all the way to its center.",
        ["pair"],
    ),
    "rules": _Words(
        "Seven classes with features at right angles, and a batch with the counts "
        "below. The angle from a learned center (△) to its true center (▽) is the one "
        "in all seven dimensions; the open circles are the cosines that the paper "
        "prints after its last epoch. Look for the class that lags.",
        "Try this: why does fear lag? Move its count from 2 up to 10, then down to 0.",
        "Under the exact rule the pull on a center grows with the share of its class, "
        "and the push of the other six does not. With 2 of 100 images the push wins; "
        "with 10 fear catches up; with none there is no pull at all. The printed "
        "factor 1 / (1 + n) makes all pulls nearly alike, so no class lags much and "
        "none comes very near. Under the mean rule the pull is so strong that nothing "
        "lags.",
        ["rules"],
    ),
    "toy": _Words(
        "The run of this chapter, trained in this page: every change trains it anew, "
        "from the same start. Look for classes that share a direction, and for learned "
        "centers (△) beside true ones (▽).",
        "Try this: set λ to 0, then to 5, and watch the curve of inter.",
        "With λ = 0 the points hear the softmax loss alone, and classes may share a "
        "direction. A large λ gives every class a thin ray of its own, and the cosine "
        "of different classes falls.",
        ["toy"],
    ),
    "pairs": _Words(
        "Each bar is the interval of one whole experiment, on invented gains; it is "
        "thick where it leaves out zero. Look for the number of seeds at which pairs "
        "find the gain most of the time, and at which strangers do, whose two losses "
        "have different seeds.",
        "Try this: set the true gain to 0. How many of the thirty bars are thick now?",
        "About one in twenty on both sides, for any number of seeds and any "
        "correlation: that is what 95 % means. Pairs do not err less often; their bars "
        "are shorter.",
        ["statistics", "pairs"],
    ),
    "map": _Words(
        "The same images under both losses. Point at a mark, or choose an image by its "
        "number: the ring shows it in both maps. Look for classes without a border "
        "between them, and for marks far inside another class.",
        "Try this: show only what is recognized wrongly. Where on the map does it lie?",
        "Along the borders, and in the middle of other classes: there an image has the "
        "features of another class. Whether the network is wrong or the label, no map "
        "can say.",
        ["map"],
    ),
    "face": _Words(
        "The outline of a rendered face: brows, eyes, nose and mouth, moved by the "
        "same formulas as the pictures of this book. Look for the smallest change that "
        "turns one expression into another; the words below name the two nearest rows "
        "of the table.",
        "Try this: choose surprise, then turn it into fear with as few units as "
        "possible.",
        "Two of seventeen: lower the brows (4) and stretch the lips (20). Fear is then "
        "nearest, closely before fearfully surprised. With the jaw up again (26) it is "
        "typical fear.",
        ["face"],
    ),
    "verdict": _Words(
        "The claims on the main experiment, judged here from its runs. A strip shows "
        "the estimate of each rule of the centers (● exact, ■ as printed, ◆ mean) with "
        "its interval; the upright line is the margin. Below each claim stands its "
        "breaking point, the last margin at which all rules hold. It starts at "
        "the sealed rules; words allow for all claims at once.",
        "Try this: set the margin of “accuracy rises” to 0, then leave out one seed "
        "after the other. Does the verdict hang on a single run?",
        "A verdict that flips when one seed leaves was not much of a verdict. Note how "
        "far each claim's breaking point is from the margin: that distance, not the "
        "word, says how sure one may be.",
        ["statistics", "verdict"],
    ),
}


def show(
    name: str, still: tuple[Figure, str], data: Mapping[str, Any] | None = None
) -> None:
    """Show a live figure.

    Parameters
    ----------
    name : str
        One of `WORDS`.
    still : (figure, alt)
        The picture for a page without scripts, as the functions of `figures` return it.
    data : mapping, optional
        What the figure draws; plain numbers, lists and words.

    Raises
    ------
    ValueError
        If no figure has that name.
    """
    from IPython.display import HTML, display

    page = _page(name, still, data or {})
    if os.environ.get("FERSEP_STATIC") == "1":
        scripts = (f"../_static/live/{each}.js" for each in WORDS[name].scripts)
        display(
            HTML(page + "".join(f'<script defer src="{s}"></script>' for s in scripts))
        )
    else:
        display(widget(name, still, data))


def widget(
    name: str, still: tuple[Figure, str], data: Mapping[str, Any] | None = None
) -> "LiveFigure":
    """Return a live figure as an ipywidget, for a notebook.

    Its trait ``state`` holds what the reader has chosen; setting it moves the figure.
    Parameters and errors are those of `show`.
    """
    from fersep_book.live_widget import LiveFigure

    page = _page(name, still, data or {})
    files = (*SHARED, *(f"live/{each}.js" for each in WORDS[name].scripts))
    scripts = "\n".join((STATIC / file).read_text("utf-8") for file in files)
    return LiveFigure(page=page, scripts=scripts)


def _page(name: str, still: tuple[Figure, str], data: Mapping[str, Any]) -> str:
    """What to look for, the still picture, something to try, and the data."""
    if name not in WORDS:
        raise ValueError(f"no live figure {name!r}; there are {', '.join(WORDS)}")
    look, attempt, answer = map(_marked_up, WORDS[name][:3])
    # Paper does without the order to drag.
    look = re.sub(r"^Drag [^.]*\.", r'<span class="drag">\g<0></span>', look)
    picture = base64.b64encode(png(still[0], dpi=100)).decode()
    # A text in the data must not end the element that holds it.
    values = json.dumps(data).replace("</", "<\\/")
    lines = [
        f'<figure class="fersep-live" id="live-{name}" data-figure="{name}">',
        f"<p>{look}</p>",
        f'<div class="still"><img alt="{html.escape(still[1])}" '
        f'src="data:image/png;base64,{picture}"></div>',
        '<div class="stage"></div>',
        f"<details><summary>{attempt}</summary><p>{answer}</p></details>",
        f'<script type="application/json">{values}</script></figure>',
    ]
    return "\n".join(lines)


def plain_start(
    start: tuple[Tensor, Tensor, Tensor, Sequence[Tensor]],
) -> dict[str, Any]:
    """The start of a run of Algorithm 1 on points, as the page takes it.

    Parameters
    ----------
    start : (points (n, 2), centers (s, 2), weights of the softmax layer, batches)
        Each batch holds row numbers.
    """
    points, centers, theta, batches = start
    return {
        "points": points.tolist(),
        "centers": centers.tolist(),
        "theta": theta.tolist(),
        "batches": [rows.tolist() for rows in batches],
    }


def _marked_up(words: str) -> str:
    """Words as HTML; L_inter with a small index."""
    return re.sub(r"L_(\w+)", r"L<sub>\1</sub>", html.escape(words))
