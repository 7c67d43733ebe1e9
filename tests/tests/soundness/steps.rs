//! The laws of the step form: from any split it gives what the training form gives, values and gradients; a state is as
//! large as declared; and what another branch has read, NaN too, reaches no bit.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use genesys_axis::Size;
use genesys_runtime::{Block, State};

use crate::grow::Draws;
use crate::laws::{BATCH, POSITIONS, Values, WIDTH, close, same_bits};

/// The laws that a program breaks, whose values on the whole input are known.
pub(crate) fn violations(block: &Block, x: &Values, whole: &Values, seed: u64) -> Vec<String> {
    let (x, whole) = (tensor(x), numbers(&tensor(whole)));
    let mut draws = Draws(seed ^ 0x57E9);
    let mut found = Vec::new();
    for pieces in [vec![1; POSITIONS], split(&mut draws)] {
        let (steps, state) = in_pieces(block, &x, &pieces, Block::read);
        if !close(&numbers(&steps), &whole) {
            found.push(format!("step form in pieces {pieces:?}"));
        }
        let size = state.layout().bytes(&Size::int(POSITIONS as i64), 8).ok().and_then(|size| size.as_int());
        if size.map(|size| size as usize * BATCH) != state.bytes().ok() {
            found.push(format!("a state of {:?} bytes a row, declared are {size:?}", state.bytes()));
        }
    }
    let pieces = split(&mut draws);
    let (one, other) = (block.run(&x).expect("a program runs"), in_pieces(block, &x, &pieces, Block::extend).0);
    let (one, other) = (gradients(block, &one), gradients(block, &other));
    for (name, one) in &one {
        if !close(one, &other[name]) {
            found.push(format!("gradient of {name} through pieces {pieces:?}: {:?}, not {one:?}", other[name]));
        }
    }
    found.extend(branches(block, &x, &mut draws));
    found
}

/// A state from which another branch goes on with NaN, and which is then gone on from as if nobody had.
fn branches(block: &Block, x: &Tensor, draws: &mut Draws) -> Option<String> {
    let cut = 1 + draws.below(POSITIONS - 1);
    let part = |from, to: usize| x.narrow(1, from, to - from).expect("positions of the input");
    let alone = in_pieces(block, x, &[cut, POSITIONS - cut], Block::read).0;
    let state = block.read(&block.start(BATCH), &part(0, cut)).expect("a program runs").1;
    let spoiled = (part(cut, POSITIONS) * f64::NAN).expect("a tensor of numbers");
    let other = block.read(&state, &spoiled).expect("a program runs").0;
    let rest = block.read(&state, &part(cut, POSITIONS)).expect("a program runs").0;
    let alone = alone.narrow(1, cut, POSITIONS - cut).expect("positions of the output");
    (numbers(&other).iter().all(|v| v.is_finite()) || !same_bits(&numbers(&rest), &numbers(&alone)))
        .then(|| format!("a branch at {cut}"))
}

/// How a block reads on.
type Read = fn(&Block, &State, &Tensor) -> Result<(Tensor, State), genesys_runtime::RuntimeError>;

fn in_pieces(block: &Block, x: &Tensor, pieces: &[usize], read: Read) -> (Tensor, State) {
    let (mut state, mut outputs, mut at) = (block.start(BATCH), Vec::new(), 0);
    for n in pieces {
        let piece = x.narrow(1, at, *n).expect("pieces of the input");
        let (output, next) = read(block, &state, &piece).expect("a program runs");
        outputs.push(output);
        (state, at) = (next, at + n);
    }
    (Tensor::cat(&outputs, 1).expect("outputs of one width"), state)
}

/// The positions, cut into pieces.
fn split(draws: &mut Draws) -> Vec<usize> {
    let (mut pieces, mut rest) = (Vec::new(), POSITIONS);
    while rest > 0 {
        pieces.push(1 + draws.below(rest));
        rest -= pieces[pieces.len() - 1];
    }
    pieces
}

/// The gradients of a weighted sum of all outputs; of weights that it does not depend on, none.
fn gradients(block: &Block, y: &Tensor) -> BTreeMap<String, Vec<f64>> {
    let mut draws = Draws(0x6AD);
    let weights: Vec<f64> = (0..y.elem_count()).map(|_| 2.0 * draws.unit() - 1.0).collect();
    let weights = Tensor::from_vec(weights, y.shape(), y.device()).expect("as many weights as outputs");
    let store = (y * weights).and_then(|y| y.sum_all()?.backward()).expect("a program has gradients");
    let of = |p: &genesys_runtime::Parameter| (p.name.clone(), store.get(&p.var).map(numbers).unwrap_or_default());
    block.parameters().iter().map(of).collect()
}

fn tensor(x: &Values) -> Tensor {
    let flat: Vec<f64> = x.iter().flatten().flatten().copied().collect();
    Tensor::from_vec(flat, (x.len(), x[0].len(), WIDTH), &Device::Cpu).expect("the shape holds the values")
}

fn numbers(x: &Tensor) -> Vec<f64> {
    x.flatten_all().and_then(|x| x.to_vec1()).expect("numbers of 64 bits")
}
