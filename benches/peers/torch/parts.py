"""Layers that several models share, with the weights of a design under the design's names.

A parameter has the path of the design's weight, so that one table of tensors serves both sides. Where PyTorch is faster
with several maps of one input in one product, they are one `Merged`, which knows the names that its rows have in the
design. Weights of axes [A, B, C] lie row-major on both sides; only their shapes differ.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

EPSILON = 1e-5


class Size(NamedTuple):
    """What a model is built for."""

    width: int
    blocks: int
    context: int
    vocabulary: int


class RmsNorm(nn.Module):
    """x / sqrt(mean(x^2) + eps) * gain over the last dimensions (Zhang and Sennrich, 2019)."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(shape))

    def forward(self, x: Tensor) -> Tensor:
        return functional.rms_norm(x, self.gain.shape, self.gain, EPSILON)


class LayerNorm(nn.Module):
    """(x - mean) / sqrt(variance + eps) * gain + bias over the last dimension; weights may have more (Ba et al., 2016)."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(shape))
        self.bias = nn.Parameter(torch.zeros(shape))

    def forward(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x, x.shape[-1:], eps=EPSILON) * self.gain + self.bias


class Linear(nn.Module):
    """x W' + b."""

    def __init__(self, inputs: int, outputs: int, bias: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight, self.bias)


class Merged(Linear):
    """Several linear maps of one input as one product; gives their results apart."""

    def __init__(self, inputs: int, rows: dict[str, int], bias: bool = False) -> None:
        super().__init__(inputs, sum(rows.values()), bias)
        self.rows = rows

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return super().forward(x).split(list(self.rows.values()), -1)


class SwiGlu(nn.Module):
    """W (silu(G x) * U x) (Shazeer, 2020)."""

    def __init__(self, width: int, hidden: int | None = None) -> None:
        super().__init__()
        hidden = hidden or -(-8 * width // 384) * 128
        self.both = Merged(width, {"gate": hidden, "up": hidden})
        self.linear = Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.both(x)
        return self.linear(functional.silu(gate) * up)


class ShortConv(nn.Module):
    """Causal depthwise convolution over the last four positions; kernel 0 weighs the oldest. The shifted sum is fused by
    the compiler, which a call of a convolution is not.
    """

    def __init__(self, *shape: int, taps: int = 4) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.empty(taps, *shape))

    def forward(self, x: Tensor) -> Tensor:
        return convolved(x, self.kernel.flatten(1))


def convolved(x: Tensor, kernel: Tensor) -> Tensor:
    """[b, t, d] under [taps, d]."""
    taps, context = kernel.shape[0], x.shape[1]
    padded = functional.pad(x, (0, 0, taps - 1, 0))
    return sum(padded[:, i : i + context] * kernel[i] for i in range(taps))


class Rope(nn.Module):
    """Turns interleaved pairs by pos * 10000 ^ (-2 i / e): [b, t, h, e], base 10,000 (Su et al., 2021)."""

    def __init__(self, size: int, context: int, period: int | None = None) -> None:
        super().__init__()
        position = torch.arange(context) % (period or context)
        angle = position[:, None] * 10000 ** (-torch.arange(0, size, 2) / size)
        self.register_buffer("cos", angle.cos()[:, None], persistent=False)
        self.register_buffer("sin", angle.sin()[:, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.unflatten(-1, (-1, 2)).unbind(-1)
        return torch.stack((a * self.cos - b * self.sin, a * self.sin + b * self.cos), -1).flatten(-2)


class Residuals(nn.Module):
    """x + f(norm(x)) for each pair of names of a norm and of what reads it, one behind the other."""

    def __init__(self, **parts: nn.Module) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x: Tensor) -> Tensor:
        parts = iter(self.children())
        for norm, inner in zip(parts, parts, strict=True):
            x = x + inner(norm(x))
        return x


class Model(nn.Module):
    """Embedding, blocks, final norm, logits by the embedding, and the mean cross entropy of the next token in nats."""

    def __init__(self, size: Size, blocks: list[nn.Module], final: nn.Module) -> None:
        super().__init__()
        self.embedding = Linear(size.width, size.vocabulary)
        self.blocks = nn.ModuleList(blocks)
        self.final = final

    def forward(self, tokens: Tensor, targets: Tensor) -> Tensor:
        x = functional.embedding(tokens, self.embedding.weight)
        for block in self.blocks:
            x = block(x)
        return self.loss(x, targets)

    def loss(self, x: Tensor, targets: Tensor) -> Tensor:
        """The loss of what leaves the last block."""
        return functional.cross_entropy(self.embedding(self.final(x)).flatten(0, 1).float(), targets.flatten())
