//! What the kernels of the processor do: `cargo bench -p benches --bench kernels`.
//!
//! In: the products of a training step of GPT (width 256, inner width 1024, vocabulary 4096, 1024 tokens, heads of 64), and
//! slices that the nearest cache holds. Out: three tables. Products are timed in turn with each other, so that what else
//! the machine does meets all alike; told is the time that a tenth of the rounds keep, as the others tell of that rather.
//! With `--features peers` the crates `faer` and `gemm` take part, on one thread. A word behind `--` picks a table:
//! `products`, `functions` or `rows`.
#![allow(clippy::print_stdout, unsafe_code)] // what is measured is printed; products take addresses

use std::hint::black_box;
use std::time::Instant;

use benches as _;
use genesys_kernels::{
    Act, Arithmetic, BLOCK, Block, Fade, Level, Matrix, Operand, Pool, RowReduction, Scratch, Step, Term, Update,
    adamw, binary, dot, faded_dots, faded_scores, faded_sums, multiply, multiply_add_to, multiply_packed,
    multiply_packed_bf16, pack_panel, pack_panel_bf16, packed_len, packed_len_bf16, panels, reduce_rows, run_code,
    softmax_rows, sum_of_squares, unary,
};
use genesys_scalar::Function;

/// Seconds that a line of a table may take.
const SECONDS: f64 = 0.5;

/// Rows of a piece that a worker takes.
const ROWS: usize = 128;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let asked = |table: &str| words.is_empty() || words.iter().any(|word| word == table);
    println!("level: {:?}", Level::best());
    if asked("products") {
        products();
    }
    if asked("functions") {
        functions();
    }
    if asked("rows") {
        rows();
    }
}

/// A product of `[m, k]` and `[k, n]`, and which of them lies with dense columns.
struct Shape {
    name: &'static str,
    m: usize,
    n: usize,
    k: usize,
    transposed: [bool; 2],
}

const fn shape(name: &'static str, [m, n, k]: [usize; 3], transposed: [bool; 2]) -> Shape {
    Shape { name, m, n, k, transposed }
}

const SHAPES: [Shape; 10] = [
    shape("into the inner width", [1024, 1024, 256], [false, true]),
    shape("out of the inner width", [1024, 256, 1024], [false, true]),
    shape("gradient of the inner values", [1024, 256, 1024], [false, false]),
    shape("gradient of a weight", [1024, 256, 1024], [true, false]),
    shape("logits", [1024, 4096, 256], [false, true]),
    shape("gradient of the embedding", [4096, 256, 1024], [true, false]),
    shape("scores of a head", [64, 256, 64], [false, true]),
    shape("values of a head", [64, 64, 256], [false, false]),
    shape("gradient of a head's values", [64, 64, 256], [true, false]),
    shape("a token", [1, 1024, 256], [false, false]),
];

/// One way to multiply.
type Way<'a> = (&'static str, Box<dyn FnMut() + 'a>);

fn products() {
    let mut heading = false;
    for shape in SHAPES {
        let Shape { name, m, n, k, transposed } = shape;
        let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
        let a = matrix(&a, m, k, transposed[0]);
        let b = matrix(&b, k, n, transposed[1]);
        let mut results = vec![vec![0.0; m * n]; 6];
        let mut ways = ways(&shape, a, b, &mut results);
        if !heading {
            println!(
                "\nGFLOP/s\n\n| product | m, n, k | {} |",
                ways.iter().map(|w| w.0).collect::<Vec<_>>().join(" | ")
            );
            println!("| --- | --- |{}", " --- |".repeat(ways.len()));
            heading = true;
        }
        let speeds = in_turn(&mut ways).into_iter().map(|t| format!("{:.0}", (2 * m * n * k) as f64 / t / 1e9));
        println!("| {name} | {m}, {n}, {k} | {} |", speeds.collect::<Vec<_>>().join(" | "));
        drop(ways);
        let mut used = results.iter().filter(|c| c.iter().any(|x| *x != 0.0));
        let same = |c: &Vec<f32>| c.iter().zip(&results[0]).all(|(x, y)| (x - y).abs() < 0.3);
        assert!(used.all(same), "all ways give one product, as near as bf16 is");
    }
}

fn matrix(x: &[f32], rows: usize, columns: usize, transposed: bool) -> Matrix {
    let (row, column) = if transposed { (1, rows as isize) } else { (columns as isize, 1) };
    Matrix { data: x.as_ptr(), row, column }
}

/// Each way with a result of its own.
fn ways<'a>(shape: &'a Shape, a: Matrix, b: Matrix, results: &'a mut [Vec<f32>]) -> Vec<Way<'a>> {
    let Shape { m, n, k, .. } = *shape;
    let mut targets = results.iter_mut().map(|c| c.as_mut_ptr());
    let mut target = || targets.next().expect("there are six results");
    let (whole, one, two) = (target(), target(), target());
    let mut scratch = Scratch::default();
    // SAFETY: the matrices have the shape's sizes, and each way has a C of its own.
    let plain = move || unsafe { multiply(m, n, k, a, b, whole, n as isize, false, &mut scratch) };
    let mut ways: Vec<Way> = vec![("`multiply`", Box::new(plain))];
    for (name, threads, c) in [("shared, 1 thread", 1, one), ("shared, 2 threads", 2, two)] {
        let mut work = Shared::new(shape, threads, F32);
        ways.push((name, Box::new(move || work.run([m, n, k], a, b, c))));
    }
    let (mut work, c) = (Shared::new(shape, 1, BF16), target());
    ways.push(("bf16, 1 thread", Box::new(move || work.run([m, n, k], a, b, c))));
    #[cfg(feature = "peers")]
    {
        let (of_faer, of_gemm) = (target(), target());
        ways.push(("`faer`", Box::new(move || peers::faer([m, n, k], a, b, of_faer))));
        ways.push(("`gemm`", Box::new(move || peers::gemm([m, n, k], a, b, of_gemm))));
    }
    ways
}

/// How B is packed, and multiplied with.
#[derive(Clone, Copy)]
struct Form {
    len: fn(usize, usize) -> usize,
    pack: unsafe fn(usize, usize, usize, Matrix, *mut f32),
    multiply: unsafe fn(usize, usize, usize, Matrix, *const f32, *mut f32, isize, bool, &mut Scratch),
}

const F32: Form = Form { len: packed_len, pack: pack_panel, multiply: multiply_packed };
const BF16: Form = Form { len: packed_len_bf16, pack: pack_panel_bf16, multiply: rounded };

/// `multiply_packed_bf16` of a matrix of f32.
///
/// # Safety
/// As that.
#[allow(clippy::too_many_arguments)] // as `multiply`
unsafe fn rounded(
    m: usize,
    n: usize,
    k: usize,
    a: Matrix,
    packed: *const f32,
    c: *mut f32,
    row: isize,
    accumulate: bool,
    scratch: &mut Scratch,
) {
    // SAFETY: what is asked of the caller.
    unsafe { multiply_packed_bf16(m, n, k, Operand::F32(a), packed, c, row, accumulate, scratch) }
}

/// A product as an executor runs it: B packed by all workers, then rows of A by whoever is free.
struct Shared {
    form: Form,
    pool: Pool,
    packed: Vec<f32>,
    scratches: Vec<Scratch>,
}

/// An address that workers share, each for a part of its own.
#[derive(Clone, Copy)]
struct Address(*mut f32);

// SAFETY: the parts of workers do not overlap.
unsafe impl Sync for Address {}

impl Address {
    fn at(&self, offset: usize) -> *mut f32 {
        self.0.wrapping_add(offset)
    }
}

impl Shared {
    fn new(shape: &Shape, threads: usize, form: Form) -> Shared {
        let packed = vec![0.0; (form.len)(shape.k, shape.n) + 16];
        Shared { form, pool: Pool::new(threads), packed, scratches: (0..threads).map(|_| Scratch::default()).collect() }
    }

    fn run(&mut self, [m, n, k]: [usize; 3], a: Matrix, b: Matrix, c: *mut f32) {
        let skipped = self.packed.as_ptr().align_offset(64);
        let (packed, c) = (Address(self.packed[skipped..].as_mut_ptr()), Address(c));
        let (form, scratches) = (self.form, self.scratches.as_mut_ptr() as usize);
        // SAFETY: each chunk is one panel of B.
        self.pool.run(panels(n), &|panel, _| unsafe { (form.pack)(panel, k, n, b, packed.at(0)) });
        self.pool.run(m.div_ceil(ROWS), &|chunk, worker| {
            let from = chunk * ROWS;
            let whole = a;
            let a = Matrix { data: whole.data.wrapping_offset(whole.row * from as isize), ..whole };
            // SAFETY: each worker has a scratch, each chunk its rows of C, and all panels are packed.
            unsafe {
                let scratch = &mut *(scratches as *mut Scratch).add(worker);
                let c = c.at(from * n);
                (form.multiply)(ROWS.min(m - from), n, k, a, packed.at(0), c, n as isize, false, scratch);
            }
        });
    }
}

/// The same products by crates that are known for them.
#[cfg(feature = "peers")]
mod peers {
    use super::Matrix;

    pub(super) fn faer([m, n, k]: [usize; 3], a: Matrix, b: Matrix, c: *mut f32) {
        // SAFETY: the matrices have these sizes, and C is dense.
        unsafe {
            let a = faer::MatRef::from_raw_parts(a.data, m, k, a.row, a.column);
            let b = faer::MatRef::from_raw_parts(b.data, k, n, b.row, b.column);
            let c = faer::MatMut::from_raw_parts_mut(c, m, n, n as isize, 1);
            faer::linalg::matmul::matmul(c, faer::Accum::Replace, a, b, 1.0_f32, faer::Par::Seq);
        }
    }

    pub(super) fn gemm([m, n, k]: [usize; 3], a: Matrix, b: Matrix, c: *mut f32) {
        let (a, b, c) = ((a.data, a.column, a.row), (b.data, b.column, b.row), (c, 1, n as isize));
        let one_thread = gemm::Parallelism::None;
        // SAFETY: as above.
        unsafe {
            gemm::gemm(
                m, n, k, c.0, c.1, c.2, false, a.0, a.1, a.2, b.0, b.1, b.2, 0.0, 1.0, false, false, false, one_thread,
            );
        }
    }
}

fn functions() {
    const N: usize = 4096;
    let (x, y): (Vec<f32>, Vec<f32>) = (numbers(N, 3).iter().map(|x| 3.0 * x + 3.01).collect(), numbers(N, 4));
    let mut out = vec![0.0; N];
    println!("\n10^9 elements a second, 4096 elements\n\n| function | |\n| --- | --- |");
    for f in Function::ALL {
        let speed = match f.arity() {
            1 => per_second(N, || unary(f, &x, &mut out)),
            2 => per_second(N, || binary(f, &x, &y, &mut out)),
            _ => continue,
        };
        println!("| `{}` | {speed:.1} |", f.name());
    }
    println!("| product added to a slice | {:.1} |", per_second(N, || multiply_add_to(&x, &y, &mut out)));
    println!("| dot product | {:.1} |", per_second(N, || _ = black_box(dot(&x, &y))));
    code(&x[..BLOCK], &y[..BLOCK]);
}

/// `x / y * 3 + x` of a block, as three steps and as two.
fn code(x: &[f32], y: &[f32]) {
    let (own, other, three, none) = (Term::Arg(0), Term::Arg(1), Term::Number(3.0), Term::Number(0.0));
    let one = |arithmetic, a, b| Step { act: Act::Arithmetic(arithmetic), terms: [a, b, none] };
    let (quotient, sum) = (one(Arithmetic::Div, own, other), one(Arithmetic::Add, Term::Step(0), own));
    let product = one(Arithmetic::Mul, Term::Step(0), three);
    let apart = [quotient, product, Step { terms: [Term::Step(1), own, none], ..sum }];
    let pair = Step { act: Act::Pair(Arithmetic::Div, Arithmetic::Mul), terms: [own, other, three] };
    let (mut registers, mut out) = ([0.0; 3 * BLOCK], [0.0; BLOCK]);
    let kinds: [(&str, &[Step]); 2] = [("three steps", &apart), ("a pair and a step", &[pair, sum])];
    for (what, steps) in kinds {
        let args = [Block::Each(x), Block::Each(y)];
        let run = || run_code(steps, Term::Step(steps.len() - 1), &args, &mut registers, &mut out);
        println!("| {what} of a block | {:.1} |", per_second(BLOCK, run));
    }
}

fn rows() {
    const N: usize = 256;
    let x = numbers(16 * N, 5);
    let mut out = vec![0.0; 16];
    println!("\n10^9 elements a second, 16 rows of 256; AdamW of 65,536\n\n| | |\n| --- | --- |");
    for kind in [RowReduction::Sum, RowReduction::Max, RowReduction::LogSumExp] {
        println!("| {kind:?} | {:.1} |", per_second(x.len(), || reduce_rows(kind, &x, N, &mut out)));
    }
    let mut weights = x.clone();
    let softmax = || {
        weights.copy_from_slice(&x);
        softmax_rows(&mut weights, N, None);
    };
    println!("| softmax, and a copy | {:.1} |", per_second(x.len(), softmax));
    let gradients = numbers(1 << 16, 6);
    let (mut w, mut m, mut v) = (gradients.clone(), vec![0.0; 1 << 16], vec![0.0; 1 << 16]);
    let (beta1, beta2, fresh1, fresh2) = (0.9, 0.95, 0.1, 0.05);
    let update = Update { scale: 1.0, beta1, beta2, fresh1, fresh2, rate: 1e-3, root: 1.0, epsilon: 1e-8, kept: 0.999 };
    println!("| AdamW | {:.1} |", per_second(w.len(), || adamw(&update, &mut w, &gradients, &mut m, &mut v)));
    println!("| sum of squares | {:.1} |", per_second(gradients.len(), || _ = black_box(sum_of_squares(&gradients))));
    faded();
}

/// Sums over a chunk of 32 positions of rows of 32 that fade: elements of all pairs of positions.
fn faded() {
    const N: usize = 32;
    let fade = Fade { late: true, own: true };
    let [q, u, v] = [7, 8, 9].map(|seed| numbers(N * N, seed));
    let [a, b] = [10, 11].map(|seed| numbers(N * N, seed).into_iter().map(|x| 0.95 + 0.05 * x).collect::<Vec<_>>());
    let (mut out, mut room) = (vec![0.0; N * N], vec![0.0; 4 * N * N]);
    let pairs = N * (N + 1) / 2 * N;
    println!("| faded scores | {:.1} |", per_second(pairs, || faded_scores(N, N, &q, &u, &a, fade, &mut out)));
    let sums = || {
        out.fill(0.0);
        faded_sums(N, N, &q, &u, &a, fade, &mut out);
    };
    println!("| faded sums | {:.1} |", per_second(pairs, sums));
    let dots = || {
        out.fill(0.0);
        faded_dots(N, N, &q, (&u, &a, fade), (&v, &b, fade), &mut out, &mut room);
    };
    println!("| faded sums that meet | {:.1} |", per_second(pairs, dots));
}

/// Numbers in -1..1 that look random.
fn numbers(n: usize, seed: u32) -> Vec<f32> {
    let mut x = seed;
    let mut next = || {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// Billions of elements a second of `f`, which goes over `n`.
fn per_second(n: usize, f: impl FnMut()) -> f64 {
    n as f64 / in_turn(&mut [("", Box::new(f))])[0] / 1e9
}

/// Seconds that each way takes, in turn with the others.
fn in_turn(ways: &mut [Way]) -> Vec<f64> {
    ways.iter_mut().for_each(|(_, way)| way());
    let (begun, mut times) = (Instant::now(), vec![Vec::new(); ways.len()]);
    while begun.elapsed().as_secs_f64() < SECONDS || times[0].len() < 9 {
        for ((_, way), times) in ways.iter_mut().zip(&mut times) {
            let begun = Instant::now();
            way();
            times.push(begun.elapsed().as_secs_f64());
        }
    }
    times.into_iter().map(undisturbed).collect()
}

/// What a tenth of the times are below.
fn undisturbed(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 10]
}
