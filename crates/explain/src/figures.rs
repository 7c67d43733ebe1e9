//! Formulas with values, and places in the text.

use genesys_axis::{Size, SizeError};
use genesys_check::core::{AxisId, Graph};
use genesys_cost::Cost;
use genesys_ladder::Scale;
use genesys_span::{FileId, Sources, Span};

use crate::Figure;

/// Where figures and words come from.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) sources: &'a Sources,
    pub(crate) file: FileId,
    pub(crate) scale: Option<&'a Scale>,
}

impl Context<'_> {
    pub(crate) fn size(&self, size: &Size) -> Result<Figure, SizeError> {
        let value = match (self.width(), self.scale) {
            (Some(width), Some(scale)) => {
                let length = i64::try_from(scale.context).map_err(|_| SizeError::Overflow)?;
                let at = |name: &str| match name {
                    "D" => Some(width),
                    "T" => Some(length),
                    _ => None,
                };
                Some(i128::from(size.eval(&at)?))
            }
            _ => None,
        };
        Ok(Figure { formula: size.formula().to_string(), value })
    }

    pub(crate) fn cost(&self, cost: &Cost) -> Result<Figure, SizeError> {
        let value = match (self.width(), self.scale) {
            (Some(width), Some(scale)) => Some(cost.eval(width, scale.context)?),
            _ => None,
        };
        Ok(Figure { formula: cost.to_string(), value })
    }

    fn width(&self) -> Option<i64> {
        self.scale.map(|scale| i64::try_from(scale.width).unwrap_or(i64::MAX))
    }

    /// The line of a place in the user's file.
    pub(crate) fn line(&self, span: Span) -> Option<usize> {
        (span.file == self.file).then(|| self.sources.position(span.file, span.start).line)
    }

    /// The text of a place, in one line.
    pub(crate) fn words(&self, span: Span) -> String {
        self.sources.text(span).split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// Axes with their sizes: `H = D/64`.
pub(crate) fn axes<'a>(graph: &Graph, axes: impl IntoIterator<Item = &'a AxisId>) -> Vec<String> {
    let shown = |axis: &AxisId| {
        let axis = graph.axis(*axis);
        match axis.domain.size() {
            Some(size) if size.formula().to_string() != axis.name => format!("{} = {}", axis.name, size.formula()),
            _ => axis.name.clone(),
        }
    };
    axes.into_iter().map(shown).collect()
}
