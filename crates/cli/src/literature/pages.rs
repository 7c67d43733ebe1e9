//! PDFs in a process of their own: what breaks the reader, or keeps it busy without end, costs one file.
//!
//! In: a file's bytes. Out: the text of its pages, or a message. The process has a limit of memory and of time; it reads
//! standard input and writes JSON to standard output, and has no other business.

use std::env;
use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use genesys_literature::folder::pdf;

use crate::failure::Failure;
use crate::output;

/// How long a file may take.
const TIME: Duration = Duration::from_secs(60);

/// How often one looks whether it is done.
const LOOK: Duration = Duration::from_millis(5);

/// The most text that is taken of a file.
const MOST_BYTES: u64 = 64 << 20;

/// Runs a program within 4 GiB of addresses.
const LIMITED: &str = "ulimit -v 4194304; exec \"$0\" \"$@\"";

/// Read a PDF on standard input: what `search` starts.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Reads a PDF on standard input and writes its pages, or why not, as JSON.
pub(crate) fn run(_: &Args) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes).map_err(|error| Failure::World(format!("cannot read the PDF: {error}")))?;
    output::now(&serde_json::to_string(&pdf::pages(&bytes)).expect("texts have a JSON form"))
}

/// The text of each page of a PDF, read by another process.
pub(crate) fn apart(bytes: &[u8]) -> Result<Vec<String>, String> {
    let failed = |error: io::Error| format!("cannot start a process to read it: {error}");
    let program = env::current_exe().map_err(failed)?;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", LIMITED]).arg(program).args(["literature", "pages"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(failed)?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let (status, answer) = thread::scope(|scope| {
        // A child that ends early leaves some of it unread, and says why on its own.
        scope.spawn(|| stdin.and_then(|mut stdin| stdin.write_all(bytes).ok()));
        let reading = scope.spawn(|| {
            let mut answer = Vec::new();
            stdout.and_then(|stdout| stdout.take(MOST_BYTES).read_to_end(&mut answer).ok());
            answer
        });
        (waited(&mut child), reading.join().unwrap_or_default())
    });
    match status.map_err(failed)? {
        None => Err(format!("expected a PDF that can be read in {} s, found one that takes longer", TIME.as_secs())),
        Some(status) => serde_json::from_slice(&answer).unwrap_or_else(|_| {
            Err(format!("expected a PDF that can be read, found one that ends the reader ({status})"))
        }),
    }
}

/// How the process ended; nothing where it had to be ended.
fn waited(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begun.elapsed() > TIME {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(LOOK);
    }
}
