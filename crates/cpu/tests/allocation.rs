//! A step allocates nothing: all memory is there from the first one on.
#![allow(unsafe_code, reason = "an allocator that counts is one")]
#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "this one compares nothing")]
mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{compiled, designs};
use genesys_cpu::{Executor, Precision, Program, Shape};

/// The system's allocator, with a count of what is asked of it.
struct Counting;

static ASKED: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all is handed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as asked of the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as asked of the caller.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn a_step_allocates_nothing() {
    let all = [designs("designs"), designs("designs/mechanisms")].concat();
    for name in ["gpt", "gla", "octave", "moe_balance", "nsa", "ttt_linear"] {
        let (_, text) = all.iter().find(|(known, _)| known == name).expect("a shipped design");
        let module = compiled(name, text, 64).unwrap();
        let backward = genesys_opt::optimize(&genesys_autodiff::differentiate(&module).unwrap());
        let shape = Shape { rows: 2, context: 40 };
        for precision in [Precision::F32, Precision::Bf16] {
            // One worker, for what grows on first use has its size then after a step.
            let mut executor = Executor::new(Program::new(&backward, shape, precision).unwrap(), 1);
            let weights = vec![0.01; executor.program().weights()];
            let mut gradients = vec![0.0; weights.len()];
            let tokens: Vec<u32> = (0..80).map(|i| i % 11).collect();
            executor.step(&weights, &mut gradients, &tokens, &tokens);
            let before = ASKED.load(Ordering::Relaxed);
            executor.step(&weights, &mut gradients, &tokens, &tokens);
            assert_eq!(ASKED.load(Ordering::Relaxed) - before, 0, "{name} in {precision:?}");
        }
    }
}
