//! The two processes inside the namespace: the command, and its relay, which ends when the command does.

use crate::config::HOST;
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

/// The socket that is open as long as the process outside lives.
pub(super) const ALIVE: &str = "alive";

/// What the relay says when it listens.
const READY: &str = "ready";

/// Starts the relay, then becomes the command. Returns only if that fails. To be called by a process in a network
/// namespace of its own that nothing was done with.
pub fn enter(sockets: &Path, ports: &[u16], command: &[OsString]) -> Result<()> {
    let (program, args) = command.split_first().context("no command")?;
    let up = Command::new("ip").args(["link", "set", "lo", "up"]).status();
    if !up.context("cannot run ip (package iproute2)")?.success() {
        bail!("loopback does not come up");
    }
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    let mut relay = Command::new(std::env::current_exe()?)
        .args(["fence-relay", "--ports", &ports.join(","), "--of", &std::process::id().to_string(), "--sockets"])
        .arg(sockets)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0) // a Ctrl-C is for the command, which may still have to tell the servers something
        .spawn()
        .context("cannot start the relay")?;
    let mut said = String::new();
    BufReader::new(relay.stdout.take().context("it is piped")?).read_line(&mut said)?;
    if said.trim() != READY {
        bail!("the relay does not listen");
    }
    // Not a child: signals sent to this process are then for the command itself.
    let error = Command::new(program).args(args).exec();
    Err(error).with_context(|| format!("cannot run {}", program.display()))
}

/// Relays connections until the command, which is our parent, ends. If the process outside ends first, ends the command.
pub fn relay(sockets: &Path, ports: &[u16], of: u32) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let Some(command) = getppid().filter(|parent| Pid::from_raw(of as i32) == Some(*parent)) else {
        bail!("the command is gone");
    };
    let mut outside = UnixStream::connect(sockets.join(ALIVE)).context("the process outside is gone")?;
    for port in ports {
        let listener = TcpListener::bind((HOST, *port)).with_context(|| format!("cannot listen on port {port}"))?;
        let socket = sockets.join(port.to_string());
        thread::spawn(move || accept(&listener, &socket));
    }
    println!("{READY}");
    io::copy(&mut outside, &mut io::sink()).ok(); // an error is an end as well
    kill_process(command, Signal::KILL)?;
    Ok(())
}

fn accept(listener: &TcpListener, socket: &PathBuf) {
    for client in listener.incoming().flatten() {
        // What fails here is closed, and the command sees that.
        _ = UnixStream::connect(socket).and_then(|server| join(client, server));
    }
}

fn join(client: TcpStream, server: UnixStream) -> io::Result<()> {
    client.set_nodelay(true)?;
    let (client_too, server_too) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || match pass(&client, &server) {
        Ok(()) => server.shutdown(Shutdown::Write),
        Err(_) => client.shutdown(Shutdown::Both).and(server.shutdown(Shutdown::Both)),
    });
    thread::spawn(move || match pass(&server_too, &client_too) {
        Ok(()) => client_too.shutdown(Shutdown::Write),
        Err(_) => client_too.shutdown(Shutdown::Both).and(server_too.shutdown(Shutdown::Both)),
    });
    Ok(())
}

/// To the end of what comes. A connection goes on in the other direction after that.
fn pass(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    io::copy(&mut from, &mut to).map(drop)
}
