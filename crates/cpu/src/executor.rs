//! Steps: threads and memory, made once.

#![allow(unsafe_code, reason = "the arena is shared by the workers; see `run`")]

use std::fmt;
use std::sync::Arc;

use genesys_ir::module::IGNORE;
use genesys_kernels::{Lines, Pool};

use crate::kernel::Kernel;
use crate::lower::{Lowered, Shape};
use crate::program::{Address, Program, Space};
use crate::run::kernel::{Bases, Worker, Workers, run};
use crate::run::meter::{Meter, Spent};
use crate::run::{Room, Step};

/// What a step measures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Losses {
    /// The mean loss of the tokens that count, in nats.
    pub loss: f32,
    /// The sum of the units' own losses, where there are any.
    pub auxiliary: Option<f32>,
}

/// A kernel that a step is through with.
#[derive(Clone, Copy, Debug)]
pub struct Through<'a> {
    /// The function that it is of.
    pub function: &'a str,
    /// Which of the function's kernels.
    pub kernel: usize,
    /// What it does, in a word.
    pub kind: &'static str,
    /// What its operations took, where that is [metered](Executor::meter): as [`Program::work`] lists them, the last ones
    /// missing where they did not run.
    pub spent: &'a [Spent],
}

/// A program with threads and memory.
pub struct Executor {
    program: Program,
    pool: Arc<Pool>,
    arena: Lines,
    workers: Vec<Worker>,
    /// For each instance, where its buffers are.
    tables: Vec<Vec<*mut f32>>,
    /// What the operations of the last kernel took.
    spent: Vec<Spent>,
}

// SAFETY: the pointers are into the arena, or set anew in each step from the slices that it is given.
unsafe impl Send for Executor {}

impl Executor {
    /// An executor with so many threads, of which the caller of a step is one.
    pub fn new(program: Program, threads: usize) -> Self {
        Self::on(program, Arc::new(Pool::new(threads.max(1))))
    }

    /// An executor on threads that others use as well, one after the other.
    pub fn on(program: Program, pool: Arc<Pool>) -> Self {
        let mut arena = Lines::zeros(program.arena);
        let base = arena.as_mut_ptr();
        for (offset, value) in &program.constants {
            // SAFETY: it was taken from the arena.
            unsafe { *base.add(*offset) = *value };
        }
        let worker = |_| Worker { locals: Lines::zeros(program.needs.locals + 32), room: Room::new(program.needs) };
        let workers = (0..pool.threads()).map(worker).collect();
        let table = |addresses: &Vec<Address>| vec![std::ptr::null_mut(); addresses.len()];
        let tables = program.instances.iter().map(|instance| table(&instance.addresses)).collect();
        let mut executor = Self { program, pool, arena, workers, tables, spent: Vec::new() };
        executor.set_up();
        executor
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Of main's arguments that are no tokens the `i`-th, which the next step reads: positions of one row behind the other, and
    /// its axes in the order of its type. The cotangents that a pullback takes are arguments, too.
    ///
    /// # Panics
    /// There is none.
    pub fn input(&mut self, i: usize) -> &mut [f32] {
        let (offset, elements) = self.program.inputs[i];
        // SAFETY: inputs were placed in the arena, which is borrowed as long as the slice.
        unsafe { std::slice::from_raw_parts_mut(self.arena.as_mut_ptr().add(offset), elements) }
    }

    /// Of main's results that are no gradients of weights the `i`-th, as the last step left it; laid out as arguments are.
    ///
    /// # Panics
    /// There is none.
    pub fn output(&self, i: usize) -> &[f32] {
        let (offset, elements) = self.program.outputs[i];
        // SAFETY: outputs were placed in the arena, which is borrowed as long as the slice.
        unsafe { std::slice::from_raw_parts(self.arena.as_ptr().add(offset), elements) }
    }

    /// Says whether the operations of kernels are timed in the steps to come, which are slower for it.
    pub fn meter(&mut self, on: bool) {
        self.workers.iter_mut().for_each(|worker| worker.room.meter = on.then(Meter::default));
    }

    /// Computes what depends on positions alone.
    fn set_up(&mut self) {
        let base = self.arena.as_mut_ptr();
        let shape = Shape { rows: 1, ..self.program.shape };
        let step = Step { shape, tokens: &[], targets: &[], share: 0.0 };
        let workers = Workers { pool: &self.pool, each: self.workers.as_mut_ptr() };
        for instance in &self.program.fixed {
            // SAFETY: the addresses lie in the arena.
            let table: Vec<*mut f32> = instance.addresses.iter().map(|a| unsafe { base.add(a.offset) }).collect();
            for kernel in &self.program.functions[instance.function].setup {
                run(kernel, Bases(&table), &step, &workers);
            }
        }
    }

    /// Losses of a batch, and where the program gives them, the gradients of their sum by the weights.
    ///
    /// `tokens` and `targets` are rows one behind the other, `[rows * context]`; a target may be `IGNORE`. `weights` and
    /// `gradients` have an element for each number of a weight.
    ///
    /// # Panics
    /// A slice has another length than the program was made for, or a token is not of the vocabulary.
    pub fn step(&mut self, weights: &[f32], gradients: &mut [f32], tokens: &[u32], targets: &[u32]) -> Losses {
        self.watched(weights, gradients, tokens, targets, &mut |_| {})
    }

    /// As [`step`](Self::step), where these rows are a part of a batch in which `counted` tokens count: means are over these. So
    /// what the parts give adds up to losses and gradients of the batch, where the losses are
    /// [additive](genesys_ir::additive_losses). `watch` is told of each kernel when it is through.
    pub fn part(
        &mut self,
        weights: &[f32],
        gradients: &mut [f32],
        tokens: &[u32],
        targets: &[u32],
        counted: usize,
        watch: &mut dyn FnMut(Through<'_>),
    ) -> Losses {
        self.run(weights, gradients, [tokens, targets], counted, watch)
    }

    /// As [`step`](Self::step); `watch` is told of each kernel when it is through.
    pub fn watched(
        &mut self,
        weights: &[f32],
        gradients: &mut [f32],
        tokens: &[u32],
        targets: &[u32],
        watch: &mut dyn FnMut(Through<'_>),
    ) -> Losses {
        let counted = targets.iter().filter(|target| **target != IGNORE).count();
        self.run(weights, gradients, [tokens, targets], counted, watch)
    }

    fn run(
        &mut self,
        weights: &[f32],
        gradients: &mut [f32],
        [tokens, targets]: [&[u32]; 2],
        counted: usize,
        watch: &mut dyn FnMut(Through<'_>),
    ) -> Losses {
        let Program { shape, instances, functions, losses, .. } = &self.program;
        assert_eq!(weights.len(), self.program.weights, "one number for each of the weights");
        assert!(gradients.len() == weights.len() || gradients.is_empty(), "one gradient for each weight");
        assert_eq!((tokens.len(), targets.len()), (shape.positions(), shape.positions()), "a token for each position");
        let known = |token: &u32| (*token as usize) < self.program.tokens;
        assert!(tokens.iter().all(known), "tokens are of the vocabulary");
        assert!(targets.iter().all(|t| *t == IGNORE || known(t)), "targets are of the vocabulary");
        let share = if counted == 0 { 0.0 } else { 1.0 / counted as f32 };
        let base = self.arena.as_mut_ptr();
        for (instance, table) in instances.iter().zip(&mut self.tables) {
            for (address, place) in instance.addresses.iter().zip(table) {
                let space = match address.space {
                    Space::Weights => weights.as_ptr().cast_mut(),
                    Space::Gradients => gradients.as_mut_ptr(),
                    Space::Arena => base,
                };
                // SAFETY: addresses were planned within these slices; weights are never written.
                *place = unsafe { space.add(address.offset) };
            }
        }
        let step = Step { shape: *shape, tokens, targets, share };
        let workers = Workers { pool: &self.pool, each: self.workers.as_mut_ptr() };
        let (tables, spent) = (&self.tables, &mut self.spent);
        let mut go = |call: usize, function: &str, i: usize, kernel: &Kernel| {
            run(kernel, Bases(&tables[call]), &step, &workers);
            spent.clear();
            workers.empty_into(spent);
            watch(Through { function, kernel: i, kind: kernel.kind(), spent });
        };
        let mut call = 0;
        for (i, kernel) in functions[instances[0].function].kernels.iter().enumerate() {
            match kernel {
                Kernel::Call { function, .. } => {
                    call += 1;
                    let Lowered { name, kernels, .. } = &functions[*function];
                    kernels.iter().enumerate().for_each(|(i, kernel)| go(call, name, i, kernel));
                }
                kernel => go(0, "main", i, kernel),
            }
        }
        // SAFETY: losses were placed in the arena.
        let loss = |i: usize| losses.get(i).map(|offset| unsafe { *base.add(*offset) });
        Losses { loss: loss(0).unwrap_or(0.0), auxiliary: loss(1) }
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor").field("shape", &self.program.shape).field("threads", &self.pool.threads()).finish()
    }
}
