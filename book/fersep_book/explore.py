"""Interactive figures: a slider over one quantity, or a panel of several controls.

In Jupyter the figure is drawn anew for each value. In the book, where no kernel runs,
every frame is drawn once and travels inside the page.
"""

import base64
import html
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from fersep_book.figures.style import DPI, png

Draw = Callable[[Any], tuple[Figure, str]]

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


def explore(values: Sequence[Any], draw: Draw, label: str) -> None:
    """Show one figure with a slider.

    With the environment variable ``FERSEP_STATIC=1`` it is HTML that holds a prepared
    frame for each value and works without kernel, library or network; otherwise it is
    an ipywidgets slider that draws in the kernel.

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
    frames = [(_text(value), value) for value in values]
    if not frames:
        raise ValueError("explore needs at least one value for its slider, got none")
    if os.environ.get("FERSEP_STATIC") == "1":
        _show_frames(draw, frames, label, _range)
    else:
        look = {"style": {"description_width": "initial"}, "layout": {"width": "95%"}}
        slider = _widget(label, [value for _, value in frames], as_list=False, **look)
        _show_live(draw, slider, {}, {})


def panel(
    draw: Draw,
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
    """
    _check_panel(controls, presets)
    if os.environ.get("FERSEP_STATIC") == "1":
        first = {name: stops[0] for name, stops in controls.items()}
        frames = [(title, first | dict(preset)) for title, preset in presets.items()]
        _show_frames(draw, frames, label, _list)
        return
    wide = {"style": {"description_width": "initial"}}
    chooser = _widget(label, [*presets, BY_HAND], as_list=True, **wide)
    # Labels of one width, so that the sliders stand in columns.
    longest = max(map(len, controls))
    look = {
        "style": {"description_width": f"{longest}ch"},
        "layout": {"width": f"calc({longest}ch + 11rem)"},
    }
    dials = {}
    for name, stops in controls.items():
        words = all(isinstance(stop, str) for stop in stops)
        dials[name] = _widget(name, stops, as_list=words, **look)
    _show_live(draw, chooser, dials, presets)


def _check_panel(
    controls: Mapping[str, Sequence[Any]], presets: Mapping[str, Mapping[str, Any]]
) -> None:
    for word, given in (("control", controls), ("preset", presets)):
        if not given:
            raise ValueError(f"panel needs at least one {word}, got none")
    for name, stops in controls.items():
        if len(stops) < 2:
            raise ValueError(
                f"the control {name!r} needs at least two stops, got {list(stops)}"
            )
    for title, preset in presets.items():
        for name, value in preset.items():
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


# In the book: prepared frames.


def _show_frames(
    draw: Draw,
    frames: Sequence[tuple[str, Any]],
    label: str,
    control: Callable[[list[str]], str],
) -> None:
    """Show one prepared frame for each (text, value) under a control."""
    from IPython.display import HTML, display

    pictures = [_image(*draw(value), text, FRAME_DPI) for text, value in frames]
    pictures[1:] = [each.replace("<img ", "<img hidden ", 1) for each in pictures[1:]]
    lines = [
        '<div class="fersep-explore" style="background:#fff;color:#222;'
        'color-scheme:light;padding:0.5rem;">',
        '<div style="display:flex;flex-wrap:wrap;gap:0.75rem;align-items:center;">',
        f'<label style="flex:1 1 16rem;">{html.escape(label)} ',
        control([html.escape(text) for text, _ in frames]),
        "</div>",
        *pictures,
        "</div>",
    ]
    display(HTML("\n".join(lines)))


def _range(texts: list[str]) -> str:
    """The end of a label: a slider over the frames, and the words that it announces."""
    return (
        f'<input type="range" min="0" max="{len(texts) - 1}" step="1" value="0" '
        f'autocomplete="off" aria-valuetext="{texts[0]}" '
        f'style="width:100%;min-height:1.5rem;" oninput="{html.escape(ON_INPUT)}">'
        f'</label>\n<span aria-live="polite" style="min-width:6rem;">{texts[0]}</span>'
    )


def _list(texts: list[str]) -> str:
    """The end of a label: a list of the frames."""
    options = "".join(f'<option value="{i}">{t}</option>' for i, t in enumerate(texts))
    return (
        '<select autocomplete="off" style="min-height:1.5rem;font:inherit;" '
        f'oninput="{html.escape(ON_CHOICE)}">{options}</select></label>'
    )


# In Jupyter: widgets. Their image has no alternative text, so it is written as HTML.


def _show_live(
    draw: Draw,
    chooser: Any,
    dials: Mapping[str, Any],
    presets: Mapping[str, Mapping[str, Any]],
) -> None:
    """Show a figure of the choice, or of the dials that a choice moves all at once."""
    import ipywidgets as widgets
    from IPython.display import display

    picture = widgets.HTML()
    moving_all = False

    def redraw() -> None:
        turned = {name: dial.value for name, dial in dials.items()}
        picture.value = _image(*draw(turned or chooser.value), chooser.label, DPI)

    def choose(_: Any = None) -> None:
        nonlocal moving_all
        if chooser.label == BY_HAND:
            return
        moving_all = True
        for name, value in presets.get(chooser.label, {}).items():
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
    choose()
    rows = widgets.Box(list(dials.values()), layout={"flex_flow": "row wrap"})
    display(widgets.VBox([chooser, *([rows] if dials else []), picture]))


def _widget(label: str, stops: Sequence[Any], *, as_list: bool, **look: Any) -> Any:
    import ipywidgets as widgets

    options = [(_text(stop), stop) for stop in stops]
    if as_list:
        return widgets.Dropdown(options=options, description=label, **look)
    look["continuous_update"] = False
    return widgets.SelectionSlider(options=options, description=label, **look)


def _image(figure: Figure, alt: str, text: str, dpi: int) -> str:
    data = base64.b64encode(png(figure, dpi=dpi)).decode()
    return (
        f'<img alt="{html.escape(alt)}" data-value="{html.escape(text)}" '
        f'style="max-width:100%;" src="data:image/png;base64,{data}">'
    )


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
