//! One item of a genome, shared between genomes until one of them changes it.
//!
//! What is asked of a unit often (what it calls, what it does, its text) is worked out once for all
//! genomes that share it, and again after a change.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use genesys_syntax::ast::{ExprId, ExprKind, Item, ItemKind, Unit};

use crate::interface::Facts;
use crate::tree;

/// An item, and what is known of it.
#[derive(Debug)]
pub(crate) struct Gene {
    item: Item,
    /// Changed since its genome was written out, so that pruning and labeling look at it.
    touched: bool,
    heads: OnceLock<BTreeSet<String>>,
    facts: OnceLock<Facts>,
    text: OnceLock<String>,
}

impl Clone for Gene {
    fn clone(&self) -> Self {
        Self { touched: self.touched, ..Self::new(self.item.clone()) }
    }
}

impl Gene {
    /// An item as it stands in a checked file.
    pub(crate) fn new(item: Item) -> Self {
        Self { item, touched: false, heads: OnceLock::new(), facts: OnceLock::new(), text: OnceLock::new() }
    }

    /// An item whose expressions are numbered anew, so that each is known by its number in its unit.
    pub(crate) fn numbered(mut item: Item) -> Self {
        if let ItemKind::Unit(unit) = &mut item.kind {
            number(unit);
        }
        Self::new(item)
    }

    /// The item.
    pub(crate) fn item(&self) -> &Item {
        &self.item
    }

    /// The item, to be changed: a copy of its own where other genomes share it.
    pub(crate) fn edit(this: &mut Arc<Gene>) -> &mut Item {
        let gene = Arc::make_mut(this);
        gene.touched = true;
        gene.heads = OnceLock::new();
        gene.facts = OnceLock::new();
        gene.text = OnceLock::new();
        &mut gene.item
    }

    /// The unit, to be changed; nothing where the item is none.
    pub(crate) fn edit_unit(this: &mut Arc<Gene>) -> Option<&mut Unit> {
        this.unit()?;
        match &mut Gene::edit(this).kind {
            ItemKind::Unit(unit) => Some(unit),
            ItemKind::Use(_) | ItemKind::Design(_) => None,
        }
    }

    /// The item, alone.
    pub(crate) fn into_item(this: Arc<Gene>) -> Item {
        Arc::try_unwrap(this).map_or_else(|shared| shared.item.clone(), |gene| gene.item)
    }

    /// The unit it is.
    pub(crate) fn unit(&self) -> Option<&Unit> {
        match &self.item.kind {
            ItemKind::Unit(unit) => Some(unit),
            ItemKind::Use(_) | ItemKind::Design(_) => None,
        }
    }

    /// Whether it was changed.
    pub(crate) fn is_touched(&self) -> bool {
        self.touched
    }

    /// What the unit's body calls, primitives included, and the units it hands to others.
    pub(crate) fn heads(&self) -> &BTreeSet<String> {
        self.heads.get_or_init(|| self.unit().map(heads).unwrap_or_default())
    }

    /// What the unit does by itself, without those it calls.
    pub(crate) fn facts(&self) -> Facts {
        *self.facts.get_or_init(|| self.unit().map(|unit| Facts::own(unit, self.heads())).unwrap_or_default())
    }

    /// The unit's canonical text.
    pub(crate) fn text(&self) -> &str {
        self.text.get_or_init(|| self.unit().map(genesys_syntax::print_unit).unwrap_or_default())
    }
}

/// Numbers the expressions of a unit in one order, so that no two have one number.
pub(crate) fn number(unit: &mut Unit) {
    let mut next = 0;
    tree::visit_mut(&mut unit.body, &mut |e| {
        e.id = ExprId(next);
        next += 1;
    });
}

fn heads(unit: &Unit) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    tree::visit(&unit.body, &mut |e| {
        if let ExprKind::Call(call) = &e.kind
            && !names.contains(call.head.text.as_str())
        {
            names.insert(call.head.text.clone());
        }
    });
    // A unit that is handed to another is called there.
    tree::static_units(unit, &mut |name| _ = names.insert(name.text.clone()));
    names
}
