//! Signals: Ctrl-C, SIGTERM and SIGHUP end a command cleanly the first time, and at once the second time.
//!
//! In: what to wake when the first one comes. Out: whether one came, and the exit status that stands for it, 128 and the
//! signal's number as shells have it. A signal that whoever started the command chose to ignore (`nohup`) stays ignored.
//! A file that may not grow further is an error of writing like any other, not the end of the process.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::failure::Failure;
use crate::output;

/// Whether the command was asked to stop.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<AtomicI32>);

impl Stop {
    /// Listens from now on. `wake` is called at the first signal, on a thread of its own.
    pub(crate) fn listen(wake: impl FnOnce() + Send + 'static) -> Result<Self, Failure> {
        let ignored = ignored();
        let heeded = [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
        let mut signals =
            Signals::new(heeded).map_err(|error| Failure::World(format!("cannot listen for signals: {error}")))?;
        let stop = Self::default();
        let told = stop.clone();
        thread::spawn(move || {
            let mut wake = Some(wake);
            for signal in signals.forever() {
                match wake.take() {
                    Some(wake) => {
                        told.0.store(signal, Ordering::SeqCst);
                        output::say("stopping; once more ends it at once");
                        wake();
                    }
                    None => std::process::exit(status(signal).into()),
                }
            }
        });
        Ok(stop)
    }

    /// Whether a signal came.
    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::SeqCst) != 0
    }

    /// The failure that stands for the signal, with what to do next.
    pub(crate) fn failure(&self, next: String) -> Failure {
        Failure::Stopped { status: status(self.0.load(Ordering::SeqCst)), next }
    }
}

/// A write beyond a limit on the size of files (`ulimit -f`) becomes an error with a path.
pub(crate) fn outlive_file_limits() {
    // Where it cannot be had, such a write ends the process, as it does without.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
}

fn status(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}

/// The signals that this process was started to ignore, as bits from that of number 1 on; none where the system does not
/// say.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
