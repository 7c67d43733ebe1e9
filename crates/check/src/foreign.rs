//! What other notations call things, answered with what this one has.
//!
//! In: a name that nothing here has. Out: a way out in words. A name that stands here is known to be another notation's, and
//! so is not taken for one of ours that is spelled nearly like it: `cat` is no `cut`.

/// Names that are called elsewhere, and what to write.
const WORDS: &[(&[&str], &str)] = &[
    (
        &["matmul", "mm", "bmm", "einsum", "inner", "tensordot"],
        "a product summed over an axis is `dot[E](a, b)`, one with weights `linear[D -> E](x)`",
    ),
    (
        &["reshape", "view", "rearrange", "flatten", "unflatten", "permute", "transpose", "squeeze", "unsqueeze"],
        "axes have names and no order: `[D -> H, E](x)` splits, `[H, E -> D](x)` merges, `x as [K -> V]` renames",
    ),
    (&["cat", "hstack"], "values are joined by `concat[A, B -> C](a, b)`"),
    (&["chunk", "split", "slice", "narrow"], "a part is `cut[P -> Z](x, from = n)`; `[D -> N, E](x)` splits an axis"),
    (&["roll", "delay", "lag"], "the value `n` positions ago is `shift(x, n)`"),
    (&["conv", "conv1d"], "a causal convolution is `sum[W](kernel * window[W](x))` with `param kernel: [W, D] = ..`"),
    (
        &["mask", "causal_mask", "tril", "masked_fill"],
        "a past holds just the positions that were seen: there is no mask, and `where` selects",
    ),
    (&["topk", "argmax", "argsort", "sort"], "elements are picked by `top[K of P](score, v)`"),
    (&["dropout", "drop_path"], "nothing is random but how weights begin: there is no dropout"),
    (
        &["rand", "randn", "zeros", "ones", "full", "empty"],
        "numbers are written as such, and `param w: [D] = normal(0.02)` is a weight",
    ),
    (
        &["embedding", "embed", "unembed", "lm_head"],
        "the embedding stands in front of the stack, and the logits behind it",
    ),
    (&["cross_entropy", "mse_loss", "nll_loss"], "the loss on tokens is there by itself; `loss e` adds to it"),
    (&["rsqrt"], "write `1 / sqrt(x)`"),
    (&["square", "pow"], "a power is written `x ^ 2`"),
    (&["swish"], "it is `silu(x)` here"),
    (
        &["len", "seq_len", "shape", "size"],
        "the length of a text is no value; the size of an axis is its name, as in `sqrt(E)`",
    ),
];

/// What to write for a name of another notation.
pub(crate) fn answer(name: &str) -> Option<&'static str> {
    WORDS.iter().find(|(names, _)| names.contains(&name)).map(|(_, answer)| *answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_is_one_of_ours_or_stands_twice() {
        for name in WORDS.iter().flat_map(|(names, _)| *names) {
            assert!(!crate::elaborate::PRIMITIVES.contains(name), "`{name}` is ours");
            assert_eq!(WORDS.iter().filter(|(names, _)| names.contains(name)).count(), 1, "{name}");
        }
    }
}
