"""Runs a peer and its design on the same weights and tokens, and measures how far apart they are.

The measure is that of the library of mechanisms: RMS of the difference by RMS of the peer's value, for the logits and
for the gradient of every weight, the loss being the mean cross entropy of the next token. Both sides compute in f32.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional
from transformers import AutoModelForCausalLM, PreTrainedModel

from peer import POSITIONS, VOCABULARY, Peer, Theirs

ROWS = 2
SCALE = "nano"
# A gradient that is zero in exact arithmetic, by RMS of the largest one, is at most this.
ZERO = 1e-6

Table = dict[str, Tensor]


class IncomparableError(Exception):
    """The two cannot be compared; the message says why."""


@dataclass(frozen=True)
class Figures:
    """How far a design is from its peer: the logits, and the worst gradient with the name of its weight."""

    parameters: int
    logits: float
    gradient: float
    weight: str

    def worst(self) -> float:
        """The larger of both."""
        return max(self.logits, self.gradient)


def measure(peer: Peer, genesys: Path, design: Path, scratch: Path) -> Figures:
    """The figures of one peer. Raises `IncomparableError`."""
    folder = scratch / peer.name
    folder.mkdir(parents=True, exist_ok=True)
    model = drawn(peer)
    tokens = torch.randint(VOCABULARY, (ROWS, POSITIONS), generator=torch.Generator().manual_seed(1))
    logits, theirs = run_theirs(model, tokens)
    shapes = our_shapes(genesys, design, folder)
    weights = {name: values.detach() for name, values in model.named_parameters()}
    check_all_are_used(peer, weights, theirs)
    table = run_ours(genesys, design, folder, translated(peer, weights, shapes), tokens)
    expected = translated(peer, theirs, shapes)
    errors = {name: error(table[f"grad.{name}"], value) for name, value in expected.items()}
    worst = max(errors, key=lambda name: errors[name])
    parameters = sum(value.numel() for value in expected.values())
    return Figures(parameters, error(table["logits"], logits), errors[worst], worst)


def drawn(peer: Peer) -> PreTrainedModel:
    """The peer's model, with noise on every weight: none of them keeps a value at which it would not show."""
    torch.manual_seed(0)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(peer.config, attn_implementation="eager").float().eval()
    with torch.no_grad():
        for values in model.parameters():
            values.add_(0.1 * torch.randn_like(values))
    return model


def run_theirs(model: PreTrainedModel, tokens: Tensor) -> tuple[Tensor, Table]:
    """Logits, and the gradient of every weight."""
    logits = model(input_ids=tokens, use_cache=False).logits
    functional.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten()).backward()
    gradients = {name: values.grad for name, values in model.named_parameters() if values.grad is not None}
    unread = [name for name, _ in model.named_parameters() if name not in gradients]
    if unread:
        raise IncomparableError(f"the peer does not read {', '.join(unread)}")
    return logits.detach(), gradients


def run_ours(genesys: Path, design: Path, folder: Path, weights: Table, tokens: Tensor) -> Table:
    """What `genesys forward --grads` says of the design with these weights."""
    given, checkpoint, out = folder / "weights.safetensors", folder / "model.ckpt", folder / "out.safetensors"
    rows = folder / "tokens.json"
    save_file({name: values.contiguous() for name, values in weights.items()}, given)
    rows.write_text(json.dumps(tokens.tolist()))
    call(genesys, "init", design, "--scale", SCALE, "--weights", given, "--out", checkpoint)
    call(genesys, "forward", checkpoint, "--tokens", rows, "--out", out, "--grads")
    return load_file(out)


def our_shapes(genesys: Path, design: Path, folder: Path) -> dict[str, torch.Size]:
    """The names and shapes of the design's weights."""
    checkpoint = folder / "drawn.ckpt"
    call(genesys, "init", design, "--scale", SCALE, "--out", checkpoint)
    return {name: values.shape for name, values in load_file(checkpoint / "model.safetensors").items()}


def translated(peer: Peer, theirs: Table, shapes: dict[str, torch.Size]) -> Table:
    """Weights or gradients of the peer under our names, in our shapes."""
    missing = sorted(shapes.keys() ^ peer.weights.keys())
    if missing:
        raise IncomparableError(f"the design and the table of names differ in {', '.join(missing)}")
    return {name: taken(theirs, pair).reshape(shapes[name]) for name, pair in peer.weights.items()}


def taken(theirs: Table, pair: Theirs) -> Tensor:
    """What `pair` names: a tensor, a part of one, or several in a row."""
    missing = [name for name in names(pair) if name not in theirs]
    if missing:
        raise IncomparableError(f"the peer has no weight {', '.join(missing)}; it has {', '.join(theirs)}")
    if isinstance(pair, str):
        return theirs[pair]
    if isinstance(pair, list):
        return torch.stack([theirs[name] for name in pair])
    return pair[1](theirs[pair[0]])


def names(pair: Theirs) -> list[str]:
    """The tensors that `pair` is about."""
    if isinstance(pair, str):
        return [pair]
    return pair if isinstance(pair, list) else [pair[0]]


def check_all_are_used(peer: Peer, weights: Table, gradients: Table) -> None:
    """Every weight of the peer is one of ours, or moves nothing."""
    pairs = (*peer.weights.values(), *peer.silent)
    used = sum(taken(weights, pair).numel() for pair in pairs)
    there = sum(values.numel() for values in weights.values())
    if used != there:
        named = {name for pair in pairs for name in names(pair)}
        rest = ", ".join(weights.keys() - named) or "a part"
        raise IncomparableError(f"the peer has {there} weights, of which the design takes {used}; not {rest}")
    largest = max(rms(gradient) for gradient in gradients.values())
    for pair in peer.silent:
        if rms(taken(gradients, pair)) > ZERO * largest:
            raise IncomparableError(f"{pair} is said to move nothing, and has a gradient")


def call(genesys: Path, *arguments: str | Path) -> None:
    """Runs the command. Raises `IncomparableError` with what it says where it refuses."""
    done = subprocess.run([genesys, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise IncomparableError(f"genesys {arguments[0]}: {done.stderr.strip() or done.stdout.strip()}")


def error(found: Tensor, expected: Tensor) -> float:
    """RMS of the difference by RMS of what is expected."""
    return rms(found.double() - expected.double()) / rms(expected)


def rms(values: Tensor) -> float:
    return values.double().square().mean().sqrt().item()
