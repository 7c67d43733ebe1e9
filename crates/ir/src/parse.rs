//! From the text form to a module.
//!
//! What [`print`](crate::print) writes parses to the same module. Only names, numbering and
//! nesting are checked here; whether the module keeps the invariants is the validator's question.
//! The first mistake ends the parse. Nesting is bounded by [`MAX_DEPTH`].

use std::collections::BTreeMap;
use std::fmt;

use genesys_axis::{Domain, Size};
use genesys_scalar::Role;

use crate::MAX_DEPTH;
use crate::lex::{Word, lex};
use crate::module::{
    Axis, AxisId, Direction, Dtype, Function, FunctionId, Instruction, Module, Op, Region, Stage, State, StateClass,
    Type, ValueId, Weight, WeightId,
};
use crate::origins::Origins;

/// Why a text is not a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The line, from 1.
    pub line: usize,
    /// What was expected and what was found.
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for ParseError {}

pub(crate) type Result<T> = std::result::Result<T, ParseError>;

/// The module that a text describes.
pub fn parse(text: &str) -> Result<Module> {
    let words = lex(text).map_err(|(line, message)| ParseError { line, message })?;
    let mut parser =
        Parser { words, at: 0, axes: BTreeMap::new(), functions: BTreeMap::new(), current: Body::default() };
    parser.module()
}

/// The function being read.
#[derive(Debug, Default)]
pub(crate) struct Body {
    pub(crate) weights: BTreeMap<String, WeightId>,
    values: BTreeMap<u32, Type>,
}

pub(crate) struct Parser {
    words: Vec<(Word, usize)>,
    at: usize,
    axes: BTreeMap<String, AxisId>,
    pub(crate) functions: BTreeMap<String, FunctionId>,
    pub(crate) current: Body,
}

/// Words.
impl Parser {
    pub(crate) fn fail<T>(&self, message: impl Into<String>) -> Result<T> {
        let line = self.words.get(self.at).or(self.words.last()).map_or(1, |(_, line)| *line);
        Err(ParseError { line, message: message.into() })
    }

    pub(crate) fn expected<T>(&self, what: &str) -> Result<T> {
        let found = match self.words.get(self.at) {
            None => "the end".to_string(),
            Some((Word::Name(name) | Word::Number(name), _)) => format!("`{name}`"),
            Some((Word::Quoted(name), _)) => format!("\"{name}\""),
            Some((Word::Mark(mark), _)) => format!("`{mark}`"),
            Some((Word::Arrow, _)) => "`->`".to_string(),
        };
        self.fail(format!("{what} is expected, {found} is found"))
    }

    pub(crate) fn peek(&self) -> Option<&Word> {
        self.words.get(self.at).map(|(word, _)| word)
    }

    pub(crate) fn take(&mut self, mark: char) -> bool {
        let found = self.peek() == Some(&Word::Mark(mark));
        self.at += usize::from(found);
        found
    }

    pub(crate) fn mark(&mut self, mark: char) -> Result<()> {
        if self.take(mark) { Ok(()) } else { self.expected(&format!("`{mark}`")) }
    }

    pub(crate) fn arrow(&mut self) -> Result<()> {
        let found = self.peek() == Some(&Word::Arrow);
        self.at += usize::from(found);
        if found { Ok(()) } else { self.expected("`->`") }
    }

    pub(crate) fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Word::Name(name)) if name == word);
        self.at += usize::from(found);
        found
    }

    pub(crate) fn word(&mut self, word: &str) -> Result<()> {
        if self.take_word(word) { Ok(()) } else { self.expected(&format!("`{word}`")) }
    }

    /// A bare name: a keyword or a symbol.
    pub(crate) fn bare(&mut self, what: &str) -> Result<String> {
        match self.peek() {
            Some(Word::Name(name)) => {
                let name = name.clone();
                self.at += 1;
                Ok(name)
            }
            _ => self.expected(what),
        }
    }

    pub(crate) fn name(&mut self, what: &str) -> Result<String> {
        match self.peek() {
            Some(Word::Name(name) | Word::Quoted(name)) => {
                let name = name.clone();
                self.at += 1;
                Ok(name)
            }
            _ => self.expected(what),
        }
    }

    /// The number that comes next, read as the type asked for.
    pub(crate) fn number<T: std::str::FromStr>(&mut self, what: &str) -> Result<T> {
        match self.peek() {
            Some(Word::Number(text)) => match text.parse() {
                Ok(value) => {
                    self.at += 1;
                    Ok(value)
                }
                Err(_) => self.expected(what),
            },
            _ => self.expected(what),
        }
    }

    /// Items between commas, up to a closing mark that is taken too.
    pub(crate) fn list<T>(&mut self, close: char, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = Vec::new();
        if self.take(close) {
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            if self.take(close) {
                return Ok(items);
            }
            self.mark(',')?;
        }
    }
}

/// Structure.
impl Parser {
    fn module(&mut self) -> Result<Module> {
        self.word("module")?;
        let name = self.name("the module's name")?;
        let mut axes: Vec<Axis> = Vec::new();
        while self.take_word("axis") {
            let axis = self.axis_declaration()?;
            if self.axes.insert(axis.name.clone(), AxisId(axes.len() as u32)).is_some() {
                return self.fail(format!("the axis {} is declared twice", axis.name));
            }
            axes.push(axis);
        }
        let mut functions = Vec::new();
        while self.peek().is_some() {
            let function = self.function()?;
            if self.functions.insert(function.name.clone(), FunctionId(functions.len() as u32)).is_some() {
                return self.fail(format!("the function {} is declared twice", function.name));
            }
            functions.push(function);
        }
        if functions.is_empty() { self.expected("a function") } else { Ok(Module { name, axes, functions }) }
    }

    fn axis_declaration(&mut self) -> Result<Axis> {
        let name = self.name("an axis")?;
        self.mark('=')?;
        let domain = if self.take_word("past") {
            let window = if self.take_word("window") { Some(self.braced_size()?) } else { None };
            self.word("skip")?;
            Domain::Past { window, skip: self.braced_size()? }
        } else if self.take_word("blocks") {
            Domain::Blocks { size: self.braced_size()? }
        } else {
            Domain::Static(self.braced_size()?)
        };
        Ok(Axis { name, domain })
    }

    pub(crate) fn braced_size(&mut self) -> Result<Size> {
        self.mark('{')?;
        let size = self.size(MAX_DEPTH)?;
        self.mark('}')?;
        Ok(size)
    }

    fn function(&mut self) -> Result<Function> {
        let adjoint = self.take_word("adjoint");
        self.word("fn")?;
        let name = self.name("the function's name")?;
        self.mark('{')?;
        self.current = Body::default();
        let mut weights = Vec::new();
        while self.take_word("weight") {
            let weight = self.weight()?;
            let id = WeightId(weights.len() as u32);
            if self.current.weights.insert(weight.path.clone(), id).is_some() {
                return self.fail(format!("the weight {} is declared twice", weight.path));
            }
            weights.push(weight);
        }
        let mut inputs = Vec::new();
        while self.take_word("input") {
            inputs.push(self.definition()?);
        }
        let body = self.region("return", MAX_DEPTH)?;
        self.mark('}')?;
        let values = std::mem::take(&mut self.current.values);
        if let Some(missing) = values.keys().zip(0..).find(|(id, expected)| **id != *expected) {
            return self.fail(format!("the value %{} of {name} is never defined", missing.1));
        }
        let (values, origins) = (values.into_values().collect(), Origins::default());
        Ok(Function { name, adjoint, weights, values, inputs, body, origins })
    }

    fn weight(&mut self) -> Result<Weight> {
        let path = self.name("a path")?;
        self.mark(':')?;
        let axes = self.axis_list()?;
        self.mark('=')?;
        let law = self.law(MAX_DEPTH)?;
        self.mark('@')?;
        let role = self.bare("a role")?;
        let Some(role) = Role::from_name(&role) else { return self.fail(format!("there is no role {role}")) };
        self.word("stream")?;
        let stream = self.number("a stream")?;
        Ok(Weight { path, axes, law, role, stream })
    }

    /// Instructions up to the word that ends the region, and the region's results.
    fn region(&mut self, end: &str, depth: usize) -> Result<Region> {
        let Some(depth) = depth.checked_sub(1) else { return self.fail("regions nest too deeply") };
        let mut instructions = Vec::new();
        while !self.take_word(end) {
            instructions.push(self.instruction(depth)?);
        }
        Ok(Region { instructions, results: self.values()? })
    }

    fn instruction(&mut self, depth: usize) -> Result<Instruction> {
        let mut results = Vec::new();
        while !self.take('=') {
            if !results.is_empty() {
                self.mark(',')?;
            }
            results.push(self.definition()?);
        }
        let (op, args) = if self.take_word("past") {
            (self.past(depth)?, vec![])
        } else if self.take_word("scan") {
            (self.scan(depth)?, vec![])
        } else if self.take_word("grad") {
            self.grad(depth)?
        } else {
            (self.op()?, self.values()?)
        };
        Ok(Instruction { op, args, results })
    }

    fn past(&mut self, depth: usize) -> Result<Op> {
        self.mark('[')?;
        let axis = self.axis()?;
        self.mark(']')?;
        let (direction, reset) = self.time()?;
        Ok(Op::Past { axis, direction, reset, body: self.body(depth)? })
    }

    fn scan(&mut self, depth: usize) -> Result<Op> {
        let class = match self.bare("a class")?.as_str() {
            "diagonal" => StateClass::Diagonal,
            "general" => StateClass::General,
            other => return self.fail(format!("there is no class {other}")),
        };
        let chunk = self.take_word("every").then(|| self.braced_size()).transpose()?;
        let (direction, reset) = self.time()?;
        self.mark('(')?;
        let states = self.list(')', |parser| {
            let name = parser.name("the name of a state")?;
            let current = parser.definition()?;
            parser.mark('=')?;
            let init = parser.value()?;
            parser.arrow()?;
            let next = parser.value()?;
            let start = parser.take_word("start").then(|| parser.definition()).transpose()?;
            Ok(State { name, init, current, next, start, anew: parser.take_word("anew") })
        })?;
        Ok(Op::Scan { states, class, chunk, direction, reset, body: self.body(depth)? })
    }

    fn grad(&mut self, depth: usize) -> Result<(Op, Vec<ValueId>)> {
        self.mark('(')?;
        let variable = self.definition()?;
        self.mark('=')?;
        let at = self.value()?;
        self.mark(')')?;
        Ok((Op::Grad { variable, body: self.body(depth)? }, vec![at]))
    }

    fn body(&mut self, depth: usize) -> Result<Region> {
        self.mark('{')?;
        let body = self.region("yield", depth)?;
        self.mark('}')?;
        Ok(body)
    }

    pub(crate) fn time(&mut self) -> Result<(Direction, Option<ValueId>)> {
        let direction = if self.take_word("reverse") { Direction::Reverse } else { Direction::Forward };
        let reset = if self.take_word("reset") { Some(self.value()?) } else { None };
        Ok((direction, reset))
    }

    fn definition(&mut self) -> Result<ValueId> {
        let id = self.value()?;
        self.mark(':')?;
        let ty = self.ty()?;
        if self.current.values.insert(id.0, ty).is_some() {
            return self.fail(format!("the value %{} is defined twice", id.0));
        }
        Ok(id)
    }

    fn ty(&mut self) -> Result<Type> {
        let dtype = if self.take_word("Token") { Dtype::Token } else { Dtype::Real };
        let stage = if self.take_word("Seq") {
            Stage::Seq
        } else if self.take_word("Step") {
            Stage::Step
        } else if self.take_word("Loss") {
            Stage::Loss
        } else {
            Stage::Const
        };
        Ok(Type { stage, dtype, axes: self.axis_list()? })
    }

    pub(crate) fn value(&mut self) -> Result<ValueId> {
        self.mark('%')?;
        self.number("a value's number").map(ValueId)
    }

    fn values(&mut self) -> Result<Vec<ValueId>> {
        let mut values = Vec::new();
        // A value followed by a colon begins the next line.
        let begins = |parser: &Self| parser.words.get(parser.at + 2).is_some_and(|(word, _)| *word == Word::Mark(':'));
        if self.peek() != Some(&Word::Mark('%')) || begins(self) {
            return Ok(values);
        }
        values.push(self.value()?);
        while self.take(',') {
            values.push(self.value()?);
        }
        Ok(values)
    }

    pub(crate) fn axis(&mut self) -> Result<AxisId> {
        let name = self.name("an axis")?;
        match self.axes.get(&name) {
            Some(id) => Ok(*id),
            None => self.fail(format!("there is no axis {name}")),
        }
    }

    pub(crate) fn axis_list(&mut self) -> Result<Vec<AxisId>> {
        self.mark('[')?;
        self.list(']', Self::axis)
    }
}
