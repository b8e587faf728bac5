"""Which images are nearly the same: copies, also mirrored, turned, moved or cut.

Each image becomes a grey picture of 24 x 24 pixels, seen through a soft round window.
A few of its longest waves, without brightness and contrast, are its fingerprint. The
fingerprint of a changed picture is a product of the picture and a fixed matrix, so each
change costs one product and one search among the fingerprints of all others. What
agrees there is compared wave by wave, after the small change that fits best.
"""

import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, normalize

from fersep.data.types import Array

SIDE = 24

#: Waves of a fingerprint and of the comparison, by the sum of their two numbers.
FEW, MANY = 4, 12

#: The cosines above which two fingerprints agree, two pictures may be the same, and
#: they are, also without light from one side.
NEAR, ROUGH, SAME, UNLIT = 0.965, 0.88, 0.975, 0.96

#: Contrast in gray levels under which only pictures that are equal are the same.
FLAT = 3

#: Mirrored or not, turned by degrees, moved right and down in pixels of 24, zoomed in.
#: The change back is not needed: the other picture of a pair is changed by it.
CHANGES = [
    *((m, 0, 0, 0, zoom) for zoom in (1, 0.9) for m in (0, 1)),
    *((0, turn, 0, 0, 1) for turn in (5, 10)),
    *((1, turn, 0, 0, 1) for turn in (-10, -5, 5, 10)),
    *((m, 0, x, 0, 1) for m, x in ((0, 1), (0, 2), (1, 1), (1, 2), (1, -1), (1, -2))),
    *((m, 0, x, y, 1) for m in (0, 1) for x in range(-2, 3) for y in (1, 2)),
    *((m, 0, x, y, 0.87) for m, x, y in product((0, 1), (-1.5, 1.5), (-1.5, 1.5))),
]


def join_near_duplicates(images: Array, groups: Sequence[str]) -> list[str]:
    """Join the groups of images that are nearly the same.

    Found are copies that were brightened, compressed, mirrored, turned by up to about
    10 degrees, or moved or cut by up to about a tenth. Two photographs of one scene
    stay apart. Images are (n, channels, size, size) uint8.
    """
    small = _shrink(images)
    # Of equal copies one is enough: a thousand of them would be half a million pairs.
    seen: dict[bytes, int] = {}
    first = [
        seen.setdefault(hashlib.blake2b(row.data).digest(), i)
        for i, row in enumerate(small.numpy())
    ]
    one = np.unique(first)
    one = one[small[one].std(1).numpy() > FLAT]
    pairs = one[_find_pairs(small[one])]
    copies = np.stack([first, np.arange(len(images))], axis=1)
    a, b = np.concatenate([pairs, copies]).T
    names, node = np.unique(groups, return_inverse=True)
    links = coo_array((np.ones(len(a)), (node[a], node[b])), (len(names),) * 2)
    _, component = connected_components(links, directed=False)
    # The first member of a component is its smallest name.
    _, smallest = np.unique(component, return_index=True)
    joined: list[str] = names[smallest[component[node]]].tolist()
    return joined


def _shrink(images: Array) -> Tensor:
    small = torch.empty(len(images), SIDE**2)
    for i in range(0, len(images), 250):
        few = torch.from_numpy(np.array(images[i : i + 250])).float().mean(1)
        small[i : i + 250] = adaptive_avg_pool2d(few, SIDE).flatten(1)
    return small


def _find_pairs(small: Tensor) -> Array:
    """Return pairs (k, 2) of grey pictures (n, 576) that are nearly the same."""
    found = [np.empty((0, 2), dtype=np.int64)]
    if len(small) < 2:
        return found[0]
    few = _waves(FEW)
    prints = normalize(small @ few, dim=1)
    cells = _Cells(prints)
    for change in CHANGES:
        matrix = change_matrix(*change)
        changed = normalize(small @ (matrix @ few), dim=1)
        for i, j in cells.near(changed):
            same = _same(small[i], matrix, small[j])
            found.append(np.stack([i[same], j[same]], axis=1))
    return np.concatenate(found)


class _Cells:
    """Fingerprints (n, k) of length 1, sorted by which of some of them they are near.

    Each lies in several cells, and a search looks into one: nearly all neighbors are
    found, and hundreds of thousands of images take minutes instead of days.
    """

    def __init__(self, prints: Tensor) -> None:
        self.prints = prints
        n = len(prints)
        count = max(1, min(n // 64, 1024))
        chosen = torch.randperm(n, generator=torch.Generator().manual_seed(0))[:count]
        self.middles = prints[chosen]
        cell = torch.cat(
            [
                (part @ self.middles.T).topk(min(4, count), dim=1).indices
                for part in prints.split(4000)
            ]
        )
        order = cell.flatten().argsort(stable=True)
        self.members = order // cell.shape[1]
        self.starts = torch.searchsorted(cell.flatten()[order], torch.arange(count + 1))

    def near(self, changed: Tensor) -> Iterator[tuple[Array, Array]]:
        """Give pairs of a changed picture and another one whose fingerprints agree."""
        cell = torch.cat(
            [(part @ self.middles.T).argmax(1) for part in changed.split(4000)]
        )
        order = cell.argsort(stable=True)
        ends = torch.searchsorted(cell[order], torch.arange(len(self.middles) + 1))
        rows: list[Array] = []
        others: list[Array] = []
        for c in cell.unique().tolist():
            mine = order[ends[c] : ends[c + 1]]
            there = self.members[self.starts[c] : self.starts[c + 1]]
            i, j = (changed[mine] @ self.prints[there].T > NEAR).nonzero().T
            i, j = mine[i].numpy(), there[j].numpy()
            rows.append(i[i != j])
            others.append(j[i != j])
        i, j = np.concatenate(rows), np.concatenate(others)
        for start in range(0, len(i), 1000):
            yield i[start : start + 1000], j[start : start + 1000]


def _same(first: Tensor, matrix: Tensor, second: Tensor) -> Array:
    """Return which pairs of pictures (k, 576) agree after the change that fits best."""
    many = _waves(MANY)
    a, b = normalize(first @ (matrix @ many), dim=1), normalize(second @ many, dim=1)
    near = ((a * b).sum(1) > ROUGH).nonzero()[:, 0]
    # Such light is in the first two waves, and makes all faces alike.
    for waves, least in ((many, SAME), (many[:, 2:], UNLIT)):
        near = near[_fit(first[near] @ matrix, second[near] @ waves, waves) > least**2]
    return near.numpy()


def _fit(first: Tensor, second: Tensor, waves: Tensor) -> Tensor:
    """Return how much of the waves (k, n) of second pictures is in the first ones.

    The second one is written as the first one times a contrast, plus a brightness and
    its slopes: to first order those are all small shifts, turns, zooms and shears.
    """
    down, right = torch.gradient(first.view(-1, SIDE, SIDE), dim=(1, 2))
    y, x = torch.meshgrid(*2 * [torch.linspace(-1, 1, SIDE)], indexing="ij")
    slopes = [s * by for s in (down, right) for by in (torch.ones_like(x), x, y)]
    terms = torch.stack([s.flatten(1) @ waves for s in (first, *slopes)], dim=1)
    terms = normalize(terms, dim=2)
    products = terms @ terms.mT + 1e-4 * torch.eye(terms.shape[1])
    with_second = terms @ normalize(second, dim=1)[:, :, None]
    return (with_second * torch.linalg.solve(products, with_second)).sum((1, 2))


@cache
def _waves(most: int) -> Tensor:
    """Return a matrix (576, k): the part of a windowed picture in its long waves."""
    k = np.arange(SIDE) + 0.5
    waves = [
        np.outer(np.cos(np.pi * i * k / SIDE), np.cos(np.pi * j * k / SIDE)).ravel()
        for both in range(most + 1)
        for i, j in zip(range(both + 1), range(both, -1, -1), strict=True)
    ]
    middle = np.linspace(-1, 1, SIDE)
    window = np.clip((0.9 - np.hypot(*np.meshgrid(middle, middle))) * 2.5, 0, 1).ravel()
    # The first column is the brightness.
    basis = np.linalg.qr(np.stack(waves, axis=1) * window[:, None]).Q[:, 1:]
    return torch.from_numpy(basis * window[:, None]).float()


@cache
def change_matrix(
    mirror: int, turn: float, right: float, down: float, zoom: float
) -> Tensor:
    """Return the matrix (576, 576) that changes grey pictures, row by row."""
    middle = (SIDE - 1) / 2
    y, x = np.mgrid[:SIDE, :SIDE] - middle
    x = -x if mirror else x
    cos, sin = zoom * np.cos(np.radians(turn)), zoom * np.sin(np.radians(turn))
    from_x, from_y = cos * x - sin * y + right, sin * x + cos * y + down
    from_x, from_y = (np.clip(v + middle, 0, SIDE - 1) for v in (from_x, from_y))
    left, top = (np.minimum(v.astype(int), SIDE - 2) for v in (from_x, from_y))
    matrix = np.zeros((SIDE**2, SIDE**2), dtype=np.float32)
    for i, j in product((0, 1), (0, 1)):
        weight = (1 - abs(from_x - left - i)) * (1 - abs(from_y - top - j))
        place = ((top + j) * SIDE + left + i).ravel()
        matrix[place, np.arange(SIDE**2)] += weight.ravel()
    return torch.from_numpy(matrix)
