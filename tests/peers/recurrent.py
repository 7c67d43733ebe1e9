"""Peers whose layers keep a state of fixed size."""

from __future__ import annotations

from transformers import Mamba2Config, MambaConfig, RwkvConfig, xLSTMConfig

from parts import norm, short_conv, state_space
from peer import HEAD, HEADS, LAYERS, POSITIONS, VOCABULARY, WIDTH, Pairs, Peer, layers, part, span, under

FEATURES = 2 * WIDTH
STATES = 16
GROUPS = 2
SIZES = {"vocab_size": VOCABULARY, "hidden_size": WIDTH, "num_hidden_layers": LAYERS}


def rwkv() -> Peer:
    time: Pairs = {"a": "time_decay", "u": "time_first", "linear.weight": "output.weight"}
    channels: Pairs = {"linear.weight": "value.weight"}
    names = {"k": "key", "v": "value", "r": "receptance"}
    for pairs, mixed in ((time, "kvr"), (channels, "kr")):
        pairs |= {f"{name}.weight": f"{names[name]}.weight" for name in mixed}
        pairs |= {f"{name}_mix.mix": f"time_mix_{names[name]}" for name in mixed}
    block = (
        norm("time_norm", "ln1")
        | under("h", "attention", time)
        | norm("channel_norm", "ln2")
        | under("channel_mix", "feed_forward", channels)
    )
    return Peer(
        name="rwkv",
        title="RWKV-4",
        mechanisms="exponentially weighted average, token shift",
        config=RwkvConfig(**SIZES, context_length=POSITIONS, rescale_every=0),
        weights={"embedding.weight": "rwkv.embeddings.weight", "head.weight": "head.weight"}
        | norm("blocks.0", "rwkv.blocks.0.pre_ln")
        | layers("rwkv.blocks", block, shift=1)
        | norm("final", "rwkv.ln_out"),
    )


def mamba() -> Peer:
    rank = WIDTH // 16
    mixer: Pairs = {
        "u.weight": ("in_proj.weight", part(0, 2)),
        "z.weight": ("in_proj.weight", part(1, 2)),
        "low.weight": ("x_proj.weight", span(0, rank)),
        "b.weight": ("x_proj.weight", span(rank, rank + STATES)),
        "c.weight": ("x_proj.weight", span(rank + STATES, rank + 2 * STATES)),
        "dt.weight": "dt_proj.weight",
        "dt_bias": "dt_proj.bias",
        "a": "A_log",
        "skip": "D",
        "linear.weight": "out_proj.weight",
    } | short_conv("u_conv", "conv1d", 0, FEATURES)
    return Peer(
        name="mamba",
        title="Mamba",
        mechanisms="selective diagonal state space, short convolution",
        config=MambaConfig(**SIZES, state_size=STATES, pad_token_id=None),
        weights={"embedding.weight": "backbone.embeddings.weight", "final.gain": "backbone.norm_f.weight"}
        | layers("backbone.layers", {"rms_norm.gain": "norm.weight"} | under("selective_state", "mixer", mixer)),
        design="designs/mechanisms/mamba.gau",
    )


def mamba2() -> Peer:
    heads = FEATURES // HEAD
    mixer = state_space(FEATURES, GROUPS * STATES, heads)
    return Peer(
        name="mamba2",
        title="Mamba-2",
        mechanisms="matrix state with one decay a head, grouped inputs and outputs, gated RMS norm",
        config=Mamba2Config(
            **SIZES,
            num_heads=heads,
            head_dim=HEAD,
            n_groups=GROUPS,
            state_size=STATES,
            chunk_size=16,
            pad_token_id=None,
        ),
        weights={"embedding.weight": "backbone.embeddings.weight", "final.gain": "backbone.norm_f.weight"}
        | {"head.weight": "lm_head.weight"}
        | layers("backbone.layers", {"rms_norm.gain": "norm.weight"} | under("state_space", "mixer", mixer)),
    )


def xlstm() -> Peer:
    memory: Pairs = {f"{name}.weight": f"{name}.weight" for name in "qkv"}
    for name in "if":
        memory |= {f"{name}.weight": f"{name}gate_preact.weight", f"{name}.bias": f"{name}gate_preact.bias"}
    memory |= {"o.weight": "ogate_preact.weight", "gain": "multihead_norm.weight", "linear.weight": "out_proj.weight"}
    mlp: Pairs = {
        "gate.weight": "proj_up_gate.weight",
        "up.weight": "proj_up.weight",
        "linear.weight": "proj_down.weight",
    }
    block = (
        {"memory_norm.gain": "norm_mlstm.weight", "mlp_norm.gain": "norm_ffn.weight"}
        | under("h", "mlstm_layer", memory)
        | under("swi_glu", "ffn", mlp)
    )
    return Peer(
        name="xlstm",
        title="xLSTM",
        mechanisms="mLSTM with soft-capped gates",
        # Chunks longer than the text: the peer then takes its step form, for its chunks end in an error.
        config=xLSTMConfig(
            **SIZES, num_heads=HEADS, ffn_proj_factor=2.0, chunk_size=2 * POSITIONS, output_logit_soft_cap=None
        ),
        weights={"embedding.weight": "backbone.embeddings.weight", "final.gain": "backbone.out_norm.weight"}
        | {"head.weight": "lm_head.weight"}
        | layers("backbone.blocks", block),
        left="the soft cap of the logits, which are linear in the last unit",
    )


PEERS = (rwkv, mamba, mamba2, xlstm)
