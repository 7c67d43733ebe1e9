//! Keeps doc comments true: an offspring says what it is made of, a changed unit what was changed.

use genesys_syntax::ast::{Item, ItemKind};

use crate::genome::Genome;

/// What opens a unit's line of remarks.
const MARK: &str = "Varied: ";
/// How long that line grows; older remarks give way.
const LONGEST: usize = 100;

/// Sets the file's first lines to `origin`, and adds `detail` to units that differ from `parent`'s
/// unit of the same name.
pub(crate) fn remark(genome: &mut Genome, parent: &Genome, origin: &str, detail: &str) {
    *genome.docs_mut() = vec![format!("{origin}.")];
    for item in genome.items_mut() {
        let ItemKind::Unit(unit) = &item.kind else { continue };
        let changed = parent
            .unit(&unit.name.text)
            .is_some_and(|old| old != unit && genesys_syntax::print_unit(old) != genesys_syntax::print_unit(unit));
        if changed {
            let what = detail.strip_prefix(&format!("{}: ", unit.name.text)).unwrap_or(detail).to_string();
            append(item, &what);
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
