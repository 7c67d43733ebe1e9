//! What units add to the training loss: which tokens are counted, how often, what its gradient is, and that nothing which
//! predicts or is reported feels it.
#![allow(clippy::unwrap_used)]

mod support;

use genesys_ir::module::IGNORE;
use genesys_ladder::Scale;
use genesys_runtime::Model;
use genesys_runtime::candle_core::{DType, Device, Tensor};
use support::{close, numbers};

fn model(text: &str) -> Model {
    let checked = genesys_compiler::check_text("losses.gau", text);
    let design = checked.design.unwrap_or_else(|| panic!("{:?}", checked.diagnostics));
    let module = genesys_compiler::compile(&design, &Scale::named("nano").unwrap(), 41).unwrap();
    Model::init(module, 7, DType::F64, &Device::Cpu).unwrap()
}

fn tokens(rows: &[&[u32]]) -> Tensor {
    Tensor::from_vec(rows.concat(), (rows.len(), rows[0].len()), &Device::Cpu).unwrap()
}

fn auxiliary(model: &Model, xs: &Tensor, targets: &Tensor) -> f64 {
    numbers(&model.losses(xs, targets).unwrap().auxiliary.unwrap())[0]
}

const ROWS: [&[u32]; 2] = [&[1, 5, 9, 2], &[7, 3, 3, 8]];
/// Three tokens of the first row count, and two of the second.
const TARGETS: [&[u32]; 2] = [&[5, 9, 2, IGNORE], &[3, 3, IGNORE, IGNORE]];

/// The square of a mean, which is no mean of squares.
const SQUARE: &str = "
design Test { stack = [Block] }
unit Block(x: Seq[D]) -> Seq[D] {
    param w: [D] = normal(1)
    let m = mean_tokens(sigmoid(dot[D](x, w)))
    loss m * m
    x + linear[D -> D](x)
}
";

#[test]
fn the_mean_is_over_the_tokens_of_the_batch_that_count() {
    let model = model(SQUARE);
    let row = |i: usize| auxiliary(&model, &tokens(&[ROWS[i]]), &tokens(&[TARGETS[i]])).sqrt();
    let both = auxiliary(&model, &tokens(&ROWS), &tokens(&TARGETS)).sqrt();
    close("the mean of both rows", &[both], &[(3.0 * row(0) + 2.0 * row(1)) / 5.0], 1e-12);
    assert!((row(0) - row(1)).abs() > 1e-6, "two rows that are told apart");
    // What stands at positions that do not count is not looked at.
    let other = auxiliary(&model, &tokens(&[&[1, 5, 9, 30], &[7, 3, 31, 32]]), &tokens(&TARGETS)).sqrt();
    assert_eq!(both.to_bits(), other.to_bits());
    let none = tokens(&[&[IGNORE; 4], &[IGNORE; 4]]);
    assert_eq!(auxiliary(&model, &tokens(&ROWS), &none), 0.0);
}

#[test]
fn a_backward_pass_is_no_model() {
    let mut module = model(SQUARE).module().clone();
    let main = module.functions.last_mut().unwrap();
    main.adjoint = true;
    main.body.results.remove(0);
    let refused = Model::init(module, 7, DType::F64, &Device::Cpu).unwrap_err().to_string();
    assert!(refused.contains("a backward pass as a model"), "{refused}");
}

#[test]
fn what_is_reported_does_not_feel_it() {
    let model = model(SQUARE);
    let plain = self::model(&SQUARE.replace("loss m * m", "loss 1000 * m * m"));
    for (one, other) in model.parameters().iter().zip(plain.parameters()) {
        other.var.set(one.var.as_tensor()).unwrap();
    }
    let (xs, targets) = (tokens(&ROWS), tokens(&TARGETS));
    let (a, b) = (model.losses(&xs, &targets).unwrap(), plain.losses(&xs, &targets).unwrap());
    close(
        "the auxiliary loss",
        &numbers(&b.auxiliary.unwrap()),
        &[1000.0 * numbers(&a.auxiliary.clone().unwrap())[0]],
        1e-12,
    );
    let trained = model.forward_backward(&xs, &targets).unwrap();
    for loss in [&a.loss, &b.loss, &model.evaluate(&xs, &targets).unwrap().1, &trained.losses.loss] {
        assert_eq!(numbers(loss), numbers(&model.loss(&xs, &targets).unwrap()));
    }
    assert_eq!(numbers(&trained.logits), numbers(&model.logits(&xs).unwrap()));
}

#[test]
fn gradients_are_those_of_the_sum_of_both() {
    let model = model(SQUARE);
    let (xs, targets) = (tokens(&ROWS), tokens(&TARGETS));
    let objective = || numbers(&model.losses(&xs, &targets).unwrap().objective().unwrap())[0];
    let gradients = model.forward_backward(&xs, &targets).unwrap().gradients;
    for (parameter, gradient) in model.parameters().iter().zip(gradients) {
        let (found, original) = (numbers(&gradient.unwrap()), parameter.var.as_tensor().copy().unwrap());
        for i in (0..found.len()).step_by(found.len().div_ceil(5)) {
            let at = |by: f64| {
                let mut data = numbers(&original);
                data[i] += by;
                parameter.var.set(&Tensor::from_vec(data, original.dims(), &Device::Cpu).unwrap()).unwrap();
                let value = objective();
                parameter.var.set(&original).unwrap();
                value
            };
            let difference = (at(1e-6) - at(-1e-6)) / 2e-6;
            close(&format!("gradient of {} at {i}", parameter.name), &[found[i]], &[difference], 1e-6);
        }
    }
    let moved = |name: &str| model.parameters().iter().any(|p| p.name.ends_with(name));
    assert!(moved("blocks.0.w"), "the weight that only the loss moves");
}

/// A loss of 1 for each call.
fn calls(stack: &str, body: &str) -> f64 {
    let text = format!(
        "design Test {{ stack = {stack} }}
         unit Block<X = 4>(x: Seq[D]) -> Seq[D] {{ {body} }}
         unit One(x: Seq[D]) -> Seq[D] {{ param w: [] = 1  loss w * w  x * w }}"
    );
    auxiliary(&model(&text), &tokens(&ROWS), &tokens(&TARGETS))
}

#[test]
fn each_call_adds_its_loss() {
    assert_eq!(calls("[Block]", "One(x)"), 1.0);
    assert_eq!(calls("[Block*3]", "One(b: One(x))"), 6.0);
    assert_eq!(calls("[share Block*3]", "One(x)"), 3.0);
    assert_eq!(calls("[Block]", "share f = One  f(f(f(x)))"), 3.0);
    assert_eq!(calls("[Block]", "sum[X](each[X] One(x))"), 4.0);
    assert_eq!(calls("[Block]", "repeat 5 R: [D] = x { R <- One(R)  yield R }"), 5.0);
    assert_eq!(calls("[Block]", "scan S: [D] = 0 { S <- 0.5 * S + One(x)  yield S }"), 1.0);
}

#[test]
fn decoding_keeps_nothing_for_it() {
    let text = "
design Test { stack = [Block] }
unit Block(x: Seq[D]) -> Seq[D] {
    let y = scan S: [D] = 0 { S <- 0.5 * S + x  yield tanh(S) }
    loss mean[D](shift(linear[D -> D](x), 1) * sum[Past](softmax[Past](past(mean[D](x)))) * y)
    x
}
";
    let model = model(text);
    let slots: Vec<String> = model.start(1).layout().slots().iter().map(|slot| slot.name.clone()).collect();
    assert_eq!(slots, Vec::<String>::new());
    assert!(auxiliary(&model, &tokens(&ROWS), &tokens(&TARGETS)) != 0.0);
    let (logits, _) = model.extend(&model.start(2), &tokens(&ROWS)).unwrap();
    assert_eq!(numbers(&logits), numbers(&model.logits(&tokens(&ROWS)).unwrap()));
}
