//! What emitted models call beside candle: text, of which a model takes along the functions that it uses.
//!
//! Not compiled here, but as part of the models that the tests of the workspace hold. Layout is rustfmt's own, as in all
//! that is emitted. Each function stands behind a blank line, and names those it calls.

/// The sum of products that `spec` names: `"btd,hd->bth"` multiplies `[b, t, d]` with `[h, d]` and
/// sums over `d`, as a batched matrix product.
fn einsum(spec: &str, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let (operands, result) = spec.split_once("->").expect("a spec has an arrow");
    let (left, right) = operands.split_once(',').expect("a spec has two operands");
    let kept = |labels: &str, other: &str, shared: bool, stays: bool| -> String {
        let fits = |l: &char| other.contains(*l) == shared && result.contains(*l) == stays;
        labels.chars().filter(fits).collect()
    };
    let batch = kept(left, right, true, true);
    let inner = kept(left, right, true, false);
    let (rows, columns) = (
        kept(left, right, false, true),
        kept(right, left, false, true),
    );
    let size = |label: char| match left.chars().position(|l| l == label) {
        Some(dim) => a.dims()[dim],
        None => b.dims()[right
            .chars()
            .position(|l| l == label)
            .expect("a label of an operand")],
    };
    let a = matrix(a, left, [&batch, &rows, &inner])?;
    let b = matrix(b, right, [&batch, &inner, &columns])?;
    let made = format!("{batch}{rows}{columns}");
    let shape: Vec<usize> = made.chars().map(size).collect();
    arrange(&a.matmul(&b)?.reshape(shape)?, &made, result)
}

/// The dimensions of `x`, labeled `from`, in the order `to`.
fn arrange(x: &Tensor, from: &str, to: &str) -> Result<Tensor> {
    let place = |l| {
        from.chars()
            .position(|label| label == l)
            .expect("a label of the operand")
    };
    let order: Vec<usize> = to.chars().map(place).collect();
    if order.is_sorted() {
        Ok(x.clone())
    } else {
        x.permute(order)
    }
}

/// `x`, labeled `labels`, as a batch of matrices; where it lies transposed it is not copied.
fn matrix(x: &Tensor, labels: &str, groups: [&String; 3]) -> Result<Tensor> {
    let [batch, rows, columns] = groups;
    let straight = arrange(x, labels, &format!("{batch}{rows}{columns}"))?;
    let turned = arrange(x, labels, &format!("{batch}{columns}{rows}"))?;
    let (n, r) = (batch.chars().count(), rows.chars().count());
    let [size, height] = [&straight.dims()[..n], &straight.dims()[n..n + r]].map(product);
    let width = product(&straight.dims()[n + r..]);
    if !straight.is_contiguous() && turned.is_contiguous() {
        return turned.reshape((size, width, height))?.transpose(1, 2);
    }
    straight.reshape((size, height, width))
}

/// How many elements such dimensions hold.
fn product(dims: &[usize]) -> usize {
    dims.iter().product()
}

/// As `einsum`, where `a` is 0 at the elements that are not `seen`: what `b` holds there, be it no
/// number, reaches neither the result nor a gradient.
fn einsum_seen(spec: &str, a: &Tensor, b: &Tensor, seen: &Tensor) -> Result<Tensor> {
    if is_finite(a)? && is_finite(b)? {
        return einsum(spec, a, b);
    }
    let finite = |x: &Tensor| x.detach().abs()?.lt(f64::INFINITY);
    let bad = |x: &Tensor| finite(x)?.eq(0u8)?.to_dtype(x.dtype());
    let clean = |x: &Tensor| finite(x)?.where_cond(x, &x.detach().zeros_like()?);
    let seen = seen.broadcast_as(a.shape())?.to_dtype(a.dtype())?;
    let spoiled = einsum(spec, &bad(a)?, &b.detach().ones_like()?)?;
    let spoiled = spoiled.add(&einsum(spec, &seen, &bad(b)?)?)?.gt(0.0)?;
    let result = einsum(spec, &clean(a)?, &clean(b)?)?;
    spoiled.where_cond(&number(f64::NAN, a)?.broadcast_as(result.shape())?, &result)
}

/// As `einsum`, of which elements that are not seen are not used: what is no number spoils the
/// elements that it is part of, and no gradient of others.
fn einsum_apart(spec: &str, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    einsum_seen(spec, a, b, &a.detach().ones_like()?.ne(0.0)?)
}

/// Whether all elements are finite; a sum that overflows is taken for one that is not.
fn is_finite(x: &Tensor) -> Result<bool> {
    let sum = x.detach().sum_all()?.to_dtype(DType::F64)?;
    Ok(sum.to_scalar::<f64>()?.is_finite())
}

/// A number as a tensor without dimensions, of the type of `like`.
fn number(value: f64, like: &Tensor) -> Result<Tensor> {
    Tensor::full(value, (), like.device())?.to_dtype(like.dtype())
}

/// 0, 1, .. in the type of `like`.
fn count(n: usize, like: &Tensor) -> Result<Tensor> {
    Tensor::arange(0u32, n as u32, like.device())?.to_dtype(like.dtype())
}

/// `x` where it is seen, elsewhere `fill`: a selection, never a product.
fn masked(x: &Tensor, seen: &Tensor, fill: f64) -> Result<Tensor> {
    let shape = x
        .shape()
        .broadcast_shape_binary_op(seen.shape(), "masked")?;
    let fill = number(fill, x)?.broadcast_as(&shape)?;
    seen.broadcast_as(&shape)?
        .where_cond(&x.broadcast_as(&shape)?, &fill)
}

/// `a` where `condition` is not 0, else `b`: a selection, never a product.
fn select(condition: &Tensor, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let shape = a.shape().broadcast_shape_binary_op(b.shape(), "select")?;
    let shape = shape.broadcast_shape_binary_op(condition.shape(), "select")?;
    let condition = condition.ne(0.0)?.broadcast_as(&shape)?;
    condition.where_cond(&a.broadcast_as(&shape)?, &b.broadcast_as(&shape)?)
}

/// `[t, n]`: which of the blocks of `size` positions each position sees: those that end by `skip`
/// positions before it, the last `window` of them; positions themselves where the size is 1.
fn seen_from(
    t: usize,
    size: usize,
    window: Option<usize>,
    skip: usize,
    like: &Tensor,
) -> Result<Tensor> {
    let blocks = (t / size).max(1);
    let sees = |i: usize| {
        let (now, last) = (i / blocks, (i % blocks + 1) * size - 1);
        u8::from(last + skip <= now && window.is_none_or(|window| now < last + skip + window))
    };
    Tensor::from_vec(
        (0..t * blocks).map(sees).collect(),
        (t, blocks),
        like.device(),
    )
}

/// `[t]`: whether a position sees anything.
fn sees_any(seen: &Tensor) -> Result<Tensor> {
    seen.to_dtype(DType::F32)?
        .sum(candle_core::D::Minus1)?
        .gt(0.0)
}

/// How many elements a position sees, at least 1.
fn seen_count(seen: &Tensor, like: &Tensor) -> Result<Tensor> {
    seen.to_dtype(like.dtype())?
        .sum(candle_core::D::Minus1)?
        .maximum(1.0)
}

/// `[t, n]`: how long ago each block of `size` positions ended; positions where the size is 1. Of what
/// is not seen it is the nearest age of what may be: a function of all ages has its derivatives there.
fn age(t: usize, size: usize, window: Option<usize>, skip: usize, like: &Tensor) -> Result<Tensor> {
    let blocks = (t / size).max(1);
    let most = window.map_or(usize::MAX, |window| skip + window - 1);
    let ago = |i: usize| (i / blocks).saturating_sub((i % blocks + 1) * size - 1);
    let age = |i: usize| ago(i).clamp(skip, most) as f64;
    let ages: Vec<f64> = (0..t * blocks).map(age).collect();
    Tensor::from_vec(ages, (t, blocks), like.device())?.to_dtype(like.dtype())
}

/// The largest element over `dims`, to subtract before exponentials: 0 where there is none, and
/// outside of the gradient.
fn top_of(x: &Tensor, dims: &[usize]) -> Result<Tensor> {
    let largest = |x: Tensor, dim: &usize| x.max_keepdim(*dim);
    let top = dims.iter().try_fold(x.detach(), largest)?;
    top.eq(f64::NEG_INFINITY)?
        .where_cond(&top.zeros_like()?, &top)
}

/// Where nothing is seen along `dims` of a value of that rank.
fn sees_nothing(seen: &Tensor, dims: &[usize], rank: usize) -> Result<Tensor> {
    let mut shape = vec![1; rank - seen.rank()];
    shape.extend(seen.dims());
    seen.to_dtype(DType::F32)?
        .reshape(shape)?
        .sum_keepdim(dims)?
        .eq(0.0)
}

/// `exp(x) / sum(exp(x))` over `dims` together.
fn softmax(x: &Tensor, dims: &[usize]) -> Result<Tensor> {
    let exps = x.broadcast_sub(&top_of(x, dims)?)?.exp()?;
    exps.broadcast_mul(&exps.sum_keepdim(dims)?.recip()?)
}

/// As `softmax`, with one more element of score `sink`, which takes its part and gives nothing.
fn softmax_with_sink(x: &Tensor, dims: &[usize], sink: f64) -> Result<Tensor> {
    let top = top_of(x, dims)?.maximum(sink)?;
    let exps = x.broadcast_sub(&top)?.exp()?;
    let sum = exps
        .sum_keepdim(dims)?
        .add(&top.affine(-1.0, sink)?.exp()?)?;
    exps.broadcast_mul(&sum.recip()?)
}

/// `exp(x) / sum(exp(x))` over `dims` together, of the elements that are seen; 0 elsewhere. A
/// `sink` is one more element of that score, which takes its part and gives nothing.
fn softmax_seen(x: &Tensor, dims: &[usize], seen: &Tensor, sink: Option<f64>) -> Result<Tensor> {
    let x = masked(x, seen, f64::NEG_INFINITY)?;
    let mut top = top_of(&x, dims)?;
    if let Some(sink) = sink {
        top = top.maximum(sink)?;
    }
    let exps = x.broadcast_sub(&top)?.exp()?;
    let mut sum = exps.sum_keepdim(dims)?;
    if let Some(sink) = sink {
        sum = sum.add(&top.affine(-1.0, sink)?.exp()?)?;
    }
    let nothing = sees_nothing(seen, dims, x.rank())?.broadcast_as(sum.shape())?;
    let sum = nothing.where_cond(&sum.ones_like()?, &sum)?;
    masked(&exps.broadcast_mul(&sum.recip()?)?, seen, 0.0)
}

/// `log(sum(exp(x)))` over `dims` together.
fn log_sum_exp(x: &Tensor, dims: &[usize]) -> Result<Tensor> {
    let top = top_of(x, dims)?;
    let sum = x.broadcast_sub(&top)?.exp()?.sum_keepdim(dims)?;
    squeeze(&sum.log()?.add(&top)?, dims)
}

/// As `log_sum_exp`, of the elements that are seen: negative infinity where there is none.
fn log_sum_exp_seen(x: &Tensor, dims: &[usize], seen: &Tensor) -> Result<Tensor> {
    let x = masked(x, seen, f64::NEG_INFINITY)?;
    let top = top_of(&x, dims)?;
    let sum = x.broadcast_sub(&top)?.exp()?.sum_keepdim(dims)?;
    let nothing = sees_nothing(seen, dims, x.rank())?.broadcast_as(sum.shape())?;
    let sum = nothing
        .where_cond(&sum.ones_like()?, &sum)?
        .log()?
        .add(&top)?;
    let empty = number(f64::NEG_INFINITY, &x)?.broadcast_as(sum.shape())?;
    squeeze(&nothing.where_cond(&empty, &sum)?, dims)
}

/// `x` without `dims`, each of which has one element.
fn squeeze(x: &Tensor, dims: &[usize]) -> Result<Tensor> {
    let mut dims = dims.to_vec();
    dims.sort_unstable();
    dims.iter()
        .rev()
        .try_fold(x.clone(), |x, dim| x.squeeze(*dim))
}

/// The largest element over `dims` together; equal ones share the derivative evenly.
fn max(x: &Tensor, dims: &[usize]) -> Result<Tensor> {
    let largest = |x: Tensor, dim: &usize| x.max_keepdim(*dim);
    extreme(x, dims, &dims.iter().try_fold(x.clone(), largest)?)
}

/// The smallest element over `dims` together; equal ones share the derivative evenly.
fn min(x: &Tensor, dims: &[usize]) -> Result<Tensor> {
    let smallest = |x: Tensor, dim: &usize| x.min_keepdim(*dim);
    extreme(x, dims, &dims.iter().try_fold(x.clone(), smallest)?)
}

/// `found`, the extreme of `x` over `dims`, with the derivative shared by all that equal it.
fn extreme(x: &Tensor, dims: &[usize], found: &Tensor) -> Result<Tensor> {
    let chosen = x.detach().broadcast_eq(&found.detach())?;
    let count = chosen.to_dtype(x.dtype())?.sum_keepdim(dims)?;
    let sum = chosen
        .where_cond(x, &x.detach().zeros_like()?)?
        .sum_keepdim(dims)?;
    let mean = sum.div(&count)?;
    // No difference of infinities: they have no derivative.
    let shared = found.detach().add(&mean.sub(&mean.detach())?)?;
    let finite = found.detach().abs()?.lt(f64::INFINITY)?;
    squeeze(&finite.where_cond(&shared, found)?, dims)
}

/// `x` at `by` positions ago along `dim`, zero before the first.
fn shift(x: &Tensor, dim: usize, by: usize) -> Result<Tensor> {
    let t = x.dim(dim)?;
    if by >= t {
        return x.zeros_like();
    }
    x.narrow(dim, 0, t - by)?.pad_with_zeros(dim, by, 0)
}

/// The last `size` values of `x` along `dim`, the oldest first, as elements of a dimension behind
/// it; zero before the first position.
fn window(x: &Tensor, dim: usize, size: usize) -> Result<Tensor> {
    let t = x.dim(dim)?;
    let padded = x.pad_with_zeros(dim, size - 1, 0)?;
    let lags: Result<Vec<_>> = (0..size).map(|i| padded.narrow(dim, i, t)).collect();
    Tensor::stack(&lags?, dim + 1)
}

/// The mean over the last completed block of `size` positions along `dim`, zero before the first.
fn pool(x: &Tensor, dim: usize, size: usize) -> Result<Tensor> {
    let t = x.dim(dim)?;
    if t < size {
        return x.zeros_like();
    }
    let means = blocks_of(x, dim, size)?.mean_keepdim(dim + 1)?;
    let mut shape = means.dims().to_vec();
    shape[dim + 1] = size;
    let held = means.broadcast_as(shape)?.flatten(dim, dim + 1)?;
    held.pad_with_zeros(dim, size - 1, 0)?.narrow(dim, 0, t)
}

/// Dimension `dim` as blocks of `size` elements; a rest behind the last whole block is left out,
/// and a row that is too short for a block has one all the same, which no position sees.
fn blocks_of(x: &Tensor, dim: usize, size: usize) -> Result<Tensor> {
    let t = x.dim(dim)?;
    let x = x.pad_with_zeros(dim, 0, size.saturating_sub(t))?;
    let blocks = (t / size).max(1);
    let mut shape = x.dims().to_vec();
    shape.splice(dim..=dim, [blocks, size]);
    x.narrow(dim, 0, blocks * size)?.reshape(shape)
}

/// Along `dim`, over the elements that are seen, the sum of those up to each.
fn cumsum_seen(x: &Tensor, dim: usize, seen: &Tensor) -> Result<Tensor> {
    let mut sum = masked(x, seen, 0.0)?.transpose(0, dim)?.contiguous()?;
    let n = sum.dim(0)?;
    let mut by = 1;
    while by < n {
        let later = sum.narrow(0, by, n - by)?.add(&sum.narrow(0, 0, n - by)?)?;
        sum = Tensor::cat(&[sum.narrow(0, 0, by)?, later], 0)?;
        by *= 2;
    }
    masked(&sum.transpose(0, dim)?, seen, 0.0)
}

/// Along `dim`, over the elements that are seen, the sum of those behind each: never as a
/// difference of other sums, which would cancel.
fn sum_after(x: &Tensor, dim: usize, seen: &Tensor) -> Result<Tensor> {
    let x = masked(x, seen, 0.0)?.transpose(0, dim)?.contiguous()?;
    let n = x.dim(0)?;
    let end = x.narrow(0, 0, 1)?.zeros_like()?;
    let mut sum = Tensor::cat(&[&x, &end], 0)?.narrow(0, 1, n)?;
    let mut by = 1;
    while by < n {
        let earlier = sum.narrow(0, 0, n - by)?.add(&sum.narrow(0, by, n - by)?)?;
        sum = Tensor::cat(&[earlier, sum.narrow(0, n - by, by)?], 0)?;
        by *= 2;
    }
    masked(&sum.transpose(0, dim)?, seen, 0.0)
}

/// The elements of a dimension, each without it; by halves, so that the gradient of each is not
/// as large as the whole.
fn unstack(x: &Tensor, dim: usize) -> Result<Vec<Tensor>> {
    let n = x.dim(dim)?;
    if n == 1 {
        return Ok(vec![x.squeeze(dim)?]);
    }
    let mut elements = unstack(&x.narrow(dim, 0, n / 2)?, dim)?;
    elements.extend(unstack(&x.narrow(dim, n / 2, n - n / 2)?, dim)?);
    Ok(elements)
}

/// The numbers of the `k` elements of largest score along the last dimension, the largest first, of
/// equal ones the lowest; any number where fewer are seen. A score that is no number counts as the
/// smallest. The choice is outside of the gradient.
fn choose(score: &Tensor, k: usize, seen: Option<&Tensor>) -> Result<Tensor> {
    let last = score.rank() - 1;
    let n = score.dim(last)?;
    let lowest = number(f64::NEG_INFINITY, score)?.broadcast_as(score.shape())?;
    let score = score.detach();
    let score = score.eq(&score)?.where_cond(&score, &lowest)?;
    let numbers = Tensor::arange(0u32, n as u32, score.device())?.to_dtype(DType::F64)?;
    let numbers = numbers.broadcast_as(score.shape())?;
    let none = numbers.ones_like()?.affine(n as f64, 0.0)?;
    let mut left = score.ones_like()?.ne(0.0)?;
    if let Some(seen) = seen {
        left = left.broadcast_mul(seen)?;
    }
    let mut chosen = Vec::with_capacity(k);
    for _ in 0..k {
        let open = left.where_cond(&score, &lowest)?;
        let equal = open.broadcast_eq(&open.max_keepdim(last)?)?;
        let element = left
            .mul(&equal)?
            .where_cond(&numbers, &none)?
            .min_keepdim(last)?;
        left = left.mul(&numbers.broadcast_ne(&element)?)?;
        chosen.push(element);
    }
    Tensor::cat(&chosen, last)
}

/// Which of `k` chosen elements there are among `n`, or among those that are seen: `[.., k]`.
fn there_are(k: usize, n: usize, seen: Option<&Tensor>, like: &Tensor) -> Result<Tensor> {
    let order = Tensor::arange(0u32, k as u32, like.device())?.to_dtype(DType::F32)?;
    match seen {
        Some(seen) => order.broadcast_lt(
            &seen
                .to_dtype(DType::F32)?
                .sum_keepdim(candle_core::D::Minus1)?,
        ),
        None => order.lt(n as f64),
    }
}

/// The elements of `value` that `chosen` numbers, and 0 where there is none. The first `shared`
/// dimensions are those of both; behind them `value` has the dimension that is looked up, and
/// `chosen` those that ask.
fn look_up(value: &Tensor, chosen: &Tensor, shared: usize) -> Result<Tensor> {
    let dims = value.dims().to_vec();
    let (rows, own) = (product(&dims[..=shared]), &dims[shared + 1..]);
    let mut numbers = chosen.to_dtype(DType::F64)?;
    let mut stride = dims[shared];
    for dim in (0..shared).rev() {
        let steps: Vec<f64> = (0..dims[dim]).map(|i| (i * stride) as f64).collect();
        let mut shape = vec![1; chosen.rank()];
        shape[dim] = dims[dim];
        let steps = Tensor::from_vec(steps, shape, chosen.device())?;
        numbers = numbers.broadcast_add(&steps)?;
        stride *= dims[dim];
    }
    let table = value.reshape((rows, product(own)))?;
    let found = table.index_select(&numbers.flatten_all()?.to_dtype(DType::U32)?, 0)?;
    found.reshape([chosen.dims(), own].concat())
}

/// The mean over the targets that count of `log(sum(exp(logits))) - logits[target]`, in nats; 0 if
/// none counts. `u32::MAX` is the target of a position that is not predicted.
fn cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let counts = |(_, target): &(u32, &u32)| **target != u32::MAX;
    let targets = targets.flatten_all()?;
    let numbers = targets.to_vec1::<u32>()?;
    let counted: Vec<u32> = (0..).zip(&numbers).filter(counts).map(|(i, _)| i).collect();
    if counted.is_empty() {
        return number(0.0, logits);
    }
    let counted = Tensor::new(counted, logits.device())?;
    let rows = logits.flatten(0, 1)?.index_select(&counted, 0)?;
    let rows = if rows.dtype() == DType::F64 {
        rows
    } else {
        rows.to_dtype(DType::F32)?
    };
    let rows = rows.broadcast_sub(&rows.detach().max_keepdim(1)?)?;
    let targets = targets.index_select(&counted, 0)?.unsqueeze(1)?;
    let picked = rows.contiguous()?.gather(&targets, 1)?.squeeze(1)?;
    rows.exp()?.sum(1)?.log()?.sub(&picked)?.mean_all()
}

/// The mean of `[b, t, ..]` over the targets that count; 0 if none does.
fn mean_tokens(x: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let counts = |(_, target): &(u32, &u32)| **target != u32::MAX;
    let numbers = targets.flatten_all()?.to_vec1::<u32>()?;
    let counted: Vec<u32> = (0..).zip(&numbers).filter(counts).map(|(i, _)| i).collect();
    let rows = x.flatten(0, 1)?.contiguous()?;
    if counted.is_empty() {
        return rows.get(0)?.detach().zeros_like();
    }
    let rows = rows.index_select(&Tensor::new(counted, x.device())?, 0)?;
    let dtype = if x.dtype() == DType::F64 {
        DType::F64
    } else {
        DType::F32
    };
    rows.to_dtype(dtype)?.mean(0)?.to_dtype(x.dtype())
}

/// `x` where `x > 0`, else 0; its derivative at 0 is 0.
fn relu(x: &Tensor) -> Result<Tensor> {
    x.gt(0.0)?.where_cond(x, &x.detach().zeros_like()?)
}

/// `x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))` (Hendrycks and Gimpel, 2016).
fn gelu(x: &Tensor) -> Result<Tensor> {
    let scale = (2.0 / std::f64::consts::PI).sqrt();
    let inner = x.mul(&x.sqr()?.affine(0.044_715 * scale, scale)?)?.tanh()?;
    x.affine(0.5, 0.0)?.mul(&inner.affine(1.0, 1.0)?)
}

/// `tanh(x/2) (e^x + 1)`, which loses no digits of a small `x`.
fn expm1(x: &Tensor) -> Result<Tensor> {
    x.affine(0.5, 0.0)?.tanh()?.mul(&x.exp()?.affine(1.0, 1.0)?)
}

/// `log(1 + x)`: a series where `1 + x` would lose the digits of `x`; each branch is given 0 where
/// the other holds.
fn log1p(x: &Tensor) -> Result<Tensor> {
    let small = x.abs()?.lt(small_for(x))?;
    let zero = x.zeros_like()?;
    let (near, far) = (small.where_cond(x, &zero)?, small.where_cond(&zero, x)?);
    small.where_cond(&log_series(&near)?, &far.affine(1.0, 1.0)?.log()?)
}

/// `z - z^2/2 + z^3/3`
fn log_series(z: &Tensor) -> Result<Tensor> {
    z.mul(&z.mul(&z.affine(1.0 / 3.0, -0.5)?)?.affine(1.0, 1.0)?)
}

/// Where series of three terms are as exact as the type of `x`.
fn small_for(x: &Tensor) -> f64 {
    if x.dtype() == DType::F64 { 1e-5 } else { 1e-2 }
}

/// `log(1 + e^x) = max(x, 0) + log(1 + e^-|x|)`
fn softplus(x: &Tensor) -> Result<Tensor> {
    let z = x.abs()?.neg()?.exp()?;
    let log = z.affine(1.0, 1.0)?.log()?;
    x.relu()?
        .add(&z.lt(small_for(x))?.where_cond(&log_series(&z)?, &log)?)
}

/// `log(sigmoid(x)) = -softplus(-x)`
fn log_sigmoid(x: &Tensor) -> Result<Tensor> {
    softplus(&x.neg()?)?.neg()
}

/// `log(e^x - 1) = x + log(1 - e^-x)` for `x > 0`, by a series where `x` is small.
fn inv_softplus(x: &Tensor) -> Result<Tensor> {
    let series = x.mul(&x.mul(&x.affine(1.0 / 6.0, -0.5)?)?.affine(1.0, 1.0)?)?;
    let plain = x.neg()?.exp()?.affine(-1.0, 1.0)?;
    x.add(&x.lt(small_for(x))?.where_cond(&series, &plain)?.log()?)
}

/// `a - b floor(a / b)`, where the quotient is a constant.
fn remainder(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let quotient = a.detach().broadcast_div(&b.detach())?.floor()?;
    a.broadcast_sub(&quotient.broadcast_mul(b)?)
}

/// Weights that begin as draws from a uniform distribution.
fn uniform(lo: f64, up: f64) -> Init {
    Init::Uniform { lo, up }
}

/// Weights that begin as draws from a normal distribution around 0.
fn normal(stdev: f64) -> Init {
    Init::Randn { mean: 0.0, stdev }
}
