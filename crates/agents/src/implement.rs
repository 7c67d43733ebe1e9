//! The implementer: from a written proposal to a design that checks.
//!
//! A proposal in, a design out, or every attempt that did not become one. Unit by unit, a model first gives a sketch of interfaces, then fills
//! one of them at a time; each is fixed at its first valid version. What the checker says of an answer goes back to the model, as often as
//! [`Limits::mends`] says for each piece. Asked directly, it has one answer.

use std::sync::Arc;

use genesys_check::CheckedDesign;
use genesys_check::sketch::Hole;
use genesys_compiler::{CheckedText, check_text, fitting};
use genesys_diag::{Diagnostic, render_text};
use genesys_ladder::Scale;
use genesys_llm::{Form, LlmError, Message, Request, Transport};
use genesys_span::Sources;
use genesys_syntax::ast::{Block, File, Item, ItemKind, Unit};
use genesys_syntax::print;
use serde::Serialize;

use crate::card::card;
use crate::code::code;
use crate::prompt::{FILL, IMPLEMENTER, MEND, SKETCH, WHOLE, enclosed};

/// How a design is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// A sketch, then one unit at a time, with what the checker says.
    ByUnits,
    /// All at once, with what the checker says.
    Whole,
    /// All at once, and no word from the checker.
    Direct,
}

/// What an implementer may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How often each piece may be mended.
    pub mends: usize,
    /// How many units a sketch may leave open.
    pub units: usize,
    /// The most tokens of an answer.
    pub tokens: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { mends: 7, units: 16, tokens: 4_000 }
    }
}

/// What is asked for, and of whom.
pub struct Task<'a> {
    /// Who answers.
    pub transport: &'a dyn Transport,
    /// The model's name.
    pub model: &'a str,
    /// The proposal.
    pub proposal: &'a str,
    /// The scales that the design has to run at.
    pub scales: &'a [Scale],
    /// How it is written.
    pub way: Way,
    /// What it may take.
    pub limits: Limits,
    /// What draws are made of, where the model knows seeds.
    pub seed: u64,
}

/// An answer, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attempt {
    /// What was asked for: `design`, `sketch`, `unit Router`.
    pub piece: String,
    /// The number of the answer for this piece, from 1.
    pub number: usize,
    /// What was answered.
    pub answer: String,
    /// What is wrong with it; nothing where it is taken.
    pub errors: Vec<String>,
}

/// What became of a proposal.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The design and its text, if there is one.
    pub design: Option<(CheckedDesign, String)>,
    /// All answers, in their order.
    pub attempts: Vec<Attempt>,
}

/// The most errors that are told at once.
const TOLD: usize = 5;

/// Has a proposal implemented. `see` is told each attempt as it ends.
///
/// # Errors
/// Why the model does not answer; what it answered before is lost but for `see`, and for what the transport records.
pub fn implement(task: &Task<'_>, see: &mut dyn FnMut(&Attempt)) -> Result<Outcome, LlmError> {
    let system = IMPLEMENTER.filled(&[("card", &card())]);
    let mut dialogue = Dialogue { task, system, messages: Vec::new(), attempts: Vec::new(), see };
    let design = match task.way {
        Way::ByUnits => dialogue.by_units()?,
        Way::Whole | Way::Direct => {
            let asked =
                WHOLE.filled(&[("widths", &widths(task.scales)), ("proposal", &enclosed(task.proposal, "proposal"))]);
            dialogue.piece("design", asked, &|code| task.design(&check_text("design.gau", code)))?
        }
    };
    Ok(Outcome { design, attempts: dialogue.attempts })
}

/// `128 and 256`
fn widths(scales: &[Scale]) -> String {
    let mut widths: Vec<u64> = scales.iter().map(|scale| scale.width).collect();
    widths.sort_unstable();
    widths.dedup();
    let words: Vec<String> = widths.iter().map(u64::to_string).collect();
    if words.is_empty() { "any size".to_owned() } else { words.join(" and ") }
}

impl Task<'_> {
    /// The design of a text, which runs at the scales, or what is wrong with it.
    fn design(&self, checked: &CheckedText) -> Result<(CheckedDesign, String), Vec<String>> {
        let Some(design) = &checked.design else {
            return Err(match &checked.sketch {
                Some(sketch) => sketch.holes().iter().map(|hole| format!("{} is not written", hole.title())).collect(),
                None => told(&checked.sources, &checked.diagnostics),
            });
        };
        for scale in self.scales {
            fitting(design, scale).map_err(|found| told(&checked.sources, &found))?;
        }
        Ok((design.clone(), print(&checked.syntax)))
    }
}

/// What is wrong, as the model is told it.
fn told(sources: &Sources, diagnostics: &[Diagnostic]) -> Vec<String> {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
    errors.take(TOLD).map(|error| render_text(sources, error, false)).collect()
}

/// A dialogue with a model.
struct Dialogue<'a> {
    task: &'a Task<'a>,
    system: String,
    messages: Vec<Message>,
    attempts: Vec<Attempt>,
    see: &'a mut dyn FnMut(&Attempt),
}

impl Dialogue<'_> {
    /// Asks for a piece until `take` takes an answer, or as often as may be.
    fn piece<T>(
        &mut self,
        piece: &str,
        asked: String,
        take: &dyn Fn(&str) -> Result<T, Vec<String>>,
    ) -> Result<Option<T>, LlmError> {
        let tries = if self.task.way == Way::Direct { 1 } else { 1 + self.task.limits.mends };
        self.messages.push(Message::User { text: asked });
        for number in 1..=tries {
            let reply = self.task.transport.ask(&self.request(), &mut |_| {})?;
            let taken = code(&reply).map_err(|why| vec![why]).and_then(|code| take(&code));
            let errors = taken.as_ref().err().cloned().unwrap_or_default();
            let attempt = Attempt { piece: piece.to_owned(), number, answer: reply.text.clone(), errors };
            (self.see)(&attempt);
            self.messages.push(Message::Model { text: reply.text, calls: Vec::new() });
            if let Err(errors) = &taken {
                self.messages.push(Message::User { text: MEND.filled(&[("errors", &errors.join("\n\n"))]) });
            }
            self.attempts.push(attempt);
            if let Ok(taken) = taken {
                return Ok(Some(taken));
            }
        }
        Ok(None)
    }

    fn request(&self) -> Request {
        Request {
            role: "implementer".to_owned(),
            model: self.task.model.to_owned(),
            system: self.system.clone(),
            messages: self.messages.clone(),
            tools: Vec::new(),
            form: Form::Text,
            max_tokens: self.task.limits.tokens,
            temperature: None,
            seed: Some(self.task.seed),
            stop: Vec::new(),
        }
    }

    /// A sketch, then its units.
    fn by_units(&mut self) -> Result<Option<(CheckedDesign, String)>, LlmError> {
        let task = self.task;
        let slots = [("widths", widths(task.scales)), ("proposal", enclosed(task.proposal, "proposal"))];
        let asked = SKETCH.filled(&slots.each_ref().map(|(name, text)| (*name, text.as_str())));
        let Some(mut text) = self.piece("sketch", asked, &|code| task.sketch(code))? else { return Ok(None) };
        loop {
            let checked = check_text("design.gau", &text);
            let Some(sketch) = &checked.sketch else {
                // A design is taken only where it runs at the scales.
                return Ok(task.design(&checked).ok());
            };
            let hole = &sketch.holes()[0];
            // The dialogue begins anew with what is fixed: it stays short however many units there are.
            self.messages.clear();
            let asked = FILL.filled(&[("unit", &hole.title()), ("text", text.trim_end())]);
            let Some(filled) = self.piece(&hole.title(), asked, &|code| task.unit(&checked, hole, code))? else {
                return Ok(None);
            };
            text = filled;
        }
    }
}

impl Task<'_> {
    /// The text of a sketch whose holes are units, or of a design.
    fn sketch(&self, code: &str) -> Result<String, Vec<String>> {
        let checked = check_text("design.gau", code);
        let Some(sketch) = &checked.sketch else { return self.design(&checked).map(|(_, text)| text) };
        let expressions = sketch.holes().iter().filter(|hole| hole.expr.is_some());
        let mut wrong: Vec<String> = expressions
            .map(|hole| format!("{} stands for an expression: leave away the body of its unit instead", hole.title()))
            .collect();
        let open = sketch.holes().len();
        if open > self.limits.units {
            wrong.push(format!("expected at most {} units without a body, found {open}", self.limits.units));
        }
        if wrong.is_empty() { Ok(print(&checked.syntax)) } else { Err(wrong) }
    }

    /// The text in which a unit is filled by what was answered.
    fn unit(&self, sketch: &CheckedText, hole: &Hole, code: &str) -> Result<String, Vec<String>> {
        let mut sources = Sources::default();
        let answer = sources.add("answer.gau", code);
        let parsed = genesys_syntax::parse(&sources, answer);
        if parsed.diagnostics.iter().any(Diagnostic::is_error) {
            return Err(told(&sources, &parsed.diagnostics));
        }
        let file = joined(&sketch.syntax, &parsed.file, &hole.unit).map_err(|why| vec![why])?;
        let text = print(&file);
        let checked = check_text("design.gau", &text);
        match (&checked.sketch, &checked.design) {
            (Some(rest), _) if rest.holes().iter().any(|left| left.unit == hole.unit) => {
                Err(vec![format!("{} is still not written", hole.title())])
            }
            (Some(_), _) => Ok(text),
            (None, Some(_)) => self.design(&checked).map(|(_, text)| text),
            (None, None) => Err(told(&checked.sources, &checked.diagnostics)),
        }
    }
}

/// A file in which a unit without a body is that of another file, with the units and imports that come with it.
fn joined(file: &Arc<File>, answer: &File, unit: &str) -> Result<File, String> {
    let mut all = File::clone(file);
    let units = |file: &File| -> Vec<String> {
        file.items.iter().filter_map(|item| as_unit(item).map(|unit| unit.name.text.clone())).collect()
    };
    let own = units(file);
    let mut found = false;
    for item in &answer.items {
        match &item.kind {
            ItemKind::Design(_) => return Err(format!("expected `unit {unit}` alone, found a design")),
            ItemKind::Use(_) => all.items.insert(0, item.clone()),
            ItemKind::Unit(new) if new.name.text == unit => {
                let old = all.items.iter_mut().find(|item| as_unit(item).is_some_and(|old| old.name.text == unit));
                let old = old.ok_or_else(|| format!("there is no `unit {unit}` to be written"))?;
                let (wanted, given) = (signature(old), signature(item));
                if wanted != given {
                    return Err(format!("expected the signature `{wanted}`, found `{given}`"));
                }
                // What was said of it before it was written stays, where nothing is said now.
                let docs = if item.docs.is_empty() { old.docs.clone() } else { item.docs.clone() };
                *old = Item { docs, ..item.clone() };
                found = true;
            }
            ItemKind::Unit(new) if own.contains(&new.name.text) => {
                return Err(format!("`{}` is there already: give what you add another name", new.name.text));
            }
            ItemKind::Unit(new) if new.is_open() => {
                return Err(format!("`{}` has no body: write those of the units that you add", new.name.text));
            }
            ItemKind::Unit(_) => all.items.push(item.clone()),
        }
    }
    if !found {
        return Err(format!("expected `unit {unit}`, found {}", listed(&units(answer))));
    }
    imports(&mut all);
    genesys_syntax::renumber(&mut all);
    Ok(all)
}

fn as_unit(item: &Item) -> Option<&Unit> {
    match &item.kind {
        ItemKind::Unit(unit) => Some(unit),
        ItemKind::Use(_) | ItemKind::Design(_) => None,
    }
}

/// The names of units, in words.
fn listed(units: &[String]) -> String {
    if units.is_empty() { "no unit".to_owned() } else { format!("`{}`", units.join("`, `")) }
}

/// The first line of a unit without its body.
fn signature(item: &Item) -> String {
    let Some(unit) = as_unit(item) else { return String::new() };
    let body = Block { stmts: Vec::new(), result: None, ..unit.body.clone() };
    let open = Item { docs: Vec::new(), kind: ItemKind::Unit(Unit { body, ..unit.clone() }), ..item.clone() };
    print(&File { items: vec![open], ..File::default() }).trim_end().trim_end_matches(';').to_owned()
}

/// Leaves each import once, in the first line of them.
fn imports(file: &mut File) {
    let mut seen = std::collections::BTreeSet::new();
    for item in &mut file.items {
        if let ItemKind::Use(import) = &mut item.kind {
            import.names.retain(|name| seen.insert(name.text.clone()));
        }
    }
    file.items.retain(|item| !matches!(&item.kind, ItemKind::Use(import) if import.names.is_empty()));
}
