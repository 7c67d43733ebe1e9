//! Costs, held to what the lowered program does: instruction by instruction, position by position.
//!
//! The counter here knows nothing of formulas: it walks the module of a design at a scale, and for each position
//! multiplies out the elements that a contraction or a step of a scan has there. The interpreter, which does one
//! multiplication after the other, is asked too.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use genesys_axis::Domain;
use genesys_check::{CheckedDesign, normal_form};
use genesys_compiler::{check_text, compile};
use genesys_cost::{MAX_ROW_BYTES, MAX_ROW_OPERATIONS, ModelCost, UnitCost, unit_cost};
use genesys_interp::Interpreter;
use genesys_ir::module::{AxisId, Expr, Function, IGNORE, Instruction, Module, Op, Region, Stage, StateClass, ValueId};
use genesys_ladder::Scale;
use genesys_scalar::Function as Scalar;

/// The designs of the repository.
fn shipped() -> Vec<(String, CheckedDesign)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../designs");
    let mut found = Vec::new();
    for folder in [folder.clone(), folder.join("mechanisms")] {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        let paths = entries.map(|entry| entry.unwrap().path());
        for path in paths.filter(|path| path.extension().is_some_and(|ext| ext == "gau")) {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let design = check_text(&name, &fs::read_to_string(&path).unwrap()).design.unwrap();
            found.push((name, design));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(found.len() >= 5);
    found
}

/// Operations of one kind that a module does on one row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Done {
    contracted: i128,
    scanned: i128,
    /// Contractions backward: once for each operand that a weight or an input reaches.
    backward: i128,
}

struct Tape<'m> {
    module: &'m Module,
    function: &'m Function,
    length: u64,
    /// The values that a weight or an input reaches through derivatives.
    trained: &'m BTreeSet<ValueId>,
}

impl Tape<'_> {
    /// Elements of an axis at position `t`.
    fn extent(&self, axis: AxisId, t: u64) -> i128 {
        let number = |size: &genesys_axis::Size| size.as_int().unwrap();
        match &self.module.axis(axis).domain {
            Domain::Static(size) => i128::from(number(size)),
            Domain::Blocks { size } => i128::from((t as i64 + 1) / number(size)),
            Domain::Past { window, skip } => {
                let end = t as i64 - number(skip);
                let start = window.as_ref().map_or(0, |window| (end - number(window) + 1).max(0));
                (start..=end).count() as i128
            }
        }
    }

    /// Elements of some values together over the row.
    fn elements(&self, values: &[ValueId]) -> i128 {
        let types: Vec<_> = values.iter().map(|id| self.function.ty(*id)).collect();
        let mut axes: Vec<AxisId> = types.iter().flat_map(|ty| ty.axes.iter().copied()).collect();
        axes.sort();
        axes.dedup();
        let at = |t: u64| axes.iter().map(|axis| self.extent(*axis, t)).product::<i128>();
        match types.iter().all(|ty| ty.stage == Stage::Const) {
            true => at(0),
            false => (0..self.length).map(at).sum(),
        }
    }

    /// Applications of functions: of the outermost at `elements`, of others at those of all that they read.
    fn functions(&self, expr: &Expr, args: &[ValueId], elements: i128) -> i128 {
        let Expr::Apply(_, operands) = expr else { return 0 };
        let inner = operands.iter().map(|operand| {
            let values: Vec<ValueId> = read(operand).into_iter().map(|i| args[i]).collect();
            self.functions(operand, args, self.elements(&values))
        });
        elements + inner.sum::<i128>()
    }

    fn region(&self, region: &Region, in_scan: bool, done: &mut Done) {
        for instruction in &region.instructions {
            self.instruction(instruction, in_scan, done);
        }
    }

    fn instruction(&self, instruction: &Instruction, in_scan: bool, done: &mut Done) {
        let results = || self.elements(&instruction.results);
        match &instruction.op {
            Op::Contract { .. } => {
                let operations = 2 * self.elements(&instruction.args);
                let gradients = instruction.args.iter().filter(|arg| self.trained.contains(arg)).count();
                done.contracted += operations;
                done.backward += operations * gradients as i128;
            }
            Op::Past { body, .. } => self.region(body, in_scan, done),
            Op::Scan { body, class: StateClass::Diagonal | StateClass::General, .. } => self.region(body, true, done),
            Op::Map(expr) if in_scan => done.scanned += self.functions(expr, &instruction.args, results()),
            Op::Reduce { .. } if in_scan => done.scanned += self.elements(&instruction.args),
            Op::Softmax { .. } if in_scan => done.scanned += 4 * self.elements(&instruction.args),
            Op::Call { function, .. } => {
                let function = self.module.function(*function);
                Tape { function, trained: &trained(function), ..*self }.region(&function.body, false, done);
            }
            _ => {}
        }
    }
}

/// The operands that an expression reads.
fn read(expr: &Expr) -> Vec<usize> {
    match expr {
        Expr::Arg(i) => vec![*i],
        Expr::Const(_) => vec![],
        Expr::Apply(_, inner) => inner.iter().flat_map(read).collect(),
    }
}

/// The values of a function that a weight or an input reaches through derivatives.
fn trained(function: &Function) -> BTreeSet<ValueId> {
    let mut found: BTreeSet<ValueId> = function.inputs.iter().copied().collect();
    // Each round carries it around one more recurrence.
    loop {
        let before = found.len();
        reach(&function.body, &mut found);
        if found.len() == before {
            return found;
        }
    }
}

fn reach(region: &Region, found: &mut BTreeSet<ValueId>) {
    for instruction in &region.instructions {
        let read = instruction.args.iter().enumerate();
        let reached = match &instruction.op {
            Op::Weight(_) => true,
            Op::Map(expr) => read.into_iter().any(|(i, arg)| found.contains(arg) && feels(expr, i)),
            _ => instruction.args.iter().any(|arg| found.contains(arg)),
        };
        if reached {
            found.extend(&instruction.results);
        }
        let (Op::Past { body, .. } | Op::Scan { body, .. }) = &instruction.op else { continue };
        reach(body, found);
        let given: Vec<bool> = body.results.iter().map(|id| found.contains(id)).collect();
        found.extend(instruction.results.iter().zip(given).filter(|(_, given)| *given).map(|(id, _)| *id));
        let Op::Scan { states, .. } = &instruction.op else { continue };
        let carried = states.iter().filter(|s| found.contains(&s.init) || found.contains(&s.next));
        let carried: Vec<ValueId> = carried.flat_map(|state| [Some(state.current), state.start]).flatten().collect();
        found.extend(carried);
    }
}

/// Whether an expression has a derivative for an operand.
fn feels(expr: &Expr, operand: usize) -> bool {
    match expr {
        Expr::Arg(i) => *i == operand,
        Expr::Const(_) => false,
        Expr::Apply(Scalar::Less | Scalar::AtMost | Scalar::Equal, _) => false,
        Expr::Apply(Scalar::Where, args) => args[1..].iter().any(|arg| feels(arg, operand)),
        Expr::Apply(_, args) => args.iter().any(|arg| feels(arg, operand)),
    }
}

fn done(module: &Module, length: u64) -> Done {
    let mut done = Done::default();
    let main = module.main();
    Tape { module, function: main, length, trained: &trained(main) }.region(&main.body, false, &mut done);
    done
}

fn units(design: &CheckedDesign) -> Vec<UnitCost> {
    design.functions().iter().map(|function| unit_cost(&normal_form(&function.graph)).unwrap()).collect()
}

fn model(design: &CheckedDesign, scale: &Scale) -> Option<ModelCost> {
    let layers = design.at_scale(scale).ok()?;
    Some(ModelCost::new(design, &layers, &units(design), scale).unwrap())
}

#[test]
fn operations_are_those_of_the_lowered_program_to_the_digit() {
    let (mut compared, mut wrong) = (0, Vec::new());
    for (name, design) in shipped() {
        for mut scale in Scale::all() {
            for length in [1, 7, 64, 600] {
                scale.context = length;
                let Some(cost) = model(&design, &scale) else { continue };
                let module = compile(&design, &scale, scale.vocabulary).unwrap();
                let Done { contracted, scanned, backward } = done(&module, length);
                let counted = cost.total(|part| part.forward);
                if counted != contracted + scanned {
                    wrong.push(format!(
                        "{name} at {}, {length} positions: {counted} counted, {contracted} + {scanned} done",
                        scale.name
                    ));
                }
                let counted = cost.total(|part| part.backward);
                if counted != backward + 2 * scanned {
                    wrong.push(format!(
                        "{name} backward at {}, {length} positions: {counted} counted, {backward} done",
                        scale.name
                    ));
                }
                compared += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(compared >= 5 * 8 * 4, "{compared} comparisons");
}

#[test]
fn parameters_are_those_of_the_built_model() {
    for (name, design) in shipped() {
        for scale in Scale::all() {
            let Some(cost) = model(&design, &scale) else { continue };
            let module = compile(&design, &scale, scale.vocabulary).unwrap();
            let table = genesys_ir::parameters(&module).unwrap();
            let built: usize = table.iter().map(|row| row.shape.iter().product::<usize>()).sum();
            let counted = cost.parameters();
            assert_eq!(counted, built as i128, "{name} at {}", scale.name);
        }
    }
}

#[test]
fn the_interpreter_multiplies_as_often_as_is_counted() {
    let mut wrong = Vec::new();
    for (name, design) in shipped() {
        let mut scale = Scale::named("nano").unwrap();
        (scale.blocks, scale.vocabulary) = (1, 11);
        for length in [1, 5] {
            scale.context = length;
            let Some(cost) = model(&design, &scale) else { continue };
            let module = compile(&design, &scale, scale.vocabulary).unwrap();
            let table = genesys_ir::parameters(&module).unwrap();
            let weights = |name: &str| {
                let row = table.iter().find(|row| row.name == name)?;
                Some(vec![0.01; row.shape.iter().product()])
            };
            let mut interpreter = Interpreter::new(&module, &weights);
            for token in 0..length {
                interpreter.step(token as u32, IGNORE).unwrap();
            }
            let Done { scanned, .. } = done(&module, length);
            let contracted = cost.total(|part| part.forward) - scanned;
            let multiplied = 2 * i128::from(interpreter.multiplications());
            if multiplied != contracted {
                wrong.push(format!("{name}, {length} positions: {contracted} counted, {multiplied} done"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Numbers in the values that a module makes of a row, where each past is a rectangle of all positions. What is passed on
/// under another name is the same value: the results of calls and regions.
fn made(module: &Module, function: &Function, region: &Region, length: u64) -> i128 {
    let elements = |id: &ValueId| -> i128 {
        let ty = function.ty(*id);
        let axes = ty.axes.iter().map(|axis| match &module.axis(*axis).domain {
            Domain::Static(size) => i128::from(size.as_int().unwrap()),
            Domain::Past { .. } | Domain::Blocks { .. } => i128::from(length),
        });
        axes.product::<i128>() * if ty.stage == Stage::Const { 1 } else { i128::from(length) }
    };
    let of = |instruction: &Instruction| match &instruction.op {
        Op::Call { function, .. } => {
            let function = module.function(*function);
            made(module, function, &function.body, length)
        }
        Op::Past { body, .. } | Op::Scan { body, .. } => made(module, function, body, length),
        Op::Weight(_) => 0,
        _ => instruction.results.iter().map(elements).sum(),
    };
    region.instructions.iter().map(of).sum()
}

#[test]
fn values_bound_what_the_lowered_program_makes() {
    let (mut compared, mut wrong) = (0, Vec::new());
    let mut closest = f64::INFINITY;
    for (name, design) in shipped() {
        for mut scale in Scale::all() {
            for length in [1, 7, 64, 600] {
                scale.context = length;
                let Some(cost) = model(&design, &scale) else { continue };
                let module = compile(&design, &scale, scale.vocabulary).unwrap();
                let (counted, made) =
                    (cost.total(|part| part.values), made(&module, module.main(), &module.main().body, length));
                if made > counted {
                    wrong.push(format!("{name} at {}, {length} positions: {made} made, {counted} counted", scale.name));
                }
                closest = closest.min(counted as f64 / made as f64);
                compared += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {compared}: {:#?}", wrong.len(), &wrong[..wrong.len().min(20)]);
    assert!(compared >= 5 * 8 * 4, "{compared} comparisons");
    assert!(closest < 1.5, "the bound is {closest} times what is made, or more, for every design");
}

#[test]
fn shipped_designs_are_far_within_the_limits() {
    for (name, design) in shipped() {
        for scale in Scale::all() {
            let Some(cost) = model(&design, &scale) else { continue };
            let (bytes, operations) = (cost.row_bytes(), cost.total(|part| part.forward + part.elementwise));
            assert!(4 * bytes < MAX_ROW_BYTES, "{name} at {}: {bytes} bytes", scale.name);
            assert!(16 * operations < MAX_ROW_OPERATIONS, "{name} at {}: {operations} operations", scale.name);
        }
    }
}
