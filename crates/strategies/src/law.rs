//! The laws that every operator keeps, whoever wrote it.
//!
//! A child checks (so it is causal, by the theorem of the language), runs at every scale at which its
//! parent runs, prints to a text that checks to the same hash, differs from its parent in meaning, and
//! is the same for the same seed.

use std::fmt;
use std::sync::Arc;

use genesys_check::{CheckedDesign, Library, check};
use genesys_diag::Diagnostic;
use genesys_genetic::Context;
use genesys_span::Sources;
use genesys_syntax::ast::File;
use genesys_syntax::{parse, print};

/// An operator: a checked design and a seed to the tree of another design.
///
/// Any function of this form is one. It may leave a design alone by giving nothing, where it has
/// nothing to change.
pub trait Operator {
    /// The child of `parent`, or nothing.
    fn apply(&self, parent: &CheckedDesign, seed: u64) -> Option<File>;
}

impl<F: Fn(&CheckedDesign, u64) -> Option<File>> Operator for F {
    fn apply(&self, parent: &CheckedDesign, seed: u64) -> Option<File> {
        self(parent, seed)
    }
}

/// A law that a child breaks.
#[derive(Clone, Debug)]
pub enum Violation {
    /// It does not check.
    Unchecked {
        /// Its text.
        text: String,
        /// Why.
        diagnostics: Vec<Diagnostic>,
    },
    /// It does not run at a scale at which its parent runs.
    DoesNotRun {
        /// Its text.
        text: String,
        /// The scale's name.
        scale: String,
    },
    /// Its text does not parse, or not to a design of the same hash, or is not canonical.
    OtherText {
        /// The text.
        text: String,
        /// What is different.
        what: String,
    },
    /// It means the same as its parent.
    Unchanged {
        /// Its text.
        text: String,
    },
    /// The same seed gave another child.
    Undetermined {
        /// One text.
        text: String,
        /// The other one; nothing where there was no child.
        other: Option<String>,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::Unchecked { text, diagnostics } => {
                let messages: Vec<&str> = diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
                write!(f, "the child does not check: {}\n{text}", messages.join("; "))
            }
            Violation::DoesNotRun { text, scale } => {
                write!(f, "the parent runs at {scale}, but the child does not\n{text}")
            }
            Violation::OtherText { text, what } => write!(f, "the child's text is not the child: {what}\n{text}"),
            Violation::Unchanged { text } => write!(f, "the child means what its parent means\n{text}"),
            Violation::Undetermined { text, other } => {
                let other = other.as_deref().unwrap_or("no child");
                write!(f, "one seed gave two children\n{text}\nand\n{other}")
            }
        }
    }
}

/// What an operator does to one parent with one seed: whether it gave a child.
///
/// # Errors
/// The first law that is broken.
pub fn judge(
    operator: &impl Operator,
    parent: &CheckedDesign,
    seed: u64,
    context: &Context,
) -> Result<bool, Box<Violation>> {
    let Some(file) = operator.apply(parent, seed) else { return Ok(false) };
    let text = print(&file);
    let other = operator.apply(parent, seed).map(|file| print(&file));
    if other.as_ref() != Some(&text) {
        return Err(Box::new(Violation::Undetermined { text, other }));
    }
    let checked = check(&Arc::new(file), context.library());
    let Some(child) = checked.design else {
        return Err(Box::new(Violation::Unchecked { text, diagnostics: checked.diagnostics }));
    };
    sound(&child, &[parent], context)?;
    Ok(true)
}

/// Holds a checked child to the laws: that of its scales against the first parent.
///
/// # Errors
/// The first law that is broken.
pub fn sound(child: &CheckedDesign, parents: &[&CheckedDesign], context: &Context) -> Result<(), Box<Violation>> {
    let text = print(child.file());
    if parents.iter().any(|parent| parent.hash() == child.hash()) {
        return Err(Box::new(Violation::Unchanged { text }));
    }
    let scales = parents.first().map(|parent| context.scales_of(parent)).unwrap_or_default();
    if let Some(scale) = scales.iter().find(|scale| child.at_scale(scale).is_err()) {
        return Err(Box::new(Violation::DoesNotRun { text, scale: scale.name.clone() }));
    }
    match reread(&text, child, context.library()) {
        Ok(()) => Ok(()),
        Err(what) => Err(Box::new(Violation::OtherText { text, what })),
    }
}

/// Whether a text is the canonical text of a design.
fn reread(text: &str, design: &CheckedDesign, library: &Library) -> Result<(), String> {
    let mut sources = Sources::default();
    let id = sources.add("child.gau", text);
    let parsed = parse(&sources, id);
    if let Some(diagnostic) = parsed.diagnostics.first() {
        return Err(format!("it does not parse: {}", diagnostic.message));
    }
    if print(&parsed.file) != text {
        return Err("it is not canonical".into());
    }
    let checked = check(&Arc::new(parsed.file), library);
    if let Some(diagnostic) = checked.diagnostics.first() {
        return Err(format!("it is found fault with: {}", diagnostic.message));
    }
    match checked.design {
        Some(again) if again.hash() == design.hash() => Ok(()),
        Some(_) => Err("its hash is another one".into()),
        None => Err("it does not check".into()),
    }
}
