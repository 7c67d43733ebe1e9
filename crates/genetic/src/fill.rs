//! Fills a unit that is not written yet with a call of one that is there: a standard unit, or a unit of another design.
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
use crate::genome::{Genome, Source};
use crate::interface::{Interface, has_defaults};
use crate::label::label;
use crate::mutate::Room;
use crate::pool::{Pool, Pooled};
use crate::tree;

/// A sketch in which a unit is filled.
#[derive(Clone, Debug)]
pub struct Filled {
    /// The unit that is called, by its name where it comes from.
    pub unit: String,
    /// The text as a tree.
    pub file: Arc<File>,
    /// What it is: a design, or a sketch of the holes that are left.
    pub checked: Checked,
}

/// An open unit of a sketch, made ready to be filled in many ways.
#[derive(Clone, Debug)]
pub struct Opening {
    genome: Genome,
    open: Unit,
    interface: Interface,
    context: Context,
}

impl Opening {
    /// The unit that a hole is; none where the hole is an expression.
    #[must_use]
    pub fn of(sketch: &Sketch, hole: &Hole, context: &Context) -> Option<Self> {
        let genome = Genome::expand(sketch.file(), &context.standard);
        let open = genome.unit(&hole.unit).filter(|unit| unit.is_open() && hole.expr.is_none())?.clone();
        let interface = Interface::of(&open);
        Some(Self { genome, open, interface, context: context.clone() })
    }

    /// The shape of its signature, as [`Excerpt`](crate::Excerpt) has it: no unit of another shape fills it.
    #[must_use]
    pub fn interface(&self) -> String {
        self.interface.to_string()
    }

    /// The sketch in which a call of one of its own units or of a standard one is the body, own ones first, each text once.
    #[must_use]
    pub fn filled(&self) -> Vec<Filled> {
        let pool = Pool::new(&self.genome, &[Arc::clone(&self.context.standard)], Room::of(&self.context.scales));
        let name = &self.open.name.text;
        let fits =
            |unit: &&Arc<Pooled>| unit.interface == self.interface && unit.fits_in(&self.open) && !unit.is_own(name);
        let mut known = BTreeSet::new();
        let filled = pool.units.iter().filter(fits).filter_map(|unit| {
            let file = self.calling(&unit.axes, |genome| unit.bring(genome));
            known.insert(genesys_syntax::print(&file)).then(|| self.checked(&unit.name, file))?
        });
        filled.collect()
    }

    /// The sketch in which a call of a unit of that file is the body; none where the sketch or the standard library has that very unit,
    /// where its signature is another one, or where what comes out does not check.
    #[must_use]
    pub fn filled_by(&self, file: &File, unit: &str) -> Option<Filled> {
        let source = Source::design(file, &self.context.standard);
        let gene = source.genome().gene(unit)?;
        let called = gene.unit().filter(|unit| has_defaults(unit) && Interface::of(unit) == self.interface)?;
        let has = |genome: &Genome| genome.gene(unit).is_some_and(|own| own.text() == gene.text());
        if has(&self.genome) || has(self.context.standard.genome()) {
            return None;
        }
        let file = self.calling(&Interface::axes(called), |genome| genome.graft(&source, unit));
        self.checked(unit, file)
    }

    /// The file in which the open unit calls what `bring` makes part of it.
    fn calling(&self, axes: &[String], bring: impl FnOnce(&mut Genome) -> String) -> File {
        let mut changed = self.genome.clone();
        let name = bring(&mut changed);
        let body = body(&self.open, &name, axes);
        if let Some(unit) = changed.unit_mut(&self.open.name.text) {
            unit.body = body;
        }
        changed.settle();
        label(&mut changed, &crate::interface::facts(&self.genome));
        changed.collapse()
    }

    fn checked(&self, unit: &str, file: File) -> Option<Filled> {
        let file = Arc::new(file);
        let checked = check(&file, &self.context.library);
        let is_sound = checked.design.is_some() || checked.sketch.is_some();
        is_sound.then(|| Filled { unit: unit.to_owned(), file, checked })
    }
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

    /// What fills the first hole of a sketch, from which file, and the text.
    fn all(text: &str, donors: &[&str]) -> Vec<(String, Option<usize>, String)> {
        let context = Context::new(&Library::new(parse(genesys_stdlib::TEXT)), &[], &[]);
        let sketch = check(&Arc::new(parse(text)), context.library()).sketch.expect("the text is a sketch");
        let Some(opening) = Opening::of(&sketch, &sketch.holes()[0], &context) else { return Vec::new() };
        let mut filled: Vec<(Option<usize>, Filled)> = opening.filled().into_iter().map(|one| (None, one)).collect();
        for (donor, text) in donors.iter().enumerate() {
            let file = parse(text);
            let genome = Genome::expand(&file, &context.standard);
            let units = genome.units().map(|unit| unit.name.text.as_str());
            filled.extend(units.filter_map(|unit| Some((Some(donor), opening.filled_by(&file, unit)?))));
        }
        filled.into_iter().map(|(donor, one)| (one.unit, donor, genesys_syntax::print(&one.file))).collect()
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
    fn a_unit_that_the_sketch_has_is_not_brought_again() {
        let sketch = "design S { stack = [B*] }\nunit B(x: Seq[D]) -> Seq[D] { Mixer(Far(x)) }\n\
                      unit Far(x: Seq[D]) -> Seq[D] { tanh(x) }\nunit Mixer(x: Seq[D]) -> Seq[D];";
        let far: Vec<_> = all(sketch, &[DONOR]).into_iter().filter(|(unit, ..)| unit == "Far").collect();
        assert_eq!(far.len(), 1, "{far:?}");
        assert!(far[0].1.is_none() && far[0].2.contains("{\n    Far(x)\n}"), "{far:?}");
    }

    #[test]
    fn an_expression_is_filled_by_no_unit() {
        let sketch = "design S { stack = [B*] }\nunit B(x: Seq[D]) -> Seq[D] { let gate: Seq[D] = ?\nx + gate }";
        assert!(all(sketch, &[DONOR]).is_empty());
    }
}
