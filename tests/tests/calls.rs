//! Designs whose units hand values and weights to one another: the training form against the step
//! evaluator, and the weights there are.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use genesys_compiler::{check_text, compile};
use genesys_interp::Interpreter;
use genesys_ladder::Scale;
use genesys_runtime::Model;

const VOCABULARY: u64 = 13;
const TOKENS: [u32; 9] = [3, 1, 4, 1, 5, 9, 2, 6, 5];

/// A model of the design, of so many blocks and a width of 8.
fn model(text: &str, blocks: u64) -> Model {
    let checked = check_text("design", text);
    let said: Vec<&str> = checked.diagnostics.iter().map(|d| d.message.as_str()).collect();
    let design = checked.design.unwrap_or_else(|| panic!("{said:?}"));
    let scale = Scale { width: 8, blocks, vocabulary: VOCABULARY, ..Scale::named("nano").unwrap() };
    let module = compile(&design, &scale, VOCABULARY).unwrap();
    assert_eq!(genesys_ir::parse(&genesys_ir::print(&module)).unwrap(), module, "the text form tells it");
    Model::init(module, 3, DType::F64, &Device::Cpu).unwrap()
}

fn names(model: &Model) -> Vec<&str> {
    model.parameters().iter().map(|parameter| parameter.name.as_str()).collect()
}

/// The logits of the training form, held to those of the step evaluator.
fn logits(model: &Model) -> Vec<f64> {
    let weights: BTreeMap<&str, Vec<f64>> = model
        .parameters()
        .iter()
        .map(|parameter| (parameter.name.as_str(), numbers(parameter.var.as_tensor())))
        .collect();
    let lookup = |name: &str| weights.get(name).cloned();
    let row = Tensor::from_slice(&TOKENS, (1, TOKENS.len()), &Device::Cpu).unwrap();
    let found = numbers(&model.logits(&row).unwrap());
    let mut interpreter = Interpreter::new(model.module(), &lookup);
    let expected: Vec<f64> = TOKENS.iter().flat_map(|&t| interpreter.step(t, t).unwrap().logits).collect();
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() < 1e-9, "{found} in training, {expected} step by step");
    }
    found
}

fn numbers(x: &Tensor) -> Vec<f64> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

/// Sets a weight to a multiple of itself.
fn scale_weight(model: &Model, name: &str, by: f64) {
    let parameter = model.parameters().iter().find(|parameter| parameter.name == name).unwrap();
    parameter.var.set(&(parameter.var.as_tensor() * by).unwrap()).unwrap();
}

/// The values of the first layer in the attention of all later ones (Zhou et al., 2024).
const VALUE_RESIDUAL: &str = "
design ValueResidual { stack = [First, Block*] final = Last }
unit First<H = 2, E = D / 2>(x: Seq[D]) -> (Seq[D], v1: Seq[H, E]) {
    let v = linear[D -> H, E](x)
    (x + Attend(x, v), v)
}
unit Block<H = 2, E = D / 2>(x: Seq[D], v1: Seq[H, E]) -> Seq[D] {
    let v = 0.5 * linear[D -> H, E](x) + 0.5 * v1
    x + Attend(x, v)
}
unit Last<H = 2, E = D / 2>(x: Seq[D], v1: Seq[H, E]) -> Seq[D] { x + [H, E -> D](v1) }
unit Attend<H, E>(x: Seq[D], v: Seq[H, E]) -> Seq[D] {
    let q = linear[D -> H, E](x)
    let k = linear[D -> H, E](x)
    let y = sum[Past](softmax[Past](dot[E](q, past(k)) / sqrt(E)) * past(v))
    linear[H, E -> D](y)
}";

#[test]
fn later_blocks_read_the_first_ones_values() {
    for blocks in [1, 2, 4] {
        let model = model(VALUE_RESIDUAL, blocks);
        let before = logits(&model);
        scale_weight(&model, "blocks.0.v.weight", 2.0);
        assert_ne!(before, logits(&model));
    }
}

#[test]
fn the_nearest_earlier_value_is_received() {
    // Each block doubles what it takes; so with each block the last unit sees twice as much.
    let text = |stack: &str| {
        format!(
            "design Chain {{ stack = {stack} final = Last }}
             unit First(x: Seq[D]) -> (Seq[D], m: Seq[D]) {{ (x, x) }}
             unit Double(x: Seq[D], m: Seq[D]) -> (Seq[D], m: Seq[D]) {{ (x, 2 * m) }}
             unit Last(x: Seq[D], m: Seq[D]) -> Seq[D] {{ m }}"
        )
    };
    let once = logits(&model(&text("[First]"), 1));
    for (blocks, factor) in [(1, 2.0), (3, 8.0)] {
        let found = logits(&model(&text("[First, Double*]"), blocks));
        assert!(found.iter().zip(&once).all(|(found, once)| (found - factor * once).abs() < 1e-12));
    }
}

#[test]
fn shared_blocks_have_one_instance_of_weights() {
    let text = |stack: &str| {
        format!(
            "design Shared {{ stack = {stack} }}
             unit A(x: Seq[D]) -> Seq[D] {{ x + linear[D -> D](tanh(x)) }}
             unit B(x: Seq[D]) -> Seq[D] {{ x + linear[D -> D](shift(x, 1)) }}"
        )
    };
    let all = model(&text("[share A*]"), 4);
    assert_eq!(names(&all), ["embedding.weight", "blocks.0.linear.weight"]);
    let pairs = model(&text("[share [A, B]*2]"), 4);
    assert_eq!(names(&pairs), ["embedding.weight", "blocks.0.linear.weight", "blocks.1.linear.weight"]);
    let inner = model(&text("[[share A*2, B]*2]"), 4);
    let owners = ["embedding", "blocks.0.linear", "blocks.2.linear", "blocks.3.linear", "blocks.5.linear"];
    assert_eq!(names(&inner), owners.map(|owner| format!("{owner}.weight")));
    for model in [&all, &pairs, &inner] {
        logits(model);
    }
    // Four shared blocks are four blocks whose weights happen to be equal.
    let apart = model(&text("[A*]"), 4);
    for n in 0..4 {
        let weight = |model: &Model, name: &str| {
            model.parameters().iter().find(|p| p.name == name).unwrap().var.as_tensor().copy().unwrap()
        };
        let name = format!("blocks.{n}.linear.weight");
        let own = apart.parameters().iter().find(|p| p.name == name).unwrap();
        own.var.set(&weight(&all, "blocks.0.linear.weight")).unwrap();
    }
    assert_eq!(logits(&all), logits(&apart));
}

#[test]
fn the_gradient_of_shared_weights_is_that_of_all_their_uses() {
    let text = "design Shared { stack = [share A*3] }
                unit A(x: Seq[D]) -> Seq[D] { x + linear[D -> D](tanh(x)) }";
    let model = model(text, 3);
    let row = Tensor::from_slice(&TOKENS, (1, TOKENS.len()), &Device::Cpu).unwrap();
    let evaluated = model.forward_backward(&row, &row).unwrap();
    let parameter = &model.parameters()[1];
    let gradient = numbers(evaluated.gradients[1].as_ref().unwrap());
    let at = |by: f64| {
        let original = parameter.var.as_tensor().copy().unwrap();
        let mut data = numbers(&original);
        data[5] += by;
        parameter.var.set(&Tensor::from_vec(data, original.dims(), &Device::Cpu).unwrap()).unwrap();
        let loss = numbers(&model.loss(&row, &row).unwrap())[0];
        parameter.var.set(&original).unwrap();
        loss
    };
    let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
    assert!((gradient[5] - difference).abs() < 1e-8, "{} and {difference}", gradient[5]);
}

/// The text of a block.
fn block(body: &str) -> String {
    format!(
        "design Shared {{ stack = [Block*] }}
         unit Block(x: Seq[D]) -> Seq[D] {{ {body} }}
         unit Mlp<F = 16>(x: Seq[D]) -> Seq[D] {{
             let gate = linear[D -> F](x, bias = true)
             axis K = F
             param scale: [K] = 2
             linear[F -> D](silu(gate) * (scale as [K -> F]))
         }}
         unit Sum(x: Seq[D]) -> Seq[D] {{
             let g = linear[D -> D](x)
             scan S: [D] = 0 {{ S <- 0.5 * S + g yield S }}
         }}"
    )
}

#[test]
fn all_calls_of_what_is_shared_use_its_weights() {
    let shared = model(&block("share f = Mlp x + f(f(x)) - f(shift(x, 1))"), 1);
    let weights = ["embedding.weight", "blocks.0.f.gate.weight", "blocks.0.f.gate.bias", "blocks.0.f.scale"];
    assert_eq!(names(&shared)[..4], weights);
    assert_eq!(names(&shared).len(), 5);
    let apart = model(&block("let a = Mlp(x) let b = Mlp(a) let c = Mlp(shift(x, 1)) x + b - c"), 1);
    for parameter in apart.parameters() {
        let (_, rest) = parameter.name.split_once("0.").unwrap_or(("", &parameter.name));
        let weight = rest.split_once('.').unwrap().1;
        let own = shared.parameters().iter().find(|p| p.name.ends_with(weight)).unwrap();
        parameter.var.set(&own.var.as_tensor().copy().unwrap()).unwrap();
    }
    let (one, three) = (logits(&shared), logits(&apart));
    assert!(one.iter().zip(&three).all(|(a, b)| (a - b).abs() < 1e-12));
}

#[test]
fn a_shared_instance_shares_no_state() {
    let shared = model(&block("share f = Sum x + f(x) * f(tanh(x))"), 1);
    let apart = model(&block("let a = Sum(x) let b = Sum(tanh(x)) x + a * b"), 1);
    let weight = shared.parameters().iter().find(|p| p.name == "blocks.0.f.g.weight").unwrap();
    for parameter in apart.parameters() {
        let from = if parameter.name.starts_with("blocks") { weight } else { &shared.parameters()[0] };
        parameter.var.set(&from.var.as_tensor().copy().unwrap()).unwrap();
    }
    let (one, two) = (logits(&shared), logits(&apart));
    assert!(one.iter().zip(&two).all(|(a, b)| (a - b).abs() < 1e-12));
}

#[test]
fn loops_and_shared_instances_keep_apart() {
    // Called first within the loop or before it, there is one instance, and the loop has its own weights beside it.
    for call in ["let y = x", "let y = f(x)"] {
        let text = format!(
            "share f = Mlp {call}
             let z = repeat 3 R: [D] = y {{ let u = linear[D -> D](f(R)) R <- R + Mlp(u) + u yield R }}
             z + f(z)"
        );
        let model = model(&block(&text), 1);
        let mut all = names(&model);
        all.sort_unstable();
        assert_eq!(all.len(), 1 + 4 + 1 + 4, "{all:?}");
        logits(&model);
    }
}

#[test]
fn a_unit_given_to_another_is_what_its_text_would_be() {
    let units = "unit Wrap<F: unit>(x: Seq[D]) -> Seq[D] { let y = F(tanh(x)) x + F(y) }
                 unit Mlp<F = 16>(x: Seq[D]) -> Seq[D] { linear[F -> D](silu(linear[D -> F](x))) }
                 unit Late(x: Seq[D]) -> Seq[D] { linear[D -> D](shift(x, 1)) }";
    let given = format!("design A {{ stack = [Wrap<F = Mlp<F = 3 * D>>, Wrap<F = Late>] }} {units}");
    let written = format!(
        "design A {{ stack = [A, B] }} {units}
         unit A(x: Seq[D]) -> Seq[D] {{ let y = Mlp<F = 3 * D>(tanh(x)) x + Mlp<F = 3 * D>(y) }}
         unit B(x: Seq[D]) -> Seq[D] {{ let y = Late(tanh(x)) x + Late(y) }}"
    );
    let (given, written) = (model(&given, 2), model(&written, 2));
    assert_eq!(names(&given), names(&written), "weights are named by the units they are of");
    assert!(names(&given).contains(&"blocks.0.mlp.linear.weight"), "{:?}", names(&given));
    assert_eq!(logits(&given), logits(&written));
}
