"""Sizes and names that many peers share: those of Llama, whose descendants kept them, and parts of layers."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from peer import HEAD, HEADS, LAYERS, POSITIONS, VOCABULARY, WIDTH, Pairs, in_head, kernel, span, under

EPSILON = 1e-5
GROUPS = 2
GATED_HIDDEN = 2 * WIDTH
WINDOW = 16

# What the descendants of Llama call their numbers.
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "intermediate_size": GATED_HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": GROUPS,
    "head_dim": HEAD,
    "max_position_embeddings": POSITIONS,
    "rms_norm_eps": EPSILON,
    "pad_token_id": None,
}

QKVO: Pairs = {
    "q.weight": "q_proj.weight",
    "k.weight": "k_proj.weight",
    "v.weight": "v_proj.weight",
    "linear.weight": "o_proj.weight",
}
GATED: Pairs = {"gate.weight": "gate_proj.weight", "up.weight": "up_proj.weight", "linear.weight": "down_proj.weight"}
TIED: Pairs = {"embedding.weight": "model.embed_tokens.weight", "final.gain": "model.norm.weight"}
UNTIED: Pairs = TIED | {"head.weight": "lm_head.weight"}
LLAMA: Pairs = (
    {"attention_norm.gain": "input_layernorm.weight", "mlp_norm.gain": "post_attention_layernorm.weight"}
    | under("h", "self_attn", QKVO)
    | under("swi_glu", "mlp", GATED)
)


def norm(ours: str, theirs: str) -> Pairs:
    """A layer norm."""
    return {f"{ours}.gain": f"{theirs}.weight", f"{ours}.bias": f"{theirs}.bias"}


def affine(ours: str, theirs: str) -> Pairs:
    """A linear map with a bias."""
    return {f"{ours}.weight": f"{theirs}.weight", f"{ours}.bias": f"{theirs}.bias"}


def qk_norms(attention: str) -> Pairs:
    """The gains of the norms of queries and keys."""
    return under(attention, "self_attn", {"q_norm.gain": "q_norm.weight", "k_norm.gain": "k_norm.weight"})


def fused(theirs: str, with_key_bias: bool) -> Pairs:
    """Queries, keys and values that one matrix holds head by head."""
    rows = {name: in_head(HEAD * i, HEAD * (i + 1)) for i, name in enumerate("qkv")}
    biased = rows if with_key_bias else {name: view for name, view in rows.items() if name != "k"}
    weights: Pairs = {f"{name}.weight": (f"{theirs}.weight", view) for name, view in rows.items()}
    return weights | {f"{name}.bias": (f"{theirs}.bias", view) for name, view in biased.items()}


def experts(count: int, theirs: str, pairs: Pairs) -> Pairs:
    """Weights of experts, which a peer keeps one by one."""
    return {ours: [f"{theirs}.{i}.{name}" for i in range(count)] for ours, name in pairs.items()}


def short_conv(ours: str, theirs: str, start: int, end: int) -> Pairs:
    """The features `start .. end` of a short convolution with a bias."""
    rows = span(start, end)
    return {
        f"{ours}.short_conv.kernel": (f"{theirs}.weight", kernel(rows)),
        f"{ours}.bias": (f"{theirs}.bias", rows),
    }


def state_space(features: int, states: int, heads: int) -> Pairs:
    """Mamba-2's mixer, whose gate, inputs and steps are rows of one matrix."""
    ends = (0, *accumulate((features, features, states, states, heads)))
    rows = {name: span(ends[i], ends[i + 1]) for i, name in enumerate(("z", "u_in", "b_in", "c_in", "dt"))}
    return (
        {f"{name}.weight": ("in_proj.weight", view) for name, view in rows.items()}
        | short_conv("u_conv", "conv1d", 0, features)
        | short_conv("b_conv", "conv1d", features, features + states)
        | short_conv("c_conv", "conv1d", features + states, features + 2 * states)
        | {
            "a": "A_log",
            "dt_bias": "dt_bias",
            "skip": "D",
            "norm.gain": "norm.weight",
            "linear.weight": "out_proj.weight",
        }
    )
