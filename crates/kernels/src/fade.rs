//! Sums over positions of vectors that fade element by element.
//!
//! In: a vector for each of `n` positions, in the order of time, as rows of `k` elements, a multiple of 16; and the factors
//! `a` by which everything fades at each position. With `A_ij` the product of `a_m` behind `j` and before `i`, and `a_i` as well
//! where what is read is [late](Fade), they give what linear attention with diagonal decays (Yang et al. 2024, GLA) needs of
//! a chunk besides products of matrices. Factors are multiplied, never divided by: those of 0 are as good as any.
//! Not here: products with what no factor fades.

use crate::level::{Level, leveled, mad};
use crate::slices::LANES;

/// How what is written fades until it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fade {
    /// Whether the factor of the reading position counts.
    pub late: bool,
    /// Whether a position reads what it writes itself, which does not fade.
    pub own: bool,
}

/// `out[i n + j] = sum_k q_i A_ij u_j` for `j` before `i`, and `i` itself where it reads its own; 0 else.
///
/// # Panics
/// `k` is no multiple of 16, or a slice is too short.
pub fn faded_scores(n: usize, k: usize, q: &[f32], u: &[f32], a: &[f32], fade: Fade, out: &mut [f32]) {
    out[..n * n].fill(0.0);
    scores_at(Level::best(), n, k, q, u, a, fade, out);
}

/// `out_i += sum_j s[i n + j] A_ij u_j` over `j` as in [`faded_scores`].
///
/// # Panics
/// As [`faded_scores`].
pub fn faded_sums(n: usize, k: usize, s: &[f32], u: &[f32], a: &[f32], fade: Fade, out: &mut [f32]) {
    sums_at(Level::best(), n, k, s, u, a, fade, out);
}

/// `out_i = sum_j A_ij u_j` over `j` as in [`faded_scores`].
///
/// # Panics
/// As [`faded_scores`].
pub fn faded_runs(n: usize, k: usize, u: &[f32], a: &[f32], fade: Fade, out: &mut [f32]) {
    runs_at(Level::best(), n, k, u, a, fade, out);
}

/// What meets of two such sums, of which the first goes back in time: `out_p += sum_ij m[i n + j] (A_pi u_i) (B_pj v_j)`, `A` of `a`
/// over `i` at `p` and behind it, `B` of `b` over `j` before it. Here positions are in the order of the second one's time.
/// `room` is of `n k` elements.
///
/// # Panics
/// As [`faded_scores`].
#[allow(clippy::too_many_arguments)] // two sums, and what each has
pub fn faded_dots(
    n: usize,
    k: usize,
    m: &[f32],
    (u, a, back): (&[f32], &[f32], Fade),
    (v, b, fade): (&[f32], &[f32], Fade),
    out: &mut [f32],
    room: &mut [f32],
) {
    dots_at(Level::best(), n, k, m, (u, a, back), (v, b, fade), out, room);
}

leveled! {
    #[allow(clippy::too_many_arguments)]
    fn scores_at(n: usize, k: usize, q: &[f32], u: &[f32], a: &[f32], fade: Fade, out: &mut [f32]) = scores_body
}
leveled! {
    #[allow(clippy::too_many_arguments)]
    fn sums_at(n: usize, k: usize, s: &[f32], u: &[f32], a: &[f32], fade: Fade, out: &mut [f32]) = sums_body
}
leveled! { fn runs_at(n: usize, k: usize, u: &[f32], a: &[f32], fade: Fade, out: &mut [f32]) = runs_body }
leveled! {
    #[allow(clippy::too_many_arguments)]
    fn dots_at(
        n: usize, k: usize, m: &[f32], back: (&[f32], &[f32], Fade), fore: (&[f32], &[f32], Fade), out: &mut [f32],
        room: &mut [f32],
    ) = dots_body
}

/// Some registers of a row.
type Wide<const W: usize> = [[f32; LANES]; W];

#[inline(always)]
fn load<const W: usize>(from: &[f32]) -> Wide<W> {
    let from = &from[..W * LANES];
    std::array::from_fn(|w| from[w * LANES..][..LANES].try_into().expect("as many lanes"))
}

#[inline(always)]
fn store<const W: usize>(x: &Wide<W>, to: &mut [f32]) {
    let to = &mut to[..W * LANES];
    for w in 0..W {
        to[w * LANES..][..LANES].copy_from_slice(&x[w]);
    }
}

#[inline(always)]
fn times<const W: usize>(x: &mut Wide<W>, by: &Wide<W>) {
    for w in 0..W {
        for l in 0..LANES {
            x[w][l] *= by[w][l];
        }
    }
}

/// `x + a b`
#[inline(always)]
fn plus<const FUSED: bool, const W: usize>(a: &Wide<W>, b: &Wide<W>, mut x: Wide<W>) -> Wide<W> {
    for w in 0..W {
        for l in 0..LANES {
            x[w][l] = mad::<FUSED>(a[w][l], b[w][l], x[w][l]);
        }
    }
    x
}

/// `x + a b` of a number.
#[inline(always)]
fn scaled<const FUSED: bool, const W: usize>(a: f32, b: &Wide<W>, x: Wide<W>) -> Wide<W> {
    plus::<FUSED, W>(&[[a; LANES]; W], b, x)
}

#[inline(always)]
fn dot<const FUSED: bool, const W: usize>(a: &Wide<W>, b: &Wide<W>) -> f32 {
    let mut sums = [[0.0; LANES]; 1];
    for w in 0..W {
        sums = plus::<FUSED, 1>(&[a[w]], &[b[w]], sums);
    }
    let mut half = LANES / 2;
    while half > 0 {
        for l in 0..half {
            sums[0][l] += sums[0][l + half];
        }
        half /= 2;
    }
    sums[0][0]
}

/// Calls `$body` with four registers of a row after the other, and with one where fewer are left.
macro_rules! by_columns {
    ($k:expr, $body:ident::<$fused:ident>($($arg:expr),*)) => {{
        assert!($k % LANES == 0, "rows are of whole registers");
        let mut at = 0;
        while at < $k {
            if at + 4 * LANES <= $k {
                $body::<$fused, 4>(at, $($arg),*);
                at += 4 * LANES;
            } else if at + 2 * LANES <= $k {
                $body::<$fused, 2>(at, $($arg),*);
                at += 2 * LANES;
            } else {
                $body::<$fused, 1>(at, $($arg),*);
                at += LANES;
            }
        }
    }};
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn scores_body<const FUSED: bool>(n: usize, k: usize, q: &[f32], u: &[f32], a: &[f32], fade: Fade, out: &mut [f32]) {
    by_columns!(k, scores::<FUSED>((n, k), [q, u, a], fade, out));
}

#[inline(always)]
fn scores<const FUSED: bool, const W: usize>(
    at: usize,
    (n, k): (usize, usize),
    [q, u, a]: [&[f32]; 3],
    fade: Fade,
    out: &mut [f32],
) {
    for j in 0..n {
        let mut e = load::<W>(&u[j * k + at..]);
        if fade.own {
            out[j * n + j] += dot::<FUSED, W>(&load(&q[j * k + at..]), &e);
        }
        for i in j + 1..n {
            let (q, a) = (load(&q[i * k + at..]), load(&a[i * k + at..]));
            if fade.late {
                times(&mut e, &a);
            }
            out[i * n + j] += dot::<FUSED, W>(&q, &e);
            if !fade.late {
                times(&mut e, &a);
            }
        }
    }
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn sums_body<const FUSED: bool>(n: usize, k: usize, s: &[f32], u: &[f32], a: &[f32], fade: Fade, out: &mut [f32]) {
    by_columns!(k, sums::<FUSED>((n, k), [s, u, a], fade, out));
}

#[inline(always)]
fn sums<const FUSED: bool, const W: usize>(
    at: usize,
    (n, k): (usize, usize),
    [s, u, a]: [&[f32]; 3],
    fade: Fade,
    out: &mut [f32],
) {
    for j in 0..n {
        let mut e = load::<W>(&u[j * k + at..]);
        if fade.own {
            let out = &mut out[j * k + at..];
            store(&scaled::<FUSED, W>(s[j * n + j], &e, load(out)), out);
        }
        for i in j + 1..n {
            let (a, out) = (load(&a[i * k + at..]), &mut out[i * k + at..]);
            if fade.late {
                times(&mut e, &a);
            }
            store(&scaled::<FUSED, W>(s[i * n + j], &e, load(out)), out);
            if !fade.late {
                times(&mut e, &a);
            }
        }
    }
}

#[inline(always)]
fn runs_body<const FUSED: bool>(n: usize, k: usize, u: &[f32], a: &[f32], fade: Fade, out: &mut [f32]) {
    by_columns!(k, runs::<FUSED>((n, k), [u, a], fade, out));
}

#[inline(always)]
fn runs<const FUSED: bool, const W: usize>(
    at: usize,
    (n, k): (usize, usize),
    [u, a]: [&[f32]; 2],
    fade: Fade,
    out: &mut [f32],
) {
    let mut run = [[0.0; LANES]; W];
    for i in 0..n {
        let here = i * k + at;
        let (read, behind) = step::<FUSED, W>(&run, 1.0, &load(&u[here..]), &load(&a[here..]), fade);
        store(&read, &mut out[here..]);
        run = behind;
    }
}

/// What a position reads of a sum that fades, and the sum behind it.
#[inline(always)]
fn step<const FUSED: bool, const W: usize>(
    run: &Wide<W>,
    m: f32,
    u: &Wide<W>,
    a: &Wide<W>,
    fade: Fade,
) -> (Wide<W>, Wide<W>) {
    let mut faded = *run;
    times(&mut faded, a);
    let before = if fade.late { faded } else { *run };
    let read = if fade.own { scaled::<FUSED, W>(m, u, before) } else { before };
    (read, scaled::<FUSED, W>(m, u, faded))
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn dots_body<const FUSED: bool>(
    n: usize,
    k: usize,
    m: &[f32],
    back: (&[f32], &[f32], Fade),
    fore: (&[f32], &[f32], Fade),
    out: &mut [f32],
    room: &mut [f32],
) {
    by_columns!(k, dots::<FUSED>((n, k), m, back, fore, out, room));
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn dots<const FUSED: bool, const W: usize>(
    at: usize,
    (n, k): (usize, usize),
    m: &[f32],
    (u, a, back): (&[f32], &[f32], Fade),
    (v, b, fore): (&[f32], &[f32], Fade),
    out: &mut [f32],
    room: &mut [f32],
) {
    for i in 0..n {
        // What positions up to `i` read of the second sum, each write times what it meets of `u_i`.
        let mut run = [[0.0; LANES]; W];
        for p in 0..=i {
            let here = p * k + at;
            let (read, behind) = step::<FUSED, W>(&run, m[i * n + p], &load(&v[here..]), &load(&b[here..]), fore);
            store(&read, &mut room[p * W * LANES..]);
            run = behind;
        }
        let mut e = load::<W>(&u[i * k + at..]);
        let mut meet = |e: &Wide<W>, p: usize, room: &[f32]| {
            let out = &mut out[p * k + at..];
            store(&plus::<FUSED, W>(e, &load(&room[p * W * LANES..]), load(out)), out);
        };
        if back.own {
            meet(&e, i, room);
        }
        for p in (0..i).rev() {
            let a = load(&a[p * k + at..]);
            if back.late {
                times(&mut e, &a);
            }
            meet(&e, p, room);
            if !back.late {
                times(&mut e, &a);
            }
        }
    }
}

#[cfg(test)]
mod tests;
