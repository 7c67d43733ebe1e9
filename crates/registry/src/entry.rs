//! What is known of a unit.

use std::fmt;

use genesys_check::core::Graph;
use genesys_check::inspect;
use genesys_compiler::standard_units;
use genesys_cost::{reach, unit_cost};
use genesys_genetic::{Context, excerpt};
use genesys_syntax::ast::{self, Block, Item, ItemKind, Unit};
use genesys_syntax::print;
use serde::{Deserialize, Serialize};

/// The name of a unit that holds everywhere: equal for two that differ in their names, in those of the units they call, and in
/// comments. Two units that are equal by other rules may have two keys; two different ones never have one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UnitKey(String);

impl UnitKey {
    /// The key of a text without names of units.
    fn of(nameless: &str) -> Self {
        let hash = blake3::Hasher::new_derive_key("genesys unit key 1").update(nameless.as_bytes()).finalize();
        Self(format!("u1-{}", &hash.to_hex()[..32]))
    }

    /// The key as text: `u1-` and 32 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UnitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A unit, as it was first met.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// Under which it is known.
    pub key: UnitKey,
    /// Its name.
    pub name: String,
    /// What is said of it, its comment.
    pub docs: String,
    /// Its signature, `unit Mix<H = 4>(x: Seq[D]) -> Seq[D]`.
    pub signature: String,
    /// The shape of the signature, `Seq[D] -> Seq[D]`: two units of one shape take the same calls, up to static arguments.
    pub interface: String,
    /// Its text, with all that it calls; standard units are imported.
    pub text: String,
    /// What it costs, as formulas in `D`, `T` and its static parameters.
    pub cost: Cost,
    /// The hashes of the designs that have it, in the order in which they came; none where drafts alone have it.
    pub designs: Vec<String>,
    /// The unit of the same name that a parent of its first design, or draft, had in its place.
    pub from: Option<UnitKey>,
}

/// What a unit costs with all that it calls, one of each call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// Numbers in its weights.
    pub parameters: String,
    /// Operations of contractions and scans, forward, for one sequence.
    pub forward: String,
    /// How these grow with the sequence.
    pub class: String,
    /// What it looks at: `pointwise`, `local`, `recurrent` or `global`.
    pub label: String,
    /// How far back it looks.
    pub reach: String,
}

/// The units of a checked file that are written to the end, in the order of the text; `designs` of each is empty.
pub(crate) fn units(file: &ast::File, context: &Context) -> Vec<Entry> {
    let inspected = inspect(file, standard_units());
    let items = file.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Unit(unit) => Some((item, unit)),
        ItemKind::Use(_) | ItemKind::Design(_) => None,
    });
    let known = items.filter_map(|(item, unit)| {
        let graph = inspected.iter().find(|known| known.name == unit.name.span && known.sound)?;
        let excerpt = excerpt(file, &unit.name.text, context)?;
        Some(Entry {
            key: UnitKey::of(&excerpt.nameless),
            name: unit.name.text.clone(),
            docs: item.docs.join("\n"),
            signature: signature(item, unit),
            interface: excerpt.interface,
            text: print(&excerpt.file),
            cost: cost(&graph.graph)?,
            designs: Vec::new(),
            from: None,
        })
    });
    known.collect()
}

/// The first line of a unit, without its body.
fn signature(item: &Item, unit: &Unit) -> String {
    let body = Block { stmts: Vec::new(), result: None, ..unit.body.clone() };
    let open = Item { docs: Vec::new(), kind: ItemKind::Unit(Unit { body, ..unit.clone() }), ..item.clone() };
    let text = print(&ast::File { items: vec![open], ..ast::File::default() });
    text.trim_end().trim_end_matches(';').to_owned()
}

/// What a graph costs; nothing where a figure does not fit in 64 bits.
fn cost(graph: &Graph) -> Option<Cost> {
    let cost = unit_cost(graph).ok()?;
    let (forward, reach) = (cost.forward().ok()?, reach(graph));
    Some(Cost {
        parameters: cost.parameters.to_string(),
        class: forward.plus(&cost.elementwise).ok()?.class(),
        forward: forward.to_string(),
        label: reach.label.name().to_owned(),
        reach: reach.horizon.to_string(),
    })
}
