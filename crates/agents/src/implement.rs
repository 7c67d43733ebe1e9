//! The implementer: from a written proposal to a design that checks.
//!
//! A proposal in, a design out, or every attempt that did not become one. Unit by unit, a model first gives a sketch of interfaces, if
//! none was given, then fills one of them at a time; each is fixed at its first valid version, and may be a unit that is known. What the
//! checker says of an answer goes back to the model, as often as [`Limits::mends`] says for each piece. Asked directly, it has one answer.

use genesys_check::CheckedDesign;
use genesys_check::sketch::Hole;
use genesys_compiler::check_text;
use genesys_ladder::Scale;
use genesys_llm::{Form, LlmError, Transport};
use genesys_registry::Fit;
use genesys_syntax::print;

use crate::card::card;
use crate::commission::{Limits, Way};
use crate::conversation::{Conversation, Feedback, Model, Record};
use crate::dialogue::Attempt;
use crate::offer::{Units, offered};
use crate::planner::Plan;
use crate::prompt::{FILL, IMPLEMENTER, SKETCH, WHOLE, enclosed};
use crate::role::Role;
use crate::write::{Target, widths};

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

/// What became of a proposal.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The design and its text, if there is one.
    pub design: Option<(CheckedDesign, String)>,
    /// All answers, in their order.
    pub attempts: Vec<Attempt>,
}

/// What an implementer is given besides the proposal.
#[derive(Clone, Copy, Default)]
pub(crate) struct Given<'a> {
    /// The sketch; without one it is the first piece.
    pub(crate) sketch: Option<&'a str>,
    /// In which order units are written, and how.
    pub(crate) plan: Option<&'a Plan>,
    /// Units that are known.
    pub(crate) units: Option<Units<'a>>,
    /// What was said of the design that was written before.
    pub(crate) remarks: Option<&'a str>,
}

/// Has a proposal implemented. `see` is told each attempt as it ends.
///
/// # Errors
/// Why the model does not answer; what it answered before is lost but for `see`, and for what the transport records.
pub fn implement(task: &Task<'_>, see: &mut dyn FnMut(&Attempt)) -> Result<Outcome, LlmError> {
    let model = Model { transport: task.transport, name: task.model, seed: task.seed, tokens: task.limits.tokens };
    let mut record = Record::new(see);
    let target = Target { scales: task.scales, units: task.limits.units };
    let work = Work { model: &model, target, way: task.way, mends: task.limits.mends, proposal: task.proposal };
    let design = work.design(&mut record, Given::default())?;
    Ok(Outcome { design, attempts: record.end().0 })
}

/// A proposal that is to be implemented.
pub(crate) struct Work<'a> {
    pub(crate) model: &'a Model<'a>,
    pub(crate) target: Target<'a>,
    pub(crate) way: Way,
    pub(crate) mends: usize,
    pub(crate) proposal: &'a str,
}

/// A design and its text.
type Design = (CheckedDesign, String);

impl Work<'_> {
    /// Writes a design; none where a piece of it could not be taken.
    pub(crate) fn design(&self, record: &mut Record<'_>, given: Given<'_>) -> Result<Option<Design>, LlmError> {
        let (mends, feedback) = match self.way {
            Way::ByUnits | Way::Whole => (self.mends, Feedback::Told),
            Way::Unheard => (self.mends, Feedback::Withheld),
            Way::Direct => (0, Feedback::Told),
        };
        let system = IMPLEMENTER.filled(&[("card", &card())]);
        let mut talk = Conversation::new(self.model, Role::Implementer, system, mends).hearing(feedback);
        match self.way {
            Way::ByUnits | Way::Unheard => self.by_units(&mut talk, record, given),
            Way::Whole | Way::Direct => {
                let widths = widths(self.target.scales);
                let asked = WHOLE.filled(&[("widths", &widths), ("proposal", &self.told(given))]);
                talk.piece(record, "design", asked, &Form::Text, &|reply| self.target.answer(&reply.text))
            }
        }
    }

    /// The proposal, and what was said of an earlier design.
    fn told(&self, given: Given<'_>) -> String {
        let remarks = given.remarks.map_or(String::new(), |remarks| {
            format!("\n\nThe design that was written before was not what is proposed here:\n{remarks}")
        });
        enclosed(&format!("{}{remarks}", self.proposal.trim()))
    }

    /// A sketch, then its units.
    fn by_units(
        &self,
        talk: &mut Conversation<'_>,
        record: &mut Record<'_>,
        given: Given<'_>,
    ) -> Result<Option<Design>, LlmError> {
        let target = &self.target;
        let sketch = match given.sketch {
            Some(sketch) => Some(sketch.to_owned()),
            None => {
                let asked = SKETCH.filled(&[("widths", &widths(target.scales)), ("proposal", &self.told(given))]);
                talk.piece(record, "sketch", asked, &Form::Text, &|reply| target.sketch(&reply.text))?
            }
        };
        let Some(mut text) = sketch else { return Ok(None) };
        loop {
            let checked = check_text("design.gau", &text);
            let Some(sketch) = &checked.sketch else {
                // A design is taken only where it runs at the scales.
                return Ok(target.design(&checked).ok());
            };
            let hole = given.plan.and_then(|plan| plan.first(sketch.holes())).unwrap_or(&sketch.holes()[0]);
            let fits = given.units.map_or_else(Vec::new, |units| units.fits(sketch, &checked.syntax, hole));
            // The conversation begins anew with what is fixed: it stays short however many units there are.
            talk.forget();
            let asked = self.asked(hole, &text, &fits, given);
            let take = |reply: &genesys_llm::Reply| match chosen(&reply.text, &fits)? {
                Some(filled) => target.filled(&filled, hole),
                None => target.unit(&checked, hole, &reply.text),
            };
            let Some(filled) = talk.piece(record, &hole.title(), asked, &Form::Text, &take)? else { return Ok(None) };
            record.written(&filled);
            text = filled;
        }
    }

    /// What is asked for a hole.
    fn asked(&self, hole: &Hole, text: &str, fits: &[Fit<'_>], given: Given<'_>) -> String {
        let hint = given.plan.and_then(|plan| plan.hint(&hole.unit)).unwrap_or_default();
        // What is asked of whoever has read the proposal in the same conversation is told once.
        let proposal = if given.sketch.is_some() {
            format!("\n\n<proposal>\n{}\n</proposal>", self.told(given))
        } else {
            String::new()
        };
        let hint = if hint.is_empty() { hint } else { format!("\n\n<plan>\n{}\n</plan>", enclosed(&hint)) };
        FILL.filled(&[
            ("unit", &hole.title()),
            ("text", text.trim_end()),
            ("hint", &format!("{proposal}{hint}")),
            ("fits", &offered(fits)),
        ])
    }
}

/// The text that a unit of the registry gives, if the answer takes one: `take u1-...` and nothing else.
fn chosen(answer: &str, fits: &[Fit<'_>]) -> Result<Option<String>, Vec<String>> {
    let Some(key) = answer.trim().trim_matches('`').trim().strip_prefix("take ") else { return Ok(None) };
    let key = key.trim();
    let fit = fits.iter().find(|fit| fit.entry.is_some_and(|entry| entry.key.as_str() == key));
    match fit {
        Some(fit) => Ok(Some(print(&fit.filled.file))),
        None => Err(vec![format!("expected `take` and the key of a unit that was offered, found `{key}`")]),
    }
}
