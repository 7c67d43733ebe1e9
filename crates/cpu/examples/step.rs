//! Times steps of a design: `step FILE [width blocks context rows vocabulary threads steps]`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::time::Instant;

use genesys_cpu::{Executor, Program, Shape};
use genesys_ir::parameters;
use genesys_ladder::Scale;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let number = |i: usize, default: u64| args.get(i).map_or(default, |n| n.parse().unwrap());
    let scale = Scale {
        width: number(2, 256),
        blocks: number(3, 8),
        context: number(4, 256),
        rows: number(5, 4),
        vocabulary: number(6, 4096),
        ..Scale::named("14M").unwrap()
    };
    let text = std::fs::read_to_string(&args[1]).unwrap();
    let design = genesys_compiler::check_text("design", &text).design.unwrap();
    let start = Instant::now();
    let module = genesys_compiler::compile(&design, &scale, scale.vocabulary).unwrap();
    let backward = genesys_autodiff::differentiate(&module).unwrap();
    let half = start.elapsed();
    let shape = Shape { rows: scale.rows as usize, context: scale.context as usize };
    let program = Program::new(&backward, shape).unwrap();
    println!("compiled in {half:?}, placed in {:?}, {} MB", start.elapsed() - half, program.bytes(2) >> 20);
    let mut weights = Vec::new();
    for (i, parameter) in parameters(&backward).unwrap().iter().enumerate() {
        let n: usize = parameter.shape.iter().product();
        let state = genesys_random::mix(i as u64);
        let gain = parameter.name.ends_with("gain");
        weights.extend((0..n as u64).map(|k| {
            let u = genesys_random::unit(genesys_random::at(state, k)) as f32 - 0.5;
            if gain { 1.0 } else { 0.08 * u }
        }));
    }
    let mut gradients = vec![0.0; weights.len()];
    let n = shape.rows * shape.context;
    let tokens: Vec<u32> = (0..n as u32 + 1).map(|i| i.wrapping_mul(2_654_435_761) % scale.vocabulary as u32).collect();
    let mut executor = Executor::new(program, number(7, 2) as usize);
    let mut times = Vec::new();
    let mut kinds: BTreeMap<String, f64> = BTreeMap::new();
    let mut losses = None;
    for step in 0..number(8, 12) {
        let begin = Instant::now();
        let mut last = begin;
        losses = Some(executor.watched(&weights, &mut gradients, &tokens[..n], &tokens[1..], &mut |through| {
            let now = Instant::now();
            if step > 1 {
                let key = format!("{:20} {:2} {}", through.function, through.kernel, through.kind);
                *kinds.entry(key).or_default() += (now - last).as_secs_f64() * 1e3;
            }
            last = now;
        }));
        if step > 1 {
            times.push(begin.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    for (kind, time) in &kinds {
        println!("{kind:40} {:8.2} ms", time / times.len() as f64);
    }
    println!("{} weights, {losses:?}", weights.len());
    println!("median {:.1} ms, min {:.1} ms", times[times.len() / 2], times[0]);
}
