//! Products summed over all positions.

use genesys_kernels::{Matrix, pack_panel, panels};

use crate::contract::Contraction;
use crate::kernel::{Products, Shared};
use crate::run::kernel::{Bases, Reach, Workers, located, whole};
use crate::run::meter::Watch;
use crate::run::{Context, Step};

/// How many rows of a product are a part; each part of one of bf16 packs all columns for itself.
pub(crate) const ROWS: usize = 96;
const ROUNDED_ROWS: usize = 192;

/// For how many positions shared operands are packed at a time: whole blocks of a product, so that where items are of whole
/// tiles sums have the bits that they have without this.
pub(crate) const BLOCK: usize = 1024;

/// Products, with the operands that they share packed before, block after block.
pub(super) fn sums(Products { plans, shared }: &Products, bases: Bases<'_>, step: &Step<'_>, workers: &Workers<'_>) {
    if shared.is_empty() {
        return multiply(plans, 0, Reach::all(step), bases, step, workers);
    }
    let mut next = Reach::NONE.next(step, BLOCK);
    while let Some(reach) = next {
        pack(shared, plans.len(), reach, bases, step, workers);
        multiply(plans, 0, reach, bases, step, workers);
        next = reach.next(step, BLOCK);
    }
}

fn reached<'a>(reach: Reach, bases: Bases<'a>, step: &'a Step<'a>) -> Context<'a> {
    Context { t: reach.start, start: reach.start, rows: reach.positions, ..whole(bases, step) }
}

/// Packs operands for some positions; counted as the kernel's operations behind so many others.
fn pack(shared: &[Shared], behind: usize, reach: Reach, bases: Bases<'_>, step: &Step<'_>, workers: &Workers<'_>) {
    let parts = shared.iter().map(|shared| panels(shared.n)).sum();
    workers.run(parts, &|part, worker| {
        let (i, panel) = located(part, shared.iter().map(|shared| panels(shared.n)));
        let Shared { b, n, out, of: _ } = shared[i];
        let mut watch = worker.room.meter.is_some().then(Watch::start);
        let data = reached(reach, bases, step).at(b).cast_const();
        let matrix = Matrix { data, row: b.row as isize, column: 1 };
        // SAFETY: the buffer has room for a block of positions, and each panel is one part's.
        unsafe { pack_panel(panel, reach.positions, n, matrix, bases.0[out.0 as usize]) };
        if let Some(watch) = &mut watch {
            watch.lap(&mut worker.room.meter, behind + i);
        }
    });
}

/// Products, which are counted as the kernel's operations behind so many others.
pub(super) fn multiply(
    products: &[Contraction],
    behind: usize,
    reach: Reach,
    bases: Bases<'_>,
    step: &Step<'_>,
    workers: &Workers<'_>,
) {
    let all = || reached(reach, bases, step);
    let rows = |plan: &Contraction| all().count(plan.m.extent);
    let rows_of = |plan: &Contraction| if plan.rounds { ROUNDED_ROWS } else { ROWS };
    let pieces = |plan: &Contraction| rows(plan).div_ceil(rows_of(plan));
    let parts = products.iter().map(pieces).sum();
    workers.run(parts, &|part, worker| {
        let (i, piece) = located(part, products.iter().map(pieces));
        let plan = &products[i];
        let from = piece * rows_of(plan);
        let to = (from + rows_of(plan)).min(rows(plan));
        let mut watch = worker.room.meter.is_some().then(Watch::start);
        all().contract_rows(plan, (from, to), plan.accumulate || reach.start > 0, &mut worker.room);
        if let Some(watch) = &mut watch {
            watch.lap(&mut worker.room.meter, behind + i);
        }
    });
}
