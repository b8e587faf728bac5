"""Interactive figures: a slider over one quantity, or a panel of several controls.

In Jupyter the figure is drawn anew for each value. In the book, where no kernel runs,
every frame is drawn once and travels inside the page.
"""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from fersep_book import figures

#: Dots per inch of a frame: a page holds many of them.
FRAME_DPI = 80

#: What the list of presets says once a control has been moved by hand.
BY_HAND = "set by hand"

#: Show the frame of the chosen stop and hide the others. The state lives in the
#: elements around the control, so figures on one page cannot disturb each other.
ON_CHOICE = (
    "const box = this.closest('.fersep-explore'), at = Number(this.value);"
    "box.querySelectorAll('img').forEach((img, i) => { img.hidden = i !== at; });"
)
ON_INPUT = (
    f"{ON_CHOICE}"
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
        ``draw(value) -> (figure, alt)``, as the functions of `figures` return.
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


def panel(
    draw: Callable[[dict[str, Any]], tuple[Figure, str]],
    controls: Mapping[str, Sequence[Any]],
    presets: Mapping[str, Mapping[str, Any]],
    label: str,
) -> None:
    """Show one figure with several controls and a list of presets.

    In Jupyter every control is a widget and the figure is drawn in the kernel; choosing
    a preset moves all controls. With the environment variable ``FERSEP_STATIC=1`` the
    output is HTML with the list of presets alone, one prepared frame for each. The
    first preset is shown first.

    Parameters
    ----------
    draw : callable
        ``draw(values) -> (figure, alt)``, where ``values`` maps the name of each
        control to its value.
    controls : mapping of str to sequence
        The name that the reader sees, and the stops in order: a `range`, numbers or
        words. Stops made of words alone become a list to choose from, others a slider.
    presets : mapping of str to mapping
        The name of the preset, and ``{control: stop}``. A control that a preset leaves
        out stays where it is; at the start, and in the frames, that is its first stop.
    label : str
        The name of the list of presets.

    Raises
    ------
    ValueError
        If there is no control or no preset, if a control has fewer than two stops, or
        if a preset names an unknown control or a value that is no stop of its control.

    Examples
    --------
    ::

        panel(
            lambda v: figures.some_figure(v["λ"], v["rule"]),
            {"λ": (0.0, 0.1, 0.9), "rule": ("exact", "published")},
            {"softmax alone": {}, "the paper": {"λ": 0.9, "rule": "published"}},
            "Setting",
        )
    """
    from IPython.display import HTML, display

    _check_panel(controls, presets)
    if os.environ.get("FERSEP_STATIC") == "1":
        display(HTML(static_panel(draw, controls, presets, label)))
    else:
        display(_live_panel(draw, controls, presets, label))


def _check_panel(
    controls: Mapping[str, Sequence[Any]],
    presets: Mapping[str, Mapping[str, Any]],
) -> None:
    if not controls:
        raise ValueError("panel needs at least one control, got none")
    if not presets:
        raise ValueError("panel needs at least one preset to start from, got none")
    for name, stops in controls.items():
        if len(stops) < 2:
            raise ValueError(
                f"the control {name!r} needs at least two stops, got {list(stops)}"
            )
    for title, chosen in presets.items():
        for name, value in chosen.items():
            if name not in controls:
                raise ValueError(
                    f"the preset {title!r} sets {name!r}, which is no control; the "
                    f"controls are {', '.join(controls)}"
                )
            if value not in controls[name]:
                raise ValueError(
                    f"the preset {title!r} sets {name!r} to {value!r}, which is none "
                    f"of its stops {', '.join(map(_text, controls[name]))}"
                )


def static_html(
    values: Sequence[Any],
    draw: Callable[[Any], tuple[Figure, str]],
    label: str,
) -> str:
    """The HTML of one figure with a prepared frame for each value."""
    texts = [_text(value) for value in values]
    control = (
        f'<input type="range" min="0" max="{len(values) - 1}" step="1" value="0" '
        f'autocomplete="off" aria-valuetext="{html.escape(texts[0])}" '
        f'style="width:100%;min-height:1.5rem;" oninput="{html.escape(ON_INPUT)}">'
    )
    frames = [
        _image(*draw(value), text, hidden=i > 0, dpi=FRAME_DPI)
        for i, (value, text) in enumerate(zip(values, texts, strict=True))
    ]
    live = (
        '<span aria-live="polite" style="min-width:6rem;">'
        f"{html.escape(texts[0])}</span>"
    )
    return _static_box(label, control, live, frames)


def static_panel(
    draw: Callable[[dict[str, Any]], tuple[Figure, str]],
    controls: Mapping[str, Sequence[Any]],
    presets: Mapping[str, Mapping[str, Any]],
    label: str,
) -> str:
    """The HTML of one figure with a prepared frame for each preset."""
    options = "".join(
        f'<option value="{i}">{html.escape(title)}</option>'
        for i, title in enumerate(presets)
    )
    control = (
        '<select autocomplete="off" style="min-height:1.5rem;font:inherit;" '
        f'oninput="{html.escape(ON_CHOICE)}">{options}</select>'
    )
    first = {name: stops[0] for name, stops in controls.items()}
    frames = [
        _image(*draw(first | dict(chosen)), title, hidden=i > 0, dpi=FRAME_DPI)
        for i, (title, chosen) in enumerate(presets.items())
    ]
    return _static_box(label, control, "", frames)


def _static_box(label: str, control: str, live: str, frames: Sequence[str]) -> str:
    return "\n".join(
        [
            '<div class="fersep-explore" style="background:#fff;color:#222;'
            "color-scheme:light;"
            'padding:0.5rem;">',
            '<div style="display:flex;flex-wrap:wrap;gap:0.75rem;align-items:center;">',
            f'<label style="flex:1 1 16rem;">{html.escape(label)} {control}</label>',
            live,
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

    slider = _slider(
        label,
        values,
        style={"description_width": "initial"},
        layout={"width": "95%"},
    )
    # widgets.Image has no alternative text, so the picture is written as HTML.
    picture = widgets.HTML()

    def redraw(value: Any) -> None:
        picture.value = _image(*draw(value), _text(value), dpi=figures.DPI)

    slider.observe(lambda change: redraw(change["new"]), names="value")
    redraw(slider.value)
    return widgets.VBox([slider, picture])


def _live_panel(
    draw: Callable[[dict[str, Any]], tuple[Figure, str]],
    controls: Mapping[str, Sequence[Any]],
    presets: Mapping[str, Mapping[str, Any]],
    label: str,
) -> Any:
    import ipywidgets as widgets

    chooser = widgets.Dropdown(
        options=[*presets, BY_HAND],
        description=label,
        style={"description_width": "initial"},
    )
    # Labels of one width, so that the sliders stand in columns.
    longest = max(map(len, controls))
    look: dict[str, Any] = {
        "style": {"description_width": f"{longest}ch"},
        "layout": {"width": f"calc({longest}ch + 11rem)"},
    }
    dials = {}
    for name, stops in controls.items():
        if all(isinstance(stop, str) for stop in stops):
            dials[name] = widgets.Dropdown(
                options=list(stops), description=name, **look
            )
        else:
            dials[name] = _slider(name, stops, **look)
    picture = widgets.HTML()
    moving_all = False

    def redraw() -> None:
        values = {name: dial.value for name, dial in dials.items()}
        picture.value = _image(*draw(values), chooser.value, dpi=figures.DPI)

    def choose(change: Any) -> None:
        nonlocal moving_all
        if change["new"] == BY_HAND:
            return
        moving_all = True
        for name, value in presets[change["new"]].items():
            dials[name].value = value
        moving_all = False
        redraw()

    def turn(_: Any) -> None:
        if not moving_all:
            chooser.value = BY_HAND
            redraw()

    chooser.observe(choose, names="value")
    for dial in dials.values():
        dial.observe(turn, names="value")
    choose({"new": next(iter(presets))})
    wrapped = widgets.Layout(flex_flow="row wrap")
    return widgets.VBox(
        [chooser, widgets.Box(list(dials.values()), layout=wrapped), picture]
    )


def _slider(label: str, stops: Sequence[Any], **look: Any) -> Any:
    import ipywidgets as widgets

    return widgets.SelectionSlider(
        options=[(_text(stop), stop) for stop in stops],
        description=label,
        continuous_update=False,
        **look,
    )


def _image(
    figure: Figure, alt: str, text: str, *, hidden: bool = False, dpi: int
) -> str:
    data = base64.b64encode(figures.png(figure, dpi=dpi)).decode()
    return (
        f'<img {"hidden " if hidden else ""}alt="{html.escape(alt)}" '
        f'data-value="{html.escape(text)}" style="max-width:100%;" '
        f'src="data:image/png;base64,{data}">'
    )


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
