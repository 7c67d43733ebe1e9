"""Steps of a model on tokens that look random: forward, cross entropy, backward, clipping, AdamW.

The weights come from a file of the other side, so that both losses are those of one model.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from graphs import VOCABULARY, expression
from models import MODELS
from parts import Merged, Model, Size

RATE = 3e-4
# What a step does, by what the work says of gradients; trainings say nothing.
EXTENTS = {None: "update", True: "gradients", False: "loss"}


class Training:
    """A model and the one batch that it sees again and again.

    A design is trained, by steps of AdamW; of an expression the loss is computed, and its gradients where they are asked for.
    """

    def __init__(self, work: dict[str, Any], form: str) -> None:
        self.extent = EXTENTS[work.get("backward")]
        if "nodes" in work:
            self.model, rows, context, vocabulary = expression(work), 1, work["rows"], VOCABULARY
        else:
            rows, context, vocabulary = work["rows"], work["context"], work["vocabulary"]
            self.model = MODELS[work["model"]](Size(work["width"], work["blocks"], context, vocabulary))
        decayed = load(self.model, Path(work["weights_file"]), set(work["plain"]))
        groups = [
            {"params": [p for p in self.model.parameters() if (p in decayed) == wanted], "weight_decay": decay}
            for wanted, decay in ((True, 0.1), (False, 0.0))
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.95), eps=1e-8, fused=True)
        self.tokens, self.targets = batch(rows, context, vocabulary)
        self.narrow = work.get("dtype") == "bf16"
        self.run = compiled(self.model, form)

    def step(self) -> float:
        """One step; the loss before it."""
        with (
            torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.narrow),
            torch.set_grad_enabled(self.extent != "loss"),
        ):
            loss = self.run(self.tokens, self.targets)
        if self.extent != "loss":
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
        if self.extent == "update":
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0, foreach=True)
            self.optimizer.step()
        return loss.item()


def compiled(model: Model, form: str) -> nn.Module:
    """The model as a whole, or block by block, which are compiled once for all: loops over chunks are unrolled, so that a
    whole model of them takes the compiler very long.
    """
    if form == "compiled":
        return torch.compile(model, dynamic=False)
    if form == "blocks":
        for block in model.blocks:
            block.compile(dynamic=False)
        model.loss = torch.compile(model.loss, dynamic=False)
    return model


def batch(rows: int, context: int, vocabulary: int) -> tuple[Tensor, Tensor]:
    """Tokens that look random, and the token behind each: i * 2654435761 mod 2^32 mod vocabulary."""
    stream = torch.arange(rows * context + 1) * 2654435761 % 2**32 % vocabulary
    return stream[:-1].view(rows, context), stream[1:].view(rows, context)


def load(model: nn.Module, path: Path, plain: set[str]) -> set[Tensor]:
    """Gives the model the weights of a safetensors file, all of them; those that decay, which `plain` does not name."""
    table = tensors(path)
    merged = {f"{name}.": module for name, module in model.named_modules() if isinstance(module, Merged)}
    decayed = set()
    for path_of, parameter in model.named_parameters():
        beginning, _, last = path_of.rpartition(".")
        parts = merged.get(f"{beginning}.")
        outer = beginning.rpartition(".")[0]
        names = [f"{outer}.{part}.{last}" for part in parts.rows] if parts else [path_of]
        values = torch.cat([table.pop(name).reshape(-1) for name in names])
        with torch.no_grad():
            parameter.copy_(values.view(parameter.shape))
        if not plain.intersection(names):
            decayed.add(parameter)
    if table:
        raise ValueError(f"the model has no weights {', '.join(table)}")
    return decayed


def tensors(path: Path) -> dict[str, Tensor]:
    """The f32 tensors of a safetensors file: eight bytes of length, so long a JSON table, the numbers."""
    data = bytearray(path.read_bytes())
    (length,) = struct.unpack_from("<Q", data)
    table = json.loads(data[8 : 8 + length])
    table.pop("__metadata__", None)
    start = 8 + length
    places = {name: entry["data_offsets"] for name, entry in table.items()}
    return {
        name: torch.frombuffer(data, dtype=torch.float32, offset=start + first, count=(last - first) // 4)
        for name, (first, last) in places.items()
    }
