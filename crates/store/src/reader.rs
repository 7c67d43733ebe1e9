//! Reading a log: its header, its end, its events as a stream that is checked as it flows, and, apart, wall times.
//!
//! Every event that comes out is sound: its hash was computed again and chained to the one before. Readers take no
//! lock and see only whole transactions, also while a run is being written. Nothing is written here.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

use blake3::Hash;
use rusqlite::{Connection, OptionalExtension, Row};
use serde_json::Value;

use crate::damage::{Damage, Flaw};
use crate::error::StoreError;
use crate::event::{self, Event, Fields, Head};
use crate::sql;

/// How many events are fetched at once.
const PAGE: u32 = 256;

/// A log open for reading.
#[derive(Debug)]
pub struct Reader {
    pub(crate) conn: Connection,
    dir: PathBuf,
    header: Value,
    genesis: Hash,
}

impl Reader {
    /// Opens the log in `dir`.
    ///
    /// # Errors
    /// [`StoreError::NoRun`], [`StoreError::Newer`], [`StoreError::Damaged`] if already the header is, or the system's.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::over(sql::open_to_read(dir)?, dir)
    }

    /// Reads through a connection that is open already.
    pub(crate) fn over(conn: Connection, dir: &Path) -> Result<Self, StoreError> {
        let (text, genesis) = conn
            .query_row("SELECT header, genesis FROM run", [], |row| Ok((row.get::<_, String>(0)?, hash(row, 1)?)))
            .map_err(|error| failure(dir, error, 0, 0))?;
        let damaged = |flaw| StoreError::Damaged { run: dir.to_owned(), damage: Damage { seq: 0, last: 0, flaw } };
        if event::genesis(&text) != genesis {
            return Err(damaged(Flaw::Altered));
        }
        let header = serde_json::from_str(&text).map_err(|error| damaged(Flaw::Unreadable(error.to_string())))?;
        Ok(Self { conn, dir: dir.to_owned(), header, genesis })
    }

    /// The run's folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the run was created with.
    #[must_use]
    pub fn header(&self) -> &Value {
        &self.header
    }

    /// The recorded end of the log.
    ///
    /// # Errors
    /// The system's, or [`StoreError::Damaged`] if it cannot be read.
    pub fn head(&self) -> Result<Head, StoreError> {
        recorded(&self.conn).map_err(|error| failure(&self.dir, error, 0, 0))
    }

    /// One line that stands for the whole log: two logs with the same digest hold the same header and events.
    ///
    /// # Errors
    /// As [`Reader::verify`]: a damaged log has no digest.
    pub fn digest(&self) -> Result<String, StoreError> {
        Ok(self.verify()?.digest())
    }

    /// All events in order, each checked. After an error the stream ends.
    #[must_use]
    pub fn events(&self) -> Events<'_> {
        self.after(self.start())
    }

    /// The events from number `seq` on; none if the log does not reach so far yet. The ones before are not checked.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the event before `seq` should be there and is not.
    pub fn events_from(&self, seq: u64) -> Result<Events<'_>, StoreError> {
        let before = seq.saturating_sub(1);
        if before == 0 {
            return Ok(self.events());
        }
        // The end first: a log only grows, so an event before the end that was read must be there afterwards.
        let head = self.head()?;
        if before > head.seq {
            return Ok(Events { finished: true, ..self.after(head) });
        }
        let found = self
            .conn
            .query_row("SELECT hash FROM event WHERE seq = ?1", [to_sql(before)], |row| hash(row, 0))
            .optional()
            .map_err(|error| failure(&self.dir, error, before, head.seq))?;
        match found {
            Some(hash) => Ok(self.after(Head { seq: before, hash })),
            None => Err(self.damaged(Damage { seq: before, last: head.seq, flaw: Flaw::Missing })),
        }
    }

    /// Checks every event and the recorded end, which it returns.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] names the first event that is not sound.
    pub fn verify(&self) -> Result<Head, StoreError> {
        let (head, error) = self.sound_start();
        error.map_or(Ok(head), Err)
    }

    /// For people: when events happened, as far as it was noted, by number, in milliseconds since 1970. No decision
    /// and no comparison may look at it.
    ///
    /// # Errors
    /// The system's.
    pub fn wall_times(&self) -> Result<BTreeMap<u64, u64>, StoreError> {
        let mut query =
            self.conn.prepare("SELECT seq, unix_millis FROM clock").map_err(|e| failure(&self.dir, e, 0, 0))?;
        query
            .query_map([], |row| Ok((unsigned(row, 0)?, unsigned(row, 1)?)))
            .and_then(Iterator::collect)
            .map_err(|error| StoreError::sqlite("read the wall times of the run", &self.dir, error))
    }

    /// Where the chain begins: before the first event.
    pub(crate) fn start(&self) -> Head {
        Head { seq: 0, hash: self.genesis }
    }

    /// The last event up to which all is sound, and what stands in the way of going on.
    pub(crate) fn sound_start(&self) -> (Head, Option<StoreError>) {
        let mut events = self.events();
        let error = events.by_ref().find_map(Result::err);
        (events.previous, error)
    }

    fn after(&self, previous: Head) -> Events<'_> {
        Events { reader: self, previous, recorded: previous, page: VecDeque::new(), finished: false }
    }

    fn damaged(&self, damage: Damage) -> StoreError {
        StoreError::Damaged { run: self.dir.clone(), damage }
    }
}

/// A stream of checked events.
#[derive(Debug)]
pub struct Events<'a> {
    reader: &'a Reader,
    /// The last event that came out.
    previous: Head,
    /// The end of the log when the page was fetched.
    recorded: Head,
    page: VecDeque<rusqlite::Result<Stored>>,
    finished: bool,
}

impl Iterator for Events<'_> {
    type Item = Result<Event, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.finished {
            return None;
        }
        let item = self.advance().transpose();
        self.finished = !matches!(item, Some(Ok(_)));
        item
    }
}

impl Events<'_> {
    fn advance(&mut self) -> Result<Option<Event>, StoreError> {
        if self.page.is_empty() {
            self.fetch().map_err(|error| self.failure(error))?;
        }
        match self.page.pop_front() {
            Some(stored) => {
                let stored = stored.map_err(|error| self.failure(error))?;
                let event = self.check(stored)?;
                self.previous = Head { seq: event.seq, hash: event.hash };
                Ok(Some(event))
            }
            None if self.previous == self.recorded => Ok(None),
            None if self.previous.seq < self.recorded.seq => Err(self.damaged(self.previous.seq + 1, Flaw::Missing)),
            None => Err(self.damaged(self.previous.seq, Flaw::End)),
        }
    }

    /// Reads the next page and the end of the log in one transaction, so that they agree while others write.
    fn fetch(&mut self) -> rusqlite::Result<()> {
        let tx = self.reader.conn.unchecked_transaction()?;
        self.recorded = recorded(&tx)?;
        let mut query = tx.prepare_cached(
            "SELECT seq, kind, schema, cause, payload, hash FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2",
        )?;
        let mut rows = query.query((to_sql(self.previous.seq), PAGE))?;
        loop {
            match rows.next() {
                Ok(Some(row)) => self.page.push_back(Stored::read(row)),
                Ok(None) => return Ok(()),
                Err(error) => {
                    self.page.push_back(Err(error));
                    return Ok(());
                }
            }
        }
    }

    fn check(&self, stored: Stored) -> Result<Event, StoreError> {
        let Stored { seq, kind, schema, cause, payload, hash } = stored;
        let expected = self.previous.seq + 1;
        if seq != expected {
            return Err(self.damaged(expected, Flaw::Missing));
        }
        if seq > self.recorded.seq {
            return Err(self.damaged(seq, Flaw::End));
        }
        if event::chain(&self.previous.hash, &Fields { seq, kind: &kind, schema, cause, payload: &payload }) != hash {
            return Err(self.damaged(seq, Flaw::Altered));
        }
        let payload =
            serde_json::from_str(&payload).map_err(|error| self.damaged(seq, Flaw::Unreadable(error.to_string())))?;
        Ok(Event { seq, kind, schema, cause, payload, hash })
    }

    fn damaged(&self, seq: u64, flaw: Flaw) -> StoreError {
        self.reader.damaged(Damage { seq, last: self.recorded.seq, flaw })
    }

    fn failure(&self, error: rusqlite::Error) -> StoreError {
        failure(&self.reader.dir, error, self.previous.seq + 1, self.recorded.seq)
    }
}

/// A row of the table, as it stands there.
#[derive(Debug)]
struct Stored {
    seq: u64,
    kind: String,
    schema: u32,
    cause: Option<u64>,
    payload: String,
    hash: Hash,
}

impl Stored {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: unsigned(row, 0)?,
            kind: row.get(1)?,
            schema: row.get(2)?,
            cause: row.get::<_, Option<i64>>(3)?.map(|_| unsigned(row, 3)).transpose()?,
            payload: row.get(4)?,
            hash: hash(row, 5)?,
        })
    }
}

/// SQLite's integers are signed. No log has 2^63 events, and a larger number would name none.
pub(crate) fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The end of the log as the log records it.
pub(crate) fn recorded(conn: &Connection) -> rusqlite::Result<Head> {
    conn.query_row("SELECT last_seq, last_hash FROM run", [], |row| {
        Ok(Head { seq: unsigned(row, 0)?, hash: hash(row, 1)? })
    })
}

fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}

fn hash(row: &Row<'_>, column: usize) -> rusqlite::Result<Hash> {
    row.get::<_, [u8; 32]>(column).map(Hash::from)
}

/// SQLite's error at event `seq`: damage of that event, or the world's.
fn failure(dir: &Path, error: rusqlite::Error, seq: u64, last: u64) -> StoreError {
    if sql::means_damage(&error) {
        let damage = Damage { seq, last, flaw: Flaw::Unreadable(error.to_string()) };
        return StoreError::Damaged { run: dir.to_owned(), damage };
    }
    StoreError::sqlite("read the run", dir, error)
}
