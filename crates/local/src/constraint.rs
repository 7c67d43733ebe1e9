//! Which tokens a grammar admits next.
//!
//! In: a grammar and a vocabulary; the tokens that are chosen. Out: the tokens that may come, and whether the text may end. States that a
//! text comes back to have their tokens kept; what is remembered is bounded, and made anew where it grows beyond that.

use std::collections::BTreeMap;
use std::rc::Rc;

use genesys_gbnf::reader::WAYS;
use genesys_gbnf::{Grammar, Reader, State, Vocabulary};

/// The most states that are remembered.
const STATES: usize = 1 << 17;

/// The most states whose tokens are remembered.
const LISTS: usize = 256;

/// A grammar at a place of a text.
pub(crate) struct Constraint<'a> {
    vocabulary: &'a Vocabulary,
    reader: Reader,
    state: State,
    lists: BTreeMap<State, Rc<[u32]>>,
}

impl<'a> Constraint<'a> {
    /// A grammar in front of a text.
    pub(crate) fn new(grammar: Grammar, vocabulary: &'a Vocabulary) -> Self {
        let (reader, state) = Reader::new(grammar);
        Self { vocabulary, reader, state, lists: BTreeMap::new() }
    }

    /// The tokens that may come next.
    ///
    /// # Errors
    /// Why that is not known.
    pub(crate) fn admitted(&mut self) -> Result<Rc<[u32]>, String> {
        if let Some(known) = self.lists.get(&self.state) {
            return Ok(Rc::clone(known));
        }
        if self.reader.met() > STATES || self.lists.len() >= LISTS {
            self.state = self.reader.forget(self.state);
            self.lists.clear();
        }
        let list: Rc<[u32]> = self.vocabulary.admitted(&mut self.reader, self.state).into();
        if self.reader.is_overrun() {
            return Err(format!(
                "the grammar reads what is written in more than {WAYS} ways at once: expected one in which what opens alike closes alike"
            ));
        }
        self.lists.insert(self.state, Rc::clone(&list));
        Ok(list)
    }

    /// Whether the text may end here.
    pub(crate) fn may_end(&self) -> bool {
        self.reader.may_end(self.state)
    }

    /// Goes on by the bytes of an admitted token.
    ///
    /// # Panics
    /// Where it is none.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        self.state = self.reader.read(self.state, bytes).expect("the token is admitted");
    }

    /// The bytes that may come next, to be told.
    pub(crate) fn wanted(&self) -> String {
        let bytes: Vec<u8> = self.reader.next(self.state).bytes().take(8).collect();
        bytes.escape_ascii().to_string()
    }
}
