//! The words that the language itself gives a meaning in expressions, each in a line, for those who write a text.
//!
//! `docs/language.md` is the reference; what a word does is decided where it is elaborated.

/// A word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word.
    pub name: &'static str,
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
    Word { name: "abs", form: "abs(x)", options: &[], meaning: "the distance from 0, elementwise" },
    Word { name: "after", form: "after[P](x)", options: &[], meaning: "along a past, at each of its positions the sum of what stands behind it" },
    Word { name: "age", form: "age[Past]", options: &[], meaning: "`t - s` along a past; along blocks `s` is the last position of each" },
    Word { name: "blocks", form: "blocks[B, W](x)", options: &[], meaning: "`x` at the positions of every completed block of as many as `W` has elements, element 0 the oldest" },
    Word { name: "clamp", form: "clamp(x, a, b)", options: &[], meaning: "`min(max(x, a), b)`" },
    Word { name: "concat", form: "concat[A, B -> C](a, b)", options: &[], meaning: "values joined along an axis" },
    Word { name: "cos", form: "cos(x)", options: &[], meaning: "the cosine, elementwise" },
    Word { name: "cumsum", form: "cumsum[P](x)", options: &[], meaning: "along a past, at each of its positions the sum up to it" },
    Word { name: "cut", form: "cut[P -> Z](x, from = n)", options: &["from"], meaning: "a slice: as many elements as `Z` has, from `n` on" },
    Word { name: "dot", form: "dot[A](a, b)", options: &[], meaning: "`sum[A](a * b)`, and the axes of both remain" },
    Word { name: "each", form: "each[A] F(x)", options: &[], meaning: "`F` applied at each element of `A`, with weights of its own" },
    Word { name: "erf", form: "erf(x)", options: &[], meaning: "the error function, elementwise" },
    Word { name: "exp", form: "exp(x)", options: &[], meaning: "the exponential, elementwise" },
    Word { name: "expm1", form: "expm1(x)", options: &[], meaning: "`exp(x) - 1`, exact for small `x`" },
    Word { name: "floor", form: "floor(x)", options: &[], meaning: "the largest whole number up to `x`; its derivative is 0" },
    Word { name: "gelu", form: "gelu(x)", options: &[], meaning: "GELU by tanh, elementwise" },
    Word { name: "grad", form: "grad(e, start(S))", options: &[], meaning: "the derivative of the sum of `e` to what `S` was at the chunk's start, at each (item, position) by itself" },
    Word { name: "index", form: "index[A]", options: &[], meaning: "0, 1, .. along an axis" },
    Word { name: "inv_softplus", form: "inv_softplus(x)", options: &[], meaning: "`log(exp(x) - 1)`, elementwise" },
    Word { name: "layer", form: "layer", options: &[], meaning: "the number of the block, from 0" },
    Word { name: "linear", form: "linear[X -> Y; per G](x, bias = true, init = law)", options: &["bias", "init"], meaning: "contracts `X` with a weight `[G, Y, X]`; the other axes of `x` share it" },
    Word { name: "log", form: "log(x)", options: &[], meaning: "the natural logarithm, elementwise" },
    Word { name: "log1p", form: "log1p(x)", options: &[], meaning: "`log(1 + x)`, exact for small `x`" },
    Word { name: "log_sigmoid", form: "log_sigmoid(x)", options: &[], meaning: "`log(sigmoid(x))`, elementwise" },
    Word { name: "logsumexp", form: "logsumexp[A](x)", options: &["else"], meaning: "`log(sum[A](exp(x)))`; over a past that may be empty it needs `else`" },
    Word { name: "max", form: "max[A](x), max(a, b)", options: &["else"], meaning: "the largest element along axes, or the larger of two values; over a past that may be empty it needs `else`" },
    Word { name: "mean", form: "mean[A](x)", options: &["else"], meaning: "the mean along axes; over an empty past 0" },
    Word { name: "min", form: "min[A](x), min(a, b)", options: &["else"], meaning: "the smallest element along axes, or the smaller of two values; over a past that may be empty it needs `else`" },
    Word { name: "outer", form: "outer(a, b, ..)", options: &[], meaning: "the product over the axes of all" },
    Word { name: "past", form: "past(x), past[Near](x, window = n, skip = k)", options: &["window", "skip"], meaning: "`x` at every `s <= t`, or at every `s` with `t - k - n < s <= t - k`" },
    Word { name: "phase", form: "phase", options: &[], meaning: "in a scan in chunks: the position within the chunk, from 0" },
    Word { name: "pool", form: "pool(x, n)", options: &[], meaning: "the mean of `x` over the last completed block of `n` positions, zero before the first" },
    Word { name: "pos", form: "pos", options: &[], meaning: "the position, from 0" },
    Word { name: "relu", form: "relu(x)", options: &[], meaning: "`max(x, 0)`, elementwise" },
    Word { name: "repeat", form: "repeat I < n R: [A] = x { R <- ..  yield R }", options: &[], meaning: "a loop of fixed count within a position; its value is what the last round yields" },
    Word { name: "round", form: "round(x)", options: &[], meaning: "the nearest whole number, halves away from 0; its derivative is 0" },
    Word { name: "scan", form: "scan S: [A] = 0 { S <- ..  yield S }", options: &[], meaning: "a recurrence over time; its value is what each step yields" },
    Word { name: "shift", form: "shift(x, n)", options: &[], meaning: "`x` at `t - n`, zero before the start" },
    Word { name: "sigmoid", form: "sigmoid(x)", options: &[], meaning: "`1 / (1 + exp(-x))`, elementwise" },
    Word { name: "sign", form: "sign(x)", options: &[], meaning: "-1, 0 or 1; its derivative is 0" },
    Word { name: "silu", form: "silu(x)", options: &[], meaning: "`x * sigmoid(x)`, elementwise" },
    Word { name: "sin", form: "sin(x)", options: &[], meaning: "the sine, elementwise" },
    Word { name: "softmax", form: "softmax[A](x, sink = c)", options: &["sink"], meaning: "`exp(x) / sum(exp(x))` over the axes together; `sink` adds one more element of score `c` that gives nothing" },
    Word { name: "softplus", form: "softplus(x)", options: &[], meaning: "`log(1 + exp(x))`, elementwise" },
    Word { name: "sqrt", form: "sqrt(x)", options: &[], meaning: "the square root, elementwise" },
    Word { name: "stack", form: "stack[A](x, y)", options: &[], meaning: "values as the elements of an axis" },
    Word { name: "start", form: "start(S)", options: &[], meaning: "in a scan in chunks: the state when the chunk began" },
    Word { name: "stop", form: "stop(x)", options: &[], meaning: "`x` with the derivative 0: nothing is learned through it" },
    Word { name: "sum", form: "sum[A](x)", options: &["else"], meaning: "the sum along axes; over an empty past 0" },
    Word { name: "take", form: "take[A](x, i)", options: &[], meaning: "one element of an axis, which the result lacks" },
    Word { name: "tanh", form: "tanh(x)", options: &[], meaning: "the hyperbolic tangent, elementwise" },
    Word { name: "top", form: "top[K of P](score, v, ..)", options: &[], meaning: "a tuple: of each value the elements of `P` with the largest scores, as elements of `K`, and a mask" },
    Word { name: "where", form: "where(c, a, b)", options: &[], meaning: "`a` where `c` is not 0, else `b`; it selects, it never multiplies" },
    Word { name: "window", form: "window[W](x)", options: &[], meaning: "the last values of `x`, as many as `W` has elements, element 0 the oldest, zero before the start" },
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
    fn every_primitive_is_a_word_and_beside_them_stand_what_takes_no_argument() {
        assert!(WORDS.windows(2).all(|pair| pair[0].name < pair[1].name), "in order");
        let missing: Vec<_> = PRIMITIVES.iter().filter(|name| word(name).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
        let others: Vec<_> = WORDS.iter().map(|word| word.name).filter(|name| !PRIMITIVES.contains(name)).collect();
        assert_eq!(others, ["age", "index", "layer", "phase", "pos"]);
        assert!(WORDS.iter().all(|word| word.form.starts_with(word.name) && !word.meaning.ends_with('.')));
    }
}
