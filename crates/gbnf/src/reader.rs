//! Following a text by a grammar, byte by byte.
//!
//! In: a grammar, bytes. Out: states, which say what may come next and whether the text may end here. A state is the set of all ways in
//! which the grammar can have read what was read; each way is a stack: the set of bytes that comes next, above what comes behind the rules
//! that are open. Equal stacks and equal states have one number, and each move from a state by a byte is worked out once.
//!
//! It decides nothing, and does not backtrack: what a state does not admit, no continuation of the text can mend, and what it admits can be
//! gone on with to an end. Ways that differ in what closes them are kept apart, so a grammar that opens alike what it closes otherwise
//! doubles them with each nesting: beyond [`WAYS`] of them a reader gives up, and says so.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::grammar::{ByteSet, Grammar, Step};

/// A state of a [`Reader`], which alone knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State(u32);

/// The most ways of reading one text that are followed.
pub const WAYS: usize = 1 << 12;

/// A stack below nothing: all that was open is read.
const DONE: u32 = u32::MAX;

/// A grammar that is followed.
#[derive(Clone, Debug)]
pub struct Reader {
    grammar: Grammar,
    /// Steps, each above the stack that it stands on.
    stacks: Vec<(u32, u32)>,
    stack_numbers: HashMap<(u32, u32), u32>,
    /// The stacks of each state, in their order.
    states: Vec<Vec<u32>>,
    state_numbers: HashMap<Vec<u32>, u32>,
    moves: HashMap<(State, u8), Option<State>>,
    is_overrun: bool,
}

impl Reader {
    /// A reader by a grammar, and its state in front of any text.
    #[must_use]
    pub fn new(grammar: Grammar) -> (Self, State) {
        let mut reader = Self {
            grammar,
            stacks: Vec::new(),
            stack_numbers: HashMap::new(),
            states: Vec::new(),
            state_numbers: HashMap::new(),
            moves: HashMap::new(),
            is_overrun: false,
        };
        let begins = reader.grammar.rules[0].iter().map(|begin| (number(*begin), DONE)).collect();
        let stacks = reader.closed(begins);
        let start = reader.state(stacks);
        (reader, start)
    }

    /// The state behind one more byte; none where that may not come.
    pub fn step(&mut self, state: State, byte: u8) -> Option<State> {
        if let Some(known) = self.moves.get(&(state, byte)) {
            return *known;
        }
        let mut open = Vec::new();
        for stack in self.stacks_of(state).iter().filter(|stack| **stack != DONE) {
            let (step, below) = self.stacks[*stack as usize];
            if self.next_of(step).has(byte) {
                open.push((step + 1, below));
            }
        }
        let stacks = self.closed(open);
        self.is_overrun |= stacks.len() > WAYS;
        let next = (!stacks.is_empty() && stacks.len() <= WAYS).then(|| self.state(stacks));
        self.moves.insert((state, byte), next);
        next
    }

    /// The state behind more bytes; none where they may not come.
    pub fn read(&mut self, state: State, bytes: &[u8]) -> Option<State> {
        bytes.iter().try_fold(state, |state, byte| self.step(state, *byte))
    }

    /// Whether a text may end here.
    #[must_use]
    pub fn may_end(&self, state: State) -> bool {
        self.stacks_of(state).contains(&DONE)
    }

    /// The bytes that may come next; none where the text can only end.
    #[must_use]
    pub fn next(&self, state: State) -> ByteSet {
        let open = self.stacks_of(state).iter().filter(|stack| **stack != DONE);
        open.map(|stack| self.next_of(self.stacks[*stack as usize].0)).fold(ByteSet::default(), ByteSet::or)
    }

    /// Whether it gave up on a text, which it did not admit for this reason alone: then no answer of it holds.
    #[must_use]
    pub fn is_overrun(&self) -> bool {
        self.is_overrun
    }

    /// How many states were met: what the reader remembers grows with them.
    #[must_use]
    pub fn met(&self) -> usize {
        self.states.len()
    }

    /// Forgets all that was met but a state, which has another number from then on.
    pub fn forget(&mut self, state: State) -> State {
        let mut stacks: Vec<Vec<u32>> = Vec::new();
        for stack in self.stacks_of(state) {
            let top = (*stack != DONE).then_some(*stack);
            let down = |stack: &u32| Some(self.stacks[*stack as usize].1).filter(|below| *below != DONE);
            stacks.push(std::iter::successors(top, down).map(|stack| self.stacks[stack as usize].0).collect());
        }
        self.stacks.clear();
        self.stack_numbers.clear();
        self.states.clear();
        self.state_numbers.clear();
        self.moves.clear();
        let stacks = stacks.into_iter();
        let again = stacks.map(|steps| steps.into_iter().rev().fold(DONE, |below, step| self.stack(step, below)));
        let again: BTreeSet<u32> = again.collect();
        self.state(again)
    }

    fn stacks_of(&self, state: State) -> &[u32] {
        &self.states[state.0 as usize]
    }

    fn next_of(&self, step: u32) -> ByteSet {
        match self.grammar.steps[step as usize] {
            Step::Bytes(set) => set,
            Step::Rule(_) | Step::End => ByteSet::default(),
        }
    }

    /// The stacks that lie open from steps on their stacks, before a byte is read: rules are entered and left until bytes come.
    fn closed(&mut self, mut open: Vec<(u32, u32)>) -> BTreeSet<u32> {
        let (mut found, mut seen) = (BTreeSet::new(), HashSet::new());
        while let Some((step, below)) = open.pop() {
            if !seen.insert((step, below)) {
                continue;
            }
            match self.grammar.steps[step as usize] {
                Step::Bytes(_) => drop(found.insert(self.stack(step, below))),
                Step::End if below == DONE => drop(found.insert(DONE)),
                Step::End => open.push(self.stacks[below as usize]),
                Step::Rule(rule) => {
                    // Nothing is left to be done behind a rule that stands last: so repetitions do not grow.
                    let last = self.grammar.steps[step as usize + 1] == Step::End;
                    let back = if last { below } else { self.stack(step + 1, below) };
                    open.extend(self.grammar.rules[rule].iter().map(|begin| (number(*begin), back)));
                }
            }
        }
        found
    }

    fn stack(&mut self, step: u32, below: u32) -> u32 {
        let next = number(self.stacks.len());
        *self.stack_numbers.entry((step, below)).or_insert_with(|| {
            self.stacks.push((step, below));
            next
        })
    }

    fn state(&mut self, stacks: BTreeSet<u32>) -> State {
        let stacks: Vec<u32> = stacks.into_iter().collect();
        let next = number(self.states.len());
        State(*self.state_numbers.entry(stacks).or_insert_with_key(|stacks| {
            self.states.push(stacks.clone());
            next
        }))
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("who reads forgets before there are so many")
}

#[cfg(test)]
mod tests;
