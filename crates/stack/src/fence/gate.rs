//! The way to one server: passes bytes on, or not.

use super::{Direction, Held, NetFault};
use crate::config::HOST;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// One server's port, as seen from behind the fence.
#[derive(Debug)]
pub(super) struct Gate {
    name: String,
    port: u16,
    socket: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    fault: Option<NetFault>,
    /// The open ones.
    connections: BTreeMap<u64, Connection>,
    next: u64,
    shut: bool,
}

#[derive(Debug)]
struct Connection {
    /// Comes from the relay.
    client: UnixStream,
    server: TcpStream,
    /// One direction has ended, and the other goes on: HDFS's clients close what they have written to the end.
    half_closed: bool,
}

impl State {
    fn close(&mut self, connection: u64) {
        if let Some(Connection { client, server, .. }) = self.connections.remove(&connection) {
            // They may be closed from the other side already.
            client.shutdown(Shutdown::Both).ok();
            server.shutdown(Shutdown::Both).ok();
        }
    }

    /// Tells the receiver that no more comes this way.
    fn close_half(&mut self, id: u64, way: Direction) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Connection { client, server, half_closed } = connection;
        let closed = match way {
            Direction::ToServer => server.shutdown(Shutdown::Write),
            _ => client.shutdown(Shutdown::Write),
        };
        if closed.is_err() || *half_closed {
            self.close(id);
        } else {
            *half_closed = true;
        }
    }

    fn close_all(&mut self) {
        let all: Vec<u64> = self.connections.keys().copied().collect();
        all.into_iter().for_each(|connection| self.close(connection));
    }
}

impl Direction {
    fn covers(self, way: Direction) -> bool {
        self == Direction::Both || self == way
    }
}

impl Gate {
    /// Takes connections at `<dir>/<port>`.
    pub fn open(name: &str, port: u16, dir: &Path) -> Result<Arc<Gate>> {
        let socket = dir.join(port.to_string());
        let listener = UnixListener::bind(&socket).with_context(|| format!("cannot listen at {}", socket.display()))?;
        let (state, changed) = (Mutex::default(), Condvar::new());
        let gate = Arc::new(Gate { name: name.to_owned(), port, socket, state, changed });
        let taker = gate.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                if taker.state().shut {
                    return;
                }
                // A connection that fails is closed, which is what its client would see of the server.
                _ = client.and_then(|client| taker.clone().take(client));
            }
        });
        Ok(gate)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Another fault, or none. `held` says what becomes of bytes that were held back, if there were any.
    pub fn set(&self, fault: Option<NetFault>, held: Option<Held>) {
        let mut state = self.state();
        state.fault = fault;
        if fault == Some(NetFault::Cut) || held == Some(Held::Lost) {
            state.close_all();
        }
        self.changed.notify_all();
    }

    pub fn fault(&self) -> Option<NetFault> {
        self.state().fault
    }

    /// Ends all connections and takes no more.
    pub fn shut(&self) {
        let mut state = self.state();
        state.shut = true;
        state.close_all();
        drop(state);
        self.changed.notify_all();
        UnixStream::connect(&self.socket).ok(); // wakes the thread that takes connections
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(self: Arc<Gate>, client: UnixStream) -> std::io::Result<()> {
        if self.state().fault == Some(NetFault::Cut) {
            return Ok(());
        }
        let server = TcpStream::connect((HOST, self.port))?;
        server.set_nodelay(true)?;
        let (client_reads, client_writes) = (client.try_clone()?, client.try_clone()?);
        let (server_reads, server_writes) = (server.try_clone()?, server.try_clone()?);
        let id = {
            let mut state = self.state();
            if state.shut || state.fault == Some(NetFault::Cut) {
                return Ok(());
            }
            state.next += 1;
            let id = state.next;
            state.connections.insert(id, Connection { client, server, half_closed: false });
            id
        };
        let back = self.clone();
        thread::spawn(move || self.pump(id, Direction::ToServer, client_reads, server_writes));
        thread::spawn(move || back.pump(id, Direction::ToClient, server_reads, client_writes));
        Ok(())
    }

    fn pump(&self, id: u64, way: Direction, mut from: impl Read, mut to: impl Write) {
        let mut buffer = vec![0; 32 * 1024];
        loop {
            let read = from.read(&mut buffer);
            // The end of a connection is held back as well: where nothing arrives, no close does.
            let passed = self.pass(id, way, &buffer[..*read.as_ref().unwrap_or(&0)]);
            match read {
                Ok(0) if passed => return self.state().close_half(id, way),
                Ok(read) if passed && to.write_all(&buffer[..read]).is_ok() => {}
                _ => return self.state().close(id),
            }
        }
    }

    /// Waits until a chunk may go on; false: its connection is closed.
    fn pass(&self, id: u64, way: Direction, chunk: &[u8]) -> bool {
        let came = Instant::now();
        let mut state = self.state();
        if let Some(NetFault::HoldFrom(texts, direction)) = state.fault
            && way == Direction::ToServer
            && texts.iter().all(|text| chunk.windows(text.len()).any(|bytes| bytes == text.as_bytes()))
        {
            state.fault = Some(NetFault::Hold(direction));
        }
        loop {
            if !state.connections.contains_key(&id) {
                return false;
            }
            let wait = match state.fault {
                Some(NetFault::Hold(held)) if held.covers(way) => Duration::from_secs(3600),
                Some(NetFault::Delay(delay)) => delay.saturating_sub(came.elapsed()),
                _ => Duration::ZERO,
            };
            if wait.is_zero() {
                return true;
            }
            let waited = self.changed.wait_timeout(state, wait);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}
