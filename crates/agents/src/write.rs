//! What is taken of those who write: sketches, units, designs; and what is told where it is not.

use genesys_check::CheckedDesign;
use genesys_check::sketch::Hole;
use genesys_compiler::{CheckedText, check_text, fitting};
use genesys_diag::{Diagnostic, render_text};
use genesys_ladder::Scale;
use genesys_span::Sources;
use genesys_syntax::print;

use crate::code::code;
use crate::conversation::Flaws;
use crate::join::joined;

/// The most errors that are told at once.
const TOLD: usize = 5;

/// What a design has to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    /// The scales at which it has to run.
    pub(crate) scales: &'a [Scale],
    /// How many units a sketch may leave open.
    pub(crate) units: usize,
}

/// `128 and 256`
pub(crate) fn widths(scales: &[Scale]) -> String {
    let mut widths: Vec<u64> = scales.iter().map(|scale| scale.width).collect();
    widths.sort_unstable();
    widths.dedup();
    let words: Vec<String> = widths.iter().map(u64::to_string).collect();
    if words.is_empty() { "any size".to_owned() } else { words.join(" and ") }
}

impl Target<'_> {
    /// The design of an answer, and its text.
    pub(crate) fn answer(&self, answer: &str) -> Result<(CheckedDesign, String), Flaws> {
        self.design(&check_text("design.gau", code(answer)?.as_str()))
    }

    /// The design of a text, which runs at the scales, or what is wrong with it.
    pub(crate) fn design(&self, checked: &CheckedText) -> Result<(CheckedDesign, String), Flaws> {
        let Some(design) = &checked.design else {
            return Err(match &checked.sketch {
                Some(sketch) => {
                    let open = sketch.holes().iter().map(|hole| format!("{} is not written", hole.title()));
                    draft(checked, open.collect())
                }
                None => told(&checked.sources, &checked.diagnostics).into(),
            });
        };
        for scale in self.scales {
            fitting(design, scale).map_err(|found| draft(checked, told(&checked.sources, &found)))?;
        }
        Ok((design.clone(), print(&checked.syntax)))
    }

    /// The text of a sketch whose holes are units, or of a design.
    pub(crate) fn sketch(&self, answer: &str) -> Result<String, Flaws> {
        let checked = check_text("design.gau", code(answer)?.as_str());
        let Some(sketch) = &checked.sketch else { return self.design(&checked).map(|(_, text)| text) };
        let expressions = sketch.holes().iter().filter(|hole| hole.expr.is_some());
        let mut wrong: Vec<String> = expressions
            .map(|hole| format!("{} stands for an expression: leave away the body of its unit instead", hole.title()))
            .collect();
        let open = sketch.holes().len();
        if open > self.units {
            wrong.push(format!("expected at most {} units without a body, found {open}", self.units));
        }
        if wrong.is_empty() { Ok(print(&checked.syntax)) } else { Err(draft(&checked, wrong)) }
    }

    /// The text in which a unit is filled by what was answered.
    pub(crate) fn unit(&self, sketch: &CheckedText, hole: &Hole, answer: &str) -> Result<String, Flaws> {
        let mut sources = Sources::default();
        let answer = sources.add("answer.gau", code(answer)?.as_str());
        let parsed = genesys_syntax::parse(&sources, answer);
        if parsed.diagnostics.iter().any(Diagnostic::is_error) {
            return Err(told(&sources, &parsed.diagnostics).into());
        }
        let file = joined(&sketch.syntax, &parsed.file, &hole.unit).map_err(|why| vec![why])?;
        self.filled(&print(&file), hole)
    }

    /// A text in which that hole is filled, if it is.
    pub(crate) fn filled(&self, text: &str, hole: &Hole) -> Result<String, Flaws> {
        let checked = check_text("design.gau", text);
        match (&checked.sketch, &checked.design) {
            (Some(rest), _) if rest.holes().iter().any(|left| left.unit == hole.unit) => {
                Err(draft(&checked, vec![format!("{} is still not written", hole.title())]))
            }
            (Some(_), _) => Ok(text.to_owned()),
            (None, Some(_)) => self.design(&checked).map(|(_, text)| text),
            (None, None) => Err(told(&checked.sources, &checked.diagnostics).into()),
        }
    }
}

/// What is wrong with a text that the checker passed.
fn draft(checked: &CheckedText, errors: Vec<String>) -> Flaws {
    Flaws { errors, draft: Some(print(&checked.syntax)) }
}

/// What is wrong, as the model is told it.
fn told(sources: &Sources, diagnostics: &[Diagnostic]) -> Vec<String> {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
    errors.take(TOLD).map(|error| render_text(sources, error, false)).collect()
}
