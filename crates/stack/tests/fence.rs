//! The fence, between bash and a server that answers each line with itself.

use anyhow::{Context, Result, ensure};
use landfall_stack::fence::{Direction, Fence, Held, NetFault};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_landfall-stack");

/// Its port, and how many lines it has heard.
fn echo() -> Result<(u16, Arc<AtomicU32>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let (port, heard) = (listener.local_addr()?.port(), Arc::new(AtomicU32::new(0)));
    let count = heard.clone();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let count = count.clone();
            thread::spawn(move || -> Result<()> {
                for line in BufReader::new(client.try_clone()?).lines() {
                    count.fetch_add(1, Ordering::SeqCst);
                    writeln!(&client, "{}", line?)?;
                }
                Ok(())
            });
        }
    });
    Ok((port, heard))
}

fn fence(port: u16) -> Option<Fence> {
    let fence = Fence::of(vec![("echo".to_owned(), port)], Path::new(PROGRAM));
    fence.inspect_err(|e| eprintln!("skipped: {e:#}")).ok()
}

/// A shell behind the fence.
fn shell(fence: &Fence, script: &str) -> Command {
    let mut command = fence.command(OsStr::new("bash"));
    command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// Says a line and hears the answer, or after `limit` seconds nothing.
fn ask(port: u16, limit: u32) -> String {
    format!(
        "exec 3<>/dev/tcp/127.0.0.1/{port} && echo hello >&3 && read -t {limit} answer <&3; echo \"${{answer:-none}}\""
    )
}

fn said(child: Child) -> Result<String> {
    Ok(String::from_utf8(child.wait_with_output()?.stdout)?.trim().to_owned())
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !done() {
        ensure!(begun.elapsed() < Duration::from_secs(10), "{what}");
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

#[test]
fn bytes_pass_are_delayed_held_back_and_lost() -> Result<()> {
    let (port, heard) = echo()?;
    let Some(fence) = fence(port) else { return Ok(()) };
    let hello = ask(port, 5);
    assert_eq!(said(shell(&fence, &hello).spawn()?)?, "hello");
    assert_eq!(heard.load(Ordering::SeqCst), 1);

    fence.break_part("echo", NetFault::Cut)?;
    assert_eq!(said(shell(&fence, &hello).spawn()?)?, "none");
    assert_eq!(heard.load(Ordering::SeqCst), 1);

    fence.break_part("echo", NetFault::Delay(Duration::from_millis(300)))?;
    let begun = Instant::now();
    assert_eq!(said(shell(&fence, &hello).spawn()?)?, "hello");
    assert!(begun.elapsed() > Duration::from_millis(600), "there and back: {:?}", begun.elapsed());

    // The request is carried out, and the reply arrives late, or never.
    for (held, answer) in [(Held::Delivered, "hello"), (Held::Lost, "none")] {
        let before = heard.load(Ordering::SeqCst);
        fence.break_part("echo", NetFault::Hold(Direction::ToClient))?;
        let mut asking = shell(&fence, &hello).spawn()?;
        wait_until("the request arrives", || heard.load(Ordering::SeqCst) > before)?;
        thread::sleep(Duration::from_millis(200));
        ensure!(asking.try_wait()?.is_none(), "it waits for the reply");
        fence.heal("echo", held)?;
        assert_eq!(said(asking)?, answer);
    }

    // The request arrives late.
    let before = heard.load(Ordering::SeqCst);
    fence.break_part("echo", NetFault::Hold(Direction::ToServer))?;
    let asking = shell(&fence, &hello).spawn()?;
    thread::sleep(Duration::from_millis(400));
    assert_eq!(heard.load(Ordering::SeqCst), before);
    fence.heal("echo", Held::Delivered)?;
    assert_eq!(said(asking)?, "hello");

    // Only what was waited for is held back.
    fence.break_part("echo", NetFault::HoldFrom(&["hel", "llo"], Direction::ToServer))?;
    assert_eq!(said(shell(&fence, &hello.replace("echo hello", "echo hallo")).spawn()?)?, "hallo");
    assert!(!fence.holds("echo")?);
    let asking = shell(&fence, &hello).spawn()?;
    wait_until("the request is held back", || fence.holds("echo").is_ok_and(|holds| holds))?;
    fence.heal("echo", Held::Lost)?;
    assert_eq!(said(asking)?, "none");
    assert!(fence.break_part("nobody", NetFault::Cut).is_err());
    Ok(())
}

/// The process ids of the relays of a process.
fn relays_of(pid: u32) -> Result<Vec<u32>> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    children.split_whitespace().map(|id| id.parse().context("a process id")).collect()
}

fn is_gone(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.is_empty() || stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim().starts_with('Z'))
}

#[test]
fn a_command_is_its_own_process_and_its_relay_ends_with_it() -> Result<()> {
    let (port, _) = echo()?;
    let Some(fence) = fence(port) else { return Ok(()) };
    let mut command = shell(&fence, "echo up; while :; do read -t 1 < <(:); done").spawn()?;
    let mut up = String::new();
    BufReader::new(command.stdout.take().context("piped")?).read_line(&mut up)?;
    let program = std::fs::read_to_string(format!("/proc/{}/comm", command.id()))?;
    assert_eq!(program.trim(), "bash");
    let relays = relays_of(command.id())?;
    let relay = relays.into_iter().find(|pid| {
        std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains("fence-relay"))
    });
    let relay = relay.context("a relay")?;
    command.kill()?;
    command.wait()?;
    wait_until("the relay ends", || is_gone(relay))
}
