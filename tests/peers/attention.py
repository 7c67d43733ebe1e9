"""Peers whose layers are softmax attention and one MLP."""

from __future__ import annotations

from transformers import (
    ApertusConfig,
    BloomConfig,
    CohereConfig,
    DiffLlamaConfig,
    FalconConfig,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    NemotronConfig,
    Olmo2Config,
    OPTConfig,
    Qwen3Config,
)

from parts import EPSILON, GATED, LLAMA, QKVO, SIZES, TIED, UNTIED, WINDOW, affine, fused, norm, qk_norms
from peer import (
    HEAD,
    HEADS,
    LAYERS,
    POSITIONS,
    VOCABULARY,
    WIDTH,
    Pairs,
    Peer,
    in_head,
    layers,
    part,
    span,
    transposed,
    under,
)

HIDDEN = 4 * WIDTH


def gpt2() -> Peer:
    rows = {name: transposed(part(i, 3)) for i, name in enumerate("qkv")}
    block = (
        norm("attention_norm", "ln_1")
        | {f"h.{name}.weight": ("attn.c_attn.weight", view) for name, view in rows.items()}
        | {f"h.{name}.bias": ("attn.c_attn.bias", rows[name]) for name in "qv"}
        | {"h.linear.weight": ("attn.c_proj.weight", transposed()), "h.linear.bias": "attn.c_proj.bias"}
        | norm("mlp_norm", "ln_2")
        | {"mlp.h.weight": ("mlp.c_fc.weight", transposed()), "mlp.h.bias": "mlp.c_fc.bias"}
        | {"mlp.linear.weight": ("mlp.c_proj.weight", transposed()), "mlp.linear.bias": "mlp.c_proj.bias"}
    )
    return Peer(
        name="gpt2",
        title="GPT-2",
        mechanisms="learned positions, layer norms, MHA, GELU",
        config=GPT2Config(
            vocab_size=VOCABULARY, n_positions=POSITIONS, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS, n_inner=HIDDEN
        ),
        weights={"embedding.weight": "transformer.wte.weight", "blocks.0.at": "transformer.wpe.weight"}
        | layers("transformer.h", block, shift=1)
        | norm("final", "transformer.ln_f"),
        silent=tuple((f"transformer.h.{i}.attn.c_attn.bias", rows["k"]) for i in range(LAYERS)),
    )


def opt() -> Peer:
    block = (
        norm("attention_norm", "self_attn_layer_norm")
        | affine("h.q", "self_attn.q_proj")
        | {"h.k.weight": "self_attn.k_proj.weight"}
        | affine("h.v", "self_attn.v_proj")
        | affine("h.linear", "self_attn.out_proj")
        | norm("mlp_norm", "final_layer_norm")
        | affine("relu_mlp.h", "fc1")
        | affine("relu_mlp.linear", "fc2")
    )
    # Two rows of their table stand before the first position.
    positions = "model.decoder.embed_positions.weight"
    table: Pairs = {"blocks.0.at": (positions, span(2, 2 + POSITIONS))}
    return Peer(
        name="opt",
        title="OPT",
        mechanisms="learned positions, MHA, ReLU",
        config=OPTConfig(
            vocab_size=VOCABULARY,
            hidden_size=WIDTH,
            ffn_dim=HIDDEN,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            max_position_embeddings=POSITIONS,
            word_embed_proj_dim=WIDTH,
            pad_token_id=None,
        ),
        weights={"embedding.weight": "model.decoder.embed_tokens.weight"}
        | table
        | layers("model.decoder.layers", block, shift=1)
        | norm("final", "model.decoder.final_layer_norm"),
        silent=((positions, span(0, 2)), *(f"model.decoder.layers.{i}.self_attn.k_proj.bias" for i in range(LAYERS))),
    )


def bloom() -> Peer:
    qkv = "self_attention.query_key_value"
    block = (
        norm("attention_norm", "input_layernorm")
        | {f"h.{name}": pair for name, pair in fused(qkv, with_key_bias=False).items()}
        | affine("h.linear", "self_attention.dense")
        | norm("mlp_norm", "post_attention_layernorm")
        | affine("mlp.h", "mlp.dense_h_to_4h")
        | affine("mlp.linear", "mlp.dense_4h_to_h")
    )
    keys = in_head(HEAD, 2 * HEAD)
    return Peer(
        name="bloom",
        title="BLOOM",
        mechanisms="ALiBi, a norm behind the embedding",
        config=BloomConfig(vocab_size=VOCABULARY, hidden_size=WIDTH, n_layer=LAYERS, n_head=HEADS, pad_token_id=None),
        weights={"embedding.weight": "transformer.word_embeddings.weight"}
        | norm("blocks.0", "transformer.word_embeddings_layernorm")
        | layers("transformer.h", block, shift=1)
        | norm("final", "transformer.ln_f"),
        silent=tuple((f"transformer.h.{i}.{qkv}.bias", keys) for i in range(LAYERS)),
    )


def gpt_neox() -> Peer:
    block = (
        norm("attention_norm", "input_layernorm")
        | {f"attention.{name}": pair for name, pair in fused("attention.query_key_value", with_key_bias=True).items()}
        | affine("attention.linear", "attention.dense")
        | norm("mlp_norm", "post_attention_layernorm")
        | affine("exact_mlp.h", "mlp.dense_h_to_4h")
        | affine("exact_mlp.linear", "mlp.dense_4h_to_h")
    )
    return Peer(
        name="gpt_neox",
        title="GPT-NeoX",
        mechanisms="attention beside MLP, RoPE on a quarter of each head, exact GELU",
        config=GPTNeoXConfig(
            vocab_size=VOCABULARY,
            hidden_size=WIDTH,
            intermediate_size=HIDDEN,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            max_position_embeddings=POSITIONS,
            rotary_pct=0.25,
        ),
        weights={"embedding.weight": "gpt_neox.embed_in.weight", "head.weight": "embed_out.weight"}
        | layers("gpt_neox.layers", block)
        | norm("final", "gpt_neox.final_layer_norm"),
    )


def falcon() -> Peer:
    qkv = "self_attention.query_key_value.weight"
    keys = HEADS * HEAD
    block = (
        norm("y", "input_layernorm")
        | {"multi_query_attention.q.weight": (qkv, span(0, keys))}
        | {"multi_query_attention.k.weight": (qkv, span(keys, keys + HEAD))}
        | {"multi_query_attention.v.weight": (qkv, span(keys + HEAD, keys + 2 * HEAD))}
        | {"multi_query_attention.linear.weight": "self_attention.dense.weight"}
        | {"exact_mlp.h.weight": "mlp.dense_h_to_4h.weight", "exact_mlp.linear.weight": "mlp.dense_4h_to_h.weight"}
    )
    return Peer(
        name="falcon",
        title="Falcon",
        mechanisms="MQA, attention beside MLP behind one norm",
        config=FalconConfig(
            vocab_size=VOCABULARY, hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS
        ),
        weights={"embedding.weight": "transformer.word_embeddings.weight"}
        | layers("transformer.h", block)
        | norm("final", "transformer.ln_f"),
    )


def nemotron() -> Peer:
    block = (
        norm("attention_norm", "input_layernorm")
        | under("h", "self_attn", QKVO)
        | norm("mlp_norm", "post_attention_layernorm")
        | {"relu2_mlp.h.weight": "mlp.up_proj.weight", "relu2_mlp.linear.weight": "mlp.down_proj.weight"}
    )
    return Peer(
        name="nemotron",
        title="Nemotron",
        mechanisms="ReLU^2, gains 1 + w, RoPE on half of each head",
        config=NemotronConfig(
            **(SIZES | {"intermediate_size": HIDDEN, "norm_eps": EPSILON, "partial_rotary_factor": 0.5})
        ),
        weights=UNTIED | layers("model.layers", block) | {"final.bias": "model.norm.bias"},
    )


def llama() -> Peer:
    return Peer(
        name="llama",
        title="Llama",
        mechanisms="RMS norms, RoPE in halves, GQA, SwiGLU",
        config=LlamaConfig(**SIZES),
        weights=UNTIED | layers("model.layers", LLAMA),
    )


def mistral() -> Peer:
    return Peer(
        name="mistral",
        title="Mistral",
        mechanisms="sliding window",
        config=MistralConfig(**SIZES, sliding_window=WINDOW),
        weights=UNTIED | layers("model.layers", LLAMA),
    )


def qwen3() -> Peer:
    norms = qk_norms("h")
    return Peer(
        name="qwen3",
        title="Qwen3",
        mechanisms="QK-norm",
        config=Qwen3Config(**SIZES),
        weights=UNTIED | layers("model.layers", LLAMA | norms),
    )


def olmo2() -> Peer:
    block = (
        under("attention", "self_attn", QKVO)
        | qk_norms("attention")
        | {"h.gain": "post_attention_layernorm.weight", "rms_norm.gain": "post_feedforward_layernorm.weight"}
        | under("swi_glu", "mlp", GATED)
    )
    return Peer(
        name="olmo2",
        title="OLMo 2",
        mechanisms="QK-norm over all heads, norms behind the layers",
        config=Olmo2Config(**SIZES),
        weights=UNTIED | layers("model.layers", block),
    )


def apertus() -> Peer:
    block = (
        {"attention_norm.gain": "attention_layernorm.weight", "mlp_norm.gain": "feedforward_layernorm.weight"}
        | under("h", "self_attn", QKVO)
        | qk_norms("h")
        | {"xielu_mlp.h.weight": "mlp.up_proj.weight", "xielu_mlp.linear.weight": "mlp.down_proj.weight"}
        | {"xielu_mlp.p": "mlp.act_fn.alpha_p", "xielu_mlp.n": "mlp.act_fn.alpha_n"}
    )
    return Peer(
        name="apertus",
        title="Apertus",
        mechanisms="QK-norm, an activation with learned curves (xIELU)",
        config=ApertusConfig(**SIZES, rope_scaling=None, rope_theta=10_000.0),
        weights=UNTIED | layers("model.layers", block),
    )


# A layer of Gemma, with norms around attention and MLP.
GEMMA: Pairs = (
    {"attention_norm.gain": "input_layernorm.weight", "h.gain": "post_attention_layernorm.weight"}
    | {"mlp.norm.gain": "pre_feedforward_layernorm.weight", "mlp.rms_norm1_p.gain": "post_feedforward_layernorm.weight"}
    | under("attended", "self_attn", QKVO)
    | under("mlp.y", "mlp", GATED)
)


def gemma2() -> Peer:
    caps = {"attn_logit_softcapping": 2.0, "final_logit_softcapping": None}
    return Peer(
        name="gemma2",
        title="Gemma 2",
        mechanisms="soft-capped scores, window and full attention in turn, GEGLU",
        config=Gemma2Config(**SIZES, **caps, sliding_window=WINDOW, query_pre_attn_scalar=HEAD),
        weights=TIED | layers("model.layers", GEMMA, shift=1),
        left="the soft cap of the logits, which are linear in the last unit",
    )


def gemma3() -> Peer:
    types = ["sliding_attention", "full_attention"]
    return Peer(
        name="gemma3",
        title="Gemma 3",
        mechanisms="window and full attention with rotary angles of two bases, QK-norm",
        config=Gemma3TextConfig(**SIZES, layer_types=types, sliding_window=WINDOW, query_pre_attn_scalar=HEAD),
        weights=TIED | layers("model.layers", GEMMA | qk_norms("attended"), shift=1),
    )


def cohere() -> Peer:
    block = (
        {"y.gain": "input_layernorm.weight"}
        | under("attention", "self_attn", QKVO)
        | {"attention.q_gain": "self_attn.q_norm.weight", "attention.k_gain": "self_attn.k_norm.weight"}
        | under("swi_glu", "mlp", GATED)
    )
    return Peer(
        name="cohere",
        title="Command R",
        mechanisms="RoPE in pairs, QK layer norms, attention beside MLP behind one norm",
        config=CohereConfig(**SIZES, layer_norm_eps=EPSILON, use_qk_norm=True, logit_scale=0.0625),
        weights={"embedding.weight": "model.embed_tokens.weight", "final.centered.gain": "model.norm.weight"}
        | layers("model.layers", block),
    )


def diffllama() -> Peer:
    lambdas: Pairs = {
        f"h.{ours}": f"self_attn.lambda_{theirs}"
        for ours, theirs in (("a1", "q1"), ("b1", "k1"), ("a2", "q2"), ("b2", "k2"))
    }
    return Peer(
        name="diffllama",
        title="DiffLlama",
        mechanisms="differential attention",
        config=DiffLlamaConfig(**(SIZES | {"num_key_value_heads": HEADS})),
        weights=UNTIED | layers("model.layers", LLAMA | lambdas),
    )


PEERS = (
    gpt2,
    opt,
    bloom,
    gpt_neox,
    falcon,
    llama,
    mistral,
    qwen3,
    olmo2,
    nemotron,
    apertus,
    gemma2,
    gemma3,
    cohere,
    diffllama,
)
