//! A writer killed with `kill -9`, again and again, on one run: what it acknowledged is there, and its lock is not.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use genesys_store::{Log, NewEvent, StoreError};

const CHILD: &str = "GENESYS_STORE_TEST_CHILD";
const BATCH: u64 = 3;

#[test]
fn a_killed_writer_loses_nothing_it_acknowledged() {
    if let Some(dir) = std::env::var_os(CHILD) {
        append_until_killed(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    drop(Log::create(dir.path(), "kill").unwrap());
    for acknowledgements in [1, 2, 7, 20, 41] {
        let last = acknowledged_by_a_killed_child(dir.path(), acknowledgements);
        let log = Log::open(dir.path()).unwrap();
        let head = log.read().verify().unwrap();
        assert!(head.seq >= last, "event {last} was acknowledged, the log ends at {}", head.seq);
        assert_eq!(head.seq % BATCH, 0, "half a transaction is in the log");
    }
}

/// The child: appends batches, and acknowledges each on standard output once it is stored.
fn append_until_killed(dir: &Path) -> ! {
    let mut log = Log::open(dir).unwrap();
    loop {
        let batch = (0..BATCH).map(|n| NewEvent::new("step", 1, &vec![n; 500]).unwrap()).collect();
        let last = log.append_all(batch, Some(1)).unwrap().pop().unwrap();
        // Straight to the descriptor: the test harness keeps what `println` prints.
        writeln!(std::io::stdout().lock(), "stored {}", last.seq).unwrap();
    }
}

/// Runs this test as a child, kills it after some acknowledgements, and returns the last number it acknowledged.
fn acknowledged_by_a_killed_child(dir: &Path, acknowledgements: usize) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_killed_writer_loses_nothing_it_acknowledged", "--nocapture"])
        .env(CHILD, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut stored = lines.filter_map(|line| line.unwrap().strip_prefix("stored ")?.parse().ok());
    let seen: Vec<u64> = stored.by_ref().take(acknowledgements).collect();
    assert_eq!(seen.len(), acknowledgements, "the child ended by itself");
    let locked = Log::open(dir).unwrap_err();
    assert!(matches!(locked, StoreError::Locked { holder: Some(pid), .. } if pid == child.id()), "{locked}");
    child.kill().unwrap();
    child.wait().unwrap();
    // Between the last line read and the kill, more may have been acknowledged.
    stored.last().unwrap_or(seen[acknowledgements - 1])
}
