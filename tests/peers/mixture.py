"""Peers with a mixture of experts."""

from __future__ import annotations

from transformers import DeepseekV3Config, GptOssConfig, Llama4TextConfig, MixtralConfig, OlmoeConfig

from parts import GATED, GATED_HIDDEN, LLAMA, SIZES, UNTIED, WINDOW, affine, experts, qk_norms
from peer import HEAD, HEADS, WIDTH, Pairs, Peer, every_second, in_head, layers, part, span, transposed, under

EXPERTS = 4
TAKEN = 2

# Attention and both norms.
ATTENTION: Pairs = {name: pair for name, pair in LLAMA.items() if not name.startswith("swi_glu")}
# An expert in the names of Mixtral.
NUMBERED: Pairs = {"gate.weight": "w1.weight", "up.weight": "w3.weight", "linear.weight": "w2.weight"}


def mixtral() -> Peer:
    mixture = {"p.weight": "gate.weight"} | {
        f"y.{name}": pair for name, pair in experts(EXPERTS, "experts", NUMBERED).items()
    }
    return Peer(
        name="mixtral",
        title="Mixtral",
        mechanisms="the best two of four experts",
        config=MixtralConfig(**SIZES, num_local_experts=EXPERTS, num_experts_per_tok=TAKEN, rope_theta=10_000.0),
        weights=UNTIED | layers("model.layers", ATTENTION | under("experts", "block_sparse_moe", mixture)),
    )


def olmoe() -> Peer:
    block = (
        ATTENTION
        | qk_norms("h")
        | {"experts.p.weight": "mlp.gate.weight"}
        | under("experts.y", "mlp", experts(EXPERTS, "experts", GATED))
    )
    sizes = {"num_key_value_heads": HEADS, "num_experts": EXPERTS, "num_experts_per_tok": TAKEN}
    return Peer(
        name="olmoe",
        title="OLMoE",
        mechanisms="experts weighed by the softmax over all",
        config=OlmoeConfig(**(SIZES | sizes)),
        weights=UNTIED | layers("model.layers", block),
    )


def gpt_oss() -> Peer:
    fused = "mlp.experts.gate_up_proj"
    block = (
        {"attention_norm.gain": "input_layernorm.weight", "mlp_norm.gain": "post_attention_layernorm.weight"}
        | {"h.b": "self_attn.sinks"}
        | under("h", "self_attn", affine("q", "q_proj") | affine("k", "k_proj") | affine("v", "v_proj"))
        | under("h", "self_attn", affine("linear", "o_proj"))
        | affine("experts.score", "mlp.router")
        | {f"experts.y.{name}.weight": (fused, transposed(every_second(i, 1))) for i, name in enumerate(("gate", "up"))}
        | {f"experts.y.{name}.bias": (f"{fused}_bias", every_second(i, 1)) for i, name in enumerate(("gate", "up"))}
        | {"experts.y.linear.weight": ("mlp.experts.down_proj", transposed())}
        | {"experts.y.linear.bias": "mlp.experts.down_proj_bias"}
    )
    sizes = {"intermediate_size": WIDTH, "num_local_experts": EXPERTS, "num_experts_per_tok": TAKEN}
    return Peer(
        name="gpt_oss",
        title="GPT-OSS",
        mechanisms="learned sinks, window and full attention in turn, YaRN, experts with a clipped gate",
        config=GptOssConfig(**(SIZES | sizes), sliding_window=WINDOW),
        weights=UNTIED | layers("model.layers", block),
    )


def deepseek_v3() -> Peer:
    width, rotary, latent, groups, count = HEAD, HEAD // 2, HEAD, 2, 2 * EXPERTS
    attention: Pairs = {
        "down_q.weight": "q_a_proj.weight",
        "query.gain": "q_a_layernorm.weight",
        "q.weight": ("q_b_proj.weight", in_head(0, width)),
        "r.weight": ("q_b_proj.weight", in_head(width, width + rotary)),
        "down.weight": ("kv_a_proj_with_mqa.weight", span(0, latent)),
        "u.weight": ("kv_a_proj_with_mqa.weight", span(latent, latent + rotary)),
        "latent.gain": "kv_a_layernorm.weight",
        "k.weight": ("kv_b_proj.weight", in_head(0, width)),
        "v.weight": ("kv_b_proj.weight", in_head(width, 2 * width)),
        "linear.weight": "o_proj.weight",
    }
    block = {
        "attention_norm.gain": "input_layernorm.weight",
        "mlp_norm.gain": "post_attention_layernorm.weight",
    } | under("h", "self_attn", attention)
    sparse = (
        {"experts.score.weight": "mlp.gate.weight"}
        | under("experts.y", "mlp", experts(count, "experts", GATED))
        | under("experts.common", "mlp.shared_experts", GATED)
    )
    sizes = {
        "num_key_value_heads": HEADS,
        "moe_intermediate_size": WIDTH,
        "n_routed_experts": count,
        "num_experts_per_tok": TAKEN,
        "n_group": groups,
        "topk_group": 1,
        "q_lora_rank": WIDTH // 2,
        "kv_lora_rank": latent,
        "qk_nope_head_dim": width,
        "qk_rope_head_dim": rotary,
        "v_head_dim": width,
        "first_k_dense_replace": 1,
    }
    return Peer(
        name="deepseek_v3",
        title="DeepSeek-V3",
        mechanisms="MLA, experts chosen within the best group, an expert for all",
        config=DeepseekV3Config(**{key: value for key, value in (SIZES | sizes).items() if key != "head_dim"}),
        weights=UNTIED
        | layers("model.layers", block)
        | layers("model.layers", under("swi_glu", "mlp", GATED), only=[0])
        | layers("model.layers", sparse, only=[1]),
        left="the correction of the choice: a weight that only a choice reads learns nothing",
    )


def llama4() -> Peer:
    fused = "experts.gate_up_proj"
    mixture: Pairs = {
        "score.weight": "router.weight",
        "y.gate.weight": (fused, transposed(part(0, 2, 1))),
        "y.up.weight": (fused, transposed(part(1, 2, 1))),
        "y.linear.weight": ("experts.down_proj", transposed()),
    } | under("common", "shared_expert", GATED)
    sizes = {
        "intermediate_size_mlp": GATED_HIDDEN,
        "num_local_experts": EXPERTS,
        "num_experts_per_tok": TAKEN,
        "moe_layers": [1],
        "no_rope_layers": [1, 0],
        "attention_chunk_size": WINDOW,
        "floor_scale": 8,
        "rope_theta": 10_000.0,
    }
    return Peer(
        name="llama4",
        title="Llama 4",
        mechanisms="attention within chunks and without positions in turn, scores that grow, scaled inputs of experts",
        config=Llama4TextConfig(**SIZES, **sizes),
        weights=UNTIED
        | layers("model.layers", ATTENTION)
        | layers("model.layers", under("swi_glu", "feed_forward", GATED), only=[0])
        | layers("model.layers", under("experts", "feed_forward", mixture), only=[1]),
    )


PEERS = (mixtral, olmoe, gpt_oss, llama4, deepseek_v3)
