//! A server of llama.cpp as a process of Python that ends with this one.
//!
//! In: a Python that has the packages. Out: an address that answers. Its messages go to a file.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The program of the server.
const PROGRAM: &str = "benches/peers/llama/server.py";

/// A running server.
pub(super) struct Server {
    /// As `--llm` takes it.
    pub(super) address: String,
    child: Child,
}

impl Server {
    /// Starts it on a free port, with so many threads, and waits until it answers.
    pub(super) fn start(python: &Path, root: &Path, scratch: &Path, threads: Option<&str>) -> Result<Self, String> {
        let port = free_port().map_err(|error| format!("llama: no port is free: {error}"))?;
        let log = scratch.join("server.log");
        let messages = File::create(&log).map_err(|error| format!("llama: {}: {error}", log.display()))?;
        let mut command = Command::new(python);
        // Nothing is written beside the sources.
        command.current_dir(root).env("PYTHONDONTWRITEBYTECODE", "1").arg(PROGRAM).arg(port.to_string()).args(threads);
        // It reads its standard input to the end, which comes when this process ends, however it does.
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(messages).spawn();
        let child = spawned.map_err(|error| format!("llama: {}: {error}", python.display()))?;
        let mut server = Self { address: String::new(), child };
        let output = server.child.stdout.take().expect("the output is piped");
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let address = lines.find(|line| line.starts_with("http://"));
        let address =
            address.ok_or_else(|| format!("llama: the server ended; its messages are in {}", log.display()))?;
        server.address = format!("{address}/v1");
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody listens at: another program may take it before the server does, which then ends and says so.
fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
