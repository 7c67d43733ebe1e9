//! The words that the language itself gives a meaning in expressions, each in a line, for those who write a text.
//!
//! `docs/language.md` is the reference; what a word does is decided where it is elaborated.

/// Where a word stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// In values.
    Value,
    /// In sizes.
    Size,
    /// In the initial law of a weight.
    Law,
}

/// A word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word.
    pub name: &'static str,
    /// Where it stands.
    pub used: Use,
    /// How it stands in a text.
    pub form: &'static str,
    /// The options that its call takes by name.
    pub options: &'static [&'static str],
    /// What it means.
    pub meaning: &'static str,
}

/// All words, in order.
#[rustfmt::skip]
pub const WORDS: &[Word] = &[
    Word { name: "abs", used: Use::Value, form: "abs(x)", options: &[], meaning: "the distance from 0, elementwise" },
    Word { name: "after", used: Use::Value, form: "after[P](x)", options: &[], meaning: "along a past, at each of its positions the sum of what stands behind it" },
    Word { name: "age", used: Use::Value, form: "age[Past]", options: &[], meaning: "`t - s` along a past; along blocks `s` is the last position of each" },
    Word { name: "blocks", used: Use::Value, form: "blocks[B, W](x)", options: &[], meaning: "`x` at the positions of every completed block of as many as `W` has elements, element 0 the oldest" },
    Word { name: "ceil_to", used: Use::Size, form: "ceil_to(a, n)", options: &[], meaning: "the least multiple of `n` that is at least `a`" },
    Word { name: "clamp", used: Use::Value, form: "clamp(x, a, b)", options: &[], meaning: "`min(max(x, a), b)`" },
    Word { name: "concat", used: Use::Value, form: "concat[A, B -> C](a, b)", options: &[], meaning: "values joined along an axis" },
    Word { name: "cos", used: Use::Value, form: "cos(x)", options: &[], meaning: "the cosine, elementwise" },
    Word { name: "cumsum", used: Use::Value, form: "cumsum[P](x)", options: &[], meaning: "along a past, at each of its positions the sum up to it" },
    Word { name: "cut", used: Use::Value, form: "cut[P -> Z](x, from = n)", options: &["from"], meaning: "a slice: as many elements as `Z` has, from `n` on" },
    Word { name: "dot", used: Use::Value, form: "dot[A](a, b)", options: &[], meaning: "`sum[A](a * b)`, and the axes of both remain" },
    Word { name: "each", used: Use::Value, form: "each[A] F(x)", options: &[], meaning: "`F` applied at each element of `A`, with weights of its own" },
    Word { name: "erf", used: Use::Value, form: "erf(x)", options: &[], meaning: "the error function, elementwise" },
    Word { name: "exp", used: Use::Value, form: "exp(x)", options: &[], meaning: "the exponential, elementwise" },
    Word { name: "expm1", used: Use::Value, form: "expm1(x)", options: &[], meaning: "`exp(x) - 1`, exact for small `x`" },
    Word { name: "floor", used: Use::Value, form: "floor(x)", options: &[], meaning: "the largest whole number up to `x`; its derivative is 0" },
    Word { name: "gelu", used: Use::Value, form: "gelu(x)", options: &[], meaning: "GELU by tanh, elementwise" },
    Word { name: "grad", used: Use::Value, form: "grad(e, start(S))", options: &[], meaning: "the derivative of the sum of `e` to what `S` was at the chunk's start, at each (item, position) by itself" },
    Word { name: "index", used: Use::Value, form: "index[A]", options: &[], meaning: "0, 1, .. along an axis" },
    Word { name: "inv_softplus", used: Use::Value, form: "inv_softplus(x)", options: &[], meaning: "`log(exp(x) - 1)`, elementwise" },
    Word { name: "layer", used: Use::Value, form: "layer", options: &[], meaning: "the number of the block, from 0" },
    Word { name: "linear", used: Use::Value, form: "linear[X -> Y; per G](x, bias = true, init = law)", options: &["bias", "init"], meaning: "contracts `X` with a weight `[G, Y, X]`; the other axes of `x` share it" },
    Word { name: "log", used: Use::Value, form: "log(x)", options: &[], meaning: "the natural logarithm, elementwise" },
    Word { name: "log1p", used: Use::Value, form: "log1p(x)", options: &[], meaning: "`log(1 + x)`, exact for small `x`" },
    Word { name: "log_sigmoid", used: Use::Value, form: "log_sigmoid(x)", options: &[], meaning: "`log(sigmoid(x))`, elementwise" },
    Word { name: "logsumexp", used: Use::Value, form: "logsumexp[A](x)", options: &["else"], meaning: "`log(sum[A](exp(x)))`; over a past that may be empty it needs `else`" },
    Word { name: "max", used: Use::Value, form: "max[A](x), max(a, b)", options: &["else"], meaning: "the largest element along axes, or the larger of two values; over a past that may be empty it needs `else`" },
    Word { name: "mean", used: Use::Value, form: "mean[A](x)", options: &["else"], meaning: "the mean along axes; over an empty past 0" },
    Word { name: "mean_tokens", used: Use::Value, form: "mean_tokens(x)", options: &[], meaning: "the mean over the tokens of a batch, for a `loss` alone" },
    Word { name: "min", used: Use::Value, form: "min[A](x), min(a, b)", options: &["else"], meaning: "the smallest element along axes, or the smaller of two values; over a past that may be empty it needs `else`" },
    Word { name: "normal", used: Use::Law, form: "normal(s)", options: &[], meaning: "a law of weights: normal, of mean 0 and deviation `s`" },
    Word { name: "outer", used: Use::Value, form: "outer(a, b, ..)", options: &[], meaning: "the product over the axes of all" },
    Word { name: "past", used: Use::Value, form: "past(x), past[Near](x, window = n, skip = k)", options: &["window", "skip"], meaning: "`x` at every `s <= t`, or at every `s` with `t - k - n < s <= t - k`" },
    Word { name: "phase", used: Use::Value, form: "phase", options: &[], meaning: "in a scan in chunks: the position within the chunk, from 0" },
    Word { name: "pool", used: Use::Value, form: "pool(x, n)", options: &[], meaning: "the mean of `x` over the last completed block of `n` positions, zero before the first" },
    Word { name: "pos", used: Use::Value, form: "pos", options: &[], meaning: "the position, from 0" },
    Word { name: "relu", used: Use::Value, form: "relu(x)", options: &[], meaning: "`max(x, 0)`, elementwise" },
    Word { name: "repeat", used: Use::Value, form: "repeat I < n R: [A] = x { R <- ..  yield R }", options: &[], meaning: "a loop of fixed count within a position; its value is what the last round yields" },
    Word { name: "round", used: Use::Value, form: "round(x)", options: &[], meaning: "the nearest whole number, halves away from 0; its derivative is 0" },
    Word { name: "scan", used: Use::Value, form: "scan S: [A] = 0 { S <- ..  yield S }", options: &[], meaning: "a recurrence over time; its value is what each step yields" },
    Word { name: "shift", used: Use::Value, form: "shift(x, n)", options: &[], meaning: "`x` at `t - n`, zero before the start" },
    Word { name: "sigmoid", used: Use::Value, form: "sigmoid(x)", options: &[], meaning: "`1 / (1 + exp(-x))`, elementwise" },
    Word { name: "sign", used: Use::Value, form: "sign(x)", options: &[], meaning: "-1, 0 or 1; its derivative is 0" },
    Word { name: "silu", used: Use::Value, form: "silu(x)", options: &[], meaning: "`x * sigmoid(x)`, elementwise" },
    Word { name: "sin", used: Use::Value, form: "sin(x)", options: &[], meaning: "the sine, elementwise" },
    Word { name: "softmax", used: Use::Value, form: "softmax[A](x, sink = c)", options: &["sink"], meaning: "`exp(x) / sum(exp(x))` over the axes together; `sink` adds one more element of score `c` that gives nothing" },
    Word { name: "softplus", used: Use::Value, form: "softplus(x)", options: &[], meaning: "`log(1 + exp(x))`, elementwise" },
    Word { name: "sqrt", used: Use::Value, form: "sqrt(x)", options: &[], meaning: "the square root, elementwise" },
    Word { name: "stack", used: Use::Value, form: "stack[A](x, y)", options: &[], meaning: "values as the elements of an axis" },
    Word { name: "start", used: Use::Value, form: "start(S)", options: &[], meaning: "in a scan in chunks: the state when the chunk began" },
    Word { name: "stop", used: Use::Value, form: "stop(x)", options: &[], meaning: "`x` with the derivative 0: nothing is learned through it" },
    Word { name: "sum", used: Use::Value, form: "sum[A](x)", options: &["else"], meaning: "the sum along axes; over an empty past 0" },
    Word { name: "take", used: Use::Value, form: "take[A](x, i)", options: &[], meaning: "one element of an axis, which the result lacks" },
    Word { name: "tanh", used: Use::Value, form: "tanh(x)", options: &[], meaning: "the hyperbolic tangent, elementwise" },
    Word { name: "top", used: Use::Value, form: "top[K of P](score, v, ..)", options: &[], meaning: "a tuple: of each value the elements of `P` with the largest scores, as elements of `K`, and a mask" },
    Word { name: "uniform", used: Use::Law, form: "uniform(a, b)", options: &[], meaning: "a law of weights: uniform from `a` to `b`" },
    Word { name: "where", used: Use::Value, form: "where(c, a, b)", options: &[], meaning: "`a` where `c` is not 0, else `b`; it selects, it never multiplies" },
    Word { name: "window", used: Use::Value, form: "window[W](x)", options: &[], meaning: "the last values of `x`, as many as `W` has elements, element 0 the oldest, zero before the start" },
];

/// The word of that name.
pub fn word(name: &str) -> Option<&'static Word> {
    WORDS.binary_search_by_key(&name, |word| word.name).ok().map(|at| &WORDS[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elaborate::PRIMITIVES;

    #[test]
    fn every_primitive_is_a_word_and_beside_them_stand_sources_sizes_and_laws() {
        assert!(WORDS.windows(2).all(|pair| pair[0].name < pair[1].name), "in order");
        let missing: Vec<_> = PRIMITIVES.iter().filter(|name| word(name).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
        let others: Vec<_> = WORDS.iter().map(|word| word.name).filter(|name| !PRIMITIVES.contains(name)).collect();
        assert_eq!(others, ["age", "ceil_to", "index", "layer", "normal", "phase", "pos", "uniform"]);
        assert!(WORDS.iter().all(|word| word.form.starts_with(word.name) && !word.meaning.ends_with('.')));
    }
}
