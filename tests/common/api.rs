//! `landfall game-api` in a process of its own, asked over raw TCP as Apache Bench asks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// A running game.
pub struct Api {
    child: Child,
    says: BufReader<ChildStdout>,
    address: String,
}

impl Api {
    /// On this Kafka, logging to this topic, with these arguments more; ready to be asked.
    pub fn start(kafka: &str, topic: &str, args: &[&str]) -> Api {
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
        let ours = std::env::vars_os().map(|(name, _)| name).filter(|n| n.to_string_lossy().starts_with("LANDFALL"));
        ours.for_each(|name| _ = command.env_remove(name));
        command
            .args(["game-api", "--listen", "127.0.0.1:0", "--bootstrap-servers", kafka, "--topic", topic])
            .args(args);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut says = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        says.read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).and_then(|rest| rest.split(' ').next());
        let address = address.unwrap_or_else(|| panic!("{line:?}")).to_owned();
        Api { child, says, address }
    }

    /// Sends this text and reads until the server closes.
    pub fn ask(&self, text: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// A request as Apache Bench sends it. Status line and body.
    pub fn bench(&self, host: &str, path: &str) -> (String, String) {
        let headers = format!("Host: {host}\r\nUser-Agent: ApacheBench/2.3\r\nAccept: */*\r\n");
        parts(&self.ask(&format!("GET {path} HTTP/1.0\r\n{headers}\r\n")))
    }

    /// SIGTERM; it must end with exit code 0. What it said since its start.
    pub fn terminate(&mut self) -> String {
        let sent = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
        let mut rest = String::new();
        self.says.read_to_string(&mut rest).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{rest}");
        rest
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        // Gone already, mostly.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Status line and body.
pub fn parts(answer: &str) -> (String, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

/// It has this status.
pub fn assert_status((status, body): &(String, String), wanted: &str) {
    assert_eq!(status.split(' ').nth(1), Some(wanted), "{status} {body}");
}
