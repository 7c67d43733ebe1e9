"""Peers whose layers mix in different ways."""

from __future__ import annotations

from transformers import (
    FalconH1Config,
    JambaConfig,
    Lfm2Config,
    MiniMaxConfig,
    Qwen3NextConfig,
    RecurrentGemmaConfig,
    ZambaConfig,
)

from parts import EPSILON, GATED, GROUPS, QKVO, SIZES, UNTIED, affine, experts, short_conv, state_space
from peer import (
    HEAD,
    HEADS,
    POSITIONS,
    WIDTH,
    Pairs,
    Peer,
    every_second,
    in_head,
    kernel,
    layers,
    part,
    span,
    transposed,
    under,
)

FEATURES = 2 * WIDTH
STATES = 16
EXPERTS = 4
TAKEN = 2
NUMBERED: Pairs = {"gate.weight": "w1.weight", "up.weight": "w3.weight", "linear.weight": "w2.weight"}


def recurrent_gemma() -> Peer:
    mlp = affine("gate", "gate_proj") | affine("up", "up_proj") | affine("linear", "down_proj")
    block = {"time_norm.gain": "temporal_pre_norm.weight", "mlp_norm.gain": "channel_pre_norm.weight"} | under(
        "biased_ge_glu", "mlp_block", mlp
    )
    gates: Pairs = {"y.l": "rg_lru.recurrent_param"}
    for ours, theirs in (("i", "input_gate"), ("r", "recurrent_gate")):
        gates[f"y.{ours}.weight"] = (f"rg_lru.{theirs}_weight", transposed())
        gates[f"y.{ours}.bias"] = f"rg_lru.{theirs}_bias"
    recurrence = (
        affine("gate", "linear_y")
        | affine("u", "linear_x")
        | {"conv.kernel": ("conv_1d.weight", kernel()), "conv.bias": "conv_1d.bias"}
        | gates
        | affine("linear", "linear_out")
    )
    attention = QKVO | {"linear.bias": "o_proj.bias"}
    sizes = {"intermediate_size": 2 * FEATURES, "block_types": ("recurrent", "attention")}
    return Peer(
        name="recurrent_gemma",
        title="RecurrentGemma",
        mechanisms="RG-LRU and attention in turn, RoPE on half of each head",
        # A window as long as the text, and a cap that no logit comes near.
        config=RecurrentGemmaConfig(**(SIZES | sizes), attention_window_size=POSITIONS, logits_soft_cap=1e6),
        weights={"embedding.weight": "model.embed_tokens.weight", "final.gain": "model.final_norm.weight"}
        | layers("model.layers", block, shift=1)
        | layers("model.layers", under("h", "temporal_block", recurrence), only=[0], shift=1)
        | layers("model.layers", under("h", "temporal_block", attention), only=[1], shift=1),
        left="the soft cap of the logits; the window, which the peer forgets without a cache",
    )


def lfm2() -> Peer:
    block = {"operator_norm.gain": "operator_norm.weight", "mlp_norm.gain": "ffn_norm.weight"} | under(
        "swi_glu", "feed_forward", NUMBERED
    )
    convolution: Pairs = {f"{name}.weight": ("in_proj.weight", part(i, 3)) for i, name in enumerate("bcu")}
    convolution |= {"mixed.kernel": ("conv.weight", kernel()), "linear.weight": "out_proj.weight"}
    attention = QKVO | {
        "linear.weight": "out_proj.weight",
        "q_norm.gain": "q_layernorm.weight",
        "k_norm.gain": "k_layernorm.weight",
    }
    types = ["conv", "full_attention"]
    return Peer(
        name="lfm2",
        title="LFM2",
        mechanisms="short convolution between two gates, and attention, in turn",
        config=Lfm2Config(
            **SIZES, norm_eps=EPSILON, layer_types=types, block_auto_adjust_ff_dim=False, rope_theta=10_000.0
        ),
        weights={"embedding.weight": "model.embed_tokens.weight", "final.gain": "model.embedding_norm.weight"}
        | layers("model.layers", block)
        | layers("model.layers", under("h", "conv", convolution), only=[0])
        | layers("model.layers", under("h", "self_attn", attention), only=[1]),
    )


def jamba() -> Peer:
    block: Pairs = {"mixer_norm.gain": "input_layernorm.weight", "mlp_norm.gain": "pre_ff_layernorm.weight"}
    rank = WIDTH // 16
    mixer: Pairs = {
        "u_in.weight": ("in_proj.weight", part(0, 2)),
        "z.weight": ("in_proj.weight", part(1, 2)),
        "low.weight": ("x_proj.weight", span(0, rank)),
        "b_in.weight": ("x_proj.weight", span(rank, rank + STATES)),
        "c_in.weight": ("x_proj.weight", span(rank + STATES, rank + 2 * STATES)),
        "dt_norm.gain": "dt_layernorm.weight",
        "b.gain": "b_layernorm.weight",
        "c.gain": "c_layernorm.weight",
        "a": "A_log",
        "skip": "D",
        "linear.weight": "out_proj.weight",
    }
    mixer |= affine("dt", "dt_proj") | short_conv("conv", "conv1d", 0, FEATURES)
    selecting = under("h", "mamba", mixer) | under("swi_glu", "feed_forward", GATED)
    attending = (
        under("h", "self_attn", QKVO)
        | {"experts.p.weight": "feed_forward.router.weight"}
        | under("experts.y", "feed_forward", experts(EXPERTS, "experts", GATED))
    )
    turns = {"attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2, "expert_layer_offset": 1}
    return Peer(
        name="jamba",
        title="Jamba",
        mechanisms="Mamba with inner norms, attention without positions, experts in every other layer",
        config=JambaConfig(**SIZES, **turns, num_experts=EXPERTS, num_experts_per_tok=TAKEN, use_mamba_kernels=False),
        weights=(UNTIED | {"final.gain": "model.final_layernorm.weight"})
        | layers("model.layers", block)
        | layers("model.layers", selecting, only=[0])
        | layers("model.layers", attending, only=[1]),
    )


def falcon_h1() -> Peer:
    heads = FEATURES // HEAD
    names = {"dt.weight": "dt_in.weight", "norm.gain": "gain"}
    space = {names.get(name, name): pair for name, pair in state_space(FEATURES, GROUPS * STATES, heads).items()}
    block = (
        {"y.gain": "input_layernorm.weight", "mlp_norm.gain": "pre_ff_layernorm.weight"}
        | under("space", "mamba", space)
        | under("attention", "self_attn", QKVO)
        | under("mlp", "feed_forward", GATED)
    )
    mixer = {
        "mamba_d_ssm": FEATURES,
        "mamba_n_heads": heads,
        "mamba_n_groups": GROUPS,
        "mamba_d_state": STATES,
        "mamba_chunk_size": 16,
        "mamba_rms_norm": True,
    }
    factors = {
        "embedding_multiplier": 2.0,
        "lm_head_multiplier": 0.5,
        "ssm_in_multiplier": 0.8,
        "ssm_out_multiplier": 0.7,
        "ssm_multipliers": [0.5, 0.6, 0.7, 0.8, 0.9],
        "attention_in_multiplier": 0.9,
        "attention_out_multiplier": 1.1,
        "key_multiplier": 0.5,
        "mlp_multipliers": [1.2, 0.8],
    }
    return Peer(
        name="falcon_h1",
        title="Falcon-H1",
        mechanisms="attention and Mamba-2 side by side, fixed factors on every branch",
        config=FalconH1Config(**SIZES, **mixer, **factors, rope_theta=10_000.0),
        weights={"embedding.weight": "model.embed_tokens.weight", "head.weight": "lm_head.weight"}
        | {"final.rms_norm.gain": "model.final_layernorm.weight"}
        | layers("model.layers", block, shift=1),
    )


def qwen3_next() -> Peer:
    # Queries, keys, values and gates are rows of one matrix, group by group; so are write strengths and decays.
    ratio = HEADS // GROUPS
    keys, values = GROUPS * HEAD, HEADS * HEAD
    ends = {"q_in": (0, 1), "k_in": (1, 2), "v_in": (2, 2 + ratio), "gate": (2 + ratio, 2 + 2 * ratio)}
    delta: Pairs = {
        f"{name}.weight": ("in_proj_qkvz.weight", in_head(HEAD * start, HEAD * end, GROUPS))
        for name, (start, end) in ends.items()
    }
    delta |= {"b.weight": ("in_proj_ba.weight", in_head(0, ratio, GROUPS))}
    delta |= {"a.weight": ("in_proj_ba.weight", in_head(ratio, 2 * ratio, GROUPS))}
    for name, start, end in (("q", 0, keys), ("k", keys, 2 * keys), ("v", 2 * keys, 2 * keys + values)):
        delta[f"{name}_conv.kernel"] = ("conv1d.weight", kernel(span(start, end)))
    delta |= {"l": "A_log", "dt_bias": "dt_bias", "rms_norm.gain": "norm.weight", "linear.weight": "out_proj.weight"}
    attention = QKVO | {
        "q.weight": ("q_proj.weight", in_head(0, HEAD)),
        "gate.weight": ("q_proj.weight", in_head(HEAD, 2 * HEAD)),
        "q_norm.gain": "q_norm.weight",
        "k_norm.gain": "k_norm.weight",
    }
    block = (
        {"mixer_norm.gain": "input_layernorm.weight", "mlp_norm.gain": "post_attention_layernorm.weight"}
        | {"experts.p.weight": "mlp.gate.weight", "experts.open.weight": "mlp.shared_expert_gate.weight"}
        | under("experts.y", "mlp", experts(EXPERTS, "experts", GATED))
        | under("experts.common", "mlp.shared_expert", GATED)
    )
    sizes = {
        "linear_num_key_heads": GROUPS,
        "linear_num_value_heads": HEADS,
        "linear_key_head_dim": HEAD,
        "linear_value_head_dim": HEAD,
        "moe_intermediate_size": WIDTH,
        "shared_expert_intermediate_size": WIDTH,
        "num_experts": EXPERTS,
        "num_experts_per_tok": TAKEN,
    }
    return Peer(
        name="qwen3_next",
        title="Qwen3-Next",
        mechanisms="gated DeltaNet and gated attention in turn, more v heads than k heads, a gated expert for all",
        config=Qwen3NextConfig(**SIZES, **sizes, layer_types=["linear_attention", "full_attention"]),
        weights=UNTIED
        | layers("model.layers", block)
        | layers("model.layers", under("h", "linear_attn", delta), only=[0])
        | layers("model.layers", under("h", "self_attn", attention), only=[1]),
    )


def minimax() -> Peer:
    lightning: Pairs = {
        f"{name}.weight": ("qkv_proj.weight", in_head(HEAD * i, HEAD * (i + 1))) for i, name in enumerate("qkv")
    }
    lightning |= {"gain": "norm.weight", "gate.weight": "output_gate.weight", "linear.weight": "out_proj.weight"}
    block = (
        {"y.gain": "input_layernorm.weight", "z.gain": "post_attention_layernorm.weight"}
        | {"experts.p.weight": "block_sparse_moe.gate.weight"}
        | under("experts.y", "block_sparse_moe", experts(EXPERTS, "experts", NUMBERED))
    )
    sizes = {"num_local_experts": EXPERTS, "num_experts_per_tok": TAKEN, "block_size": 16, "rope_theta": 10_000.0}
    return Peer(
        name="minimax",
        title="MiniMax-01",
        mechanisms="lightning attention and softmax attention in turn, experts",
        config=MiniMaxConfig(**SIZES, **sizes, layer_types=["linear_attention", "full_attention"]),
        weights=UNTIED
        | layers("model.layers", block)
        | layers("model.layers", under("h", "self_attn", lightning), only=[0])
        | layers("model.layers", under("h", "self_attn", QKVO), only=[1]),
    )


def zamba() -> Peer:
    rank = WIDTH // 16
    mixer: Pairs = {
        # What is read and what gates are interleaved rows.
        "u_in.weight": ("in_proj.weight", every_second(0)),
        "z.weight": ("in_proj.weight", every_second(1)),
        "low.weight": ("x_proj_weight", span(0, rank, 1)),
        "b.weight": ("x_proj_weight", span(rank, rank + STATES, 1)),
        "c.weight": ("x_proj_weight", span(rank + STATES, rank + 2 * STATES, 1)),
        "dt.weight": "dt_proj_weight",
        "dt.bias": "dt_proj_bias",
        "a": "A_log",
        "skip": "D",
        "linear.weight": "out_proj.weight",
    } | short_conv("conv", "conv1d", 0, FEATURES)
    layer = {"rms_norm.gain": "input_layernorm.weight"} | under("selective_state", "mamba", mixer)
    common: Pairs = (
        {"attention_norm.gain": "input_layernorm.weight", "mlp_norm.gain": "pre_ff_layernorm.weight"}
        | under("y", "self_attn", QKVO)
        | under("exact_ge_glu", "feed_forward", GATED)
    )
    weights: Pairs = {"embedding.weight": "model.embed_tokens.weight", "final.gain": "model.final_layernorm.weight"}
    for i, name in enumerate(("first", "second", "third", "fourth", "fifth")):
        shared = i in (2, 4)
        weights |= under(f"blocks.0.{name}", f"model.layers.{i}" + ".mamba_decoder" * shared, layer)
        if shared:
            weights[f"blocks.0.to_{name}.weight"] = f"model.layers.{i}.linear.weight"
    sizes = {"num_hidden_layers": 5, "num_key_value_heads": HEADS, "attn_layer_period": 2, "attn_layer_offset": 1}
    config = {key: value for key, value in (SIZES | sizes).items() if key != "head_dim"}
    return Peer(
        name="zamba",
        title="Zamba",
        mechanisms="Mamba in heads, one instance of attention and MLP that comes back and reads the embedding",
        config=ZambaConfig(**config, n_mamba_heads=2, mamba_d_state=STATES, use_mamba_kernels=False),
        weights=weights | under("blocks.0.common", "model.layers.2.shared_transf", common),
    )


PEERS = (recurrent_gemma, lfm2, jamba, falcon_h1, qwen3_next, minimax, zamba)
