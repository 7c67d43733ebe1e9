//! What a step of a program does, counted: operations and bytes of each kernel, and which units of the design they are for.
//!
//! In: a program, and the module that it is of. Out: its kernels in the order of a step, with their operations. Counted is what
//! the design asks for: of a past what each position sees, whatever a tile holds; what is computed again is counted again. Not
//! here: times, which `executor` measures.
//!
//! Arithmetic is counted as `genesys explain` does: two operations for a product that is added, one for a function of an element,
//! four for an element of a softmax or a cross-entropy. Bytes are those that a kernel cannot do without: each buffer that it reads
//! or writes, once; values that stay in a worker's memory are none, and neither is what a kernel reads of what it wrote.

use std::collections::BTreeSet;
use std::ops::AddAssign;

use genesys_ir::module::{ADJOINT, Function, Module, ValueId};
use genesys_ir::{Origins, Share, Unit};
use genesys_kernels::{packed_len, packed_len_bf16};

use crate::contract::Contraction;
use crate::kernel::{Kernel, Over, Products, Shared, Tile};
use crate::lower::{Lowered, TILE};
use crate::op::Op;
use crate::program::Program;
use crate::work::count::{Sizes, sizes};

mod count;
mod traffic;

/// How much is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Operations of sums of products and of updates of states; a multiplication and an addition are two.
    pub products: u64,
    /// Operations on single elements: functions, reductions, softmax.
    pub elementwise: u64,
    /// Bytes that are read from memory.
    pub read: u64,
    /// Bytes that are written to memory.
    pub written: u64,
}

/// A part of what an operation does, and whose it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Portion {
    /// The unit, as calls lead to it from the function; none for the function's own text.
    pub unit: Unit,
    /// How much of the operation is its: the portions of an operation add up to 1.
    pub part: f64,
}

/// An operation of a kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// What it is, in a word.
    pub what: &'static str,
    /// Whether it belongs to the backward pass.
    pub backward: bool,
    /// The units that it is for.
    pub portions: Vec<Portion>,
    /// How much it does in a step.
    pub work: Work,
}

/// A kernel as it runs in a step.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelWork {
    /// The function that it is of.
    pub function: String,
    /// The path of the call, as the weights of the block have it; empty for `main`.
    pub call: String,
    /// Which of the function's kernels.
    pub kernel: usize,
    /// What it does, in a word.
    pub kind: &'static str,
    /// Its operations.
    pub operations: Vec<Operation>,
}

impl Work {
    /// All operations.
    pub fn operations(self) -> u64 {
        self.products + self.elementwise
    }

    /// All bytes.
    pub fn bytes(self) -> u64 {
        self.read + self.written
    }
}

impl AddAssign for Work {
    fn add_assign(&mut self, other: Work) {
        self.products += other.products;
        self.elementwise += other.elementwise;
        self.read += other.read;
        self.written += other.written;
    }
}

impl Program {
    /// What a step does, kernel by kernel in their order. `module` is what the program was made of.
    ///
    /// # Panics
    /// It is another module.
    pub fn work(&self, module: &Module) -> Vec<KernelWork> {
        assert_eq!(module.functions.len(), self.functions.len(), "the module is the program's");
        let works: Vec<Vec<KernelWork>> =
            module.functions.iter().zip(&self.functions).map(|(ir, lowered)| self.of_function(ir, lowered)).collect();
        let main = self.instances[0].function;
        let mut all = Vec::new();
        let mut own = works[main].iter();
        for kernel in &self.functions[main].kernels {
            match kernel {
                Kernel::Call { function, path, .. } => {
                    let called = |kernel: &KernelWork| KernelWork { call: path.clone(), ..kernel.clone() };
                    all.extend(works[*function].iter().map(called));
                }
                _ => all.push(own.next().expect("each kernel that is no call was counted").clone()),
            }
        }
        all
    }

    /// The values of a function from this one on belong to the backward pass: all of an adjoint, none of a function of the model,
    /// and in `main`, which runs forward and then through itself backwards, those behind the losses.
    fn first_backward(&self, function: &Function) -> ValueId {
        let losses = function.body.results.iter().take(self.losses.len());
        match (function.adjoint, function.name.ends_with(ADJOINT)) {
            (true, true) => ValueId(0),
            (true, false) => ValueId(losses.max().map_or(0, |id| id.0 + 1)),
            (false, _) => ValueId(u32::MAX),
        }
    }

    /// The kernels of a function, but for calls.
    fn of_function(&self, ir: &Function, lowered: &Lowered) -> Vec<KernelWork> {
        let origins = ir.origins();
        let kernels = lowered.kernels.iter().enumerate();
        let counted = kernels.filter(|(_, kernel)| !matches!(kernel, Kernel::Call { .. })).map(|(i, kernel)| {
            let counter = Counter { program: self, lowered, origins: &origins, first: self.first_backward(ir) };
            KernelWork {
                function: lowered.name.clone(),
                call: String::new(),
                kernel: i,
                kind: kernel.kind(),
                operations: counter.kernel(kernel),
            }
        });
        counted.collect()
    }
}

/// Counts the kernels of a function.
struct Counter<'a> {
    program: &'a Program,
    lowered: &'a Lowered,
    origins: &'a Origins,
    /// The first value of the backward pass.
    first: ValueId,
}

/// What of memory a kernel has seen: a place, and how it was walked.
type Known = BTreeSet<traffic::Key>;

impl Counter<'_> {
    fn kernel(&self, kernel: &Kernel) -> Vec<Operation> {
        let shape = self.program.shape;
        match kernel {
            Kernel::Once(tile) | Kernel::Each(tile, _) | Kernel::Past { tile, .. } => self.tile(kernel, tile),
            Kernel::Scan(scan) => self.tile(kernel, &scan.tile),
            Kernel::Pair(pair) => self.tile(kernel, &pair.tile),
            Kernel::Chunkwise(chunkwise) => self.tile(kernel, &chunkwise.tile),
            Kernel::Pack(packs) => {
                let pack = |pack: &crate::kernel::Pack| {
                    let read = 4 * (pack.k.0 * pack.n.0) as u64;
                    let length = if pack.rounds { packed_len_bf16 } else { packed_len };
                    let written = 4 * length(pack.k.0, pack.n.0) as u64;
                    self.operation("pack", pack.of, Work { read, written, ..Work::default() })
                };
                packs.iter().map(pack).collect()
            }
            Kernel::Products(Products { plans, shared }) => {
                [self.products(plans), shared.iter().map(|shared| self.shared(shared)).collect()].concat()
            }
            Kernel::Chunks { tile, products, .. } => [self.tile(kernel, tile), self.products(products)].concat(),
            Kernel::Finish(finishes) => {
                let finish = |finish: &crate::kernel::Finish| {
                    let parts = match finish.over {
                        Over::Tiles => shape.rows * shape.context.div_ceil(TILE),
                        Over::Tasks(tasks) => shape.rows * tasks,
                    };
                    let summed = (parts * finish.width) as u64;
                    let written = 4 * (finish.groups * finish.width) as u64;
                    let work = Work { elementwise: summed, read: 4 * summed, written, products: 0 };
                    self.operation("finish", Some(finish.of), work)
                };
                finishes.iter().map(finish).collect()
            }
            Kernel::Scatter { width, tokens, of, .. } => {
                let added = (shape.positions() * width) as u64;
                let work =
                    Work { elementwise: added, read: 4 * added, written: 4 * (tokens * width) as u64, products: 0 };
                vec![self.operation("scatter", Some(*of), work)]
            }
            Kernel::Call { .. } => unreachable!("calls are counted as the kernels of what they call"),
        }
    }

    /// Each block of positions is packed where the one before lay.
    fn shared(&self, Shared { n, of, .. }: &Shared) -> Operation {
        let elements = self.program.shape.positions() * n;
        let (read, written) = (4 * elements as u64, 4 * packed_len(self.program.shape.positions(), *n) as u64);
        self.operation("pack", *of, Work { read, written, ..Work::default() })
    }

    fn products(&self, products: &[Contraction]) -> Vec<Operation> {
        let (sizes, mut known) = (Sizes::whole(self.program.shape), Known::new());
        let each = |plan: &Contraction| {
            let products = count::product(plan, &sizes);
            let (read, written) = self.contracted(plan, &mut known);
            self.operation("product", plan.of, Work { products, read, written, elementwise: 0 })
        };
        products.iter().map(each).collect()
    }

    fn tile(&self, kernel: &Kernel, tile: &Tile) -> Vec<Operation> {
        let mut known = Known::new();
        let all = sizes(kernel, self.program.shape);
        let mut operations = Vec::with_capacity(tile.ops.len());
        let mut last = tile.marks.iter().copied().flatten().next();
        for (i, op) in tile.ops.iter().enumerate() {
            let mut work = Work::default();
            for sizes in all.iter().filter(|sizes| sizes.operations.contains(&i)) {
                let (products, elementwise) = count::operations(op, sizes);
                work.products += sizes.times * products;
                work.elementwise += sizes.times * elementwise;
            }
            (work.read, work.written) = self.traffic(kernel, op, &mut known);
            last = tile.marks.get(i).copied().flatten().or(last);
            operations.push(self.operation(name(op), last, work));
        }
        operations
    }

    fn operation(&self, what: &'static str, of: Option<ValueId>, work: Work) -> Operation {
        let backward = of.map_or(self.first == ValueId(0), |id| id >= self.first);
        Operation { what, backward, portions: portions(self.origins, of), work }
    }
}

/// Whose a value is; of what nothing is known the function's own text.
pub(crate) fn portions(origins: &Origins, of: Option<ValueId>) -> Vec<Portion> {
    let shares = of.map_or(&[][..], |id| origins.of(id));
    let all: u32 = shares.iter().map(|share| share.weight).sum();
    let portion = |share: &Share| Portion {
        unit: origins.unit(share.unit).clone(),
        part: f64::from(share.weight) / f64::from(all.max(1)),
    };
    match shares {
        [] => vec![Portion { unit: Unit::new(), part: 1.0 }],
        shares => shares.iter().map(portion).collect(),
    }
}

/// What an operation is, in a word.
fn name(op: &Op) -> &'static str {
    match op {
        Op::Map { code, .. } if code.steps.is_empty() => "copy",
        Op::Map { .. } => "map",
        Op::Reduce { .. } => "reduce",
        Op::Softmax { .. } => "softmax",
        Op::Contract(_) => "product",
        Op::Sweep(_) => "sweep",
        Op::Decays(_) => "decays",
        Op::Diagonal(_) => "faded",
        Op::Triangle(_) => "triangle",
        Op::Convolve(_) => "convolve",
        Op::Mask { .. } => "mask",
        Op::Sum { .. } => "sum",
        Op::Position { .. } | Op::Index { .. } | Op::Age { .. } => "number",
        Op::Gather { .. } => "gather",
        Op::Shift { .. } => "shift",
        Op::Window { .. } => "window",
        Op::Pool { .. } => "pool",
        Op::CrossEntropy { .. } => "loss",
        Op::CrossEntropySlope { .. } => "slope",
        Op::Counted { .. } => "counted",
        Op::Top { .. } => "top",
        Op::Running { .. } => "running",
    }
}
