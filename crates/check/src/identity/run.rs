//! The key of a design's run at a scale: the identity after the scale's sizes are put in.
//!
//! `H = D / 64` and `H = 8` are two designs, and one program where `D` is 512; a starred part and
//! the same part written out are one where the depth is that. What a training gives depends on the
//! program, so its results are kept by this key.

use std::fmt;
use std::sync::Arc;

use genesys_axis::{Constant, Domain, Size};
use genesys_diag::Diagnostic;
use genesys_ladder::Scale;

use super::Stack;
use super::canonical::canonical;
use crate::core::{Graph, Op};
use crate::design::{CheckedDesign, Function};

/// The identity of a design at a scale, `r2-` and 32 hexadecimal digits; the prefix is the version
/// of the algorithm. Steps, data, trainer and seed are not part of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunKey(String);

impl RunKey {
    /// The key of a design at a scale.
    ///
    /// # Errors
    /// The design does not run at the scale: what does not hold there.
    pub fn of(design: &CheckedDesign, scale: &Scale) -> Result<RunKey, Vec<Diagnostic>> {
        let layers = design.at_scale(scale)?;
        let width = i64::try_from(scale.width).unwrap_or(i64::MAX);
        let digest = |function: &Function| canonical(&at_width(&function.graph, width)).digest();
        let digests: Vec<blake3::Hash> = design.functions.iter().map(digest).collect();
        let mut stack = Stack::new(design, &digests, &format!("genesys run 2\nwidth {width}\n"));
        for (number, layer) in layers.iter().enumerate() {
            stack.layer(layer.function, number - layer.weights_of);
        }
        Ok(RunKey(format!("r2-{}", stack.finish())))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The graph with numbers for sizes; a size without a value there stays what it is.
fn at_width(graph: &Graph, width: i64) -> Graph {
    let mut graph = graph.clone();
    let put = |size: &mut Size| {
        if let Ok(value) = size.eval(&|name| (name == "D").then_some(width)) {
            *size = Size::int(value);
        }
    };
    for axis in &mut graph.axes {
        match &mut axis.domain {
            Domain::Static(size) => put(size),
            Domain::Past { window, skip } => window.iter_mut().chain([skip]).for_each(put),
            Domain::Blocks { size } => put(size),
        }
    }
    for leaf in &mut graph.leaves {
        let law = leaf.law.try_map(&mut |constant: &Constant| {
            let mut constant = constant.clone();
            if let Constant::Size(size) = &mut constant {
                put(size);
            }
            Ok::<_, std::convert::Infallible>(constant)
        });
        leaf.law = Arc::new(law.unwrap_or_else(|never| match never {}));
    }
    graph.scans.iter_mut().flat_map(|scan| &mut scan.chunk).for_each(put);
    for node in &mut graph.nodes {
        match &mut node.op {
            Op::Constant(Constant::Size(size)) => put(size),
            Op::Shift { by } => put(by),
            Op::Pool { size } => put(size),
            Op::Cut { offset, .. } => put(offset),
            Op::Take { index, .. } => put(index),
            Op::Input(_)
            | Op::Weight(_)
            | Op::Constant(Constant::Real(_))
            | Op::Position
            | Op::Layer
            | Op::Index(_) => {}
            Op::Age(_) | Op::Map(_) | Op::Reduce { .. } | Op::Softmax { .. } | Op::Dot { .. } | Op::Regroup { .. } => {}
            Op::Concat { .. } | Op::Stack { .. } | Op::Broadcast { .. } | Op::Window(_) | Op::Past(_) => {}
            Op::Blocks { .. } | Op::Top { .. } | Op::Picked { .. } | Op::Grad | Op::MeanTokens => {}
            Op::Cumsum(_) | Op::After(_) | Op::State { .. } | Op::Start { .. } | Op::Scanned(_) => {}
        }
    }
    graph
}
