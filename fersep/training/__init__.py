"""Train a network with the softmax loss and the separate loss: Algorithm 1.

:func:`fit` trains (read `fersep.training.algorithm` from top to bottom),
:func:`load_or_train` trains only what is not there yet.
"""

from fersep.training.algorithm import evaluate, fit
from fersep.training.batches import normalize
from fersep.training.processes import pick_device
from fersep.training.reuse import load_or_train, run_key
from fersep.training.runs import Run, Settings, initial_network, learning_rate

__all__ = [
    "Run", "Settings", "evaluate", "fit", "initial_network", "learning_rate",
    "load_or_train", "normalize", "pick_device", "run_key",
]  # fmt: skip
