"""fersep: the separate loss for facial expression recognition.

The paper is Li, Lu, Li and Lu, *Separate Loss for Basic and Compound Facial
Expression Recognition in the Wild*, ACML 2019. Its equations are the functions of
`fersep.equations`, in the paper's order. Import the part you need, for example
``from fersep.losses import SeparateLoss``; importing `fersep` alone loads nothing.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("fersep")
except PackageNotFoundError:  # a bare copy of the folder, not installed
    __version__ = "0+unknown"
