//! The tables of a log, and how SQLite is opened on them.
//!
//! Journal: WAL, so that readers and the writer do not wait for each other. `synchronous = FULL`: a commit returns
//! after the log file is synced, so what is acknowledged survives `kill -9` and, where the disk keeps its word about
//! syncing, a power cut. (With `NORMAL` a power cut could take back the last commits; a killed process could not.)
//! `run` has one row, which also records the end of the log: a missing tail is noticed. `clock` is read by people only.
//! One loss goes unnoticed: of a journal that was damaged before it was merged, SQLite drops the rest as never written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::time::Duration;

use blake3::Hash;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction};

use crate::artifact::sync_dir;
use crate::error::StoreError;

/// The log's file in the run's folder.
pub(crate) const FILE: &str = "events.db";

/// The newest version of the tables.
const VERSION: i32 = 1;

/// Marks the file as ours in SQLite's header: "gene".
const APPLICATION: i32 = 0x6765_6e65;

/// The events.
pub(crate) const EVENT_TABLE: &str = "
    CREATE TABLE event (
        seq INTEGER PRIMARY KEY CHECK (seq > 0),
        kind TEXT NOT NULL,
        schema INTEGER NOT NULL,
        cause INTEGER,
        payload TEXT NOT NULL,
        hash BLOB NOT NULL
    ) STRICT;
";

/// When events happened, for people.
pub(crate) const CLOCK_TABLE: &str =
    "CREATE TABLE clock (seq INTEGER PRIMARY KEY, unix_millis INTEGER NOT NULL) STRICT;";

const RUN_TABLE: &str = "
    CREATE TABLE run (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        header TEXT NOT NULL,
        genesis BLOB NOT NULL,
        last_seq INTEGER NOT NULL,
        last_hash BLOB NOT NULL
    ) STRICT;
";

/// Makes a log in `dir` with what `first` writes into it, in one transaction. A file left over from a creation that was
/// cut short is taken over.
///
/// # Errors
/// [`StoreError::Exists`] if a log is there.
pub(crate) fn create(
    dir: &Path,
    header: &str,
    genesis: &Hash,
    first: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
) -> Result<Connection, StoreError> {
    let failed = |source| StoreError::sqlite("make a run in", dir, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(dir.join(FILE), flags).map_err(failed)?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    if tables > 0 {
        check_version(&conn, dir)?;
        return Err(StoreError::Exists { run: dir.to_owned() });
    }
    prepare_to_write(&conn).and_then(|()| fill(&mut conn, header, genesis, first)).map_err(failed)?;
    sync_dir(dir).map_err(|source| StoreError::io("sync", dir, source))?;
    Ok(conn)
}

/// Opens the log in `dir` for the one writer.
pub(crate) fn open_to_write(dir: &Path) -> Result<Connection, StoreError> {
    let conn = open(dir, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    prepare_to_write(&conn).map_err(|source| StoreError::sqlite("open the run", dir, source))?;
    Ok(conn)
}

/// Opens the log in `dir` for a reader, who changes nothing and needs no lock.
///
/// SQLite wants to write a file of its own beside a log in WAL mode, also to read it. Where it may not (a read-only
/// disk) and no journal is left to merge, the log is read as a file that nobody changes.
pub(crate) fn open_to_read(dir: &Path) -> Result<Connection, StoreError> {
    let opened = open(dir, OpenFlags::SQLITE_OPEN_READ_ONLY);
    let journal = fs::metadata(dir.join(format!("{FILE}-wal"))).map_or(0, |file| file.len());
    match opened {
        Err(error) if journal == 0 && may_not_write(&error) => open_immutable(dir).map_err(|_| error),
        opened => opened,
    }
}

/// Whether the file in `dir` begins as a log does, whatever follows. What is still in the journal is not looked at.
pub(crate) fn is_log(dir: &Path) -> bool {
    head(dir)
        .is_ok_and(|head| head.starts_with(b"SQLite format 3\0") && big_endian(&head[68..72]) == APPLICATION as u64)
}

/// Gives a log that was cut off its length again: SQLite reads nothing of a file that is shorter than it says of itself,
/// but of one that ends in zeros it reads what comes before them.
pub(crate) fn restore_length(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join(FILE);
    let failed = |source| StoreError::io("restore the length of", &path, source);
    let head = head(dir).map_err(failed)?;
    // The format's way to write 65,536 in two bytes is 1.
    let page = match big_endian(&head[16..18]) {
        1 => 65_536,
        size => size,
    };
    let length = page * big_endian(&head[28..32]);
    let file = OpenOptions::new().write(true).open(&path).map_err(failed)?;
    if file.metadata().map_err(failed)?.len() < length {
        file.set_len(length).and_then(|()| file.sync_all()).map_err(failed)?;
    }
    Ok(())
}

/// The header of SQLite's file format.
fn head(dir: &Path) -> io::Result<[u8; 100]> {
    let mut head = [0; 100];
    File::open(dir.join(FILE))?.read_exact(&mut head)?;
    Ok(head)
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Whether SQLite could not make or write a file. A log that is merely busy must not be read as if nobody wrote to it.
fn may_not_write(error: &StoreError) -> bool {
    let StoreError::World { source, .. } = error else { return false };
    let code = source.downcast_ref().and_then(rusqlite::Error::sqlite_error_code);
    // On a full disk the file of its own is there, and cannot grow.
    matches!(code, Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::SystemIoFailure))
}

/// Whether SQLite's error means bad content, rather than a disk or a lock that stands in the way.
pub(crate) fn means_damage(error: &rusqlite::Error) -> bool {
    match error.sqlite_error_code() {
        Some(code) => matches!(code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase),
        // Without a code, the value was read and is not of the column's type.
        None => true,
    }
}

fn open(dir: &Path, access: OpenFlags) -> Result<Connection, StoreError> {
    let path = dir.join(FILE);
    match fs::metadata(&path) {
        Ok(_) => {}
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Err(StoreError::NoRun { run: dir.to_owned() });
        }
        Err(error) => return Err(StoreError::io("open", &path, error)),
    }
    connect(dir, &path, access)
}

fn open_immutable(dir: &Path) -> Result<Connection, StoreError> {
    let mut uri = String::from("file:");
    for &byte in dir.join(FILE).as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => uri.push(char::from(byte)),
            _ => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    uri.push_str("?immutable=1");
    connect(dir, Path::new(&uri), OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI)
}

/// Opens the database at `path`, and looks whether it is ours and of a version known here.
fn connect(dir: &Path, path: &Path, access: OpenFlags) -> Result<Connection, StoreError> {
    let conn = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .and_then(|conn| conn.busy_timeout(Duration::from_secs(5)).map(|()| conn))
        .map_err(|source| StoreError::sqlite("open the run", dir, source))?;
    check_version(&conn, dir)?;
    Ok(conn)
}

fn check_version(conn: &Connection, dir: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::sqlite("open the run", dir, source);
    let pragma = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i32>(0)).map_err(failed);
    let run = dir.to_owned();
    if pragma("application_id")? != APPLICATION {
        return Err(StoreError::NoRun { run });
    }
    match pragma("user_version")? {
        VERSION => Ok(()),
        found => Err(StoreError::Newer { run, found, known: VERSION }),
    }
}

fn prepare_to_write(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(Duration::from_secs(5))?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "FULL")
}

fn fill(
    conn: &mut Connection,
    header: &str,
    genesis: &Hash,
    first: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let tx = conn.transaction()?;
    tx.execute_batch(EVENT_TABLE)?;
    tx.execute_batch(RUN_TABLE)?;
    tx.execute_batch(CLOCK_TABLE)?;
    let genesis = genesis.as_bytes();
    tx.execute("INSERT INTO run VALUES (1, ?1, ?2, 0, ?2)", (header, genesis))?;
    first(&tx)?;
    tx.pragma_update(None, "application_id", APPLICATION)?;
    tx.pragma_update(None, "user_version", VERSION)?;
    tx.commit()
}
