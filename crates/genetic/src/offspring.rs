//! What operators give: new designs, and what became of the changes that gave none.

use genesys_check::{CheckedDesign, DesignHash};
use genesys_diag::Diagnostic;

/// A new design.
#[derive(Clone, Debug)]
pub struct Offspring {
    /// The design; its tree was never text, so that spans in it mean nothing.
    pub design: CheckedDesign,
    /// The designs it was made of: one that was mutated, or two that were crossed.
    pub parents: Vec<DesignHash>,
    /// The operator that made it, in kebab case: `replace-unit`.
    pub operator: &'static str,
    /// What the operator changed, in words: `Block: SwiGlu -> GeGlu`.
    pub detail: String,
}

impl Offspring {
    /// Its canonical text, which checks to a design of the same hash.
    pub fn text(&self) -> String {
        genesys_syntax::print(self.design.file())
    }
}

/// What became of the changes that were tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Changes that were made.
    pub tried: usize,
    /// Those that gave an offspring.
    pub offspring: usize,
    /// Those whose design is equal to a parent or to an earlier offspring.
    pub equal: usize,
    /// Those that did not check.
    pub unchecked: usize,
    /// Those that do not run at a scale at which the first parent runs.
    pub off_scale: usize,
    /// Those that look at no other position, and so cannot model a language.
    pub blind: usize,
    /// Those with a weight that cancels out or that training cannot move.
    pub idle: usize,
    /// Those that grew beyond what a text may hold.
    pub outgrown: usize,
}

impl Tally {
    /// The share of the changes tried that gave a valid design, equal to another or not.
    pub fn valid_share(&self) -> f64 {
        (self.offspring + self.equal) as f64 / self.tried.max(1) as f64
    }

    /// Both together.
    pub fn plus(self, other: Tally) -> Tally {
        Tally {
            tried: self.tried + other.tried,
            offspring: self.offspring + other.offspring,
            equal: self.equal + other.equal,
            unchecked: self.unchecked + other.unchecked,
            off_scale: self.off_scale + other.off_scale,
            blind: self.blind + other.blind,
            idle: self.idle + other.idle,
            outgrown: self.outgrown + other.outgrown,
        }
    }
}

/// A change that did not check: the operator promised too much.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The operator.
    pub operator: &'static str,
    /// What it changed, in words.
    pub detail: String,
    /// The text of what it gave.
    pub text: String,
    /// Why that does not check.
    pub diagnostics: Vec<Diagnostic>,
}
