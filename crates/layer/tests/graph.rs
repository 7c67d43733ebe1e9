//! A compiled unit as a part of candle's graph: beside other layers, used twice, cut off, and refused.
#![allow(clippy::unwrap_used)]

mod common;

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{Module as _, VarBuilder, VarMap};
use common::{apart, compiled, designs, gpt, noise, numbers, variable};
use genesys_ir::module::{FunctionId, Module};
use genesys_layer::{Compiled, Layer, Options};
use genesys_runtime::Block;

fn block(module: &Module) -> Compiled {
    Compiled::block(module, "Block", 0, Options::default()).unwrap()
}

fn with(compiled: &Compiled, weights: &Var) -> Layer {
    compiled.layer(weights.as_tensor().clone()).unwrap()
}

/// The sum of all elements, each with a factor of its own.
fn sum(y: &Tensor) -> Tensor {
    (y * noise(9, y.dims())).unwrap().sum_all().unwrap()
}

/// Differences of the sum itself, in f64 by the runtime, against the gradient that candle's graph gives.
#[test]
fn gradients_are_differences() {
    let module = gpt();
    let compiled = block(&module);
    let weights = variable(&compiled.draw(5).unwrap());
    let x = variable(&noise(2, &[1, 7, 64]));
    let gradients = sum(&with(&compiled, &weights).forward(&x).unwrap()).backward().unwrap();
    let exact = Block::init(&module, FunctionId(0), 0, 5, DType::F64, &Device::Cpu).unwrap();
    let factors = noise(9, &[1, 7, 64]).to_dtype(DType::F64).unwrap();
    let value = |x: &Tensor| {
        let y = exact.run(x).unwrap();
        (y * &factors).unwrap().sum_all().unwrap().to_scalar::<f64>().unwrap()
    };
    let at = x.detach().to_dtype(DType::F64).unwrap();
    let way = noise(3, &[1, 7, 64]).to_dtype(DType::F64).unwrap();
    let step = (&way * 1e-5).unwrap();
    let slope = (value(&(&at + &step).unwrap()) - value(&(&at - &step).unwrap())) / 2e-5;
    let along = |gradient: &Tensor, way: &Tensor| {
        let product = (gradient.to_dtype(DType::F64).unwrap() * way).unwrap();
        product.sum_all().unwrap().to_scalar::<f64>().unwrap()
    };
    let found = along(gradients.get(&x).unwrap(), &way);
    assert!((found - slope).abs() < 1e-4 * slope.abs().max(1.0), "{found}, not {slope}");
    // The same along one weight.
    let weight = &compiled.weights()[1];
    let parameter = &exact.parameters()[1];
    assert_eq!(weight.name, parameter.name);
    let (at, way) = (parameter.var.as_detached_tensor().copy().unwrap(), noise(4, &weight.shape));
    let way = way.to_dtype(DType::F64).unwrap();
    let moved = |by: f64| {
        parameter.var.set(&(&at + (&way * by).unwrap()).unwrap()).unwrap();
        value(&x.detach().to_dtype(DType::F64).unwrap())
    };
    let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
    let own = gradients.get(&weights).unwrap().narrow(0, weight.start, weight.elements()).unwrap();
    let found = along(&own.reshape(weight.shape.as_slice()).unwrap(), &way);
    assert!((found - slope).abs() < 1e-4 * slope.abs().max(1.0), "{found}, not {slope}");
}

/// Two blocks of two designs with a matrix between them, against the same of composed blocks.
#[test]
fn layers_compose_with_those_of_candle() {
    let (_, gla) = designs("designs").into_iter().find(|(name, _)| name == "gla").unwrap();
    let modules = [gpt(), compiled("gla", &gla)];
    let composed =
        modules.each_ref().map(|module| Block::init(module, FunctionId(0), 0, 4, DType::F32, &Device::Cpu).unwrap());
    let weights = modules.each_ref().map(|module| variable(&block(module).draw(4).unwrap()));
    let own = [0, 1].map(|i| with(&block(&modules[i]), &weights[i]));
    let matrix = variable(&(noise(6, &[64, 64]) * 0.2).unwrap());
    let between = candle_nn::Linear::new(matrix.as_tensor().clone(), None);
    let x = variable(&noise(1, &[2, 9, 64]));
    let through = |first: &dyn candle_nn::Module, last: &dyn candle_nn::Module| {
        let y = last.forward(&between.forward(&first.forward(&x).unwrap()).unwrap()).unwrap();
        (sum(&y).backward().unwrap(), y)
    };
    let (found, y) = through(&own[0], &own[1]);
    let (expected, same) = through(&composed[0], &composed[1]);
    assert!(apart(&y, &same) < 1e-4);
    for var in [&x, &matrix] {
        assert!(apart(found.get(var).unwrap(), expected.get(var).unwrap()) < 1e-3);
    }
    for (weights, block) in weights.iter().zip(&composed) {
        let all: Vec<Tensor> =
            block.parameters().iter().map(|p| expected.get(&p.var).unwrap().flatten_all().unwrap()).collect();
        assert!(apart(found.get(weights).unwrap(), &Tensor::cat(&all, 0).unwrap()) < 1e-3);
    }
}

/// Used twice on inputs of two shapes, a layer has the sum of both gradients.
#[test]
fn uses_of_one_layer_add_up() {
    let compiled = block(&gpt());
    let weights = variable(&compiled.draw(5).unwrap());
    let layer = with(&compiled, &weights);
    let inputs = [noise(1, &[2, 5, 64]), noise(2, &[1, 8, 64])];
    let gradient = |loss: Tensor| loss.backward().unwrap().get(&weights).unwrap().clone();
    let each = inputs.each_ref().map(|x| gradient(sum(&layer.forward(x).unwrap())));
    let [first, second] = inputs.each_ref().map(|x| sum(&layer.forward(x).unwrap()));
    let both = gradient((first + second).unwrap());
    let [first, second] = each;
    assert!(apart(&both, &(first + second).unwrap()) < 1e-6);
    // And one behind the other, where the input's gradient is part of it.
    let x = variable(&inputs[0]);
    let twice = sum(&layer.forward(&layer.forward(&x).unwrap()).unwrap()).backward().unwrap();
    let exact = Block::init(&gpt(), FunctionId(0), 0, 5, DType::F32, &Device::Cpu).unwrap();
    let same = sum(&exact.run(&exact.run(&x).unwrap()).unwrap()).backward().unwrap();
    assert!(apart(twice.get(&x).unwrap(), same.get(&x).unwrap()) < 1e-3);
    let all: Vec<Tensor> =
        exact.parameters().iter().map(|p| same.get(&p.var).unwrap().flatten_all().unwrap()).collect();
    assert!(apart(twice.get(&weights).unwrap(), &Tensor::cat(&all, 0).unwrap()) < 1e-3);
}

#[test]
fn gradients_go_where_they_are_asked_for() {
    let compiled = block(&gpt());
    let weights = variable(&compiled.draw(5).unwrap());
    let x = variable(&noise(1, &[1, 6, 64]));
    let layer = with(&compiled, &weights);
    // An input that is no variable, and weights that are none.
    let found = sum(&layer.forward(&x.detach()).unwrap()).backward().unwrap();
    assert!(found.get(&x).is_none() && found.get(&weights).is_some());
    let fixed = compiled.layer(weights.detach()).unwrap();
    let found = sum(&fixed.forward(&x).unwrap()).backward().unwrap();
    assert!(found.get(&x).is_some() && found.get(&weights).is_none());
    // What is detached is cut off; the rest is not.
    let y = layer.forward(&x).unwrap();
    let cut = (sum(&y.detach()) + x.sum_all().unwrap()).unwrap().backward().unwrap();
    assert!(cut.get(&weights).is_none());
    assert!(numbers(cut.get(&x).unwrap()).iter().all(|g| *g == 1.0));
    // A view by name leads to the variable.
    let named = layer.named().unwrap();
    let weight = &compiled.weights()[0];
    let found = named[&weight.name].sum_all().unwrap().backward().unwrap();
    let found = numbers(found.get(&weights).unwrap());
    let (start, end) = (weight.start, weight.start + weight.elements());
    assert!(found.iter().enumerate().all(|(i, g)| *g == f32::from(u8::from((start..end).contains(&i)))));
    // An input that does not lie densely, and a cotangent that does not.
    let turned = x.transpose(1, 2).unwrap().contiguous().unwrap().transpose(1, 2).unwrap();
    let bare = layer.forward(&turned).unwrap();
    assert_eq!(numbers(&bare), numbers(&y));
    let found = bare.sum_all().unwrap().backward().unwrap();
    let expected = (y * noise(1, &[1, 6, 64]).ones_like().unwrap()).unwrap().sum_all().unwrap().backward().unwrap();
    assert_eq!(numbers(found.get(&weights).unwrap()), numbers(expected.get(&weights).unwrap()));
}

/// What was in the memory of a program before is in nothing that it gives, and threads change no bit.
#[test]
fn the_same_input_has_the_same_bits() {
    let module = gpt();
    let compiled = block(&module);
    let threads = Compiled::block(&module, "Block", 0, Options { threads: 2, ..Options::default() }).unwrap();
    let weights = variable(&compiled.draw(5).unwrap());
    let run = |compiled: &Compiled, x: &Tensor| {
        let y = with(compiled, &weights).forward(x).unwrap();
        let found = sum(&y).backward().unwrap();
        let bits = |x: &Tensor| numbers(x).into_iter().map(f32::to_bits).collect::<Vec<u32>>();
        (bits(&y), bits(found.get(&weights).unwrap()))
    };
    let x = noise(1, &[3, 70, 64]);
    let first = run(&compiled, &x);
    run(&compiled, &(&x * f64::NAN).unwrap());
    assert!(first == run(&compiled, &x), "an input of NaN is remembered");
    assert!(first == run(&threads, &x), "threads change bits");
}

/// Of each shipped design: what a row gives, and the gradient of it, has the same bits whatever another row holds, NaN too; and so
/// has what a position gives, whatever comes behind it.
#[test]
fn rows_and_the_future_are_apart() {
    for (name, text) in designs("designs") {
        let compiled = block(&compiled(&name, &text));
        let layer = compiled.layer(compiled.draw(5).unwrap()).unwrap();
        let (row, other) = (noise(1, &[1, 70, 64]), noise(2, &[1, 70, 64]));
        let bits = |x: &Tensor| numbers(x).into_iter().map(f32::to_bits).collect::<Vec<u32>>();
        let beside = |other: &Tensor| {
            let x = variable(&Tensor::cat(&[&row, other], 0).unwrap());
            let y = layer.forward(&x).unwrap().narrow(0, 0, 1).unwrap();
            let dx = sum(&y).backward().unwrap().get(&x).unwrap().narrow(0, 0, 1).unwrap();
            (bits(&y), bits(&dx))
        };
        let expected = beside(&other);
        assert!(beside(&(&other * f64::NAN).unwrap()) == expected, "{name}: another row is seen");
        let behind = |last: &Tensor| {
            let x = Tensor::cat(&[&row, last], 1).unwrap();
            bits(&layer.forward(&x).unwrap().narrow(1, 0, 70).unwrap())
        };
        assert!(behind(&other) == behind(&(&other * 3.0).unwrap()), "{name}: the future is seen");
    }
}

#[test]
fn programs_of_a_few_shapes_are_kept() {
    let options = Options { shapes: 2, ..Options::default() };
    let compiled = Compiled::block(&gpt(), "Block", 0, options).unwrap();
    let layer = compiled.layer(compiled.draw(5).unwrap()).unwrap();
    let first = numbers(&layer.forward(&noise(1, &[1, 1, 64])).unwrap());
    for (context, expected) in [(2, 2), (3, 2), (3, 2)] {
        layer.forward(&noise(1, &[1, context, 64])).unwrap();
        assert_eq!(compiled.shapes(), expected);
    }
    assert_eq!(numbers(&layer.forward(&noise(1, &[1, 1, 64])).unwrap()), first);
}

#[test]
fn weights_are_drawn_named_saved_and_loaded() {
    let compiled = block(&gpt());
    let mut vars = VarMap::new();
    let layer = compiled.init(&vars, "first", 7).unwrap();
    assert_eq!(numbers(layer.weights()), numbers(&compiled.draw(7).unwrap()));
    let again = compiled.init(&vars, "first", 8).unwrap();
    assert_eq!((vars.all_vars().len(), numbers(again.weights())), (1, numbers(layer.weights())));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    vars.save(&path).unwrap();
    vars.set_one("first", compiled.draw(8).unwrap()).unwrap();
    assert_eq!(numbers(layer.weights()), numbers(&compiled.draw(8).unwrap()));
    vars.load(&path).unwrap();
    assert_eq!(numbers(layer.weights()), numbers(&compiled.draw(7).unwrap()));
    // By name, behind a prefix, as a checkpoint of a model has them.
    let module = gpt();
    let model = Compiled::model(&module, Options::default()).unwrap();
    let model = model.layer(model.draw(3).unwrap()).unwrap();
    let named = model.named().unwrap().into_iter().collect();
    let vb = VarBuilder::from_tensors(named, DType::F32, &Device::Cpu);
    let own = compiled.load(&vb.pp("blocks").pp("1")).unwrap();
    let own = compiled.layer(own).unwrap().named().unwrap();
    for (name, tensor) in own {
        assert_eq!(numbers(&tensor), numbers(&model.named().unwrap()[&format!("blocks.1.{name}")]), "{name}");
    }
    let missing = compiled.load(&vb.pp("blocks").pp("7")).unwrap_err().to_string();
    assert!(missing.contains("blocks.7."), "{missing}");
}

#[test]
fn what_does_not_fit_is_refused_with_what_was_expected_and_found() {
    let module = gpt();
    let compiled = block(&module);
    let layer = compiled.layer(compiled.draw(1).unwrap()).unwrap();
    let said = |x: &Tensor| layer.forward(x).unwrap_err().to_string();
    let double = said(&noise(1, &[1, 2, 64]).to_dtype(DType::F64).unwrap());
    assert!(double.contains("`Block`: expected an input in f32, found f64"), "{double}");
    for dims in [&[2, 64][..], &[1, 2, 32], &[1, 2, 64, 1], &[1, 0, 64]] {
        let shape = said(&Tensor::zeros(dims, DType::F32, &Device::Cpu).unwrap());
        let expected = format!("`Block`: expected an input of shape [b, t, 64], none of them 0, found {dims:?}");
        assert!(shape.contains(&expected), "{shape}");
    }
    let short = compiled.layer(noise(1, &[5])).unwrap_err().to_string();
    assert!(short.contains(&format!("expected weights of shape [{}], found [5]", compiled.elements())), "{short}");
    let double = compiled.layer(compiled.draw(1).unwrap().to_dtype(DType::F64).unwrap()).unwrap_err().to_string();
    assert!(double.contains("expected weights in f32, found f64"), "{double}");
    let model = Compiled::model(&module, Options::default()).unwrap();
    let model = model.layer(model.draw(1).unwrap()).unwrap();
    let said = |x: &Tensor| model.forward(x).unwrap_err().to_string();
    let wild = said(&Tensor::new(&[[1_u32, 11]], &Device::Cpu).unwrap());
    assert!(wild.contains("`Gpt`: expected tokens below 11, the size of the vocabulary, found 11"), "{wild}");
    let real = said(&noise(1, &[1, 2]));
    assert!(real.contains("`Gpt`: expected tokens in u32, found f32"), "{real}");
    let unknown = Compiled::block(&module, "Attention", 0, Options::default()).unwrap_err().to_string();
    assert!(unknown.contains("which are `Block`, `RmsNorm`, found `Attention`"), "{unknown}");
}
