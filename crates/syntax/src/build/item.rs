//! Items: uses, designs, units.

use pest::iterators::Pair;

use super::{Builder, Built};
use crate::ast::{
    Comments, Design, Field, FieldValue, FurtherResult, Generic, GenericKind, Item, ItemKind, Param, Repeat, Signature,
    StackItem, StackKind, Unit, UnitRef, Use,
};
use crate::grammar::Rule;

impl Builder<'_> {
    /// The start rule.
    pub(crate) fn item(&self, pair: Pair<'_, Rule>) -> Built<Item> {
        let part = pair.into_inner().next().expect("an item is a use, a design or a unit");
        let span = self.span(&part);
        let kind = match part.as_rule() {
            Rule::use_item => ItemKind::Use(self.use_item(part)),
            Rule::design_item => ItemKind::Design(self.design_item(part)?),
            _ => ItemKind::Unit(self.unit_item(part)?),
        };
        Ok(Item { docs: Vec::new(), comments: Comments::default(), span, kind })
    }

    fn use_item(&self, pair: Pair<'_, Rule>) -> Use {
        let mut found = Use { path: Vec::new(), names: Vec::new() };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::path_part => {
                    found.path.extend(part.into_inner().filter(|p| p.as_rule() == Rule::name).map(|p| self.ident(&p)));
                }
                Rule::use_names => {
                    found
                        .names
                        .extend(part.into_inner().filter(|p| p.as_rule() == Rule::upper).map(|p| self.ident(&p)));
                }
                Rule::upper => found.names.push(self.ident(&part)),
                _ => {}
            }
        }
        found
    }

    fn design_item(&self, pair: Pair<'_, Rule>) -> Built<Design> {
        let mut parts = pair.into_inner().filter(|p| matches!(p.as_rule(), Rule::upper | Rule::field));
        let name = self.ident(&parts.next().expect("a design has a name"));
        let fields = parts.map(|p| self.field(p)).collect::<Built<_>>()?;
        Ok(Design { name, fields, trailing: Vec::new() })
    }

    fn field(&self, pair: Pair<'_, Rule>) -> Built<Field> {
        let span = self.span(&pair);
        let mut parts = pair.into_inner().filter(|p| p.as_rule() != Rule::eq);
        let name = self.ident(&parts.next().expect("a field has a name"));
        let value = parts.next().expect("a field has a value");
        let value = match value.as_rule() {
            Rule::bool => FieldValue::Bool(value.as_str() == "true"),
            Rule::stack => FieldValue::Stack(self.stack(value)?),
            _ => FieldValue::Unit(self.unit_ref(value)?),
        };
        Ok(Field { name, value, comments: Comments::default(), span })
    }

    fn stack(&self, pair: Pair<'_, Rule>) -> Built<Vec<StackItem>> {
        pair.into_inner().filter(|p| p.as_rule() == Rule::stack_item).map(|p| self.stack_item(p)).collect()
    }

    fn stack_item(&self, pair: Pair<'_, Rule>) -> Built<StackItem> {
        let span = self.span(&pair);
        let mut parts = pair.into_inner().peekable();
        let share = parts.next_if(|part| part.as_rule() == Rule::k_share).is_some();
        let what = parts.next().expect("a stack entry is a unit or a group");
        let kind = match what.as_rule() {
            Rule::stack => StackKind::Group(self.stack(what)?),
            _ => StackKind::Unit(self.unit_ref(what)?),
        };
        let repeat = match parts.next().map(|times| times.into_inner().next()) {
            None => Repeat::Once,
            Some(None) => Repeat::ToDepth,
            Some(Some(count)) => Repeat::Times(self.int(&count)?),
        };
        Ok(StackItem { kind, repeat, share, span })
    }

    pub(super) fn unit_ref(&self, pair: Pair<'_, Rule>) -> Built<UnitRef> {
        let mut parts = pair.into_inner();
        let name = self.ident(&parts.next().expect("a unit's reference has a name"));
        let statics = parts.next().map_or_else(|| Ok(Vec::new()), |p| self.statics(p))?;
        Ok(UnitRef { name, statics })
    }

    fn unit_item(&self, pair: Pair<'_, Rule>) -> Built<Unit> {
        let (mut name, mut generics, mut params) = (None, Vec::new(), Vec::new());
        let (mut results, mut body) = (Vec::new(), None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::upper => name = Some(self.ident(&part)),
                Rule::generics => generics = self.generics(part)?,
                Rule::param => params.push(self.param(part)),
                Rule::ty => results.push(FurtherResult { name: None, ty: self.ty(part) }),
                Rule::results => results = self.results(part)?,
                Rule::block => body = Some(self.unit_body(part)?),
                Rule::open => body = Some(self.open_body(&part)),
                _ => {}
            }
        }
        let name = name.expect("a unit has a name");
        let result = results.remove(0).ty;
        let body = body.expect("a unit has a body");
        Ok(Unit { name, generics, params, result, further: results, body })
    }

    /// `(Seq[D], v1: Seq[H, E])`: the first is the main one, and has no name.
    fn results(&self, pair: Pair<'_, Rule>) -> Built<Vec<FurtherResult>> {
        let mut results = Vec::new();
        for part in pair.into_inner().filter(|p| p.as_rule() == Rule::result) {
            let (mut name, mut ty) = (None, None);
            for inner in part.into_inner() {
                match inner.as_rule() {
                    Rule::name => name = Some(self.ident(&inner)),
                    Rule::ty => ty = Some(self.ty(inner)),
                    _ => {}
                }
            }
            results.push(FurtherResult { name, ty: ty.expect("a result has a type") });
        }
        if let Some(FurtherResult { name: Some(name), .. }) = results.first() {
            let message = format!("expected the main result, which has no name, found `{}:`", name.text);
            return self.error(name.span, message, "write `-> (Seq[D], name: Seq[E])`: the names begin at the second");
        }
        Ok(results)
    }

    fn generics(&self, pair: Pair<'_, Rule>) -> Built<Vec<Generic>> {
        pair.into_inner().filter(|p| p.as_rule() == Rule::generic).map(|p| self.generic(p)).collect()
    }

    fn generic(&self, pair: Pair<'_, Rule>) -> Built<Generic> {
        let span = self.span(&pair);
        let mut parts = pair.into_inner();
        let name = self.ident(&parts.next().expect("a static parameter has a name"));
        let (mut number, mut default) = (false, None);
        let mut unit = None;
        for part in parts {
            match part.as_rule() {
                Rule::unit_of => unit = Some(self.unit_of(part)),
                Rule::unit_ref => {
                    if let Some(GenericKind::Unit { default, .. }) = &mut unit {
                        *default = Some(self.unit_ref(part)?);
                    }
                }
                Rule::dots => return Ok(Generic { name, kind: GenericKind::Row, span }),
                Rule::number_of => number = true,
                Rule::size => default = Some(self.size(part)?),
                _ => {}
            }
        }
        let kind = match unit {
            Some(unit) => unit,
            None if number => GenericKind::Size(default),
            None => GenericKind::Axis(default),
        };
        Ok(Generic { name, kind, span })
    }

    /// `: pointwise unit(Seq[H]) -> Seq[H]`
    fn unit_of(&self, pair: Pair<'_, Rule>) -> GenericKind {
        let (mut pointwise, mut signature) = (false, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::k_pointwise => pointwise = true,
                Rule::signature => {
                    let types = part.into_inner().filter(|p| p.as_rule() == Rule::ty);
                    let mut params: Vec<_> = types.map(|p| self.ty(p)).collect();
                    let result = params.pop().expect("a signature has a result");
                    signature = Some(Signature { params, result });
                }
                _ => {}
            }
        }
        GenericKind::Unit { pointwise, signature, default: None }
    }

    fn param(&self, pair: Pair<'_, Rule>) -> Param {
        let mut parts = pair.into_inner().filter(|p| p.as_rule() != Rule::colon);
        let name = self.ident(&parts.next().expect("a parameter has a name"));
        let ty = self.ty(parts.next().expect("a parameter has a type"));
        Param { name, ty }
    }
}
