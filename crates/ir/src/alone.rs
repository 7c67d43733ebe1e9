//! One function of a module as a module of its own.
//!
//! In: a module and a function of it. Out: a module of that function, which calls no other, and a `main` that does nothing but
//! call it, so that its weights are the module's. It is no model to the validator, which asks for tokens and logits.

use crate::module::{Function, FunctionId, Instruction, Module, Op, Region, Type, ValueId};
use crate::origins::Origins;

/// The module whose `main` takes what the function takes and gives what it gives: the function is called as block number
/// `layer`, and its weights have their paths as names.
#[must_use]
pub fn alone(module: &Module, function: FunctionId, layer: u32) -> Module {
    let callee = module.function(function);
    let types: Vec<Type> = callee.inputs.iter().chain(&callee.body.results).map(|id| callee.ty(*id).clone()).collect();
    let inputs: Vec<ValueId> = (0..callee.inputs.len() as u32).map(ValueId).collect();
    let results: Vec<ValueId> = (callee.inputs.len() as u32..types.len() as u32).map(ValueId).collect();
    let call = Instruction {
        op: Op::Call { function: FunctionId(0), layer, path: String::new() },
        args: inputs.clone(),
        results: results.clone(),
    };
    let main = Function {
        name: "main".to_string(),
        adjoint: false,
        weights: Vec::new(),
        values: types,
        inputs,
        body: Region { instructions: vec![call], results },
        origins: Origins::default(),
    };
    Module { name: module.name.clone(), axes: module.axes.clone(), functions: vec![callee.clone(), main] }
}
