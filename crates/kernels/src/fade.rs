//! Sums over positions of vectors that fade element by element.
//!
//! In: a vector for each of `n` positions, in the order of time, as rows of `k` elements, a multiple of 16; and the factors
//! `a` by which everything fades at each position. With `A_ij` the product of `a_m` behind `j` and before `i`, and `a_i` as well
//! where what is read is [late](Fade), they give what linear attention with diagonal decays (Yang et al. 2024, GLA) needs of
//! a chunk besides products of matrices. Factors are multiplied, never divided by: those of 0 are as good as any.
//! Not here: products with what no factor fades.
#![allow(unsafe_code)] // registers of a level, whose rows lie where the sizes say

use crate::lanes::{GROUP, Lanes, by_lanes};
use crate::level::Level;

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
    scores(Level::best(), (n, k), [q, u, a], fade, out);
}

/// `out_i += sum_j s[i n + j] A_ij u_j` over `j` as in [`faded_scores`].
///
/// # Panics
/// As [`faded_scores`].
pub fn faded_sums(n: usize, k: usize, s: &[f32], u: &[f32], a: &[f32], fade: Fade, out: &mut [f32]) {
    sums(Level::best(), (n, k), [s, u, a], fade, out);
}

/// `out_i = sum_j A_ij u_j` over `j` as in [`faded_scores`].
///
/// # Panics
/// As [`faded_scores`].
pub fn faded_runs(n: usize, k: usize, u: &[f32], a: &[f32], fade: Fade, out: &mut [f32]) {
    runs(Level::best(), (n, k), [u, a], fade, out);
}

/// What meets of two such sums, of which the first goes back in time: `out_p += sum_ij m[i n + j] (A_pi u_i) (B_pj v_j)`, `A` of `a`
/// over `i` at `p` and behind it, `B` of `b` over `j` before it. Here positions are in the order of the second one's time.
/// `room` is of `4 n k` elements.
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
    dots(Level::best(), (n, k), m, [u, a, v, b], [back, fade], out, room);
}

/// Positions that are gone through together, so that what is read for one is read for all of them.
const TOGETHER: usize = 4;

/// `n` rows of `k` elements each.
type Size = (usize, usize);

fn scores(level: Level, (n, k): Size, [q, u, a]: [&[f32]; 3], fade: Fade, out: &mut [f32]) {
    check((n, k), &[q, u, a]);
    assert!(out.len() >= n * n, "a number for each pair of positions");
    // SAFETY: operands have as many rows, and the result as many numbers.
    unsafe { scores_at(level, (n, k), [q, u, a].map(<[f32]>::as_ptr), fade, out.as_mut_ptr()) };
}

fn sums(level: Level, (n, k): Size, [s, u, a]: [&[f32]; 3], fade: Fade, out: &mut [f32]) {
    check((n, k), &[u, a, out]);
    assert!(s.len() >= n * n, "a number for each pair of positions");
    // SAFETY: as above.
    unsafe { sums_at(level, (n, k), [s, u, a].map(<[f32]>::as_ptr), fade, out.as_mut_ptr()) };
}

fn runs(level: Level, (n, k): Size, [u, a]: [&[f32]; 2], fade: Fade, out: &mut [f32]) {
    check((n, k), &[u, a, out]);
    // SAFETY: as above.
    unsafe { runs_at(level, (n, k), [u, a].map(<[f32]>::as_ptr), fade, out.as_mut_ptr()) };
}

fn dots(
    level: Level,
    (n, k): Size,
    m: &[f32],
    operands: [&[f32]; 4],
    fades: [Fade; 2],
    out: &mut [f32],
    room: &mut [f32],
) {
    check((n, k), &operands);
    check((n, k), &[out]);
    assert!(m.len() >= n * n && room.len() >= TOGETHER * n * k, "a number for each pair of positions, and room");
    let operands = operands.map(<[f32]>::as_ptr);
    // SAFETY: as above, and there is room for the rows of as many positions as go together.
    unsafe { dots_at(level, (n, k), m.as_ptr(), operands, fades, out.as_mut_ptr(), room.as_mut_ptr()) };
}

fn check((n, k): Size, rows: &[&[f32]]) {
    assert!(k.is_multiple_of(GROUP), "rows are of whole registers");
    assert!(rows.iter().all(|rows| rows.len() >= n * k), "operands have as many rows");
}

by_lanes! {
    unsafe fn scores_at(size: Size, operands: [*const f32; 3], fade: Fade, out: *mut f32) = scores_body
}
by_lanes! {
    unsafe fn sums_at(size: Size, operands: [*const f32; 3], fade: Fade, out: *mut f32) = sums_body
}
by_lanes! {
    unsafe fn runs_at(size: Size, operands: [*const f32; 2], fade: Fade, out: *mut f32) = runs_body
}
by_lanes! {
    unsafe fn dots_at(
        size: Size, m: *const f32, operands: [*const f32; 4], fades: [Fade; 2], out: *mut f32, room: *mut f32,
    ) = dots_body
}

/// Calls `$body` with some registers of all rows after the other: with two at a time, and with one where one is left.
macro_rules! by_columns {
    ($k:expr, $body:ident::<$lanes:ident>($($arg:expr),*)) => {{
        let mut at = 0;
        while at < $k {
            if at + 2 * GROUP <= $k {
                $body::<$lanes, 2>(at, $($arg),*);
                at += 2 * GROUP;
            } else {
                $body::<$lanes, 1>(at, $($arg),*);
                at += GROUP;
            }
        }
    }};
}

#[inline(always)]
unsafe fn load<V: Lanes, const W: usize>(p: *const f32) -> [V; W] {
    // SAFETY: as asked of the caller.
    std::array::from_fn(|w| unsafe { V::load(p.add(w * GROUP)) })
}

#[inline(always)]
unsafe fn store<V: Lanes, const W: usize>(x: [V; W], p: *mut f32) {
    for (w, x) in x.into_iter().enumerate() {
        // SAFETY: as asked of the caller.
        unsafe { x.store(p.add(w * GROUP)) };
    }
}

#[inline(always)]
unsafe fn zero<V: Lanes, const W: usize>() -> [V; W] {
    // SAFETY: as asked of the caller.
    [unsafe { V::zero() }; W]
}

#[inline(always)]
unsafe fn times<V: Lanes, const W: usize>(x: [V; W], by: [V; W]) -> [V; W] {
    // SAFETY: as asked of the caller.
    std::array::from_fn(|w| unsafe { x[w].times(by[w]) })
}

/// `x + a b`
#[inline(always)]
unsafe fn plus<V: Lanes, const W: usize>(x: [V; W], a: [V; W], b: [V; W]) -> [V; W] {
    // SAFETY: as asked of the caller.
    std::array::from_fn(|w| unsafe { x[w].add_product(a[w], b[w]) })
}

/// The product of a row and others, summed.
#[inline(always)]
unsafe fn summed<V: Lanes, const W: usize>(q: [V; W], rows: &[[V; W]; TOGETHER]) -> [f32; TOGETHER] {
    // SAFETY: as asked of the caller.
    unsafe {
        let mut sums = [V::zero(); TOGETHER];
        for r in 0..TOGETHER {
            for w in 0..W {
                sums[r] = sums[r].add_product(q[w], rows[r][w]);
            }
        }
        V::joined(sums)
    }
}

#[inline(always)]
unsafe fn scores_body<V: Lanes, const R: usize>((n, k): Size, operands: [*const f32; 3], fade: Fade, out: *mut f32) {
    // SAFETY: as asked of the caller.
    unsafe { by_columns!(k, scores_in::<V>((n, k), operands, fade, out)) };
}

#[inline(always)]
unsafe fn scores_in<V: Lanes, const W: usize>(
    at: usize,
    (n, k): Size,
    [q, u, a]: [*const f32; 3],
    fade: Fade,
    out: *mut f32,
) {
    // SAFETY: as asked of the caller.
    unsafe {
        for j in (0..n).step_by(TOGETHER) {
            // What was written at the positions from `j` on, as it has faded: 0 before it was.
            let mut e = [zero::<V, W>(); TOGETHER];
            for i in j..n {
                let here = i * k + at;
                let (q, a) = (load::<V, W>(q.add(here)), load::<V, W>(a.add(here)));
                if fade.late {
                    e = e.map(|e| times(e, a));
                }
                if fade.own && i < j + TOGETHER {
                    write(&mut e, i - j, load(u.add(here)));
                }
                let sums = summed(q, &e);
                for (r, sum) in sums.into_iter().enumerate().take(n - j) {
                    *out.add(i * n + j + r) += sum;
                }
                if !fade.late {
                    e = e.map(|e| times(e, a));
                }
                if i < j + TOGETHER {
                    write(&mut e, i - j, load(u.add(here)));
                }
            }
        }
    }
}

/// Sets one of the rows; which is found by comparing, so that they stay in registers.
#[inline(always)]
fn write<V: Lanes, const W: usize>(rows: &mut [[V; W]; TOGETHER], which: usize, row: [V; W]) {
    for (r, own) in rows.iter_mut().enumerate() {
        if r == which {
            *own = row;
        }
    }
}

#[inline(always)]
unsafe fn sums_body<V: Lanes, const R: usize>((n, k): Size, operands: [*const f32; 3], fade: Fade, out: *mut f32) {
    // SAFETY: as asked of the caller.
    unsafe { by_columns!(k, sums_in::<V>((n, k), operands, fade, out)) };
}

#[inline(always)]
unsafe fn sums_in<V: Lanes, const W: usize>(
    at: usize,
    (n, k): Size,
    [s, u, a]: [*const f32; 3],
    fade: Fade,
    out: *mut f32,
) {
    // SAFETY: as asked of the caller.
    unsafe {
        for j in (0..n).step_by(TOGETHER) {
            let mut e = [zero::<V, W>(); TOGETHER];
            for i in j..n {
                let here = i * k + at;
                let a = load::<V, W>(a.add(here));
                if fade.late {
                    e = e.map(|e| times(e, a));
                }
                if fade.own && i < j + TOGETHER {
                    write(&mut e, i - j, load(u.add(here)));
                }
                let mut sum = load::<V, W>(out.add(here));
                for (r, e) in e.iter().enumerate().take(n - j) {
                    // What was not written yet takes no part, whatever stands in its place.
                    let weight = if j + r <= i { *s.add(i * n + j + r) } else { 0.0 };
                    sum = plus(sum, [V::broadcast(weight); W], *e);
                }
                store(sum, out.add(here));
                if !fade.late {
                    e = e.map(|e| times(e, a));
                }
                if i < j + TOGETHER {
                    write(&mut e, i - j, load(u.add(here)));
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn runs_body<V: Lanes, const R: usize>((n, k): Size, operands: [*const f32; 2], fade: Fade, out: *mut f32) {
    // SAFETY: as asked of the caller.
    unsafe { by_columns!(k, runs_in::<V>((n, k), operands, fade, out)) };
}

#[inline(always)]
unsafe fn runs_in<V: Lanes, const W: usize>(
    at: usize,
    (n, k): Size,
    [u, a]: [*const f32; 2],
    fade: Fade,
    out: *mut f32,
) {
    // SAFETY: as asked of the caller.
    unsafe {
        let mut run = zero::<V, W>();
        for i in 0..n {
            let here = i * k + at;
            let (u, a) = (load(u.add(here)), load(a.add(here)));
            let read = step(&mut run, V::broadcast(1.0), u, a, fade);
            store(read, out.add(here));
        }
    }
}

/// What a position reads of a sum that fades, to which it adds `m u`.
#[inline(always)]
unsafe fn step<V: Lanes, const W: usize>(run: &mut [V; W], m: V, u: [V; W], a: [V; W], fade: Fade) -> [V; W] {
    // SAFETY: as asked of the caller.
    unsafe {
        let faded = times(*run, a);
        let before = if fade.late { faded } else { *run };
        *run = plus(faded, [m; W], u);
        if fade.own { plus(before, [m; W], u) } else { before }
    }
}

#[inline(always)]
unsafe fn dots_body<V: Lanes, const R: usize>(
    (n, k): Size,
    m: *const f32,
    operands: [*const f32; 4],
    fades: [Fade; 2],
    out: *mut f32,
    room: *mut f32,
) {
    // SAFETY: as asked of the caller.
    unsafe { by_columns!(k, dots_in::<V>((n, k), m, operands, fades, out, room)) };
}

#[inline(always)]
unsafe fn dots_in<V: Lanes, const W: usize>(
    at: usize,
    (n, k): Size,
    m: *const f32,
    [u, a, v, b]: [*const f32; 4],
    [back, fore]: [Fade; 2],
    out: *mut f32,
    room: *mut f32,
) {
    // SAFETY: as asked of the caller.
    unsafe {
        for i in (0..n).step_by(TOGETHER) {
            let end = (i + TOGETHER).min(n);
            // What positions read of the second sum, each write times what it meets of `u` at `i` and those behind it.
            let mut run = [zero::<V, W>(); TOGETHER];
            for p in 0..end {
                let here = p * k + at;
                let (v, b) = (load(v.add(here)), load(b.add(here)));
                for (r, run) in run.iter_mut().enumerate() {
                    let m = V::broadcast(*m.add((i + r).min(n - 1) * n + p));
                    let read = step(run, m, v, b, fore);
                    store(read, room.add((p * TOGETHER + r) * W * GROUP));
                }
            }
            let mut e = [zero::<V, W>(); TOGETHER];
            for p in (0..end).rev() {
                let here = p * k + at;
                let a = load(a.add(here));
                if back.late {
                    e = e.map(|e| times(e, a));
                }
                if back.own && p >= i {
                    write(&mut e, p - i, load(u.add(here)));
                }
                let mut sum = load::<V, W>(out.add(here));
                for (r, e) in e.iter().enumerate().take(end - i) {
                    // Those that are behind the position or at it.
                    if i + r >= p {
                        sum = plus(sum, *e, load(room.add((p * TOGETHER + r) * W * GROUP)));
                    }
                }
                store(sum, out.add(here));
                if !back.late {
                    e = e.map(|e| times(e, a));
                }
                if p >= i {
                    write(&mut e, p - i, load(u.add(here)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
