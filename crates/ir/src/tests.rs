//! The validator refuses each broken premise, and the text form gives modules back.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use crate::module::{Direction, Module, Op};
use crate::{loss_alone, parameter_names, parameters, parse, print, renumber, specialize, validate, without_losses};

/// One function with every kind of region, and a model around it.
const TEXT: &str = r#"module Sample

axis D = {D}
axis V = {300}
axis H = {D/64}
axis E = {64}
axis F = {ceil_to(8*D/3, 128) + 1}
axis Past = past window {D} skip {1}
axis B = blocks {4}
axis W = {4}
axis K = {2}

fn "Block<H = 4>" {
  weight q.weight: [H, E, D] = uniform(-0.5, {D}) @matrix stream 1
  weight decay: [H] = log(uniform(1.0, 1e-7)) @decay stream 0
  weight ramp: [H] = add(index(0), layer) @bias stream 5
  input %0: Seq[D]
  %1: [H, E, D] = weight q.weight
  %2: Seq[H, E] = contract [D] %0, %1
  %3: Seq[H, E] = past [Past] {
    %4: Seq[H, E, Past] = view [Past] %2
    %5: Seq[H, Past] = contract [E] %2, %4
    %6: Seq[Past] = age [Past]
    %7: Seq[H, Past] = map sub(div($0, {D}), $1) %5, %6
    %8: Seq[H, Past] = softmax [Past] sink -0.25 %7
    %9: Seq[H, E] = contract [Past] %8, %4
    yield %9
  }
  %10: [H] = weight decay
  %11: [] = constant 0.1
  %12: Seq[H, E] = scan diagonal (S %13: Step[H, E] = %11 -> %14) {
    %14: Step[H, E] = map add(mul($1, $0), $2) %13, %10, %3
    yield %14
  }
  %15: Seq[D] = regroup [H, E -> D] %12
  %16: Seq[D] = shift by {2} %15
  %17: [H] = weight ramp
  %18: [] = sum [H] %17
  %19: Seq[D] = map add(mul($0, $1), exp(neg(inf))) %16, %18
  %20: Seq[D] = pool by {4} %19
  %21: Seq[K, W, D] = past [B] {
    %22: Seq[W, D, B] = blocks [B, W] %20
    %23: Seq[B] = age [B]
    %24: Seq[K, W, D] = top [B -> K] %23, %22
    yield %24
  }
  %25: [E] = index [E]
  %26: [K] = picked [E -> K] %25
  %27: Seq[W, D] = contract [K] %21, %26
  %28: Seq[D] = sum [W] %27
  return %28
}

fn main {
  weight embedding.weight: [V, D] = normal(0.02) @embedding stream 0
  input %0: Token Seq[]
  input %1: Token Seq[]
  %2: [V, D] = weight embedding.weight
  %3: Seq[D] = gather [V] %2, %0
  %4: Seq[D] = call "Block<H = 4>" layer 0 path blocks.0 %3
  %5: Seq[D] = call "Block<H = 4>" layer 1 path blocks.1 %4
  %6: Seq[V] = contract [D] %5, %2
  %7: Loss[] = cross_entropy [V] %6, %1
  return %6, %7
}
"#;

fn sample() -> Module {
    parse(TEXT).unwrap()
}

/// The sample with a piece of text replaced, which must occur.
fn with(from: &str, to: &str) -> String {
    assert!(TEXT.contains(from), "{from}");
    TEXT.replacen(from, to, 1)
}

/// The messages for the sample with a piece replaced.
fn refused(from: &str, to: &str) -> String {
    let module = parse(&with(from, to)).unwrap();
    let found = validate(&module).expect_err("a violation");
    found.iter().map(|v| format!("{v}\n")).collect()
}

#[test]
fn the_sample_is_sound_and_its_text_is_canonical() {
    assert_eq!(validate(&sample()), Ok(()));
    assert_eq!(print(&sample()), TEXT);
}

#[test]
fn views_reject_states_and_pasts() {
    let step = "%14: Step[H, E] = map add(mul($1, $0), $2) %13, %10, %3";
    assert!(refused(step, "%14: Seq[H, E] = shift by {1} %13").contains("depends on a scan's state"));
    let body = "%5: Seq[H, Past] = contract [E] %2, %4";
    assert!(refused(body, "%5: Seq[H, Past] = view [Past] %4").contains("a value with the dependent axis Past"));
    assert!(refused("shift by {2}", "shift by {-1}").contains("a shift is below 0"));
    assert!(refused(step, "%14: Seq[F, H, E] = window [F] %13").contains("depends on a scan's state"));
    assert!(refused(body, "%5: Seq[F, H, E, Past] = window [F] %4").contains("a value with the dependent axis Past"));
    let shift = "%16: Seq[D] = shift by {2} %15";
    assert!(refused(shift, "%16: Seq[Past, D] = window [Past] %15").contains("the dependent axis Past is only"));
    assert!(refused(shift, "%16: Seq[D] = window [D] %15").contains("the axis D is there already"));
}

#[test]
fn blocks_and_what_is_picked_have_their_axes() {
    assert!(refused("pool by {4}", "pool by {0}").contains("a block is below 1"));
    assert!(refused("axis B = blocks {4}", "axis B = blocks {0}").contains("the axis B has an impossible extent"));
    assert!(refused("axis W = {4}", "axis W = {5}").contains("the axis is not of the blocks' size"));
    assert!(refused("blocks [B, W] %20", "view [B] %20").contains("B is not a past of positions"));
    let top = "top [B -> K] %23, %22";
    assert!(refused(top, "top [B -> W] %23, %22").contains("the axis W is there already"));
    assert!(refused(top, "top [B -> K] %20, %22").contains("an operand lacks the axis B"));
    assert!(refused("yield %24", "yield %23").contains("the axis B is there already"));
    let step = "%14: Step[H, E] = map add(mul($1, $0), $2) %13, %10, %3";
    assert!(refused(step, "%14: Seq[H, E] = pool by {2} %13").contains("depends on a scan's state"));
    let shift = "%16: Seq[D] = shift by {2} %15";
    assert!(refused(shift, "%16: Seq[W, D, B] = blocks [B, W] %15").contains("outside its region"));
}

#[test]
fn sums_in_order_run_along_pasts() {
    let softmax = "softmax [Past] sink -0.25 %7";
    assert!(refused(softmax, "after [H] %7").contains("H is not a past"));
    assert!(refused(softmax, "cumsum [Past] %2").contains("an operand lacks the axis Past"));
}

#[test]
fn dependent_axes_stay_in_their_region() {
    assert!(refused("yield %9", "yield %8").contains("the axis Past is there already"));
    let body = "%6: Seq[Past] = age [Past]";
    assert!(refused(body, "%6: Seq[D] = regroup [Past -> D] %5").contains("the dependent axis Past is only"));
    let outside = refused("%16: Seq[D] = shift by {2} %15", "%16: Seq[Past] = age [Past]");
    assert!(outside.contains("outside its region"), "{outside}");
    assert!(refused("decay: [H]", "decay: [Past]").contains("a weight has a dependent axis"));
    let nested = with("%4: Seq[H, E, Past] = view [Past] %2", "%4: Seq[H, E, Past] = past [Past] { yield %2 }");
    assert!(validate(&parse(&nested).unwrap()).is_err());
}

#[test]
fn time_never_runs_backwards_outside_adjoints() {
    assert!(refused("shift by {2}", "shift by {2} reverse").contains("time runs in reverse"));
    let window = "%29: Seq[F, D] = window [F] reverse %15\n  %16: Seq[D] = shift by {2}";
    assert!(refused("%16: Seq[D] = shift by {2}", window).contains("time runs in reverse"));
    assert!(refused("past [Past] {", "past [Past] reverse {").contains("time runs in reverse"));
    assert!(refused("scan diagonal (", "scan diagonal reverse (").contains("time runs in reverse"));
    // An adjoint function may; what is wrong with the model then is that it calls one.
    let adjoint = with("shift by {2}", "shift by {2} reverse").replace("fn \"", "adjoint fn \"");
    let found = validate(&parse(&adjoint).unwrap()).unwrap_err();
    assert!(found.iter().all(|v| v.message.contains("calls an adjoint one")), "{found:?}");
}

#[test]
fn states_start_from_constants_and_steps_hold_no_sequences() {
    assert!(refused("= %11 -> %14", "= %3 -> %14").contains("a state starts from a constant"));
    assert!(refused("= %11 -> %14", "= %11 -> %10").contains("its state's axes"));
    let step = "    yield %14";
    let window = "    %29: Seq[F, H, E] = window [F] %3\n    yield %14";
    assert!(refused(step, window).contains("a window stands in a region"));
    assert!(
        refused(step, "    %29: Seq[H, E] = shift by {1} %3\n    yield %14").contains("a shift stands in a region")
    );
    assert!(
        refused("%15: Seq[D] = regroup [H, E -> D] %12", "%15: Seq[D] = regroup [H, E -> D] %14")
            .contains("%14 is not defined here")
    );
}

#[test]
fn values_are_defined_once_and_before_use() {
    assert!(refused("contract [D] %0, %1\n", "contract [D] %16, %1\n").contains("%16 is not defined here"));
    let message = "defined twice";
    assert!(parse(&with("%2: Seq[H, E]", "%1: Seq[H, E]")).unwrap_err().message.contains(message));
    let mut module = sample();
    let body = &mut module.functions[0].body;
    body.instructions.push(body.instructions[0].clone());
    assert!(validate(&module).unwrap_err().iter().any(|v| v.message.contains(message)));
}

#[test]
fn the_loss_is_an_end() {
    let own = "%7: Loss[] = cross_entropy [V] %6, %1";
    let read = format!("{own}\n  %8: Loss[] = map exp($0) %7");
    assert!(refused(own, &read).contains("the loss is read"));
    assert!(
        refused("call \"Block<H = 4>\" layer 1 path blocks.1 %4", "call \"Block<H = 4>\" layer 1 path blocks.1 %0")
            .contains("not what Block")
    );
}

/// The sample with a loss: of what a shift reaches, which nothing else reads.
fn with_losses() -> String {
    let text = with("  input %0: Seq[D]\n", "  input %0: Seq[D]\n  input %29: Token Seq[]\n");
    let loss = "  %30: Seq[D] = shift by {3} %0\n  %31: Loss[D] = mean_tokens %30, %29\n  %32: Loss[] = sum [D] %31\n";
    let text = text.replacen("  return %28", &format!("{loss}  return %28, %32"), 1);
    let text = text.replacen("%4: Seq[D] = call", "%4: Seq[D], %8: Loss[] = call", 1).replacen(
        "blocks.0 %3",
        "blocks.0 %3, %1",
        1,
    );
    let text = text.replacen("%5: Seq[D] = call", "%5: Seq[D], %9: Loss[] = call", 1).replacen(
        "blocks.1 %4",
        "blocks.1 %4, %1",
        1,
    );
    text.replacen("  return %6, %7", "  %10: Loss[] = map add($0, $1) %8, %9\n  return %6, %7, %10", 1)
}

#[test]
fn losses_are_read_by_losses_only() {
    let sound = with_losses();
    assert_eq!(validate(&parse(&sound).unwrap()), Ok(()));
    assert_eq!(print(&parse(&sound).unwrap()), sound);
    let refused = |from: &str, to: &str| {
        assert!(sound.contains(from), "{from}");
        let found = validate(&parse(&sound.replacen(from, to, 1)).unwrap()).expect_err("a violation");
        found.iter().map(|v| format!("{v}\n")).collect::<String>()
    };
    let read = "a loss is read by what is no loss";
    let sum = "%32: Loss[] = sum [D] %31";
    assert!(refused(sum, "%32: Seq[D] = map add($0, $1) %0, %31").contains(read));
    assert!(refused(sum, "%32: Seq[D] = shift by {1} %31").contains(read));
    assert!(refused(sum, "%32: Loss[D] = mean_tokens %31, %29").contains(read));
    let step = "    yield %14";
    let within = "    %33: Loss[H, E] = mean_tokens %3, %29\n    yield %14";
    assert!(refused(step, within).contains("a mean over tokens stands in a region"));
    assert!(refused("mean_tokens %30, %29", "mean_tokens %30, %0").contains("a sequence of tokens"));
    assert!(refused("mean_tokens %30, %29", "mean_tokens %29, %29").contains("a value of positions"));
    assert!(refused("return %28, %32", "return %32, %28").contains("a loss is the last result, and a number"));
    assert!(refused("return %28, %32", "return %28, %31").contains("a loss is the last result, and a number"));
    assert!(refused("input %0: Seq[D]", "input %0: Loss[D]").contains("an argument is a loss"));
    assert!(refused("return %6, %7, %10", "return %6, %10, %6").contains("main gives logits, a loss"));
}

#[test]
fn a_model_predicts_without_its_losses() {
    let mut plain = sample();
    plain.functions.iter_mut().for_each(|function| _ = renumber(function));
    assert_eq!(without_losses(&parse(&with_losses()).unwrap()), plain);
    assert_eq!(without_losses(&sample()), sample());
}

#[test]
fn a_model_is_validated_by_its_loss_alone() {
    for text in [with_losses(), TEXT.to_owned()] {
        let whole = parse(&text).unwrap();
        let alone = loss_alone(&whole);
        let main = alone.main();
        assert_eq!(main.body.results.len(), 1);
        assert_eq!(main.body.instructions.last().map(|i| &i.results), Some(&main.body.results));
        assert!(matches!(main.body.instructions.last().unwrap().op, Op::CrossEntropy { .. }));
        assert_eq!(parameter_names(&alone), parameter_names(&whole));
        assert_eq!(loss_alone(&alone), alone);
    }
}

#[test]
fn names_and_streams_are_unique() {
    assert!(refused("@decay stream 0", "@decay stream 1").contains("one random stream"));
    let clash = with("weight embedding.weight: [V, D]", "weight blocks.0.decay: [V, D]")
        .replace("%2: [V, D] = weight embedding.weight", "%2: [V, D] = weight blocks.0.decay");
    let found = validate(&parse(&clash).unwrap()).unwrap_err();
    assert!(found[0].message.contains("two weights of the model are named blocks.0.decay"), "{found:?}");
}

#[test]
fn types_are_what_operations_give() {
    assert!(refused("%15: Seq[D] = regroup", "%15: Seq[V] = regroup").contains("not what the operation gives"));
    assert!(refused("%2: Seq[H, E] = contract [D]", "%2: Seq[H, E] = contract [D, D]").contains("stands twice"));
    let module = with("axis E = {64}", "axis E = {63}");
    let special = specialize(&parse(&module).unwrap(), 128).unwrap();
    assert!(validate(&special).unwrap_err()[0].message.contains("the sizes regrouped differ"));
}

#[test]
fn sizes_become_numbers_or_say_why_not() {
    let special = specialize(&sample(), 128).unwrap();
    assert_eq!(validate(&special), Ok(()));
    assert_eq!(special.axes[4].domain.size().unwrap().as_int(), Some(385));
    assert!(print(&special).contains("div($0, 128.0)"));
    assert_eq!(specialize(&sample(), 100).unwrap_err().to_string(), "the axis H: `D/64` is not a whole number");
    assert_eq!(specialize(&sample(), 0).unwrap_err().to_string(), "the axis D is 0, less than 1");
}

#[test]
fn the_table_lists_each_weight_once_in_the_order_of_use() {
    assert!(parameters(&sample()).is_err(), "sizes are not known yet");
    let table = parameters(&specialize(&sample(), 128).unwrap()).unwrap();
    let names: Vec<&str> = table.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names[..3], ["embedding.weight", "blocks.0.q.weight", "blocks.0.decay"]);
    assert_eq!(names.len(), 7);
    assert_eq!((&table[4].shape[..], table[4].stream, table[4].layer), (&[2, 64, 128][..], (2, 1), 1));
    let shared = parse(&with("path blocks.1", "path blocks.0")).unwrap();
    assert_eq!(validate(&shared), Ok(()));
    assert_eq!(parameters(&specialize(&shared, 128).unwrap()).unwrap().len(), 4);
}

#[test]
fn errors_name_the_line() {
    let error = parse(&with("softmax [Past]", "softmax [Pest]")).unwrap_err();
    assert_eq!(error.to_string(), "line 25: there is no axis Pest");
    assert!(parse("").unwrap_err().message.contains("`module` is expected, the end is found"));
    assert!(parse(&TEXT[..TEXT.len() - 3]).is_err());
}

#[test]
fn hostile_nesting_is_refused() {
    let deep = |open: &str, close: &str| format!("{}0.0{}", open.repeat(100_000), close.repeat(100_000));
    let expr = with("map sub(div($0, {D}), $1)", &format!("map {}", deep("neg(", ")")));
    assert!(parse(&expr).unwrap_err().message.contains("too deeply"));
    let law = with("log(uniform(1.0, 1e-7))", &deep("log(", ")"));
    assert!(parse(&law).unwrap_err().message.contains("too deeply"));
    let size = with("axis D = {D}", &format!("axis D = {{{}", "min(".repeat(100_000)));
    assert!(parse(&size).unwrap_err().message.contains("too deeply"));
    let region = with("%4: Seq[H, E, Past] = view [Past] %2", &"= past [Past] {".repeat(100_000));
    assert!(parse(&region).unwrap_err().message.contains("too deeply"));
    let product: Vec<String> = (0..40).map(|i| format!("((D + A{i}) / (1))")).collect();
    let product = parse(&with("axis D = {D}", &format!("axis D = {{{}}}", product.join("*"))));
    assert!(product.unwrap_err().message.contains("a size is too long"));
}

#[test]
fn every_attribute_survives_the_text() {
    let text = with(
        "%19: Seq[D] = map",
        "%29: Seq[] = position\n  %30: Seq[D] = shift by {1} reset %29 of %16\n  %31: [] = layer\n  %19: Seq[D] = map",
    );
    let text = text.replace("%31: [] = layer\n", "%31: [] = layer\n  %34: Seq[F, D] = window [F] reset %29 of %16\n");
    let sums = "%32: Seq[H, Past] = cumsum [Past] %7\n    %33: Seq[H, Past] = after [Past] %32\n    %8: ";
    let text = text.replace("%8: ", sums).replace("-0.25 %7", "-0.25 %33");
    let module = parse(&text).unwrap();
    assert_eq!(validate(&module), Ok(()));
    assert_eq!(print(&module), text);
    let shift = &module.functions[0].body.instructions[11].op;
    assert!(matches!(shift, Op::Shift { direction: Direction::Forward, reset: Some(_), .. }), "{shift:?}");
}

/// A backward pass with every operation that only such functions have.
const BACKWARD: &str = r#"module Backward

axis D = {3}
axis V = {5}
axis W = {4}
axis K = {2}
axis P = past skip {0}
axis B = blocks {2}

fn Block {
  weight w: [K, D] = 0.0 @matrix stream 0
  input %0: Seq[D]
  %1: [K, D] = weight w
  %2: Seq[K] = contract [D] %0, %1
  %3: Seq[D] = pad [K -> D] at {1} %2
  return %3
}

adjoint fn Block.adjoint {
  weight w: [K, D] = 0.0 @matrix stream 0
  input %0: Seq[D]
  input %1: Seq[D]
  input %2: Loss[]
  %3: [K, D] = weight w
  %4: Seq[K] = slice [D -> K] at {1} %1
  %5: Loss[K, D] = adjoint contract [] %4, %0
  %6: Seq[D] = contract [K] %4, %3
  %7: Seq[] = position
  %8: Seq[W, D] = window [W] reverse reset %7 of %6
  %9: Seq[D] = adjoint window [W] reverse reset %7 of %8
  %10: Seq[D] = adjoint pool by {2} reverse %9
  %19: Seq[D], %20: Seq[D], %21: Loss[D] = past [P] {
    %11: Seq[D, P] = view [P] %10
    %12: Seq[P] = contract [D] %11, %0
    %13: Seq[K, D] = top [P -> K] %12, %11
    %14: Seq[D, P] = adjoint top [K -> P] %12, %13
    %15: Seq[D, P] = adjoint before [P] %14
    %16: Seq[D] = adjoint view [P] %15
    %17: Seq[D] = sum [P] %15
    %18: Loss[D] = adjoint contract [P] %15, %12
    yield %16, %17, %18
  }
  %24: Seq[D] = past [B] {
    %22: Seq[K, D, B] = blocks [B, K] %20
    %23: Seq[D] = adjoint blocks [B, K] %22
    yield %23
  }
  %25: Loss[D] = adjoint total %24
  return %19, %5, %21, %25, %2
}

adjoint fn main {
  weight table: [V, D] = 0.0 @embedding stream 0
  input %0: Token Seq[]
  input %1: Token Seq[]
  %2: [V, D] = weight table
  %3: Seq[D] = gather [V] %2, %0
  %4: Seq[D] = call Block layer 0 path a %3
  %5: Seq[V] = contract [D] %4, %2
  %6: Loss[] = cross_entropy [V] %5, %1
  %7: [] = constant 1.0
  %8: Seq[V] = adjoint cross_entropy [V] %7, %5, %1
  %9: Seq[D] = contract [V] %8, %2
  %10: Seq[] = adjoint mean_tokens %7, %1
  %11: Loss[] = adjoint total %10
  %12: Loss[] = mean_tokens %10, %1
  %13: Seq[D], %14: Loss[K, D], %15: Loss[D], %16: Loss[D], %17: Loss[] = call Block.adjoint layer 0 path a %3, %9, %12
  %18: Loss[V, D] = adjoint gather [V] %13, %0
  return %6, %18, %14, %11
}
"#;

/// The messages for the backward pass with a piece replaced, which must occur.
fn refused_backward(from: &str, to: &str) -> String {
    assert!(BACKWARD.contains(from), "{from}");
    let found = validate(&parse(&BACKWARD.replacen(from, to, 1)).unwrap()).expect_err("a violation");
    found.iter().map(|v| format!("{v}\n")).collect()
}

#[test]
fn a_backward_pass_is_sound_and_its_text_is_canonical() {
    let module = parse(BACKWARD).unwrap();
    assert_eq!(validate(&module), Ok(()));
    assert_eq!(print(&module), BACKWARD);
    assert_eq!(specialize(&module, 3).unwrap(), module);
    assert_eq!(parameter_names(&module).into_iter().map(|(name, _)| name).collect::<Vec<_>>(), ["table", "a.w"]);
}

#[test]
fn sums_over_tokens_stand_in_adjoint_functions_only() {
    let pool = "%20: Seq[D] = pool by {4} %19";
    let total = format!("%29: Loss[D] = adjoint total %19\n  {pool}");
    assert!(refused(pool, &total).contains("an operation of adjoint functions stands in a function that is none"));
    let view = "%24: Seq[K, W, D] = top [B -> K] %23, %22";
    let back = "%24: Seq[D] = adjoint blocks [B, W] %22";
    assert!(refused(view, back).contains("an operation of adjoint functions stands in a function that is none"));
    let step = "%14: Step[H, E] = map add(mul($1, $0), $2) %13, %10, %3";
    let sum = format!("%29: Loss[H, E] = adjoint total %3\n    {step}");
    assert!(refused(step, &sum).contains("a sum over positions stands in a step"));
    let main = "adjoint fn main {";
    assert!(refused_backward(main, "fn main {").contains("a function that is no adjoint calls an adjoint one"));
    assert!(refused_backward("adjoint fn Block.adjoint", "fn Block.adjoint").contains("an argument is a loss"));
    let renamed = parse(&BACKWARD.replace("Block.adjoint", "Other")).unwrap();
    assert!(validate(&renamed).unwrap_err()[0].message.contains("two weights of the model are named a.w"));
    assert!(refused_backward("return %6, %18", "return %5, %18").contains("gives losses and gradients"));
}

/// A pass that takes cotangents besides gives sequences, too; no other does, and only a pass takes them.
#[test]
fn a_pass_within_a_program_takes_cotangents() {
    let (tokens, given) = ("  input %1: Token Seq[]\n  %2: [V, D] = weight table", "return %6, %18, %14, %11");
    assert!(BACKWARD.contains(tokens) && BACKWARD.contains(given));
    let taking = BACKWARD.replacen(tokens, &tokens.replacen("  %2", "  input %19: Seq[V]\n  %2", 1), 1);
    let module = parse(&taking.replacen(given, "return %13, %18, %14, %11", 1)).unwrap();
    assert_eq!(validate(&module), Ok(()));
    let found = validate(&parse(&taking.replacen("adjoint fn main", "fn main", 1)).unwrap()).unwrap_err();
    assert!(found.iter().any(|violation| violation.message.contains("adjoint")), "{}", found[0]);
    assert!(refused_backward(given, "return %13, %18, %14, %11").contains("gives losses and gradients"));
}

#[test]
fn a_function_alone_has_the_weights_of_its_paths() {
    let module = parse(BACKWARD).unwrap();
    let own = crate::alone(&module, crate::module::FunctionId(0), 3);
    assert_eq!(parameter_names(&own).into_iter().map(|(name, _)| name).collect::<Vec<_>>(), ["w"]);
    let (main, block) = (own.main(), &own.functions[0]);
    assert_eq!((own.functions.len(), main.inputs.len(), main.body.results.len()), (2, 1, block.body.results.len()));
    assert!(print(&own).contains("call Block layer 3"), "{}", print(&own));
}

#[test]
fn a_sum_over_positions_is_read_behind_its_region() {
    let sum = "%17: Seq[D] = sum [P] %15";
    assert!(refused_backward(sum, "%17: Seq[D] = map neg($0) %16").contains("in the region that it is summed in"));
    let outside = "%25: Loss[D] = adjoint total %24";
    assert!(refused_backward(outside, "%25: Seq[D] = adjoint view [P] %24").contains("outside its region"));
    let around = "adjoint pool by {2} reverse %9";
    assert!(refused_backward(around, "adjoint pool by {0} reverse %9").contains("a block is below 1"));
    assert!(refused_backward("yield %23", "yield %2").contains("a loss leaves a region"));
}

#[test]
fn cotangents_have_their_types() {
    assert!(
        refused_backward("adjoint contract [] %4, %0", "adjoint contract [] %3, %3").contains("a value of positions")
    );
    assert!(refused_backward("adjoint total %24", "adjoint total %3").contains("a value of positions is expected"));
    assert!(
        refused_backward("adjoint gather [V] %13, %0", "adjoint gather [V] %13, %5").contains("a sequence of tokens")
    );
    assert!(refused_backward("adjoint mean_tokens %7, %1", "adjoint mean_tokens %5, %1").contains("the whole batch"));
    assert!(
        refused_backward("adjoint cross_entropy [V] %7", "adjoint cross_entropy [V] %5")
            .contains("a number and logits")
    );
    assert!(
        refused_backward("adjoint top [K -> P] %12, %13", "adjoint top [W -> P] %12, %13").contains("lacks the axis W")
    );
    assert!(refused_backward("pad [K -> D] at {1}", "pad [K -> D] at {2}").contains("a pad reaches beyond its axis"));
}

proptest! {
    #[test]
    fn floats_come_back_to_their_bits(value in any::<f64>().prop_filter("numbers", |v| !v.is_nan())) {
        let text = with("constant 0.1", &format!("constant {value:?}"));
        let module = parse(&text).unwrap();
        prop_assert_eq!(print(&module), text);
    }

    #[test]
    fn no_text_panics(at in 0usize..3000, with in "[ -~\n]{0,6}") {
        let at = at.min(TEXT.len());
        let text = format!("{}{with}{}", &TEXT[..at], &TEXT[(at + 3).min(TEXT.len())..]);
        if let Ok(module) = parse(&text) {
            let _ = validate(&module);
            prop_assert_eq!(parse(&print(&module)).unwrap(), module);
        }
    }
}
