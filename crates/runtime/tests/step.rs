//! The step form of the shipped designs: what the training form gives, position by position, from any split into prompt
//! and steps; its gradients; branches of a state; and the state that it declares.
#![allow(clippy::unwrap_used)]

mod support;

use genesys_compiler::{check_text, compile};
use genesys_ir::module::Module;
use genesys_ladder::Scale;
use genesys_runtime::candle_core::{DType, Device, Tensor};
use genesys_runtime::{Model, State, gradients, on_large_stack};
use support::{close, declared, noise, numbers, splits};

const VOCABULARY: u64 = 41;
const ROWS: usize = 2;

/// A bit of everything that is kept, in blocks that share their weights and take a value from an earlier block.
const KEEPER: &str = "
design Keeper {
    stack = [First, share Block * 3]
}

unit First<H = 4, E = D / 4>(x: Seq[D]) -> (Seq[D], v1: Seq[H, E]) {
    let v = linear[D -> H, E](x)
    (x + shift([H, E -> D](v), 2), v)
}

unit Block<H = 4, E = D / 4, W = 4>(x: Seq[D], v1: Seq[H, E]) -> Seq[D] {
    let k = linear[D -> H, E](x + 0.1 * pos)
    let kept = sum[W](outer(index[W] - 1, window[W](k)))
    let near = softmax[Near](dot[E](kept, past[Near](k, window = 5, skip = 2)) - 0.3 * age[Near])
    let far = softmax[Past](dot[E](kept, past(v1)) + after[Past](past(log_sigmoid(mean[E](k)))))
    let y = scan S: [H, E] = 0.5, N: [H] = 0 {
        S <- tanh(sum[Past](far * past(v1)) + S)
        N <- 0.9 * N + 1
        yield S / N
    }
    x + [H, E -> D](y + sum[Near](near * past[Near](k, window = 5, skip = 2)) + 0.1 * shift(k, 6))
}
";

/// All designs of the seeds, the mechanisms and the peers, at a scale that a test can step through.
fn designs() -> Vec<(String, Module)> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let mut found = Vec::new();
    for folder in ["designs", "designs/mechanisms", "tests/peers/designs"] {
        let entries = std::fs::read_dir(format!("{root}/{folder}")).unwrap();
        found.extend(
            entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "gau")),
        );
    }
    found.sort();
    let scale = Scale::named("nano").unwrap();
    let text = |path: std::path::PathBuf| {
        (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&path).unwrap())
    };
    let module = |(name, text): (String, String)| {
        let checked = check_text(&name, &text);
        let design = checked.design.unwrap_or_else(|| panic!("{name}: {:?}", checked.diagnostics));
        let module = compile(&design, &scale, VOCABULARY).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, module)
    };
    found.into_iter().map(text).chain([("keeper".into(), KEEPER.into())]).map(module).collect()
}

fn model(module: Module, dtype: DType) -> Model {
    Model::init(module, 3, dtype, &Device::Cpu).unwrap()
}

fn rows(t: usize, seed: u64) -> Tensor {
    let data: Vec<u32> = noise(ROWS * t, seed).iter().map(|x| (x.abs() * 1e6) as u32 % VOCABULARY as u32).collect();
    Tensor::from_vec(data, (ROWS, t), &Device::Cpu).unwrap()
}

/// Scores `[b, t, v]` of tokens that are read in pieces, and the state behind them.
fn in_pieces(model: &Model, tokens: &Tensor, pieces: &[usize], graph: bool) -> (Tensor, State) {
    let mut state = model.start(ROWS);
    let (mut outputs, mut at) = (vec![], 0);
    for n in pieces {
        let piece = tokens.narrow(1, at, *n).unwrap();
        let (output, next) = if graph { model.extend(&state, &piece) } else { model.read(&state, &piece) }.unwrap();
        outputs.push(output);
        (state, at) = (next, at + n);
    }
    (Tensor::cat(&outputs, 1).unwrap(), state)
}

#[test]
fn both_forms_give_the_same_at_every_position() {
    for (name, module) in designs() {
        let model = model(module, DType::F64);
        for t in [1, 2, 37] {
            let tokens = rows(t, 5);
            let whole = numbers(&model.logits(&tokens).unwrap());
            for (pieces, graph) in splits(t).into_iter().zip([false, true, false]) {
                let (steps, state) = in_pieces(&model, &tokens, &pieces, graph);
                close(&format!("{name} in pieces {pieces:?}"), &numbers(&steps), &whole, 1e-9);
                assert_eq!(state.bytes().unwrap(), declared(&state), "{name} after {t} tokens");
            }
        }
    }
}

#[test]
fn the_state_is_as_large_as_declared_at_every_length() {
    for (name, module) in designs() {
        let model = model(module, DType::F64);
        let (tokens, mut state) = (rows(70, 5), model.start(ROWS));
        for t in 0..70 {
            state = model.read(&state, &tokens.narrow(1, t, 1).unwrap()).unwrap().1;
            assert_eq!(state.bytes().unwrap(), declared(&state), "{name} after {} tokens", t + 1);
            assert!(
                state.allocated() >= state.bytes().unwrap() && state.allocated() <= 64 * declared(&state),
                "{name}"
            );
        }
    }
}

/// How far gradients may differ. At the first positions conjugate gradients have solved their system before their rounds
/// are over, and go on with quotients of what rounding has left, which differs between the forms.
fn tolerance(name: &str) -> f64 {
    if name == "mesa_net" { 1e-3 } else { 1e-8 }
}

#[test]
fn gradients_flow_through_the_step_form() {
    for (name, module) in designs() {
        let model = model(module, DType::F64);
        let tokens = rows(9, 5);
        let seen =
            Tensor::from_vec(noise(ROWS * 9 * VOCABULARY as usize, 8), (ROWS, 9, VOCABULARY as usize), &Device::Cpu);
        let seen = seen.unwrap();
        let of = |logits: &Tensor| gradients(&(logits * &seen).unwrap().sum_all().unwrap(), &model).unwrap();
        let whole = of(&model.logits(&tokens).unwrap());
        for pieces in [vec![1; 9], vec![4, 1, 1, 3]] {
            let steps = on_large_stack(|| Ok(of(&in_pieces(&model, &tokens, &pieces, true).0))).unwrap();
            for ((parameter, whole), step) in model.parameters().iter().zip(&whole).zip(steps) {
                let what = format!("{name}: {} in pieces {pieces:?}", parameter.name);
                match (whole, step) {
                    (Some(whole), Some(step)) => close(&what, &numbers(&step), &numbers(whole), tolerance(&name)),
                    (whole, step) => assert!(whole.is_none() && step.is_none(), "{what}"),
                }
            }
        }
    }
}

#[test]
fn a_state_may_be_gone_on_from_twice() {
    for (name, module) in designs() {
        let model = model(module, DType::F64);
        let (start, left, right) = (rows(11, 5), rows(8, 6), rows(8, 7));
        let state = in_pieces(&model, &start, &[5, 1, 1, 1, 1, 1, 1], false).1;
        let mut branches = [(left, state.clone(), vec![]), (right, state, vec![])];
        // In turn, so that each finds what the other has written behind the state that they share.
        for t in 0..8 {
            for (tokens, state, scores) in &mut branches {
                let (next_scores, next) = model.read(state, &tokens.narrow(1, t, 1).unwrap()).unwrap();
                scores.push(next_scores);
                *state = next;
            }
        }
        for (tokens, _, scores) in branches {
            let read = Tensor::cat(&[start.clone(), tokens], 1).unwrap();
            let whole = model.logits(&read).unwrap().narrow(1, 11, 8).unwrap();
            close(&name, &numbers(&Tensor::cat(&scores, 1).unwrap()), &numbers(&whole), 1e-9);
        }
    }
}

#[test]
fn a_state_of_something_else_is_refused() {
    let mut designs = designs().into_iter();
    let (one, other) = (designs.next().unwrap().1, designs.next().unwrap().1);
    let (one, other) = (model(one, DType::F32), model(other, DType::F32));
    let error = one.read(&other.start(ROWS), &rows(1, 5)).unwrap_err().to_string();
    assert!(error.starts_with("expected a state of this model") && error.contains("another module"), "{error}");
    let error = one.read(&one.start(3), &rows(1, 5)).unwrap_err().to_string();
    assert_eq!(error, "expected a state of this model and of these rows, found one of 3 rows, and 2 go on");
    let error = one.step(&one.start(1), &Tensor::new(&[77u32], &Device::Cpu).unwrap()).unwrap_err().to_string();
    assert_eq!(error, "token 77 is outside the vocabulary, which ends at 40");
}

#[test]
fn a_slot_is_read_by_its_name() {
    let named = |name: &str| model(designs().into_iter().find(|(n, _)| n == name).unwrap().1, DType::F64);
    let model = named("gla");
    let state = in_pieces(&model, &rows(3, 5), &[2, 1], false).1;
    let names: Vec<String> = state.layout().slots().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["blocks.0.h.S state", "blocks.1.h.S state"]);
    assert_eq!(state.get("blocks.1.h.S").unwrap().unwrap().dims(), [ROWS, 1, 32, 64]);
    assert!(state.get("blocks.1.h.Z").unwrap().is_none());
    let kept: Vec<String> = named("keeper").start(1).layout().slots().iter().map(ToString::to_string).collect();
    // Weights are shared, and named after the first of the blocks; what is kept is each block's own.
    let block = |n: usize| {
        ["k window", "input past", "k_2 past", "S state", "N state"].map(|slot| format!("blocks.{n}.{slot}"))
    };
    let expected = [vec!["blocks.0.v last".to_string()], [block(1), block(2), block(3)].concat()].concat();
    assert_eq!(kept, expected);
}
