//! The writer of a log: one at a time, whole transactions, nothing acknowledged is lost.
//!
//! In go new events, in order, with the wall time if the caller wants it noted; out come the same events with their
//! numbers and hashes, once they are on the disk. Events are never changed; only a damaged log is cut back, on demand.

use std::fs;
use std::path::Path;

use rusqlite::{Transaction, TransactionBehavior};
use serde::Serialize;

use crate::artifact::sync_dir;
use crate::canonical::{canonical, to_value};
use crate::damage::Damage;
use crate::error::StoreError;
use crate::event::{Event, Head, NewEvent, genesis};
use crate::lock::WriterLock;
use crate::reader::{Reader, recorded, to_sql};
use crate::sql;

/// A log open for writing. No other can be, on the same run, until this one is dropped or its process ends.
#[derive(Debug)]
pub struct Log {
    // Dropped first: the connection is closed before another writer may come.
    reader: Reader,
    _lock: WriterLock,
}

impl Log {
    /// Makes a run in `dir`, and the folder too if need be. All hashes depend on `header`: two runs that shall compare
    /// equal have equal headers, so the seed belongs in it, and the folder's name and the time of day do not.
    ///
    /// # Errors
    /// [`StoreError::Exists`] if there is a run already, [`StoreError::Locked`], [`StoreError::Refused`] if the header
    /// has no canonical text, or the system's.
    pub fn create<T: Serialize + ?Sized>(dir: &Path, header: &T) -> Result<Self, StoreError> {
        Ok(Self::begin(dir, header, Vec::new(), None)?.0)
    }

    /// As [`Log::create`], with `events` in it: whenever the process dies, there is no run or one with these events.
    ///
    /// # Errors
    /// As [`Log::create`] and [`Log::append_all`].
    pub fn begin<T: Serialize + ?Sized>(
        dir: &Path,
        header: &T,
        events: Vec<NewEvent>,
        wall: Option<u64>,
    ) -> Result<(Self, Vec<Event>), StoreError> {
        let header = canonical(&to_value(header)?)?;
        let genesis = genesis(&header);
        let (events, texts) = seal_all(events, Head { seq: 0, hash: genesis })?;
        fs::create_dir_all(dir).map_err(|source| StoreError::io("make the folder", dir, source))?;
        let lock = WriterLock::take(dir)?;
        let conn = sql::create(dir, &header, &genesis, |tx| insert(tx, &events, &texts, wall))?;
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync_dir(parent).map_err(|source| StoreError::io("sync", parent, source))?;
        }
        Ok((Self { reader: Reader::over(conn, dir)?, _lock: lock }, events))
    }

    /// Opens the run in `dir` to go on with it. Every event is checked: nothing is written behind a damaged one.
    ///
    /// # Errors
    /// [`StoreError::NoRun`], [`StoreError::Locked`], [`StoreError::Newer`], [`StoreError::Damaged`], or the system's.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let log = Self::open_unchecked(dir)?;
        log.reader.verify()?;
        Ok(log)
    }

    /// Reading, also of what was just appended.
    #[must_use]
    pub fn read(&self) -> &Reader {
        &self.reader
    }

    /// Appends one event. Once it returns, the event survives the death of this process and of the machine.
    ///
    /// # Errors
    /// As [`Log::append_all`].
    pub fn append(&mut self, event: NewEvent, wall: Option<u64>) -> Result<Event, StoreError> {
        let mut events = self.append_all(vec![event], wall)?;
        Ok(events.pop().expect("as many events come out as went in"))
    }

    /// Appends all of `events` or none, each with the wall time `wall` (milliseconds since 1970) if there is one.
    ///
    /// # Errors
    /// [`StoreError::Cause`] if an event names a cause that does not come before it, [`StoreError::Full`], or the
    /// system's. None of the events is in the log then.
    pub fn append_all(&mut self, events: Vec<NewEvent>, wall: Option<u64>) -> Result<Vec<Event>, StoreError> {
        let dir = self.reader.dir().to_owned();
        let failed = |source| StoreError::sqlite("append to the run", &dir, source);
        let head = recorded(&self.reader.conn).map_err(failed)?;
        let (events, texts) = seal_all(events, head)?;
        let written = self
            .reader
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .and_then(|tx| insert(&tx, &events, &texts, wall).and_then(|()| tx.commit()));
        written.map_err(failed)?;
        Ok(events)
    }

    /// Cuts a damaged log in `dir` back to its sound start, and says what was wrong; a sound log stays as it is. The
    /// old events stay in the file, in a table `damaged_1` (or `_2` ...), for whoever wants to look at them.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if there is no sound start, [`StoreError::Locked`], or the system's.
    pub fn cut_back(dir: &Path) -> Result<Option<Damage>, StoreError> {
        let mut log = Self::open_cut_off(dir)?;
        let (head, damage) = match log.reader.sound_start() {
            (_, None) => return Ok(None),
            (head, Some(StoreError::Damaged { damage, .. })) if damage.leaves_a_sound_start() => (head, damage),
            (_, Some(error)) => return Err(error),
        };
        // An end that does not agree with the last event casts doubt on that event.
        let head = if head.seq < damage.seq { head } else { log.head_at(damage.seq - 1)? };
        let cut = log.reader.conn.transaction().and_then(|tx| start_anew(tx, head));
        cut.map_err(|source| StoreError::sqlite("cut back the run", dir, source))?;
        log.reader.verify()?;
        Ok(Some(damage))
    }

    /// As [`Log::open_unchecked`], of a file that may lack its end.
    fn open_cut_off(dir: &Path) -> Result<Self, StoreError> {
        if !sql::is_log(dir) {
            return Self::open_unchecked(dir);
        }
        let lock = WriterLock::take(dir)?;
        sql::restore_length(dir)?;
        Ok(Self { reader: Reader::over(sql::open_to_write(dir)?, dir)?, _lock: lock })
    }

    fn open_unchecked(dir: &Path) -> Result<Self, StoreError> {
        // Looked for first: no lock file is left where no run is.
        drop(sql::open_to_read(dir)?);
        let lock = WriterLock::take(dir)?;
        Ok(Self { reader: Reader::over(sql::open_to_write(dir)?, dir)?, _lock: lock })
    }

    /// The chain's state after event `seq`, which is known to be sound.
    fn head_at(&self, seq: u64) -> Result<Head, StoreError> {
        let mut head = self.reader.start();
        let wanted = usize::try_from(seq).unwrap_or(usize::MAX);
        for event in self.reader.events().take(wanted) {
            let event = event?;
            head = Head { seq: event.seq, hash: event.hash };
        }
        Ok(head)
    }
}

/// Numbers and chains `events` behind `head`.
fn seal_all(events: Vec<NewEvent>, mut head: Head) -> Result<(Vec<Event>, Vec<String>), StoreError> {
    let mut sealed = (Vec::with_capacity(events.len()), Vec::with_capacity(events.len()));
    for event in events {
        let (event, text) = event.seal(head);
        if let Some(cause) = event.cause.filter(|cause| !(1..event.seq).contains(cause)) {
            return Err(StoreError::Cause { seq: event.seq, cause });
        }
        head = Head { seq: event.seq, hash: event.hash };
        sealed.0.push(event);
        sealed.1.push(text);
    }
    Ok(sealed)
}

fn insert(tx: &Transaction<'_>, events: &[Event], texts: &[String], wall: Option<u64>) -> rusqlite::Result<()> {
    let mut insert = tx.prepare_cached("INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let mut note = tx.prepare_cached("INSERT INTO clock VALUES (?1, ?2)")?;
    for (event, text) in events.iter().zip(texts) {
        let Event { seq, kind, schema, cause, payload: _, hash } = event;
        insert.execute((to_sql(*seq), kind, schema, cause.map(to_sql), text, hash.as_bytes()))?;
        if let Some(wall) = wall {
            note.execute((to_sql(*seq), to_sql(wall)))?;
        }
    }
    match events.last() {
        Some(last) => record_end(tx, Head { seq: last.seq, hash: last.hash }),
        None => Ok(()),
    }
}

/// Copies the events up to `head` to a new table. The old one is only renamed: deleting from it would walk through
/// pages that may be broken.
fn start_anew(tx: Transaction<'_>, head: Head) -> rusqlite::Result<()> {
    let count = "SELECT count(*) FROM sqlite_schema WHERE name GLOB 'damaged_*'";
    let number = tx.query_row(count, [], |row| row.get::<_, u32>(0))? + 1;
    let name = format!("damaged_{number}");
    tx.execute_batch(&format!("ALTER TABLE event RENAME TO {name}; {}", sql::EVENT_TABLE))?;
    // A limit stops after the last sound event; a condition would look at the next one first.
    tx.execute(&format!("INSERT INTO event SELECT * FROM {name} ORDER BY seq LIMIT ?1"), [to_sql(head.seq)])?;
    start_clock_anew(&tx, number, head)?;
    record_end(&tx, head)?;
    tx.commit()
}

/// Copies the wall times up to `head`, as far as they can be read: they are for people, and no loss of them stands in
/// the way of a run.
fn start_clock_anew(tx: &Transaction<'_>, number: u32, head: Head) -> rusqlite::Result<()> {
    let name = format!("clock_{number}");
    tx.execute_batch(&format!("ALTER TABLE clock RENAME TO {name}; {}", sql::CLOCK_TABLE))?;
    let mut old = tx.prepare(&format!("SELECT seq, unix_millis FROM {name} ORDER BY seq"))?;
    let mut note = tx.prepare("INSERT INTO clock VALUES (?1, ?2)")?;
    let times = old.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    for (seq, wall) in times.map_while(Result::ok).take_while(|(seq, _)| *seq <= to_sql(head.seq)) {
        note.execute((seq, wall))?;
    }
    Ok(())
}

fn record_end(tx: &Transaction<'_>, head: Head) -> rusqlite::Result<()> {
    tx.execute("UPDATE run SET last_seq = ?1, last_hash = ?2", (to_sql(head.seq), head.hash.as_bytes()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn big(letter: &str) -> NewEvent {
        NewEvent::new("step", 1, &letter.repeat(10_000)).unwrap()
    }

    #[test]
    fn a_full_disk_takes_nothing_back_and_the_run_goes_on_with_room() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Log::create(dir.path(), &1).unwrap();
        // SQLite's own bound on the file gives the error that a full disk gives.
        log.reader.conn.pragma_update(None, "max_page_count", 40).unwrap();
        let mut stored = 0;
        let error = loop {
            match log.append(big("a"), None) {
                Ok(event) => stored = event.seq,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, StoreError::Full { .. }), "{error}");
        assert!(stored > 5, "only {stored} events found room");
        assert_eq!(log.read().verify().unwrap().seq, stored);
        log.reader.conn.pragma_update(None, "max_page_count", 4_000).unwrap();
        assert_eq!(log.append(big("b"), None).unwrap().seq, stored + 1);
        assert_eq!(log.read().verify().unwrap().seq, stored + 1);
    }
}
