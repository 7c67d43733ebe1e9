//! A panic never reaches the user as one: it is told as a bug of this program, with exit status 2.
//!
//! In: what to run. Out: its result, or what was said when it panicked. It runs on a thread with a large stack, because
//! the backward pass of a long sequence is a deep recursion.

use std::panic::{self, PanicHookInfo};
use std::sync::{Mutex, OnceLock};
use std::thread;

/// Enough for a backward pass over tens of thousands of chained operations; it is reserved, not used.
const STACK_BYTES: usize = 512 << 20;

/// The first panic of the process: those that follow are mostly its consequences.
static FIRST: OnceLock<Mutex<Option<String>>> = OnceLock::new();

/// Runs `work`; where it panics, the error says what the first panic said and where.
pub(crate) fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    panic::set_hook(Box::new(keep));
    let thread = thread::Builder::new().name("genesys".to_owned()).stack_size(STACK_BYTES).spawn(work);
    let thread = thread.map_err(|error| format!("the system gives no thread: {error}"))?;
    thread.join().map_err(|_| {
        let first = FIRST.get().and_then(|first| first.lock().ok()?.clone());
        first.unwrap_or_else(|| "no message".to_owned())
    })
}

fn keep(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("no message");
    let place = info.location().map_or_else(String::new, |at| format!(" ({}:{})", at.file(), at.line()));
    if let Ok(mut first) = FIRST.get_or_init(Mutex::default).lock() {
        first.get_or_insert_with(|| format!("{message}{place}"));
    }
}
