//! The time and the work of each kernel, given to the units that it works for.
//!
//! In: what was measured. Out: pieces, which add up to the step. Sums over them are all that is told.

use genesys_cpu::{KernelWork, Work};

use crate::measure::{KernelTime, Measured};

/// Operations and bytes, shared out: no whole numbers any more.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Amount {
    pub(crate) seconds: f64,
    pub(crate) products: f64,
    pub(crate) elementwise: f64,
    pub(crate) read: f64,
    pub(crate) written: f64,
}

/// What a kernel does for one unit in one operation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Piece<'a> {
    /// The function, and the calls that lead to the unit.
    pub(crate) unit: Vec<&'a str>,
    pub(crate) backward: bool,
    pub(crate) kernel: &'a KernelWork,
    /// The operation, in a word.
    pub(crate) what: &'a str,
    /// Whether the whole kernel is the unit's.
    pub(crate) alone: bool,
    pub(crate) amount: Amount,
}

/// Operations of AdamW for one number, its square for the norm with them: see `genesys_kernels::adamw`.
const UPDATE: f64 = 17.0;

/// The gradient for its norm; then weight, gradient and both moments are read, and all but the gradient written.
const UPDATE_READ: f64 = 20.0;
const UPDATE_WRITTEN: f64 = 12.0;

impl Amount {
    pub(crate) fn add(&mut self, other: Amount) {
        self.seconds += other.seconds;
        self.products += other.products;
        self.elementwise += other.elementwise;
        self.read += other.read;
        self.written += other.written;
    }

    pub(crate) fn operations(self) -> f64 {
        self.products + self.elementwise
    }

    pub(crate) fn bytes(self) -> f64 {
        self.read + self.written
    }

    fn of(work: Work, seconds: f64, part: f64) -> Self {
        let [products, elementwise, read, written] =
            [work.products, work.elementwise, work.read, work.written].map(|n| n as f64 * part);
        Self { seconds, products, elementwise, read, written }
    }
}

/// The pieces of all kernels, in their order.
pub(crate) fn pieces(measured: &Measured) -> Vec<Piece<'_>> {
    measured.kernels.iter().flat_map(|kernel| of_kernel(kernel, measured.runs as f64)).collect()
}

fn of_kernel(KernelTime { work: kernel, seconds, shares }: &KernelTime, runs: f64) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    for (operation, share) in kernel.operations.iter().zip(shares) {
        for portion in &operation.portions {
            pieces.push(Piece {
                unit: unit(kernel, &portion.unit),
                backward: operation.backward,
                kernel,
                what: operation.what,
                alone: true,
                amount: Amount::of(operation.work, seconds * share * portion.part, portion.part * runs),
            });
        }
    }
    let alone = pieces.windows(2).all(|two| (&two[0].unit, two[0].backward) == (&two[1].unit, two[1].backward));
    pieces.iter_mut().for_each(|piece| piece.alone = alone);
    pieces
}

/// The name of a unit: behind that of its function, but for what the model does around all functions.
fn unit<'a>(kernel: &'a KernelWork, calls: &'a [String]) -> Vec<&'a str> {
    let calls = calls.iter().map(String::as_str);
    match (kernel.function.as_str(), calls.len()) {
        ("main", 0) => vec!["model"],
        ("main", _) => calls.collect(),
        (function, _) => std::iter::once(function.strip_suffix(".adjoint").unwrap_or(function)).chain(calls).collect(),
    }
}

/// What updating the weights does.
pub(crate) fn optimizer(measured: &Measured) -> Amount {
    let numbers = measured.parameters as f64;
    Amount {
        seconds: measured.optimizer,
        products: 0.0,
        elementwise: UPDATE * numbers,
        read: UPDATE_READ * numbers,
        written: UPDATE_WRITTEN * numbers,
    }
}
