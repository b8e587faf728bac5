"""One interactive figure: a slider over a few values of one quantity.

In Jupyter the figure is drawn anew for each value. In the book, where no kernel runs,
every frame is drawn once and travels inside the page.
"""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.figure import Figure

from fersep import plotting

#: Dots per inch of a frame: a page holds up to nine of them.
FRAME_DPI = 80

#: Show the frame of the slider's position and hide the others. The state lives in the
#: elements around the slider, so several figures on one page cannot disturb each other.
ON_INPUT = (
    "const box = this.closest('.fersep-explore'), at = Number(this.value);"
    "box.querySelectorAll('img').forEach((img, i) => { img.hidden = i !== at; });"
    "const text = box.querySelectorAll('img')[at].dataset.value;"
    "this.setAttribute('aria-valuetext', text);"
    "box.querySelector('[aria-live]').textContent = text;"
)


def explore(
    values: Sequence[Any],
    draw: Callable[[Any], tuple[Figure, str]],
    label: str,
) -> None:
    """Show one figure with a slider.

    With the environment variable ``FERSEP_STATIC=1`` the output is HTML that holds one
    prepared frame for each value and works without kernel, library or network.
    Otherwise it is an ipywidgets slider that draws in the kernel.

    Parameters
    ----------
    values : sequence
        The stops of the slider, in order; numbers or words.
    draw : callable
        ``draw(value) -> (figure, alt)``, as the functions of `fersep.plotting` return.
    label : str
        The name of the quantity.

    Raises
    ------
    ValueError
        If there is no value.
    """
    from IPython.display import HTML, display

    values = list(values)
    if not values:
        raise ValueError("explore needs at least one value for its slider, got none")
    if os.environ.get("FERSEP_STATIC") == "1":
        display(HTML(static_html(values, draw, label)))
    else:
        display(_live_slider(values, draw, label))


def static_html(
    values: Sequence[Any],
    draw: Callable[[Any], tuple[Figure, str]],
    label: str,
) -> str:
    """The HTML of one figure with a prepared frame for each value."""
    frames = [
        _image(value, draw, hidden=i > 0, dpi=FRAME_DPI)
        for i, value in enumerate(values)
    ]
    first = html.escape(_text(values[0]))
    return "\n".join(
        [
            '<div class="fersep-explore" style="background:#fff;color:#222;'
            "color-scheme:light;"
            'padding:0.5rem;">',
            '<div style="display:flex;flex-wrap:wrap;gap:0.75rem;align-items:center;">',
            f'<label style="flex:1 1 16rem;">{html.escape(label)} '
            f'<input type="range" min="0" max="{len(values) - 1}" step="1" value="0" '
            f'autocomplete="off" aria-valuetext="{first}" style="width:100%;'
            f'min-height:1.5rem;" oninput="{html.escape(ON_INPUT)}"></label>',
            f'<span aria-live="polite" style="min-width:6rem;">{first}</span>',
            "</div>",
            *frames,
            "</div>",
        ]
    )


def _live_slider(
    values: Sequence[Any],
    draw: Callable[[Any], tuple[Figure, str]],
    label: str,
) -> Any:
    import ipywidgets as widgets

    slider = widgets.SelectionSlider(
        options=[(_text(value), value) for value in values],
        description=label,
        continuous_update=False,
        style={"description_width": "initial"},
        layout={"width": "95%"},
    )
    # widgets.Image has no alternative text, so the picture is written as HTML.
    picture = widgets.HTML()

    def redraw(value: Any) -> None:
        picture.value = _image(value, draw, hidden=False, dpi=plotting.DPI)

    slider.observe(lambda change: redraw(change["new"]), names="value")
    redraw(slider.value)
    return widgets.VBox([slider, picture])


def _image(
    value: Any,
    draw: Callable[[Any], tuple[Figure, str]],
    *,
    hidden: bool,
    dpi: int,
) -> str:
    figure, alt = draw(value)
    data = base64.b64encode(plotting.png(figure, dpi=dpi)).decode()
    return (
        f'<img {"hidden " if hidden else ""}alt="{html.escape(alt)}" '
        f'data-value="{html.escape(_text(value))}" style="max-width:100%;" '
        f'src="data:image/png;base64,{data}">'
    )


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
