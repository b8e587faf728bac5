"""t-SNE of features and centers in one map (Fig. 3)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fersep import equations

try:
    from openTSNE import TSNE
except ModuleNotFoundError as error:
    raise ImportError(
        f"fersep.embedding needs {error.name}; run pip install fersep[tsne]"
    ) from None


@dataclass(frozen=True)
class Map:
    """Positions (n, 2) of features in the plane, and (s, 2) of each set of centers."""

    features: NDArray[np.float64]
    centers: tuple[NDArray[np.float64], ...]


def embed(
    features: Tensor, *centers: Tensor, perplexity: float = 30, seed: int = 0
) -> Map:
    """Lay features and centers out in one plane with t-SNE.

    All vectors are scaled to length 1 first, because the loss sees only directions;
    learned centers have another length than features and would land by length. Centers
    take part in the fit: placing them afterwards puts rare classes far off.

    Features are (n, d); any number of sets of centers (s, d) follow, for example
    learned and true ones. The perplexity is about how many neighbors each point keeps
    close; ValueError if there are too few points for it. One seed gives one map on one
    machine.
    """
    points = np.concatenate(
        [equations.unit(v.double().cpu())[0].numpy() for v in (features, *centers)]
    )
    if len(points) < 3 * perplexity:
        raise ValueError(
            f"t-SNE with perplexity {perplexity} needs at least {3 * perplexity:.0f} "
            f"points, got {len(points)}; use more images or a lower perplexity"
        )
    plane = np.asarray(
        TSNE(
            perplexity=perplexity,
            initialization="pca",
            neighbors="exact" if len(points) <= 5000 else "approx",
            negative_gradient_method="bh" if len(points) <= 2500 else "fft",
            random_state=seed,
            n_jobs=1,
        ).fit(points)
    )
    ends = np.cumsum([len(features), *map(len, centers)])
    parts = np.split(plane, ends[:-1])
    return Map(parts[0], tuple(parts[1:]))
