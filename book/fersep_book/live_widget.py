"""A live figure as an ipywidget: the same scripts as in the page, and its state."""

from typing import Any

import anywidget
import traitlets

from fersep_book.live import STATIC


class LiveFigure(anywidget.AnyWidget):
    """A figure that a reader drags in a notebook.

    Parameters
    ----------
    page, scripts : str
        HTML of the figure, and the JavaScript that brings it to life.
    state : dict
        What the reader has chosen: numbers, words and lists by name.
    """

    _esm = """
    function render({ model, el }) {
      el.innerHTML = model.get("page");
      const begin = () => {
        if (!el.isConnected) return requestAnimationFrame(begin);
        (0, eval)(model.get("scripts"));  // in the page's own scope, as in the book
        const host = el.querySelector(".fersep-live");
        host.addEventListener("settled", () => {
          model.set("state", structuredClone(host.stage.state));
          model.save_changes();
        });
        const enter = () => {
          const [old, asked] = [host.stage.state, model.get("state")];
          const state = { ...old, ...asked };
          if (JSON.stringify(old) !== JSON.stringify(state)) host.stage.enter(state);
        };
        enter();
        model.on("change:state", enter);
      };
      begin();
    }
    export default { render };
    """
    _css = STATIC / "live.css"
    page = traitlets.Unicode().tag(sync=True)
    scripts = traitlets.Unicode().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Add the still picture, for a place that shows no widgets."""
        bundle: Any = super()._repr_mimebundle_(**options)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        return {**data, "text/html": self.page}, metadata
