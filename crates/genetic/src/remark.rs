//! Keeps doc comments true: an offspring says what it is made of, a changed unit what was changed.

use std::sync::Arc;

use genesys_syntax::ast::Item;

use crate::gene::Gene;
use crate::genome::Genome;

/// What opens a unit's line of remarks.
const MARK: &str = "Varied: ";
/// How long that line grows; older remarks give way.
const LONGEST: usize = 100;

/// Sets the file's first lines to `origin`, and adds `detail` to units that differ from `parent`'s
/// unit of the same name.
pub(crate) fn remark(genome: &mut Genome, parent: &Genome, origin: &str, detail: &str) {
    genome.docs = vec![format!("{origin}.")];
    for gene in &mut genome.genes {
        let Some(unit) = gene.unit() else { continue };
        let name = &unit.name.text;
        if parent.gene(name).is_some_and(|old| !Arc::ptr_eq(old, gene)) {
            let prefix = format!("{name}: ");
            append(Gene::edit(gene), detail.strip_prefix(&prefix).unwrap_or(detail));
        }
    }
}

fn append(item: &mut Item, what: &str) {
    let old =
        item.docs.last().and_then(|line| line.trim_start().strip_prefix(MARK)).map(|line| line.trim_end_matches('.'));
    let line = match old {
        Some(old) if old.len() + what.len() < LONGEST => format!("{MARK}{old}; {what}."),
        Some(_) | None => format!("{MARK}{what}."),
    };
    if old.is_some() {
        item.docs.pop();
    }
    item.docs.push(line);
}
