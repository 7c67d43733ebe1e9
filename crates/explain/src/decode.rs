//! What decoding token by token keeps of each unit, and of a model.

use genesys_axis::{Size, SizeError};
use genesys_check::CheckedDesign;
use genesys_compiler::compile;
use genesys_decode::{Kind, Layout, Slot, layout};
use genesys_ir::without_losses;
use genesys_ladder::Scale;
use genesys_lower::{Layer, Stack, lower_stack};

use crate::figures::Context;
use crate::{Figure, Kept};

/// Bytes of a number.
const BYTES: i64 = 4;

/// What is kept of each function of a design, with the bytes of all of it.
pub(crate) fn of_units(context: &Context<'_>, design: &CheckedDesign) -> Result<Vec<(Figure, Vec<Kept>)>, SizeError> {
    let functions = design.functions();
    // Each function once, as a block of its number: blocks that a stack shares would not change what one keeps.
    let stack = Stack {
        name: design.name(),
        functions: functions.iter().map(|function| (function.name.as_str(), &function.graph)).collect(),
        blocks: (0..functions.len()).map(|function| Layer { function, weights_of: function }).collect(),
        last: None,
        tie_embeddings: true,
    };
    let layout = layout(&without_losses(&lower_stack(&stack, 2)))?;
    (0..functions.len()).map(|index| of_unit(context, &layout, &format!("blocks.{index}."))).collect()
}

fn of_unit(context: &Context<'_>, layout: &Layout, prefix: &str) -> Result<(Figure, Vec<Kept>), SizeError> {
    let tokens = Size::symbol("T");
    let (mut sum, mut kept) = (Size::default(), Vec::new());
    for slot in layout.slots() {
        let Some(name) = slot.name.strip_prefix(prefix) else { continue };
        let bytes = slot.bytes(&tokens, BYTES)?;
        sum = sum.add(&bytes)?;
        let values = slot.values(&tokens)?.formula().to_string();
        kept.push(Kept { name: name.to_owned(), kind: kind(slot), values, bytes: context.size(&bytes)? });
    }
    Ok((context.size(&sum)?, kept))
}

fn kind(slot: &Slot) -> &'static str {
    match slot.kind {
        Kind::State => "state",
        Kind::Recent(_) => "recent",
        Kind::Bounded(_) => "bounded",
        Kind::Pooled => "pooled",
        Kind::Growing => "growing",
    }
}

/// Bytes after the scale's context; `None` where the design does not run there.
pub(crate) fn of_model(design: &CheckedDesign, scale: &Scale) -> Result<Option<i64>, SizeError> {
    let Ok(module) = compile(design, scale, scale.vocabulary) else { return Ok(None) };
    let tokens = Size::int(i64::try_from(scale.context).map_err(|_| SizeError::Overflow)?);
    layout(&without_losses(&module))?.bytes(&tokens, BYTES)?.eval(&|_| None).map(Some)
}
