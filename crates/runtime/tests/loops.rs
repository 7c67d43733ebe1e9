//! Mechanisms with a loop within a position, against their formulas in plain loops over f64.
#![allow(clippy::unwrap_used)]

mod support;

use support::formula::{Rows, Weights, agrees, dot, linear};

/// The positions of a row.
const T: usize = 6;

/// Two Householder steps a position (Siems et al., 2025): `R <- R + b k (v - R' k)'`, twice.
const DELTA_PRODUCT: &str = "
use std::{L2Norm}
design Test { stack = [Block*] }
unit Block<N = 2, H = 2, K = 4, V = 4>(x: Seq[D]) -> Seq[D] {
    let q = linear[D -> H, K](x)
    let k = L2Norm[K](linear[D -> N, H, K](x))
    let v = linear[D -> N, H, V](x)
    let b = 2 * sigmoid(linear[D -> N, H](x))
    let y = scan S: [H, K, V] = 0 {
        S <- repeat I < N R: [H, K, V] = S {
            let key = take[N](k, I)
            R <- R + outer(take[N](b, I) * key, take[N](v, I) - dot[K](key, R))
            yield R
        }
        yield dot[K](q, S)
    }
    linear[H, V -> D](y)
}
";

fn delta_product(w: &Weights, x: &[Vec<f64>]) -> Rows {
    let (steps, heads, size) = (2, 2, 4);
    let [q, k, v, b] = ["q", "k", "v", "b"].map(|name| linear(&w[&format!("{name}.weight")], x));
    let mut states = vec![vec![vec![0.0; size]; size]; heads];
    let mut y = Rows::new();
    for t in 0..x.len() {
        let mut row = Vec::new();
        for (h, s) in states.iter_mut().enumerate() {
            for i in 0..steps {
                let at = (i * heads + h) * size;
                let key = &k[t][at..at + size];
                let length = (dot(key, key) + 1e-6).sqrt();
                let key: Vec<f64> = key.iter().map(|k| k / length).collect();
                let beta = 2.0 / (1.0 + (-b[t][i * heads + h]).exp());
                for j in 0..size {
                    let read: f64 = (0..size).map(|i| key[i] * s[i][j]).sum();
                    let write = beta * (v[t][at + j] - read);
                    (0..size).for_each(|i| s[i][j] += key[i] * write);
                }
            }
            let q = &q[t][h * size..(h + 1) * size];
            row.extend((0..size).map(|j| (0..size).map(|i| q[i] * s[i][j]).sum::<f64>()));
        }
        y.push(row);
    }
    linear(&w["linear.weight"], &y)
}

/// `y = M' (G + L)^-1 q` by four steps of conjugate gradients (von Oswald et al., 2025), of
/// `G = sum f i k k'` and `M = sum f i k v'`.
const MESA: &str = "
design Test { stack = [Block*] }
unit Block<H = 2, K = 8, J = 8, V = 4>(x: Seq[D]) -> Seq[D] {
    let q = linear[D -> H, K](x)
    let k = linear[D -> H, K](x)
    let v = linear[D -> H, V](x)
    let f = sigmoid(linear[D -> H](x))
    let i = sigmoid(linear[D -> H](x))
    param ridge: [H, K] = 0.5 + index[K] / 4 @decay
    let y = scan G: [H, K, J] = 0, M: [H, K, V] = 0 {
        G <- f * G + outer(i * k, k as [K -> J])
        M <- f * M + outer(i * k, v)
        let z = repeat 4 X: [H, K] = 0, R: [H, K] = q, P: [H, K] = q {
            let image = dot[J](G, P as [K -> J]) + ridge * P
            let before = dot[K](R, R)
            let step = before / dot[K](P, image)
            X <- X + step * P
            R <- R - step * image
            P <- R + dot[K](R, R) / before * P
            yield X
        }
        yield dot[K](z, M)
    }
    linear[H, V -> D](y)
}
";

fn mesa(w: &Weights, x: &[Vec<f64>]) -> Rows {
    let (heads, keys, values) = (2, 8, 4);
    let [q, k, v, f, i] = ["q", "k", "v", "f", "i"].map(|name| linear(&w[&format!("{name}.weight")], x));
    let gate = |x: f64| 1.0 / (1.0 + (-x).exp());
    let mut g = vec![vec![vec![0.0; keys]; keys]; heads];
    let mut m = vec![vec![vec![0.0; values]; keys]; heads];
    let mut y = Rows::new();
    for t in 0..x.len() {
        let mut row = Vec::new();
        for h in 0..heads {
            let (f, i) = (gate(f[t][h]), gate(i[t][h]));
            let (k, v) = (&k[t][h * keys..(h + 1) * keys], &v[t][h * values..(h + 1) * values]);
            for a in 0..keys {
                (0..keys).for_each(|b| g[h][a][b] = f * g[h][a][b] + i * k[a] * k[b]);
                (0..values).for_each(|b| m[h][a][b] = f * m[h][a][b] + i * k[a] * v[b]);
            }
            let z = solved(&g[h], &w["ridge"][h * keys..(h + 1) * keys], &q[t][h * keys..(h + 1) * keys]);
            row.extend((0..values).map(|b| (0..keys).map(|a| z[a] * m[h][a][b]).sum::<f64>()));
        }
        y.push(row);
    }
    linear(&w["linear.weight"], &y)
}

/// Four steps of conjugate gradients from 0.
fn solved(g: &[Vec<f64>], ridge: &[f64], q: &[f64]) -> Vec<f64> {
    let (mut x, mut r, mut p) = (vec![0.0; q.len()], q.to_vec(), q.to_vec());
    for _ in 0..4 {
        let image: Vec<f64> = g.iter().zip(ridge).zip(&p).map(|((row, l), p_i)| dot(row, &p) + l * p_i).collect();
        let before = dot(&r, &r);
        let step = before / dot(&p, &image);
        x.iter_mut().zip(&p).for_each(|(x, p)| *x += step * p);
        r.iter_mut().zip(&image).for_each(|(r, image)| *r -= step * image);
        let ratio = dot(&r, &r) / before;
        p = r.iter().zip(&p).map(|(r, p)| r + ratio * p).collect();
    }
    x
}

#[test]
fn a_loop_of_householder_steps_is_delta_product() {
    agrees(DELTA_PRODUCT, T, delta_product);
}

#[test]
fn a_loop_solves_by_conjugate_gradients() {
    agrees(MESA, T, mesa);
}
