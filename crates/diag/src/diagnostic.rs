//! The diagnostic itself.

use genesys_span::Span;

use crate::{Code, Counterexample};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The text is refused.
    Error,
    /// The text is accepted; something is probably not meant.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// A place with a remark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// The remark; may be empty on the primary label.
    pub message: String,
}

/// A change of the text that a program can apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced; empty to insert.
    pub span: Span,
    /// By what.
    pub replacement: String,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The kind of mistake.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// One lower-case line that names what was expected and what was found.
    pub message: String,
    /// The place to look at.
    pub primary: Label,
    /// Further places.
    pub secondary: Vec<Label>,
    /// The smallest case that shows why, where the rule is about time and there is one.
    pub counterexample: Option<Counterexample>,
    /// A way out, in words.
    pub help: Option<String>,
    /// The way out as an edit, where one exists.
    pub edit: Option<Edit>,
}

impl Diagnostic {
    /// An error of that code at `span`.
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            primary: Label { span, message: String::new() },
            secondary: Vec::new(),
            counterexample: None,
            help: None,
            edit: None,
        }
    }

    /// A warning of that code at `span`.
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, span, message) }
    }

    /// With a remark on the primary place.
    #[must_use]
    pub fn at(mut self, message: impl Into<String>) -> Self {
        self.primary.message = message.into();
        self
    }

    /// With a further place.
    #[must_use]
    pub fn label(mut self, span: Span, message: impl Into<String>) -> Self {
        self.secondary.push(Label { span, message: message.into() });
        self
    }

    /// With the smallest case that shows why, where one was found.
    #[must_use]
    pub fn counterexample(mut self, case: Option<Counterexample>) -> Self {
        self.counterexample = case;
        self
    }

    /// With a way out in words.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With a way out as an edit.
    #[must_use]
    pub fn edit(mut self, span: Span, replacement: impl Into<String>) -> Self {
        self.edit = Some(Edit { span, replacement: replacement.into() });
        self
    }

    /// Whether the text is refused.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
