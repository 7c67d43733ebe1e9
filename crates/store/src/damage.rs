//! What is wrong with a log: where the first bad event is, what is lost, and what is sound.
//!
//! Says it, and repairs nothing; [`crate::Log::cut_back`] does.

use std::fmt;

/// The first flaw of a log. All events before it are sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The number of the first event that is not sound; 0 if it is the run's header, or the file as a whole.
    pub seq: u64,
    /// The number of the last event that the log says it holds; 0 if that cannot be read either.
    pub last: u64,
    /// What is wrong there.
    pub flaw: Flaw,
}

/// What can be wrong with an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Its content does not give its hash: it, or its place, was changed.
    Altered,
    /// There is none with this number.
    Missing,
    /// It stands behind the recorded end of the log, or the recorded end names another hash.
    End,
    /// It cannot be read, in SQLite's or serde's words.
    Unreadable(String),
}

impl Damage {
    /// Whether the log can be cut back to the events before this one.
    #[must_use]
    pub fn leaves_a_sound_start(&self) -> bool {
        self.seq > 0
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seq, last, flaw } = self;
        if *seq == 0 {
            write!(f, "the start of the log ")?;
        } else {
            write!(f, "event {seq} of {last} ")?;
        }
        match flaw {
            Flaw::Altered => write!(f, "was altered: its content does not give its hash")?,
            Flaw::Missing => write!(f, "is missing")?,
            Flaw::End => write!(f, "does not agree with the recorded end of the log")?,
            Flaw::Unreadable(reason) => write!(f, "cannot be read ({reason})")?,
        }
        match *seq {
            0 => write!(f, "; no event can be trusted: restore `events.db` from a copy"),
            1 => write!(f, "; every event is lost: start the run again, or restore `events.db` from a copy"),
            _ => {
                let sound = seq - 1;
                write!(f, "; events 1 to {sound} are sound, what follows is lost: ")?;
                write!(f, "restore `events.db` from a copy, or cut the log back to event {sound} and resume")
            }
        }
    }
}
