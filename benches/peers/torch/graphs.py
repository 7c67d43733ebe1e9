"""Random expressions over [rows, width], built from the same table that the other side builds them from.

A table lists operations, each on the results of earlier ones; the last is the result. Reductions go over the width and
keep it as a dimension of 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from parts import Model, RmsNorm, Size

VOCABULARY = 16

OPERATIONS: dict[str, Callable[..., Tensor]] = {
    "add": torch.add,
    "sub": lambda x, y: x - y / 2,
    "mul": torch.mul,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "silu": functional.silu,
    "relu": torch.relu,
    "softplus": functional.softplus,
    "square": torch.square,
    "root": lambda x: torch.sqrt(x * x + 1),
    "bell": lambda x: torch.exp(-x * x),
    "sum": lambda x: x.sum(-1, keepdim=True),
    "mean": lambda x: x.mean(-1, keepdim=True),
    "max": lambda x: x.amax(-1, keepdim=True),
    "softmax": lambda x: x.softmax(-1),
}


class Expression(nn.Module):
    """One expression as a block of a model: [b, t, d] to [b, t, d]."""

    def __init__(self, table: dict[str, Any]) -> None:
        super().__init__()
        self.nodes = [(node["op"], node["of"]) for node in table["nodes"]]
        for i in range(table["weights"]):
            self.register_parameter(f"w{i}", nn.Parameter(torch.empty(table["width"])))

    def forward(self, x: Tensor) -> Tensor:
        results: list[Tensor] = []
        for name, of in self.nodes:
            if name == "input":
                results.append(x)
            elif name == "weight":
                results.append(getattr(self, f"w{of[0]}"))
            else:
                results.append(OPERATIONS[name](*(results[i] for i in of)))
        return results[-1]


def expression(table: dict[str, Any]) -> Model:
    """The expression behind a small embedding and before a norm and the loss, as the other side has it."""
    size = Size(table["width"], 1, table["rows"], VOCABULARY)
    return Model(size, [Expression(table)], RmsNorm(size.width))
