//! Fills a unit that is not written yet with a call of one that is there: a standard unit, or a unit of a donor.
//!
//! A sketch and one of its open units in, texts out in which that unit has a body. Equal interfaces take the same arguments and
//! give the same type; see [`replace_unit`](crate::operator). Each text is checked, so what comes out is a design, or a sketch
//! that is open in one place less.
//!
//! Not here: holes that are expressions, since what could stand there is not a matter of one call; and which of the fillings is
//! the better one.

use std::collections::BTreeSet;
use std::sync::Arc;

use genesys_check::sketch::Hole;
use genesys_check::{Checked, Sketch, check};
use genesys_span::Span;
use genesys_syntax::ast::{
    Arg, AxisRef, Block, Call, Expr, ExprKind, File, GenericKind, Size, SizeKind, Slot, StaticArg, StaticValue, Unit,
};

use crate::context::Context;
use crate::genome::Genome;
use crate::interface::Interface;
use crate::label::label;
use crate::mutate::Room;
use crate::pool::{Pool, Pooled};
use crate::tree;

/// A sketch in which a unit is filled.
#[derive(Clone, Debug)]
pub struct Filled {
    /// The unit that is called, by its name where it comes from.
    pub unit: String,
    /// Which donor of the context it comes from; none where it is a standard unit, or one of the sketch's own.
    pub donor: Option<usize>,
    /// The text as a tree.
    pub file: Arc<File>,
    /// What it is: a design, or a sketch of the holes that are left.
    pub checked: Checked,
}

/// The ways to fill a unit without a body by a call of one unit of the same interface: the sketch's own units first, then the
/// standard ones, then those of the context's donors, each text once. None where the hole is an expression.
pub fn fillings(sketch: &Sketch, hole: &Hole, context: &Context) -> Vec<Filled> {
    let genome = Genome::expand(sketch.file(), &context.standard);
    let Some(open) = genome.unit(&hole.unit).filter(|unit| unit.is_open() && hole.expr.is_none()) else {
        return Vec::new();
    };
    let sources: Vec<_> = std::iter::once(&context.standard).chain(context.donors.iter()).cloned().collect();
    let pool = Pool::new(&genome, &sources, Room::of(&context.scales));
    let interface = Interface::of(open);
    let fits = |unit: &&Arc<Pooled>| unit.interface == interface && unit.fits_in(open) && !unit.is_own(&open.name.text);
    let mut known = BTreeSet::new();
    let filled = pool.units.iter().filter(fits).filter_map(|unit| {
        let file = Arc::new(filled(&genome, open, unit));
        if !known.insert(genesys_syntax::print(&file)) {
            return None;
        }
        let checked = check(&file, &context.library);
        (checked.design.is_some() || checked.sketch.is_some()).then(|| Filled {
            unit: unit.name.clone(),
            donor: context.donors.iter().position(|donor| unit.is_of(donor)),
            file,
            checked,
        })
    });
    filled.collect()
}

/// The file in which `open` calls a unit.
fn filled(genome: &Genome, open: &Unit, unit: &Pooled) -> File {
    let mut changed = genome.clone();
    let name = unit.bring(&mut changed);
    let body = body(open, &name, &unit.axes);
    if let Some(unit) = changed.unit_mut(&open.name.text) {
        unit.body = body;
    }
    changed.settle();
    label(&mut changed, &crate::interface::facts(genome));
    changed.collapse()
}

/// `{ F<K = E>[A..](x) }`: the axes that the signature names are bound to those of the open unit.
fn body(open: &Unit, name: &str, axes: &[String]) -> Block {
    let own = Interface::axes(open);
    let row = |axis: &str| {
        open.generics.iter().any(|generic| generic.name.text == axis && matches!(generic.kind, GenericKind::Row))
    };
    let bind = |(theirs, own): (&String, &String)| StaticArg {
        name: Some(tree::ident(theirs)),
        value: StaticValue::Size(Size { kind: SizeKind::Name(tree::ident(own)), span: Span::default() }),
    };
    let statics = axes.iter().zip(&own).filter(|(_, own)| !row(own)).map(bind).collect();
    let rows: Vec<AxisRef> = own.iter().filter(|axis| row(axis)).map(|axis| AxisRef::Row(tree::ident(axis))).collect();
    let args = open.params.iter().map(|param| Arg::Value(tree::name(&param.name.text))).collect();
    let slot = (!rows.is_empty()).then_some(Slot::Axes(rows));
    let call: Expr = tree::expr(ExprKind::Call(Call { head: tree::ident(name), statics, slot, args }));
    Block { result: Some(call), ..open.body.clone() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use genesys_check::Library;

    use super::*;
    use crate::testing::parse;

    fn context(donors: &[&str]) -> Context {
        let library = Library::new(parse(genesys_stdlib::TEXT));
        let donors: Vec<_> =
            donors.iter().map(|text| check(&Arc::new(parse(text)), &library).design.expect("a donor checks")).collect();
        Context::new(&library, &donors, &[])
    }

    /// What fills the first hole of a sketch, and the text.
    fn all(text: &str, donors: &[&str]) -> Vec<(String, Option<usize>, String)> {
        let context = context(donors);
        let sketch = check(&Arc::new(parse(text)), context.library()).sketch.expect("the text is a sketch");
        let filled = fillings(&sketch, &sketch.holes()[0], &context);
        filled.into_iter().map(|filled| (filled.unit, filled.donor, genesys_syntax::print(&filled.file))).collect()
    }

    const DONOR: &str = "design A { stack = [B*] }\nunit B(x: Seq[D]) -> Seq[D] { x + Mix(x) }\n\
                         unit Mix(x: Seq[D]) -> Seq[D] { linear[D -> D](shift(Far(x), 1)) }\n\
                         unit Far(x: Seq[D]) -> Seq[D] { tanh(x) }";

    #[test]
    fn units_of_the_interface_fill_the_hole_with_all_they_call() {
        let sketch = "design S { stack = [B*] }\nunit B(x: Seq[D]) -> Seq[D] { x + Mixer(x) }\n\
                      /// Mixes.\nunit Mixer(x: Seq[D]) -> Seq[D];";
        let all = all(sketch, &[DONOR]);
        let (_, donor, text) = all.iter().find(|(unit, ..)| unit == "Mix").expect("the donor's unit fits");
        assert_eq!(*donor, Some(0));
        assert!(text.contains("/// Mixes.\nunit Mixer(x: Seq[D]) -> Seq[D] {\n    Mix(x)\n}"), "{text}");
        assert!(text.contains("unit Far("), "{text}");
        let (_, donor, text) = all.iter().find(|(unit, ..)| unit == "SwiGlu").expect("a standard unit fits");
        assert!(donor.is_none() && text.contains("use std::SwiGlu"), "{text}");
        assert!(!all.iter().any(|(unit, ..)| unit == "RmsNorm"), "a norm wants to be told its row");
        assert!(!all.iter().any(|(_, _, text)| text.contains("    B(x)\n")), "nothing calls itself");
    }

    #[test]
    fn axes_of_the_signature_are_bound() {
        let donor = "design A { stack = [B*] }\nunit B(x: Seq[D]) -> Seq[D] { linear[H, K -> D](Keys(x)) }\n\
                     unit Keys<H = 2, K = 8>(x: Seq[D]) -> Seq[H, K] { tanh(linear[D -> H, K](x)) }";
        let sketch = "design S { stack = [B*] }\n\
                      unit B<G = 4, E = D / 4>(x: Seq[D]) -> Seq[D] { linear[G, E -> D](Heads<G, E>(x)) }\n\
                      unit Heads<G, E>(x: Seq[D]) -> Seq[G, E];";
        let donor = donor
            .replace("{ linear[H, K -> D](Keys(x)) }", "{ axis H = 2\naxis K = 8\nlinear[H, K -> D](Keys<H, K>(x)) }");
        let all = all(sketch, &[&donor]);
        let texts: Vec<&String> = all.iter().map(|(.., text)| text).collect();
        assert!(texts.iter().any(|text| text.contains("Keys<H = G, K = E>(x)")), "{texts:?}");
    }

    #[test]
    fn rows_are_handed_on() {
        let sketch = "design S { stack = [B*] }\nunit B(x: Seq[D]) -> Seq[D] { x + linear[D -> D](Norm[D](x)) }\n\
                      unit Norm<A..>(x: Seq[A.., ..]) -> Seq[A.., ..];";
        let all = all(sketch, &[]);
        assert!(all.iter().any(|(_, _, text)| text.contains("RmsNorm[A..](x)")), "{all:?}");
    }

    #[test]
    fn an_expression_is_filled_by_no_unit() {
        let sketch = "design S { stack = [B*] }\nunit B(x: Seq[D]) -> Seq[D] { let gate: Seq[D] = ?\nx + gate }";
        assert!(all(sketch, &[DONOR]).is_empty());
    }
}
