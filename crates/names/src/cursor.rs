//! What may stand at a place of a text: the question of completion.

use std::ops::Range;

use crate::lex::is_word;
use crate::names::Names;
use crate::reader::Reader;

/// What the text asks for at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'t> {
    /// Nothing that is known: a new name, a comment, the inside of a number.
    Nothing,
    /// An item of the file.
    Item,
    /// Units to import.
    Imports,
    /// A field of the design.
    Field,
    /// The value of that field.
    FieldValue(&'t str),
    /// An entry of the stack.
    Stack,
    /// A type: `Seq[..]` or `[..]`.
    Type,
    /// What a static parameter stands for.
    GenericKind,
    /// An axis in the square brackets behind that name, which may be empty.
    Axes(&'t str),
    /// A static argument of that unit.
    Statics(&'t str),
    /// What a static argument or parameter is bound to: a size, an axis or a unit.
    StaticValue,
    /// A size.
    Size,
    /// A statement of a body, or its value.
    Statement,
    /// A value.
    Value,
    /// The initial law of a weight.
    Law,
    /// An argument of what has that name, which may be empty.
    Argument(&'t str),
    /// What may follow a value.
    Operator,
    /// A role behind `@`.
    Role,
    /// A class of states.
    Class,
}

/// What is known at a place.
#[derive(Clone, Debug)]
pub struct Cursor<'t> {
    /// What is asked for.
    pub place: Place<'t>,
    /// The part of the word under way that stands before the place, in bytes.
    pub word: Range<usize>,
    /// Whether a scan or a loop is open.
    pub in_loop: bool,
    /// The names of the text before the place.
    pub names: Names,
    /// The declarations of the unit under way that can be seen.
    pub visible: Vec<usize>,
}

/// Looks at a place: `offset` in bytes, moved back to a character's start. Only the text before it is read.
pub fn cursor(text: &str, mut offset: usize) -> Cursor<'_> {
    offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let start =
        before.rfind(|c| !is_word(c)).map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let mut reader = Reader::new(&text[..start], Default::default());
    reader.items();
    let is_number = before[start..].starts_with(|c: char| c.is_ascii_digit());
    let new_line = before[reader.last_end()..start].contains('\n');
    let place = match reader.ended() {
        _ if is_number || reader.in_comment() => Place::Nothing,
        Place::Operator if new_line && reader.in_body() => Place::Statement,
        place => place,
    };
    let (visible, in_loop) = (reader.visible(), reader.in_loop());
    Cursor { place, word: start..offset, in_loop, names: reader.names(), visible }
}
