"""A peer: a model of `transformers`, a design that says the same, and which weight is which.

Both sides keep a weight of axes [A, B, C] row-major, so a pair of names is enough in most cases: the shape is the
design's. Where a peer keeps several of our weights in one tensor, a view takes the part that is ours; where it keeps
one of ours in several, they are listed. A view picks and reorders elements and computes nothing, so that it maps
gradients as it maps weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from torch import Tensor
from transformers import PretrainedConfig

LAYERS = 2
WIDTH = 64
HEADS = 4
HEAD = 16
VOCABULARY = 257
POSITIONS = 64

View = Callable[[Tensor], Tensor]
# A tensor, a part of one, or several that are the elements of our first axis.
Theirs = str | tuple[str, View] | list[str]
Pairs = dict[str, Theirs]


@dataclass(frozen=True)
class Peer:
    """What is held to what.

    `mechanisms` says in words what the pair shows. `weights` maps our names to theirs. `silent` lists parts of theirs
    that move no logit, which is why a design may not have them: their gradient is held to be zero. `left` says what
    of theirs is switched off, because no design can say it. `design` is a file of the project; without one it is
    `NAME.gau` in the folder beside this file.
    """

    name: str
    title: str
    mechanisms: str
    config: PretrainedConfig
    weights: Pairs
    silent: tuple[Theirs, ...] = field(default=())
    left: str = ""
    design: str = ""

    def path(self) -> str:
        """The design's path in the project."""
        return self.design or f"tests/peers/designs/{self.name}.gau"


def layers(theirs: str, pairs: Pairs, only: Iterable[int] = range(LAYERS), shift: int = 0) -> Pairs:
    """`pairs` once for each layer: `blocks.I.OURS` is `theirs.I.THEIRS`; `shift` units of the stack stand before."""
    return {
        f"blocks.{layer + shift}.{ours}": placed(f"{theirs}.{layer}.", pair)
        for layer in only
        for ours, pair in pairs.items()
    }


def under(ours: str, theirs: str, pairs: Pairs) -> Pairs:
    """`pairs` with a beginning for our names and one for theirs."""
    return {f"{ours}.{name}": placed(f"{theirs}.", pair) for name, pair in pairs.items()}


def placed(beginning: str, pair: Theirs) -> Theirs:
    """`pair` with a beginning for their name."""
    if isinstance(pair, str):
        return beginning + pair
    if isinstance(pair, list):
        return [beginning + name for name in pair]
    return beginning + pair[0], pair[1]


def part(index: int, count: int, dim: int = 0) -> View:
    """One of `count` equal parts along a dimension."""
    return lambda tensor: tensor.chunk(count, dim)[index]


def span(start: int, end: int, dim: int = 0) -> View:
    """The elements `start .. end` along a dimension."""
    return lambda tensor: tensor.narrow(dim, start, end - start)


def in_head(start: int, end: int, heads: int = HEADS) -> View:
    """The elements `start .. end` of each head, where the first dimension is made of heads."""
    return lambda tensor: tensor.unflatten(0, (heads, -1))[:, start:end]


def every_second(first: int, dim: int = 0) -> View:
    """One half of what is interleaved along a dimension."""
    return lambda tensor: tensor.unflatten(dim, (-1, 2)).select(dim + 1, first)


def transposed(view: View = lambda tensor: tensor) -> View:
    """A view of matrices with their two dimensions swapped, as some peers keep them; a bias stays as it is."""
    return lambda tensor: view(tensor.transpose(-1, -2) if tensor.dim() > 1 else tensor)


def kernel(view: View = lambda tensor: tensor) -> View:
    """Of a depthwise kernel [A, 1, W] the part `view`, as [W, A]."""
    return lambda tensor: view(tensor).squeeze(1).T
