//! Items, statements and expressions, as far as names ask for them.

use crate::cursor::Place;
use crate::lex::is_word;
use crate::names::{Kind, Sort};
use crate::reader::Reader;

/// Words that begin a statement, and so end what is open.
const STATEMENTS: [&str; 7] = ["let", "share", "param", "axis", "require", "yield", "loss"];

impl<'t> Reader<'t> {
    /// `use std::{A, B}`
    pub(crate) fn import(&mut self) {
        self.at += 1;
        while let Some(word) = self.peek(Place::Imports) {
            match word {
                "}" => {
                    self.at += 1;
                    return;
                }
                _ if is_capital(word) => self.mention(Sort::Unit),
                _ => self.at += 1,
            }
        }
    }

    /// `design Name { field = value .. }`
    pub(crate) fn design(&mut self) {
        let from = self.at;
        self.at += 1;
        let Some(name) = self.name(Place::Nothing) else { return };
        self.declare(Kind::Design, name, (from, self.at));
        self.take("{", Place::Nothing);
        while let Some(word) = self.peek(Place::Field) {
            if word == "}" {
                self.at += 1;
                return;
            }
            if self.second() == "=" && word.starts_with(is_word) {
                self.mention(Sort::Field);
                self.at += 1;
                self.field_value(word);
            } else {
                self.at += 1;
            }
        }
    }

    fn field_value(&mut self, field: &'t str) {
        match self.peek(Place::FieldValue(field)) {
            Some("[") => self.deeper(Self::stack),
            Some(word) if is_capital(word) => self.unit_ref(),
            _ => {}
        }
    }

    fn stack(&mut self) {
        while let Some(word) = self.peek(Place::Stack) {
            match word {
                "]" => {
                    self.at += 1;
                    return;
                }
                "}" => return,
                "[" => self.deeper(Self::stack),
                _ if is_capital(word) => self.unit_ref(),
                _ if self.second() == "=" => return,
                _ => self.at += 1,
            }
        }
    }

    fn unit_ref(&mut self) {
        let (name, bound) = (self.word(self.at), self.touches() && self.second() == "<");
        self.mention(Sort::Unit);
        if bound {
            self.deeper(|this| this.static_arguments(name));
        }
    }

    /// `unit Name<..>(..) -> .. { .. }`
    pub(crate) fn unit(&mut self) {
        let from = self.at;
        self.at += 1;
        let Some(name) = self.name(Place::Nothing) else { return };
        let unit = self.declare(Kind::Unit, name, (from, self.at));
        self.unit = Some(unit);
        if self.peek(Place::Nothing) == Some("<") {
            self.deeper(Self::generics);
        }
        if self.peek(Place::Nothing) == Some("(") {
            self.deeper(|this| this.ports(Kind::Parameter));
        }
        if self.take("->", Place::Nothing) {
            match self.peek(Place::Type) {
                Some("(") => self.deeper(|this| this.ports(Kind::Result)),
                _ => self.ty(),
            }
        }
        self.set_head(unit, from, self.at);
        self.settle();
        if self.peek(Place::Nothing) == Some("{") {
            self.block(self.count());
        }
    }

    fn generics(&mut self) {
        while let Some(word) = self.peek(Place::Nothing) {
            match word {
                ">" => {
                    self.at += 1;
                    return;
                }
                "(" | "{" => return,
                _ if is_capital(word) => self.generic(),
                _ => self.at += 1,
            }
        }
    }

    fn generic(&mut self) {
        let from = self.at;
        let Some(name) = self.name(Place::Nothing) else { return };
        let mut kind = Kind::Axis;
        if self.take("..", Place::Nothing) {
            kind = Kind::Row;
        }
        if self.take(":", Place::Nothing) {
            self.take("pointwise", Place::GenericKind);
            if self.take("unit", Place::GenericKind) {
                kind = Kind::UnitParameter;
                self.signature();
            } else if self.take("size", Place::GenericKind) {
                kind = Kind::Size;
            }
        }
        if self.take("=", Place::Nothing) {
            self.expression(Place::StaticValue);
        }
        self.declare_static(kind, name, (from, self.at));
    }

    /// `(Seq[H]) -> Seq[H]` behind `unit`.
    fn signature(&mut self) {
        if self.peek(Place::Nothing) == Some("(") {
            self.deeper(|this| this.ports(Kind::Result));
            if self.take("->", Place::Nothing) {
                self.ty();
            }
        }
    }

    /// Parameters, or several results.
    fn ports(&mut self, kind: Kind) {
        let unnamed = if kind == Kind::Result { Place::Type } else { Place::Nothing };
        while let Some(word) = self.peek(unnamed) {
            match word {
                ")" => {
                    self.at += 1;
                    return;
                }
                "{" | "->" => return,
                "Seq" | "[" => self.ty(),
                _ if self.second() == ":" && word.starts_with(is_word) => {
                    let from = self.at;
                    self.mention(Sort::Declared);
                    self.at += 1;
                    self.ty();
                    self.declare(kind, from, (from, self.at));
                }
                _ => self.at += 1,
            }
        }
    }

    /// `Seq[A, B]`, `[A]`
    fn ty(&mut self) {
        self.take("Seq", Place::Type);
        if self.peek(Place::Type) == Some("[") {
            self.deeper(|this| this.slot(""));
        }
    }

    /// The next token as the name of something new.
    fn name(&mut self, place: Place<'t>) -> Option<usize> {
        self.peek(place).filter(|word| word.starts_with(is_word))?;
        let at = self.at;
        self.mention(Sort::Declared);
        Some(at)
    }

    /// A body, at its brace; declarations from `first` on go out of sight with it.
    pub(crate) fn block(&mut self, first: usize) {
        self.bodies += 1;
        self.deeper(|this| this.statements(first));
    }

    fn statements(&mut self, first: usize) {
        while let Some(word) = self.peek(Place::Statement) {
            let from = self.at;
            match word {
                "}" => {
                    self.close(first);
                    self.bodies -= 1;
                    self.at += 1;
                    return;
                }
                "let" => self.bind(),
                "share" => self.share(),
                "param" => self.param(),
                "axis" => self.axis(),
                "require" => self.behind(Place::Size),
                "yield" | "loss" => self.behind(Place::Value),
                _ if self.second() == "<-" => {
                    self.mention(Sort::State);
                    self.behind(Place::Value);
                }
                _ => self.expression(Place::Statement),
            }
            self.settle();
            if self.at == from {
                self.at += 1;
            }
        }
    }

    /// One token, and an expression behind it.
    fn behind(&mut self, place: Place<'t>) {
        self.at += 1;
        self.expression(place);
    }

    /// `let q: Seq[H] = e`, `let (q, k) = e`
    fn bind(&mut self) {
        let from = self.at;
        self.at += 1;
        let mut names = Vec::new();
        if self.take("(", Place::Nothing) {
            while let Some(word) = self.peek(Place::Nothing).filter(|word| !ends(word)) {
                if word == ")" {
                    self.at += 1;
                    break;
                }
                match self.name(Place::Nothing) {
                    Some(name) => names.push(name),
                    None => self.at += 1,
                }
            }
        } else {
            names.extend(self.name(Place::Nothing));
            if self.take(":", Place::Nothing) {
                self.ty();
            }
        }
        let to = self.at;
        if self.take("=", Place::Nothing) {
            self.expression(Place::Value);
        }
        for name in names {
            self.declare(Kind::Let, name, (from, to));
        }
    }

    /// `share f = Mlp<F = 128>`
    fn share(&mut self) {
        let from = self.at;
        self.at += 1;
        let Some(name) = self.name(Place::Nothing) else { return };
        if self.take("=", Place::Nothing) {
            self.expression(Place::Value);
        }
        self.declare(Kind::Shared, name, (from, self.at));
    }

    /// `param gain: [D] = 1 @gain`
    fn param(&mut self) {
        let from = self.at;
        self.at += 1;
        let Some(name) = self.name(Place::Nothing) else { return };
        if self.take(":", Place::Nothing) {
            self.ty();
        }
        if self.take("=", Place::Nothing) {
            self.expression(Place::Law);
        }
        if self.take("@", Place::Operator) && self.peek(Place::Role).is_some_and(|word| word.starts_with(is_word)) {
            self.mention(Sort::Role);
        }
        self.declare(Kind::Weight, name, (from, self.at));
    }

    /// `axis K = D / 2`
    fn axis(&mut self) {
        let from = self.at;
        self.at += 1;
        let Some(name) = self.name(Place::Nothing) else { return };
        if self.take("=", Place::Nothing) {
            self.expression(Place::Size);
        }
        self.declare(Kind::Axis, name, (from, self.at));
    }

    /// An expression, up to what cannot belong to it; `inside` is what its operands are.
    fn expression(&mut self, mut inside: Place<'t>) {
        let mut complete = false;
        while let Some(word) = self.peek(if complete { Place::Operator } else { inside }) {
            let opens = complete && self.leads();
            match word {
                "(" if !opens => self.deeper(|this| this.arguments("")),
                "[" if !opens => self.deeper(|this| this.slot("")),
                "as" if complete => self.at += 1,
                "scan" | "repeat" if !complete => self.recurrence(word),
                "-" if opens && self.touches() => return,
                ">" if inside == Place::StaticValue => return,
                "+" | "-" | "*" | "/" | "%" | "^" | "<" | ">" | "<=" | ">=" | "==" | "!=" => {
                    self.at += 1;
                    complete = false;
                    // No statement begins behind an operator.
                    if inside == Place::Statement {
                        inside = Place::Value;
                    }
                    continue;
                }
                _ if complete || ends(word) || self.second() == "<-" => return,
                "?" | "true" | "false" => self.at += 1,
                "each" => {
                    self.at += 1;
                    continue;
                }
                _ if word.starts_with(|c: char| c.is_ascii_digit()) => self.number(),
                _ if word.starts_with(is_word) => self.apply(inside),
                _ => return,
            }
            complete = true;
        }
    }

    /// `1`, `1.5`: the point is a mark of its own.
    fn number(&mut self) {
        self.at += 1;
        if self.word(self.at) == "." {
            self.at = (self.at + 2).min(self.at + 1 + usize::from(self.second().starts_with(is_word)));
        }
    }

    /// A name, and what is called by it.
    fn apply(&mut self, inside: Place<'t>) {
        let head = self.word(self.at);
        let bound = is_capital(head) && self.touches() && self.second() == "<";
        let called = matches!(self.second(), "[" | "(") && self.follows_on_line();
        let sort = match inside {
            _ if bound || called => Sort::Head,
            Place::StaticValue | Place::Size => Sort::Axis,
            _ => Sort::Value,
        };
        self.mention(sort);
        if bound {
            self.deeper(|this| this.static_arguments(head));
        }
        if self.peek(Place::Operator) == Some("[") && !self.leads() {
            self.deeper(|this| this.slot(head));
        }
        if self.peek(Place::Operator) == Some("(") && !self.leads() {
            self.deeper(|this| this.arguments(head));
        }
    }

    /// Static arguments, behind their bracket.
    fn static_arguments(&mut self, head: &'t str) {
        while let Some(word) = self.peek(Place::Statics(head)) {
            let from = self.at;
            match word {
                ">" => {
                    self.at += 1;
                    return;
                }
                "," => self.at += 1,
                _ if ends(word) || matches!(word, ")" | "]" | "{") => return,
                _ if self.second() == "=" && is_capital(word) => {
                    self.mention(Sort::Static { of: head.to_owned() });
                    self.behind(Place::StaticValue);
                }
                _ => self.expression(Place::StaticValue),
            }
            if self.at == from {
                self.at += 1;
            }
        }
    }

    /// Axes, behind their bracket. Some views make the axes that they name.
    fn slot(&mut self, head: &'t str) {
        let makes = matches!(head, "past" | "blocks" | "age");
        while let Some(word) = self.peek(Place::Axes(head)) {
            match word {
                "]" => {
                    self.at += 1;
                    return;
                }
                _ if word != ";" && ends(word) || matches!(word, "(" | ")" | "{") => return,
                _ if is_capital(word) => {
                    let at = self.at;
                    self.mention(if makes && !self.is_known(word) { Sort::Declared } else { Sort::Axis });
                    if makes && !self.is_known(word) {
                        self.declare(Kind::Past, at, (at, at + 1));
                    }
                }
                _ => self.at += 1,
            }
        }
    }

    /// Arguments, or a group, behind the parenthesis.
    fn arguments(&mut self, head: &'t str) {
        while let Some(word) = self.peek(Place::Argument(head)) {
            let from = self.at;
            match word {
                ")" => {
                    self.at += 1;
                    return;
                }
                "," => self.at += 1,
                _ if ends(word) || word == "]" => return,
                _ if self.second() == "=" && word.starts_with(is_word) => {
                    self.mention(Sort::Option { of: head.to_owned() });
                    self.behind(Place::Value);
                }
                _ if self.second() == ":" && word.starts_with(is_word) => {
                    self.mention(Sort::Label);
                    self.behind(Place::Value);
                }
                _ => self.expression(Place::Argument(head)),
            }
            if self.at == from {
                self.at += 1;
            }
        }
    }

    /// `scan S: [..] = 0, .. every C : class { .. }`, `repeat I < 3 R: [..] = x { .. }`
    fn recurrence(&mut self, word: &str) {
        self.at += 1;
        let mut made: Vec<(Kind, usize, (usize, usize))> = Vec::new();
        if word == "repeat" {
            if self.second() == "<" {
                let at = self.at;
                if let Some(name) = self.name(Place::Size) {
                    self.at += 1;
                    made.push((Kind::Counter, name, (at, at + 1)));
                }
            }
            self.expression(Place::Size);
        }
        while let Some(state) = self.state() {
            made.push(state);
            if !self.take(",", Place::Operator) {
                break;
            }
        }
        if self.take("every", Place::Operator) {
            self.expression(Place::Size);
        }
        if self.take(":", Place::Operator) && self.peek(Place::Class).is_some_and(|word| word.starts_with(is_word)) {
            self.mention(Sort::Class);
        }
        self.settle();
        if self.peek(Place::Nothing) == Some("{") {
            let first = self.count();
            for (kind, at, range) in made {
                self.declare(kind, at, range);
            }
            self.loops += 1;
            let bodies = self.bodies;
            self.block(first);
            self.loops -= usize::from(self.bodies == bodies);
        }
    }

    fn state(&mut self) -> Option<(Kind, usize, (usize, usize))> {
        let from = self.at;
        let name = self.name(Place::Nothing)?;
        if self.take(":", Place::Nothing) {
            self.ty();
        }
        if self.take("=", Place::Nothing) {
            self.expression(Place::Value);
        }
        let to = self.at;
        self.take("reset", Place::Operator);
        Some((Kind::State, name, (from, to)))
    }

    /// Whether the token behind the next one stands on its line.
    fn follows_on_line(&mut self) -> bool {
        self.at += 1;
        let leads = self.leads();
        self.at -= 1;
        !leads
    }
}

/// Whether a word ends every expression that is open.
fn ends(word: &str) -> bool {
    matches!(word, "}" | ";") || STATEMENTS.contains(&word)
}

fn is_capital(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase())
}
