//! What checking gives: a design that only the checker can make.

use std::sync::Arc;

use genesys_axis::Requirement;
use genesys_diag::Diagnostic;
use genesys_ladder::Scale;
use genesys_span::Span;
use genesys_syntax::ast;

use crate::core::Graph;
use crate::identity::DesignHash;

/// A design whose every unit is causal, well typed and elaborated. Only
/// [`check`](crate::check) makes one.
#[derive(Clone, Debug)]
pub struct CheckedDesign {
    pub(crate) name: String,
    pub(crate) file: Arc<ast::File>,
    pub(crate) functions: Vec<Function>,
    pub(crate) stack: Vec<StackPart>,
    pub(crate) stack_span: Span,
    pub(crate) last: Option<FunctionId>,
    pub(crate) tie_embeddings: bool,
    pub(crate) requirements: Vec<Required>,
    pub(crate) hash: DesignHash,
}

/// The number of a function in its design.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionId(pub usize);

/// A unit as the stack uses it, with its static arguments bound.
#[derive(Clone, Debug)]
pub struct Function {
    /// The unit's name, made unique where one unit stands with several arguments.
    pub name: String,
    /// What it means: `Seq[D] -> Seq[D]`, beside which it may take what earlier units give, and
    /// give what later ones take.
    pub graph: Graph,
}

/// An entry of a part of the stack, as written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The function called.
    pub function: FunctionId,
    /// The number in the body of the entry whose weights it uses: its own, unless it is shared.
    pub weights_of: usize,
}

/// A layer of the stack at a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The function called.
    pub function: FunctionId,
    /// The number of the layer whose weights it uses: its own, unless it is shared.
    pub weights_of: usize,
}

/// A part of the stack, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackPart {
    /// What is called one after the other.
    pub body: Vec<Entry>,
    /// How often the body is repeated.
    pub times: Times,
    /// Whether the repetitions have one instance of the weights.
    pub shared: bool,
}

/// How often a part of the stack is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// This often.
    Fixed(usize),
    /// As often as the depth of the scale leaves room for.
    ToDepth,
}

/// A requirement and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Required {
    /// What must hold.
    pub requirement: Requirement,
    /// The text that asks for it.
    pub span: Span,
    /// Why, in words: `H = D / 64`.
    pub reason: String,
}

impl CheckedDesign {
    /// The name in the text; not part of the design's identity.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The syntax tree it was checked from.
    pub fn file(&self) -> &Arc<ast::File> {
        &self.file
    }

    /// The units the stack calls, elaborated.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// One of them.
    pub fn function(&self, id: FunctionId) -> &Function {
        &self.functions[id.0]
    }

    /// The stack as written.
    pub fn stack(&self) -> &[StackPart] {
        &self.stack
    }

    /// Where the stack is written.
    pub fn stack_span(&self) -> Span {
        self.stack_span
    }

    /// The function between the last block and the logits.
    pub fn last(&self) -> Option<FunctionId> {
        self.last
    }

    /// Whether the logits use the embedding's weights.
    pub fn tie_embeddings(&self) -> bool {
        self.tie_embeddings
    }

    /// What must hold of the width.
    pub fn requirements(&self) -> &[Required] {
        &self.requirements
    }

    /// The design's identity: names, comments and layout are not part of it.
    pub fn hash(&self) -> &DesignHash {
        &self.hash
    }

    /// The layers of the stack at a scale, first block first, or why the design does not run
    /// there.
    pub fn at_scale(&self, scale: &Scale) -> Result<Vec<Layer>, Vec<Diagnostic>> {
        crate::scale::layers(self, scale)
    }
}
