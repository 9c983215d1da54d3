//! Network faults between one process and the servers.
//!
//! A command runs in a network namespace of its own, where the servers' addresses belong to a small relay. Every
//! connection goes over a Unix socket, which crosses namespaces, to this process, and from here to the real server:
//!
//! ```text
//! namespace:     command -- 127.0.0.1:port -- relay (inside.rs)
//!                                               | Unix socket
//! this process:                               gate (gate.rs) -- 127.0.0.1:port -- server
//! ```
//!
//! The addresses stay the same, so it makes no difference that the servers tell them to their clients. The faults are
//! applied by the gates, to bytes: what the command sees is what it would see of a bad network.

mod gate;
pub mod inside;

use crate::dir::Dir;
use crate::stack::Stack;
use anyhow::{Context, Result, bail};
use gate::Gate;
use std::ffi::OsStr;
use std::io;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// What is wrong with the way to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetFault {
    /// Open connections are closed, new ones are closed at once.
    Cut,
    /// Every chunk of bytes takes this much longer.
    Delay(Duration),
    /// Bytes in these directions are held back, and nobody is told: a firewall that drops packets.
    Hold(Direction),
    /// Nothing, until a request comes that contains all these texts. From it on, bytes are held back: the request itself,
    /// or everything that the server answers to it. [`Fence::holds`] tells when.
    HoldFrom(&'static [&'static str], Direction),
}

/// The way that bytes take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Requests: they never arrive.
    ToServer,
    /// Replies: requests arrive and are carried out, and nobody hears of it.
    ToClient,
    /// Both.
    Both,
}

/// What becomes of the bytes that were held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// They arrive, late.
    Delivered,
    /// They never arrive: their connections are closed.
    Lost,
}

/// The ways from one command to the servers. When it is dropped all ways are closed for good; when this process ends,
/// so do the commands behind it.
#[derive(Debug)]
pub struct Fence {
    program: PathBuf,
    dir: Dir,
    ports: String,
    gates: Vec<Arc<Gate>>,
}

impl Fence {
    /// In front of the ports that landfall uses: Kafka, the NameNode, the DataNodes, the metastore. `program` is the
    /// binary `landfall-stack`.
    ///
    /// # Errors
    /// Where no namespaces can be made, with the reason.
    pub fn new(stack: &Stack, program: &Path) -> Result<Fence> {
        let ports = stack.status().into_iter().filter_map(|part| Some((part.name, *part.ports.first()?)));
        Fence::of(ports.filter(|(name, _)| name != "presto").collect(), program)
    }

    /// In front of these ports of loopback, by name.
    ///
    /// # Errors
    /// As for [`Fence::new`].
    pub fn of(servers: Vec<(String, u16)>, program: &Path) -> Result<Fence> {
        let dir = Dir::temporary()?;
        let ports: Vec<String> = servers.iter().map(|(_, port)| port.to_string()).collect();
        let mut fence = Fence { program: program.to_owned(), dir, ports: ports.join(","), gates: Vec::new() };
        watch_commands(&fence.dir.path().join(inside::ALIVE))?;
        for (name, port) in servers {
            fence.gates.push(Gate::open(&name, port, fence.dir.path())?);
        }
        let tried = fence.command(OsStr::new("true")).stdin(Stdio::null()).output();
        let tried = tried.context("cannot run unshare (package util-linux)")?;
        if !tried.status.success() {
            bail!("no network namespace: {}", String::from_utf8_lossy(&tried.stderr).trim());
        }
        Ok(fence)
    }

    /// A command that sees the servers through this fence; add arguments as usual. Its process is the program itself,
    /// so that signals reach it.
    pub fn command(&self, program: &OsStr) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--net", "--"]).arg(&self.program);
        command.args(["fence", "--ports", &self.ports, "--sockets"]).arg(self.dir.path()).arg("--").arg(program);
        command
    }

    /// The names of the servers.
    pub fn parts(&self) -> Vec<&str> {
        self.gates.iter().map(|gate| gate.name()).collect()
    }

    /// Breaks the way to a part, until it is healed or another fault takes its place.
    pub fn break_part(&self, part: &str, fault: NetFault) -> Result<()> {
        self.gate(part)?.set(Some(fault), None);
        Ok(())
    }

    /// Ends the fault, if there is one.
    pub fn heal(&self, part: &str, held: Held) -> Result<()> {
        self.gate(part)?.set(None, Some(held));
        Ok(())
    }

    /// Whether bytes are held back.
    pub fn holds(&self, part: &str) -> Result<bool> {
        Ok(matches!(self.gate(part)?.fault(), Some(NetFault::Hold(_))))
    }

    fn gate(&self, part: &str) -> Result<&Gate> {
        let found = self.gates.iter().find(|gate| gate.name() == part);
        Ok(found.with_context(|| format!("no {part} behind the fence; there are {}", self.parts().join(", ")))?)
    }
}

impl Drop for Fence {
    fn drop(&mut self) {
        self.gates.iter().for_each(|gate| gate.shut());
        // A folder that stays does no harm.
        self.dir.remove().ok();
    }
}

/// Keeps a connection with each relay: when it breaks, this process is gone.
fn watch_commands(socket: &Path) -> Result<()> {
    let listener = UnixListener::bind(socket).with_context(|| format!("cannot listen at {}", socket.display()))?;
    thread::spawn(move || {
        for mut relay in listener.incoming().flatten() {
            // It sends nothing; its end is the end of the relay.
            thread::spawn(move || io::copy(&mut relay, &mut io::sink()));
        }
    });
    Ok(())
}
