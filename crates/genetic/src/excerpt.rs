//! A unit by itself: with all that it calls, and nothing else of its design.
//!
//! A file in and the name of one of its units, a smaller file out. Standard units stay imports.
//! Not here: what the unit costs, and whether its design checks.

use std::collections::BTreeMap;
use std::sync::Arc;

use genesys_syntax::ast::{ExprKind, File, Unit};
use genesys_syntax::print;

use crate::context::Context;
use crate::gene::Gene;
use crate::genome::Genome;
use crate::interface::Interface;
use crate::rename::rename_item;
use crate::tree;

/// A unit with all that it calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Excerpt {
    /// A file of these units alone.
    pub file: File,
    /// The shape of the unit's signature: two units of one shape take the same calls, up to static arguments.
    pub interface: String,
    /// The text without comments, in which units are numbered as they are first called: equal for units that differ in
    /// their names and in what is said of them.
    pub nameless: String,
}

/// The unit of that name; none where the file has none, or where a part of it or of what it calls is not written.
pub fn excerpt(file: &File, name: &str, context: &Context) -> Option<Excerpt> {
    let mut genome = Genome::expand(file, &context.standard);
    let interface = Interface::of(genome.unit(name)?).to_string();
    let reached = genome.closure([name]);
    if reached.iter().filter_map(|name| genome.unit(name)).any(has_hole) {
        return None;
    }
    genome.docs.clear();
    genome.trailing.clear();
    genome.genes.retain(|gene| gene.unit().is_some_and(|unit| reached.contains(&unit.name.text)));
    let nameless = nameless(&genome, name);
    Some(Excerpt { file: genome.collapse(), interface, nameless })
}

/// Whether a unit has no body, or has a `?` in it.
fn has_hole(unit: &Unit) -> bool {
    let mut found = unit.is_open();
    tree::visit(&unit.body, &mut |expr| found |= matches!(expr.kind, ExprKind::Hole(_)));
    found
}

/// The text with numbers for the names of units.
fn nameless(genome: &Genome, name: &str) -> String {
    let mut order = Vec::new();
    visit(genome, name, &mut order);
    let names: BTreeMap<String, String> =
        order.iter().enumerate().map(|(i, name)| ((*name).to_owned(), format!("Unit{i}"))).collect();
    let items = order.iter().filter_map(|name| genome.gene(name)).map(|gene| {
        let mut item = Gene::into_item(Arc::clone(gene));
        item.docs.clear();
        rename_item(&mut item, &names);
        item
    });
    let text = print(&File { items: items.collect(), ..File::default() });
    // A text has `//` in comments only.
    let code = text.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code).trim_end());
    code.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// The unit, then what it calls in the order in which it does, each once; standard units keep their names.
fn visit<'a>(genome: &'a Genome, name: &'a str, order: &mut Vec<&'a str>) {
    if order.contains(&name) || genome.is_standard(name) {
        return;
    }
    let Some(unit) = genome.unit(name) else { return };
    order.push(name);
    let mut callees = Vec::new();
    tree::static_units(unit, &mut |unit| callees.push(unit.text.as_str()));
    tree::visit(&unit.body, &mut |expr| {
        if let ExprKind::Call(call) = &expr.kind {
            callees.push(&call.head.text);
        }
    });
    for callee in callees {
        visit(genome, callee, order);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use genesys_check::Library;

    use super::*;
    use crate::testing::parse;

    fn of(text: &str, name: &str) -> Option<Excerpt> {
        let context = Context::new(&Library::new(parse(genesys_stdlib::TEXT)), &[], &[]);
        excerpt(&parse(text), name, &context)
    }

    const TEXT: &str = "//! A design.\nuse std::{RmsNorm, SwiGlu}\ndesign A { stack = [B*] final = RmsNorm }\n\
                        unit B(x: Seq[D]) -> Seq[D] { x + Mix(RmsNorm(x)) }\n\
                        /// Mixes.\nunit Mix<H = 4>(x: Seq[D]) -> Seq[D] {\n// Far first.\nlinear[D -> D](shift(Far(x), 1)) + SwiGlu(x)\n}\n\
                        unit Far(x: Seq[D]) -> Seq[D] { tanh(x) }";

    #[test]
    fn a_unit_comes_with_what_it_calls_and_nothing_else() {
        let Excerpt { file, interface, .. } = of(TEXT, "Mix").unwrap();
        let text = print(&file);
        assert!(text.starts_with("use std::SwiGlu\n"), "{text}");
        assert!(text.contains("/// Mixes.\nunit Mix") && text.contains("unit Far("), "{text}");
        assert!(!text.contains("unit B(") && !text.contains("design") && !text.contains("RmsNorm"), "{text}");
        assert_eq!(interface, "Seq[D] -> Seq[D]");
    }

    #[test]
    fn names_of_units_and_comments_do_not_count() {
        let text = TEXT.replace("+ SwiGlu(x)", "+ Deep(x)") + "\nunit Deep(x: Seq[D]) -> Seq[D] { exp(x) }";
        let other = text.replace("Deep", "A1").replace("Mix", "Blend");
        assert_eq!(of(&text, "Mix").unwrap().nameless, of(&other, "Blend").unwrap().nameless);
        let other = TEXT.replace("Far", "Near").replace("Mix", "Blend");
        assert_eq!(of(TEXT, "Mix").unwrap().nameless, of(&other, "Blend").unwrap().nameless);
        let changed = TEXT.replace("tanh(x)", "silu(x)");
        assert_ne!(of(TEXT, "Mix").unwrap().nameless, of(&changed, "Mix").unwrap().nameless);
        let standard = TEXT.replace("SwiGlu", "GeGlu");
        assert_ne!(of(TEXT, "Mix").unwrap().nameless, of(&standard, "Mix").unwrap().nameless);
    }

    #[test]
    fn what_is_not_there_or_not_written_is_none() {
        assert_eq!(of(TEXT, "Nothing"), None);
        let sketch = "unit Open(x: Seq[D]) -> Seq[D];\nunit Part(x: Seq[D]) -> Seq[D] { tanh(?part) }\n\
                      unit A(x: Seq[D]) -> Seq[D] { Open(x) }\nunit B(x: Seq[D]) -> Seq[D] { Part(x) }\n\
                      unit C(x: Seq[D]) -> Seq[D] { tanh(x) }";
        let written = ["Open", "Part", "A", "B", "C"].map(|name| of(sketch, name).is_some());
        assert_eq!(written, [false, false, false, false, true]);
    }
}
