//! What `main` hands from a function to its backward pass.
//!
//! In: a module that `differentiate` made. Out: each function with its backward pass, the calls that belong together, and
//! where each argument of the backward pass comes from. A function whose calls differ in that is left out.

use std::collections::{BTreeMap, BTreeSet};

use genesys_ir::module::{ADJOINT, Function, FunctionId, Instruction, Module, Op, Stage, ValueId};
use genesys_ir::prune;

use crate::work::{counts, value};

/// A function and its backward pass.
#[derive(Debug)]
pub(crate) struct Pair {
    /// The number of the function.
    pub(crate) forward: usize,
    /// The number of its backward pass.
    pub(crate) backward: usize,
    /// All calls of both.
    sites: Vec<Site>,
    /// Where the arguments of the backward pass come from.
    pub(crate) given: Vec<Given>,
}

/// The places of two calls in `main`: of a function, and of its backward pass on what that one gave.
#[derive(Clone, Copy, Debug)]
struct Site {
    forward: usize,
    backward: usize,
}

/// Where an argument of a backward pass comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// An operand of the function's call.
    Operand(usize),
    /// A result of it.
    Result(usize),
    /// Elsewhere: a cotangent.
    Other,
}

/// All pairs of a module.
pub(crate) fn pairs(module: &Module) -> Vec<Pair> {
    let numbers: BTreeMap<&str, usize> =
        module.functions.iter().enumerate().map(|(i, function)| (function.name.as_str(), i)).collect();
    let Some((_, functions)) = module.functions.split_last() else { return Vec::new() };
    let adjoints = functions.iter().enumerate().filter(|(_, function)| function.adjoint);
    let pair = |(backward, function): (usize, &Function)| {
        let forward = *numbers.get(function.name.strip_suffix(ADJOINT)?)?;
        pair(module, forward, backward)
    };
    adjoints.filter_map(pair).collect()
}

fn pair(module: &Module, forward: usize, backward: usize) -> Option<Pair> {
    let main = &module.main().body.instructions;
    let ahead = calls(main, forward);
    let mut sites = Vec::new();
    for ((layer, path), at) in calls(main, backward) {
        sites.push(Site { forward: at_most_one(&ahead, (layer, path))?, backward: at });
    }
    let of = |site: &Site| given(&main[site.forward], &main[site.backward]);
    let first = of(sites.first()?);
    let alike = sites.len() == ahead.len() && sites.iter().all(|site| of(site) == first);
    alike.then_some(Pair { forward, backward, sites, given: first })
}

type Calls<'a> = Vec<((u32, &'a str), usize)>;

/// The calls of a function: layer and path, and their place.
fn calls(main: &[Instruction], callee: usize) -> Calls<'_> {
    let mut found = Vec::new();
    for (at, instruction) in main.iter().enumerate() {
        if let Op::Call { function, layer, path } = &instruction.op
            && function.0 as usize == callee
        {
            found.push(((*layer, path.as_str()), at));
        }
    }
    found
}

fn at_most_one(calls: &Calls<'_>, key: (u32, &str)) -> Option<usize> {
    let mut found = calls.iter().filter(|(known, _)| *known == key);
    let (_, at) = found.next()?;
    found.next().is_none().then_some(*at)
}

fn given(forward: &Instruction, backward: &Instruction) -> Vec<Given> {
    let place = |all: &[ValueId], id: &ValueId| all.iter().position(|known| known == id);
    let of = |id: &ValueId| match place(&forward.results, id) {
        Some(i) => Given::Result(i),
        None => place(&forward.args, id).map_or(Given::Other, Given::Operand),
    };
    backward.args.iter().map(of).collect()
}

impl Pair {
    /// Hands other values on: drops arguments of the backward pass, and gives it new ones, which are values of the function.
    /// `added` are these, and what the backward pass calls them.
    pub(crate) fn hand(&self, module: &mut Module, dropped: &BTreeSet<ValueId>, added: &[(ValueId, ValueId)]) {
        self.keep(module, |backward| backward.inputs.iter().map(|id| !dropped.contains(id)).collect());
        for (own, theirs) in added {
            self.add(module, *own, *theirs);
        }
        self.trim(module);
    }

    /// Keeps some of the arguments of the backward pass.
    fn keep(&self, module: &mut Module, which: impl Fn(&Function) -> Vec<bool>) {
        let backward = &mut module.functions[self.backward];
        let kept = which(backward);
        let retain = |all: &mut Vec<ValueId>| {
            let mut each = kept.iter();
            all.retain(|_| each.next().copied().unwrap_or(true));
        };
        retain(&mut backward.inputs);
        let Some(main) = module.functions.last_mut() else { return };
        self.sites.iter().for_each(|site| retain(&mut main.body.instructions[site.backward].args));
    }

    /// Gives a value of the function to the backward pass, as its first argument.
    fn add(&self, module: &mut Module, own: ValueId, theirs: ValueId) {
        module.functions[self.backward].inputs.insert(0, theirs);
        let forward = &mut module.functions[self.forward];
        let operand = forward.inputs.iter().position(|id| *id == own);
        let known = forward.body.results.iter().position(|id| *id == own);
        let losses = forward.body.results.iter().filter(|id| forward.ty(**id).stage == Stage::Loss).count();
        let at = known.unwrap_or(forward.body.results.len() - losses);
        let is_new = operand.is_none() && known.is_none();
        if is_new {
            forward.body.results.insert(at, own);
        }
        let ty = forward.ty(own).clone();
        let Some(main) = module.functions.last_mut() else { return };
        for site in &self.sites {
            if is_new {
                let result = value(&mut main.values, ty.clone());
                main.body.instructions[site.forward].results.insert(at, result);
            }
            let call = &main.body.instructions[site.forward];
            let handed = operand.map_or_else(|| call.results[at], |i| call.args[i]);
            main.body.instructions[site.backward].args.insert(0, handed);
        }
    }

    /// Drops arguments that the backward pass does not read, results that nothing reads, and what only they needed.
    fn trim(&self, module: &mut Module) {
        self.keep(module, |backward| {
            let counts = counts(backward);
            backward.inputs.iter().map(|id| counts[id.0 as usize] > 0).collect()
        });
        let Some((main, functions)) = module.functions.split_last_mut() else { return };
        let forward = &mut functions[self.forward];
        let counts = counts(main);
        for i in (0..forward.body.results.len()).rev() {
            let unread = |site: &Site| counts[main.body.instructions[site.forward].results[i].0 as usize] == 0;
            if forward.ty(forward.body.results[i]).stage != Stage::Loss && self.sites.iter().all(unread) {
                forward.body.results.remove(i);
                for site in &self.sites {
                    main.body.instructions[site.forward].results.remove(i);
                }
            }
        }
        prune(forward);
        prune(&mut functions[self.backward]);
        prune(main);
    }
}

/// The function that a number of a module stands for.
pub(crate) fn of(module: &Module, number: usize) -> &Function {
    module.function(FunctionId(number as u32))
}
