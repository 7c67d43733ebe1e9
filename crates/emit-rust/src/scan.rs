//! Recurrences: a loop over positions for what the next states need, whole sequences for the rest.

use std::collections::{BTreeMap, BTreeSet};

use genesys_axis::Size;
use genesys_ir::module::{Instruction, Op, Region, State, ValueId};
use genesys_ir::plan::ScanPlan;

use crate::body::Body;
use crate::code::Code;
use crate::dims::{Dim, Piece, Value, plain};
use crate::error::Unsupported;

type Result<T> = std::result::Result<T, Unsupported>;

/// A state of a loop under construction.
struct Held<'m> {
    state: &'m State,
    /// The variable that holds it.
    name: String,
    /// The variable that holds what it was at the start of the chunk.
    start: Option<String>,
    dims: Vec<Dim>,
}

impl<'m> Body<'m> {
    /// Statements for a scan, whose results are then known.
    pub(crate) fn scan(
        &mut self,
        instruction: &'m Instruction,
        states: &'m [State],
        chunk: Option<&Size>,
        body: &'m Region,
    ) -> Result<()> {
        if let Op::Scan { direction, reset, .. } = &instruction.op {
            self.forward(*direction, *reset)?;
        }
        let plan = ScanPlan::new(states, body);
        self.run(&plan.before)?;
        let mut sliced = BTreeMap::new();
        self.slice(&plan.captured, &mut sliced)?;
        let held = self.begin(states)?;
        let (first, collected) = self.collections(&plan.collected);
        let loop_starts = self.mark();
        self.enter();
        for (id, piece) in &sliced {
            self.set(*id, Value::Tensor(piece.clone()));
        }
        self.chunk(&held, chunk)?;
        for Held { state, name, start, dims } in &held {
            self.set(state.current, Value::Tensor(Piece::new(Code::place(name), dims.clone())));
            if let (Some(id), Some(start)) = (state.start, start) {
                self.set(id, Value::Tensor(Piece::new(Code::place(start), dims.clone())));
            }
        }
        self.run(&plan.within)?;
        let made = self.step_end(&held, &collected)?;
        self.leave();
        self.open_loop(loop_starts);
        self.line("}");
        for (id, piece) in made {
            self.stacked(id, &collected[&id], piece);
        }
        debug_assert!(first.is_none_or(|id| collected.contains_key(&id)));
        self.run(&plan.behind)?;
        for (result, id) in instruction.results.iter().zip(&body.results) {
            let value = self.get(*id)?;
            self.set(*result, value);
        }
        Ok(())
    }

    /// Cuts what the loop reads into positions. A map that nobody has read and that is larger than its operands is left to
    /// the loop: its operands are cut.
    fn slice(&mut self, captured: &BTreeSet<ValueId>, sliced: &mut BTreeMap<ValueId, Piece>) -> Result<()> {
        for id in captured {
            if sliced.contains_key(id) {
                continue;
            }
            if let Some(Instruction { args, .. }) = self.unread(*id)
                && self.expands(*id, args)
            {
                self.slice(&args.iter().copied().collect(), sliced)?;
                continue;
            }
            let Value::Tensor(piece) = self.get(*id)? else { continue };
            if piece.has(Dim::Time) {
                let piece = self.atom(piece, "whole");
                let at = piece.place(Dim::Time);
                let dims = piece.dims.iter().copied().filter(|dim| *dim != Dim::Time).collect();
                let wish = format!("{}_at", piece.code.name().unwrap_or("value").trim_start_matches("self."));
                let name = self.name(None, &wish);
                let code = Code::call("unstack", vec![piece.code.borrowed(), at.to_string()]);
                self.given(&name, code.statement(&format!("let {name} = "), ";", self.indent), "");
                sliced.insert(*id, Piece::new(Code::place(format!("{name}[i]")), dims));
            }
        }
        Ok(())
    }

    /// Whether a value has more elements at a position than its operands have together.
    fn expands(&self, id: ValueId, args: &[ValueId]) -> bool {
        let elements = |id: &ValueId| -> usize {
            let axes = self.function.ty(*id).axes.iter().filter(|axis| !self.axes.is_dependent(**axis));
            axes.map(|axis| self.axes.size(*axis)).product()
        };
        elements(&id) > args.iter().map(elements).sum()
    }

    /// Variables for the states, with what they hold before the first position.
    fn begin(&mut self, states: &'m [State]) -> Result<Vec<Held<'m>>> {
        let mut held = Vec::new();
        for state in states {
            let axes = self.function.ty(state.current).axes.iter().map(|axis| Dim::Axis(*axis));
            let dims: Vec<Dim> = [Dim::Batch].into_iter().chain(axes).collect();
            let code = self.begun(state, &dims)?;
            let name = self.namer.variable(&state.name);
            self.variable(&name, code, &dims);
            let start = state.start.map(|_| self.namer.variable(&format!("{}_start", state.name)));
            if let Some(start) = &start {
                self.line(format!("let mut {start} = {name}.clone();"));
            }
            held.push(Held { state, name, start, dims });
        }
        Ok(held)
    }

    fn variable(&mut self, name: &str, code: Code, dims: &[Dim]) {
        let comment = format!(" // {}", self.axes.shown(dims));
        self.given(name, code.statement(&format!("let mut {name} = "), ";", self.indent), &comment);
    }

    /// A state's initial value with all of its dimensions.
    fn begun(&mut self, state: &State, dims: &[Dim]) -> Result<Code> {
        Ok(match self.get(state.init)? {
            Value::Number(0.0) => {
                let device = format!("{}.device()", self.like.flat());
                Code::call("Tensor::zeros", vec![self.axes.shape(dims), "dtype".to_owned(), device])
            }
            value => {
                let piece = self.tensor(value);
                self.expanded(piece, dims)
            }
        })
    }

    /// Vectors for what the steps give.
    fn collections(&mut self, collected: &BTreeSet<ValueId>) -> (Option<ValueId>, BTreeMap<ValueId, String>) {
        let mut names = BTreeMap::new();
        for id in collected {
            let name = self.namer.variable("steps");
            self.line(format!("let mut {name} = Vec::with_capacity(t);"));
            names.insert(*id, name);
        }
        (collected.first().copied(), names)
    }

    /// A chunk begins: states that do so anew take their initial value, and starts are what states hold.
    fn chunk(&mut self, held: &[Held<'m>], chunk: Option<&Size>) -> Result<()> {
        let Some(chunk) = chunk else { return Ok(()) };
        self.line(format!("if i % {} == 0 {{", plain(chunk)));
        self.indent += 4;
        for Held { state, name, start, dims } in held {
            if state.anew {
                let code = self.begun(state, dims)?;
                code.statement(&format!("{name} = "), ";", self.indent).iter().for_each(|line| self.line(line));
            }
            if let Some(start) = start {
                self.line(format!("{start} = {name}.clone();"));
            }
        }
        self.indent -= 4;
        self.line("}");
        Ok(())
    }

    /// The end of a step: what it gives is kept, and states take their next values.
    fn step_end(&mut self, held: &[Held<'m>], collected: &BTreeMap<ValueId, String>) -> Result<Vec<(ValueId, Piece)>> {
        let mut nexts = Vec::new();
        for Held { state, name, dims, .. } in held {
            let piece = self.piece(state.next)?;
            let plain = piece.dims == *dims;
            let code = if plain { piece.code } else { self.expanded(piece, dims) };
            let is_state = held.iter().any(|other| code.name() == Some(other.name.as_str()));
            let code = match code.name() {
                Some(_) if !is_state => code,
                _ => self.bind(None, "next", Piece::new(code, dims.clone())).code,
            };
            nexts.push((name, code.flat()));
        }
        let mut made = Vec::new();
        for (id, steps) in collected {
            let piece = self.piece(*id)?;
            let piece = self.atom(piece, "step");
            let name = piece.code.flat();
            self.line(format!("{steps}.push({name}.clone());"));
            made.push((*id, piece));
        }
        for (name, next) in nexts {
            self.line(format!("{name} = {next};"));
        }
        Ok(made)
    }

    /// What the steps gave, over time.
    fn stacked(&mut self, id: ValueId, steps: &str, piece: Piece) {
        let at = usize::from(piece.has(Dim::Batch));
        let mut dims = piece.dims;
        dims.insert(at, Dim::Time);
        let code = Code::call("Tensor::stack", vec![format!("&{steps}"), at.to_string()]);
        self.bound(id, "over_time", Piece::new(code, dims));
    }
}
