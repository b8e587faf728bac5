"""The pictures of the book: one module a chapter, one function a figure.

Every figure function takes plain arrays (or CPU tensors) and returns ``(figure, alt)``:
a `matplotlib.figure.Figure` and a text made from the same data, for readers who do not
see the picture. `show` displays both. The figures belong to no window system, so
nothing has to be closed.

A chapter imports its own module, and `shared` if it shows a figure that others show
too. Here is what every chapter needs.
"""

from fersep_book.figures.style import BOTH_LOSSES, show, table, use_style

__all__ = ["BOTH_LOSSES", "show", "table", "use_style"]
