//! The mechanisms that works are tagged with: a fixed list, so that equal things are called equal.
//!
//! In: a word. Out: the same word from the list, or nothing. A new tag is a new line here.

/// All tags.
pub const TAGS: [&str; 50] = [
    "softmax-attention",
    "sparse-attention",
    "local-attention",
    "attention-sinks",
    "low-rank-attention",
    "linear-attention",
    "random-features",
    "head-sharing",
    "gated-decay",
    "delta-rule",
    "state-space",
    "long-convolution",
    "short-convolution",
    "recurrence",
    "segment-recurrence",
    "test-time-training",
    "fast-weights",
    "position-encoding",
    "length-extrapolation",
    "context-extension",
    "context-compression",
    "external-memory",
    "kv-cache",
    "retrieval",
    "hierarchical",
    "clustering",
    "routing",
    "mixture-of-experts",
    "adaptive-computation",
    "gating",
    "normalization",
    "activation",
    "feed-forward",
    "mlp-mixing",
    "depth-connections",
    "vector-quantization",
    "diffusion",
    "tokenization",
    "tree-structure",
    "hybrid",
    "hardware-efficient",
    "distillation",
    "initialization",
    "training-objective",
    "theory",
    "analysis",
    "benchmark",
    "multimodal",
    "bidirectional",
    "small-models",
];

/// The tag that is spelled so.
#[must_use]
pub fn tag(word: &str) -> Option<&'static str> {
    TAGS.iter().copied().find(|tag| *tag == word)
}
