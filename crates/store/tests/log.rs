//! The log as its users see it, and as accidents, careless editors and second writers find it.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use genesys_store::{Flaw, Log, NewEvent, Reader, StoreError};
use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::json;

fn event(n: u64) -> NewEvent {
    NewEvent::new("step", 1, &json!({"n": n, "bpb": 0.1 * n as f64})).unwrap()
}

/// A run of `count` events in a new folder; the log is closed.
fn run_of(count: u64) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::create(dir.path(), &json!({"seed": 7})).unwrap();
    log.append_all((1..=count).map(event).collect(), Some(1_000)).unwrap();
    dir
}

/// Edits the database behind the store's back.
fn tamper(dir: &Path, sql: &str) {
    Connection::open(dir.join("events.db")).unwrap().execute_batch(sql).unwrap();
}

/// The first bad event and its flaw, as a reader and a writer find them.
fn damage(dir: &Path) -> (u64, Flaw) {
    let of = |error| match error {
        StoreError::Damaged { damage, .. } => (damage.seq, damage.flaw),
        other => panic!("{other}"),
    };
    let by_reader = of(Reader::open(dir).and_then(|reader| reader.verify()).unwrap_err());
    assert_eq!(of(Log::open(dir).unwrap_err()), by_reader);
    by_reader
}

#[test]
fn what_is_appended_is_read_back_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("runs/001");
    let mut log = Log::create(&run, &json!({"seed": 7})).unwrap();
    let first = log.append(event(1), Some(123)).unwrap();
    let second = log.append(event(2).caused_by(1), None).unwrap();
    drop(log);

    let mut log = Log::open(&run).unwrap();
    let third = log.append(event(3), Some(456)).unwrap();
    assert_eq!((first.seq, second.seq, third.seq), (1, 2, 3));
    let events: Vec<_> = log.read().events().collect::<Result<_, _>>().unwrap();
    assert_eq!(events, [first, second, third.clone()]);
    assert_eq!(events[1].cause, Some(1));
    assert_eq!(log.read().header(), &json!({"seed": 7}));
    assert_eq!(log.read().verify().unwrap(), log.read().head().unwrap());
    assert_eq!(log.read().head().unwrap().hash, third.hash);
    assert_eq!(log.read().wall_times().unwrap().into_iter().collect::<Vec<_>>(), [(1, 123), (3, 456)]);
}

#[test]
fn equal_runs_have_equal_digests_whatever_the_clock_says() {
    let digest = |header: u64, count: u64, wall: Option<u64>, one_by_one: bool| {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Log::create(dir.path(), &header).unwrap();
        let events: Vec<_> = (1..=count).map(event).collect();
        if one_by_one {
            events.into_iter().for_each(|event| drop(log.append(event, wall).unwrap()));
        } else {
            log.append_all(events, wall).unwrap();
        }
        log.read().digest().unwrap()
    };
    let base = digest(1, 3, None, false);
    assert!(base.starts_with("log1-") && base.len() == 69, "{base}");
    assert_eq!(digest(1, 3, Some(99), true), base);
    assert_ne!(digest(2, 3, None, false), base);
    assert_ne!(digest(1, 4, None, false), base);
}

#[test]
fn streams_cross_pages_and_start_anywhere() {
    let dir = run_of(600);
    let reader = Reader::open(dir.path()).unwrap();
    for (from, first, count) in
        [(0, 1, 600), (1, 1, 600), (2, 2, 599), (257, 257, 344), (600, 600, 1), (601, 0, 0), (999, 0, 0)]
    {
        let events: Vec<_> = reader.events_from(from).unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(events.len(), count, "from {from}");
        assert_eq!(events.first().map_or(0, |event| event.seq), first, "from {from}");
    }
}

#[test]
fn each_kind_of_tampering_is_found_at_its_place() {
    let swap_3_and_6 = "UPDATE event SET seq = 99 WHERE seq = 3; UPDATE event SET seq = 3 WHERE seq = 6;
        UPDATE event SET seq = 6 WHERE seq = 99";
    let append_a_copy_of_8 = "INSERT INTO event
        SELECT 9, kind, schema, cause, payload, hash FROM event WHERE seq = 8";
    let altered = |edit: &str| format!("UPDATE event SET {edit} WHERE seq = 4");
    let cases = [
        (altered(r#"payload = '{"bpb":0.5,"n":4}'"#), 4, Flaw::Altered),
        (altered("kind = 'stop'"), 4, Flaw::Altered),
        (altered("schema = 2"), 4, Flaw::Altered),
        (altered("cause = 1"), 4, Flaw::Altered),
        (altered("hash = zeroblob(32)"), 4, Flaw::Altered),
        ("UPDATE event SET hash = zeroblob(32) WHERE seq = 8".into(), 8, Flaw::Altered),
        ("DELETE FROM event WHERE seq = 4".into(), 4, Flaw::Missing),
        ("DELETE FROM event WHERE seq = 1".into(), 1, Flaw::Missing),
        ("DELETE FROM event WHERE seq > 6".into(), 7, Flaw::Missing),
        ("DELETE FROM event".into(), 1, Flaw::Missing),
        (swap_3_and_6.into(), 3, Flaw::Altered),
        (append_a_copy_of_8.into(), 9, Flaw::End),
        ("UPDATE run SET last_hash = zeroblob(32)".into(), 8, Flaw::End),
        ("UPDATE run SET last_seq = 5, last_hash = (SELECT hash FROM event WHERE seq = 5)".into(), 6, Flaw::End),
        (r#"UPDATE run SET header = '{"seed":8}'"#.into(), 0, Flaw::Altered),
    ];
    for (sql, seq, flaw) in cases {
        let dir = run_of(8);
        tamper(dir.path(), &sql);
        assert_eq!(damage(dir.path()), (seq, flaw), "{sql}");
    }
}

#[test]
fn what_is_of_the_wrong_type_is_damage_at_its_place() {
    for edit in ["hash = x'00'", "cause = -3", "payload = cast(x'ff' as text)", "schema = -1"] {
        let dir = run_of(5);
        tamper(dir.path(), &format!("UPDATE event SET {edit} WHERE seq = 3"));
        let (seq, flaw) = damage(dir.path());
        assert!(seq == 3 && matches!(flaw, Flaw::Unreadable(_)), "{edit}: {seq} {flaw:?}");
    }
}

#[test]
fn wall_times_are_not_part_of_the_log() {
    let dir = run_of(3);
    let digest = Reader::open(dir.path()).unwrap().digest().unwrap();
    tamper(dir.path(), "UPDATE clock SET unix_millis = 5; DELETE FROM clock WHERE seq = 2");
    assert_eq!(Reader::open(dir.path()).unwrap().digest().unwrap(), digest);
}

#[test]
fn a_damaged_log_is_cut_back_to_its_sound_start_and_goes_on() {
    for (sql, kept) in [
        ("UPDATE event SET payload = '0' WHERE seq = 5", 4),
        ("DELETE FROM event WHERE seq = 1", 0),
        ("DELETE FROM event WHERE seq = 8", 7),
        ("UPDATE run SET last_hash = zeroblob(32)", 7),
    ] {
        let dir = run_of(8);
        let before: Vec<_> =
            Reader::open(dir.path()).unwrap().events().map(Result::unwrap).take(kept as usize).collect();
        tamper(dir.path(), sql);
        let message = Log::open(dir.path()).unwrap_err().to_string();
        assert!(message.contains("is damaged: event "), "{message}");
        assert_eq!(Log::cut_back(dir.path()).unwrap().unwrap().seq, kept + 1, "{sql}");
        let mut log = Log::open(dir.path()).unwrap();
        let after: Vec<_> = log.read().events().map(Result::unwrap).collect();
        assert_eq!(after, before, "{sql}");
        assert_eq!(log.append(event(0), Some(2)).unwrap().seq, kept + 1);
        drop(log);
        assert_eq!(Log::cut_back(dir.path()).unwrap(), None, "a sound log stays as it is");
        tamper(dir.path(), "DELETE FROM event WHERE seq = 1");
        assert_eq!(Log::cut_back(dir.path()).unwrap().map(|damage| damage.seq), Some(1), "a second time too");
    }
    let dir = run_of(2);
    tamper(dir.path(), "UPDATE run SET header = '1'");
    assert!(
        matches!(Log::cut_back(dir.path()), Err(StoreError::Damaged { .. })),
        "nothing is sound without the header"
    );
}

#[test]
fn a_torn_file_is_damage_and_not_a_panic() {
    let dir = run_of(2_000);
    let path = dir.path().join("events.db");
    let bytes = std::fs::read(&path).unwrap();
    for keep in [bytes.len() / 2, 5_000, 100] {
        std::fs::write(&path, &bytes[..keep]).unwrap();
        let error = Log::open(dir.path()).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{keep} bytes left: {error}");
    }
    // A page in the middle overwritten: what stands before it is still told apart.
    let mut torn = bytes.clone();
    let middle = bytes.len() / 2 / 4096 * 4096;
    torn[middle..middle + 4096].fill(0);
    std::fs::write(&path, &torn).unwrap();
    let (seq, _) = damage(dir.path());
    assert!((100..2_000).contains(&seq), "{seq}");
    Log::cut_back(dir.path()).unwrap();
    assert_eq!(Log::open(dir.path()).unwrap().read().head().unwrap().seq, seq - 1);
    // Cut off at its end: of a missing page SQLite reads nothing at all, but what is there can be had back.
    for keep in [bytes.len() - 1, bytes.len() / 2] {
        std::fs::write(&path, &bytes[..keep]).unwrap();
        assert!(matches!(Log::open(dir.path()), Err(StoreError::Damaged { .. })), "{keep} bytes");
        let seq = Log::cut_back(dir.path()).unwrap().unwrap().seq;
        let events = Log::open(dir.path()).unwrap().read().events().map(Result::unwrap).count() as u64;
        assert!(events + 1 == seq && events > 500, "{events} events of {keep} bytes, cut at {seq}");
    }
    std::fs::write(&path, "not a database, but long enough to be looked at as if it were one".repeat(100)).unwrap();
    assert_eq!(damage(dir.path()).0, 0);
}

#[test]
fn one_writer_many_readers() {
    let dir = run_of(2);
    let mut log = Log::open(dir.path()).unwrap();
    let error = Log::open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::Locked { holder: Some(pid), .. } if pid == std::process::id()), "{error}");
    assert!(error.to_string().contains(dir.path().to_str().unwrap()), "{error}");
    assert!(matches!(Log::create(dir.path(), &0), Err(StoreError::Locked { .. })));
    assert!(matches!(Log::cut_back(dir.path()), Err(StoreError::Locked { .. })));

    let readers = [Reader::open(dir.path()).unwrap(), Reader::open(dir.path()).unwrap()];
    let mut half_read = readers[0].events();
    half_read.next().unwrap().unwrap();
    log.append(event(3), None).unwrap();
    assert_eq!(readers[1].verify().unwrap().seq, 3);
    assert!(half_read.all(|event| event.is_ok()), "a stream does not stumble over what is appended meanwhile");
    drop(log);
    Log::open(dir.path()).unwrap();
}

#[test]
fn a_finished_run_is_read_where_nothing_can_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("50% odd? #1 \u{fc}");
    let digest = {
        let mut log = Log::create(&run, &1).unwrap();
        log.append(event(1), None).unwrap();
        log.read().digest().unwrap()
    };
    // A link in the place of the file that SQLite shares between processes: it cannot be made, as on a read-only disk.
    std::os::unix::fs::symlink("no/where", run.join("events.db-shm")).unwrap();
    assert_eq!(Reader::open(&run).unwrap().digest().unwrap(), digest);
    let error = Log::open(&run).unwrap_err();
    assert!(matches!(error, StoreError::World { .. }), "{error}");
    // With a journal beside it, the file alone is not the whole log: better no answer than half of one.
    std::fs::write(run.join("events.db-wal"), [0; 64]).unwrap();
    assert!(matches!(Reader::open(&run), Err(StoreError::World { .. })));
}

#[test]
fn runs_are_not_made_twice_nor_found_where_there_are_none() {
    let dir = run_of(1);
    assert!(matches!(Log::create(dir.path(), &0), Err(StoreError::Exists { .. })));

    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(Log::open(empty.path()), Err(StoreError::NoRun { .. })));
    assert!(matches!(Reader::open(&empty.path().join("no/where")), Err(StoreError::NoRun { .. })));
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0, "looking for a run leaves nothing behind");
    // A creation cut short leaves an empty file: no run yet, and creating works.
    std::fs::write(empty.path().join("events.db"), "").unwrap();
    assert!(matches!(Log::open(empty.path()), Err(StoreError::NoRun { .. })));
    Log::create(empty.path(), &0).unwrap();

    let foreign = tempfile::tempdir().unwrap();
    tamper(foreign.path(), "CREATE TABLE other (x)");
    assert!(matches!(Log::open(foreign.path()), Err(StoreError::NoRun { .. })));
    assert!(matches!(Log::create(foreign.path(), &0), Err(StoreError::NoRun { .. })));

    let file = dir.path().join("events.db");
    assert!(
        matches!(Log::create(&file, &0), Err(StoreError::World { .. })),
        "a file stands where the folder should be"
    );
}

#[test]
fn a_newer_log_is_refused_with_both_versions() {
    let dir = run_of(1);
    tamper(dir.path(), "PRAGMA user_version = 2");
    for error in [Log::open(dir.path()).unwrap_err(), Reader::open(dir.path()).unwrap_err()] {
        assert!(matches!(error, StoreError::Newer { found: 2, known: 1, .. }), "{error}");
    }
}

#[test]
fn a_cause_must_come_before() {
    let dir = run_of(2);
    let mut log = Log::open(dir.path()).unwrap();
    for cause in [0, 3, 9] {
        let error = log.append(event(3).caused_by(cause), None).unwrap_err();
        assert!(matches!(error, StoreError::Cause { seq: 3, .. }), "{error}");
    }
    // Within one transaction, an event may be caused by one before it; and it is all or nothing.
    assert!(log.append_all(vec![event(3), event(4).caused_by(4)], None).is_err());
    assert_eq!(log.read().head().unwrap().seq, 2);
    log.append_all(vec![event(3), event(4).caused_by(3)], None).unwrap();
    assert_eq!(log.append_all(vec![], None).unwrap(), []);
    assert_eq!(log.read().verify().unwrap().seq, 4);
}

#[test]
fn a_nan_never_becomes_an_event() {
    let error: StoreError = NewEvent::new("result", 1, &[("bpb", f64::NAN)]).unwrap_err().into();
    assert_eq!(
        error.to_string(),
        "this cannot be stored: expected a finite number, found NaN at [0][1]; record the failure, not a number"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn any_edit_of_any_payload_is_found(count in 1u64..20, at in 0u64..20, byte in 0usize..1000, xor in 1u8..=255) {
        let dir = run_of(count);
        let seq = at % count + 1;
        let conn = Connection::open(dir.path().join("events.db")).unwrap();
        let read = "SELECT cast(payload AS BLOB) FROM event WHERE seq = ?1";
        let mut payload: Vec<u8> = conn.query_row(read, [seq as i64], |row| row.get(0)).unwrap();
        let byte = byte % payload.len();
        payload[byte] ^= xor;
        conn.execute("UPDATE event SET payload = cast(?1 AS TEXT) WHERE seq = ?2", (payload, seq as i64)).unwrap();
        drop(conn);
        prop_assert_eq!(damage(dir.path()).0, seq);
    }
}
