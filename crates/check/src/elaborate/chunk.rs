//! T-start: scans in chunks, whose states can be read where the present chunk began.
//!
//! A chunk is as many positions as `every` says, from the document's first on; the last may be
//! shorter. `start(S)` is what the state holds when the first step of the present chunk begins, and
//! `phase` counts the positions of a chunk from 0. A state marked `reset` begins each chunk at its
//! initial value.

use genesys_axis::{Constant, Size};
use genesys_diag::{Code, Diagnostic};
use genesys_scalar::Function;
use genesys_span::Span;
use genesys_syntax::ast::{Arg, Call, ExprKind, Scan};

use super::{Elab, Elaborator};
use crate::core::{NodeId, Op, ScanId, Stage, Type};
use crate::error;

impl<'a> Elaborator<'a, '_> {
    /// The positions of a chunk.
    pub(super) fn chunk(&mut self, scan: &Scan) -> Elab<Option<Size>> {
        let Some(every) = &scan.every else { return Ok(None) };
        let chunk = self.size(every)?;
        self.at_least(&chunk, 1, every.span, "a chunk holds at least one position")?;
        Ok(Some(chunk))
    }

    /// `start(S)`: what the state held when the present chunk began.
    pub(super) fn start(&mut self, call: &'a Call, span: Span) -> Elab<NodeId> {
        let (scan, index) = self.start_of(call, span)?;
        if let Some(&known) = self.starts.get(&(scan, index)) {
            return Ok(known);
        }
        let axes = self.graph.scan(scan).states[index as usize].axes.iter().copied().collect();
        let ty = Type { stage: Stage::Moment, axes };
        let node = self.push(Op::Start { scan, index }, &[], ty, span)?;
        self.starts.insert((scan, index), node);
        Ok(node)
    }

    /// The state that `start(S)` names: one of the innermost scan, which runs in chunks.
    fn start_of(&mut self, call: &Call, span: Span) -> Elab<(ScanId, u32)> {
        let name = match (&call.slot, call.args.as_slice()) {
            (None, [Arg::Value(value)]) => match &value.kind {
                ExprKind::Name(name) => name,
                _ => return Err(self.start_form(value.span)),
            },
            _ => return Err(self.start_form(span)),
        };
        let scan = self.chunked(&format!("start({})", name.text), span)?;
        let states = &self.graph.scan(scan).states;
        if let Some(index) = states.iter().position(|state| state.name == name.text) {
            return Ok((scan, index as u32));
        }
        let known: Vec<String> = states.iter().map(|state| state.name.clone()).collect();
        Err(self.fail(error::unknown("state of this scan", name, known.iter().map(String::as_str))))
    }

    fn start_form(&mut self, span: Span) -> super::Reported {
        self.fail(error::arguments(span, "expected the name of a state: `start(S)`"))
    }

    /// `phase`: the position within the chunk.
    pub(super) fn phase(&mut self, span: Span) -> Elab<NodeId> {
        let scan = self.chunked("phase", span)?;
        self.phased.insert(scan);
        let chunk = self.graph.scan(scan).chunk.clone().unwrap_or_default();
        let position = self.push(Op::Position, &[], Type { stage: Stage::Seq, axes: Default::default() }, span)?;
        let chunk = self.constant(Constant::Size(chunk), span)?;
        self.map(Function::Rem, &[position, chunk], span)
    }

    /// The innermost scan of this unit, which must run in chunks.
    fn chunked(&mut self, what: &str, span: Span) -> Elab<ScanId> {
        if let Some(scan) = self.frame().scan
            && self.graph.scan(scan).chunk.is_some()
        {
            return Ok(scan);
        }
        let message = format!("expected a scan in chunks around `{what}`, found none");
        let help = "write `every C` behind the states of the scan: chunks are C positions long";
        Err(self.fail(Diagnostic::error(Code::MISPLACED, span, message).help(help)))
    }

    /// Chunks that nothing looks at are none; unless something reads `phase`, the text says so in vain.
    pub(super) fn finish_chunk(&mut self, id: ScanId, scan: &Scan) {
        let reads = self.starts.keys().any(|(of, _)| *of == id);
        let resets = self.graph.scan(id).states.iter().any(|state| state.reset);
        if reads || resets {
            return;
        }
        self.graph.scans[id.0 as usize].chunk = None;
        if let Some(every) = &scan.every
            && self.frames.len() == 1
            && !self.phased.contains(&id)
        {
            let message = "chunks have no effect here: nothing reads `start(..)` or `phase`, and no state is reset";
            self.diagnostics.push(Diagnostic::warning(Code::DEAD_CODE, every.span, message));
        }
    }
}
