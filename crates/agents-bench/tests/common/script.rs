//! A script that answers the implementer, in place of a model: with the design that is written beside the proposal, and mistakes planted
//! in it as often as constants here say. So what a bench finds with it are figures of the script, and of no model.

#![allow(unreachable_pub)]

use genesys_agents_bench::Proposal;
use genesys_llm::{LlmError, Message, Reply, Request, Transport};
use genesys_span::Sources;
use genesys_syntax::ast::{Block, File, Item, ItemKind, Unit};
use genesys_syntax::print;

use super::Answer;

/// The name that it has as a model.
pub const MODEL: &str = "script";

/// How often an answer is right: the first of a whole design, the first of a piece, one that was told what is wrong, one that was not.
const WHOLE: f64 = 0.35;
const PIECE: f64 = 0.75;
const TOLD: f64 = 0.7;
const UNTOLD: f64 = 0.3;

/// A proposal and the design that is right.
struct Reference {
    proposal: String,
    design: String,
    text: String,
    file: File,
}

/// The script.
pub struct Script(Vec<Reference>);

impl Script {
    pub fn new(proposals: &[(Proposal, String)]) -> Self {
        let reference = |(proposal, text): &(Proposal, String)| {
            let mut sources = Sources::default();
            let id = sources.add("design.gau", text.as_str());
            let file = genesys_syntax::parse(&sources, id).file;
            let design = name_of(text).to_owned();
            Reference { proposal: proposal.text.trim().to_owned(), design, text: text.clone(), file }
        };
        Self(proposals.iter().map(reference).collect())
    }

    /// The reference, what is asked for of it, and what would be right.
    fn asked(&self, told: &str) -> (&Reference, String, String) {
        if let Some(unit) = told.strip_prefix("Now write `unit ") {
            let unit = unit.split('`').next().unwrap();
            let reference = self.0.iter().find(|r| told.contains(&format!("design {} {{", r.design))).unwrap();
            return (reference, format!("unit {unit}"), reference.unit(unit));
        }
        let reference = self.0.iter().find(|r| told.contains(&r.proposal)).unwrap();
        if told.starts_with("Write the design") {
            return (reference, "design".to_owned(), reference.text.clone());
        }
        assert!(told.starts_with("First write the sketch"), "the script does not know what is asked: {told}");
        (reference, "sketch".to_owned(), reference.sketch())
    }
}

impl Transport for Script {
    fn ask(&self, request: &Request, _: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        let [Message::User { text: first }, ..] = &request.messages[..] else { panic!("{:?}", request.messages) };
        let Some(Message::User { text: last }) = request.messages.last() else { panic!("{:?}", request.messages) };
        let (reference, piece, right) = self.asked(first);
        let tries = request.messages.iter().filter(|message| matches!(message, Message::Model { .. })).count();
        let chance = match (tries, last.contains("error")) {
            (0, _) if piece == "design" => WHOLE,
            (0, _) => PIECE,
            (_, true) => TOLD,
            (_, false) => UNTOLD,
        };
        let hash = blake3::hash(format!("{} {piece} {tries} {chance}", reference.design).as_bytes());
        let draw = u64::from_le_bytes(*hash.as_bytes().first_chunk().unwrap());
        let text = if genesys_random::unit(draw) < chance { fenced(&right) } else { mistaken(&right, draw) };
        Ok(Answer { hash: request.hash(), read: request.about_input(), text }.reply())
    }
}

impl Reference {
    /// Without the bodies of the units that the stack does not name, and with the imports that are left.
    fn sketch(&self) -> String {
        let fields = self.text.split_once("stack = ").unwrap().1.lines().next().unwrap();
        let open = |item: &Item| match &item.kind {
            ItemKind::Unit(unit) if !fields.contains(&unit.name.text) => {
                let body = Block { stmts: Vec::new(), result: None, ..unit.body.clone() };
                Item { kind: ItemKind::Unit(Unit { body, ..unit.clone() }), ..item.clone() }
            }
            ItemKind::Unit(_) | ItemKind::Design(_) | ItemKind::Use(_) => item.clone(),
        };
        let items = self.file.items.iter().filter(|item| !matches!(item.kind, ItemKind::Use(_))).map(open).collect();
        self.importing(print(&File { items, ..File::default() }))
    }

    /// One unit, with its imports.
    fn unit(&self, name: &str) -> String {
        let is_it = |item: &&Item| matches!(&item.kind, ItemKind::Unit(unit) if unit.name.text == name);
        let item = self.file.items.iter().find(is_it).unwrap();
        self.importing(print(&File { items: vec![item.clone()], ..File::default() }))
    }

    fn importing(&self, text: String) -> String {
        let imports = self.file.items.iter().filter_map(|item| match &item.kind {
            ItemKind::Use(import) => Some(import.names.iter().map(|name| name.text.as_str())),
            ItemKind::Unit(_) | ItemKind::Design(_) => None,
        });
        let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        let names: Vec<&str> = imports.flatten().filter(|name| words.contains(name)).collect();
        if names.is_empty() { text } else { format!("use std::{{{}}}\n\n{text}", names.join(", ")) }
    }
}

fn name_of(text: &str) -> &str {
    text.split_once("\ndesign ").unwrap().1.split(' ').next().unwrap()
}

fn fenced(code: &str) -> String {
    format!("```gau\n{}\n```", code.trim_end())
}

/// The same with a mistake of those that models make.
fn mistaken(right: &str, draw: u64) -> String {
    let mistakes: [&dyn Fn() -> Option<String>; 6] = [
        &|| Some(fenced(right.trim_end().strip_suffix('}')?)),
        &|| right.contains("](x)").then(|| fenced(&right.replacen("](x)", "](shift(x, -1))", 1))),
        &|| right.contains("linear[D -> ").then(|| fenced(&right.replacen("linear[D -> ", "Linear[D -> ", 1))),
        &|| right.contains("silu(").then(|| fenced(&right.replacen("silu(", "swish(", 1))),
        &|| Some(format!("```gau\n{right}")),
        &|| Some("Here is what I would do: first the norm, then the mixer.".to_owned()),
    ];
    let from = (draw % 6) as usize;
    (from..from + 6).find_map(|i| mistakes[i % 6]()).unwrap()
}
