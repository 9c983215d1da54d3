//! The endpoints, asked over raw TCP.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use landfall::model::{Accounting, TopicPartition};
use landfall::observe::{LetterSample, Metrics, PartitionState, PartitionStatus, Phase, Progress, Status, Time};
use landfall::web::{Server, Site};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// A server with this status; it is changed by the sender.
async fn serve(status: Status) -> (SocketAddr, watch::Sender<Status>) {
    let (sender, watched) = watch::channel(status);
    let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = server.address();
    let site = Site::new(watched, Metrics::new());
    tokio::spawn(server.serve(site));
    (address, sender)
}

struct Answer {
    code: u16,
    head: String,
    body: String,
}

async fn ask(address: SocketAddr, method: &str, path: &str) -> Answer {
    ask_as(address, method, path, &address.to_string()).await
}

async fn ask_as(address: SocketAddr, method: &str, path: &str, host: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    // It ends by itself, without `Connection: close` of ours.
    tokio::time::timeout(Duration::from_secs(10), stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let code = head.split_whitespace().nth(1).unwrap().parse().unwrap();
    Answer { code, head: head.to_lowercase(), body: body.to_owned() }
}

fn running() -> Status {
    let mut s = Status { phase: Phase::Running, moved: Some(Time::now()), ..Status::default() };
    let mut partition = PartitionStatus::new(&TopicPartition::new("events", 0));
    partition.state = PartitionState::Reading;
    partition.lag_messages = Some(0);
    s.partitions.push(partition);
    let accounting = Accounting { read: 5, events: 5, ..Accounting::default() };
    s.landed(Progress { batch_id: 3, num_input_rows: 5, accounting, ..Progress::default() }, Time::now());
    s.landed(Progress { batch_id: 4, num_input_rows: 5, accounting, ..Progress::default() }, Time::now());
    s
}

#[tokio::test]
async fn every_endpoint_answers_get_and_head_and_nothing_else() {
    let (address, _status) = serve(running()).await;
    for (path, kind, words) in [
        ("/", "text/html; charset=utf-8", "Everything has landed."),
        ("/status.css", "text/css; charset=utf-8", "prefers-color-scheme: dark"),
        ("/status.js", "text/javascript; charset=utf-8", "refresh"),
        ("/icon.svg", "image/svg+xml", "<svg"),
        ("/metrics", Metrics::CONTENT_TYPE, "# HELP landfall_"),
        ("/livez", "text/plain; charset=utf-8", "alive, the pipeline moved 0 s ago"),
        ("/readyz", "application/json", "\"ready\": true"),
        ("/progress", "application/json", "\"numInputRows\":5"),
        ("/status.json", "application/json", "\"phase\":\"running\""),
    ] {
        let get = ask(address, "GET", path).await;
        assert_eq!(get.code, 200, "{path}");
        assert!(get.head.contains(&format!("content-type: {kind}\r\n")), "{path}: {}", get.head);
        assert!(get.body.contains(words), "{path}: {}", get.body);
        let head = ask(address, "HEAD", path).await;
        assert_eq!((head.code, head.body.as_str()), (200, ""), "{path}");
        let post = ask(address, "POST", path).await;
        assert_eq!((post.code, post.head.contains("allow: get,head")), (405, true), "{path}: {}", post.head);
        for answer in [get, head, post] {
            for header in [
                "content-security-policy: default-src 'none'; style-src 'self'; script-src 'self';",
                "x-content-type-options: nosniff",
                "cache-control: no-store",
                "connection: close",
            ] {
                assert!(answer.head.contains(header), "{path}: {header} is not in {}", answer.head);
            }
        }
    }
    let nowhere = ask(address, "GET", "/../etc/passwd").await;
    assert_eq!((nowhere.code, nowhere.body.contains("/readyz")), (404, true));
    let progress: Value = serde_json::from_str(&ask(address, "GET", "/progress").await.body).unwrap();
    let ids: Vec<_> = progress.as_array().unwrap().iter().map(|p| p["batchId"].as_u64().unwrap()).collect();
    assert_eq!(ids, [3, 4], "the newest last");
}

#[tokio::test]
async fn the_probes_follow_the_status() {
    let (address, status) = serve(Status::default()).await;
    let (live, ready) = (ask(address, "GET", "/livez").await, ask(address, "GET", "/readyz").await);
    assert_eq!((live.code, ready.code), (200, 503), "starting: {}", ready.body);
    assert!(ready.body.contains("\"reason\": \"starting\""), "{}", ready.body);
    status.send_replace(running());
    assert_eq!(ask(address, "GET", "/readyz").await.code, 200);
    status.send_modify(|s| {
        let since = Time::of_ms(Time::now().ms() - 5000).unwrap();
        let command = Some("landfall accept-gap events 0".into());
        s.partitions[0].state = PartitionState::Stopped { since, reason: "retention".into(), command };
        s.moved = Time::of_ms(Time::now().ms() - 61_000);
    });
    let ready = ask(address, "GET", "/readyz").await;
    let json: Value = serde_json::from_str(&ready.body).unwrap();
    assert_eq!((ready.code, &json["reasons"][0]["reason"]), (503, &"stopped".into()));
    assert!(json["reasons"][0]["message"].as_str().unwrap().contains("landfall accept-gap events 0"));
    let live = ask(address, "GET", "/livez").await;
    assert_eq!((live.code, live.body.trim()), (503, "dead: the pipeline has not moved for 1 min 1 s"));
}

#[tokio::test]
async fn what_stands_in_messages_is_shown_as_text() {
    let mut status = running();
    status.dead_letters.count("malformed_json", 1);
    status.dead_letters.keep(LetterSample {
        time: Time::now(),
        timestamp: None,
        topic: "events".into(),
        partition: 0,
        offset: 1,
        reason: "malformed_json",
        detail: "expected `,`".into(),
        message: "{\"a\": \"<script>alert('x')</script>\"\u{202e}".into(),
    });
    let (address, _status) = serve(status).await;
    let page = ask(address, "GET", "/").await.body;
    assert!(page.contains("&lt;script&gt;alert('x')&lt;/script&gt;"), "{page}");
    assert!(!page.contains("<script>alert"), "{page}");
}

/// A page of another site, whose name was made to point here, must not read it.
#[tokio::test]
async fn a_request_meant_for_another_host_is_refused_where_only_this_machine_is_served() {
    let (address, _status) = serve(running()).await;
    let other = ask_as(address, "GET", "/status.json", "evil.example:8642").await;
    assert_eq!(other.code, 421);
    assert!(!other.body.contains("phase") && other.body.contains("http.listen"), "{}", other.body);
    assert_eq!(ask_as(address, "GET", "/status.json", "localhost:9999").await.code, 200);
}

#[tokio::test]
async fn an_address_that_is_taken_is_an_error_of_the_configuration() {
    let (address, _status) = serve(running()).await;
    let e = Server::bind(address).await.unwrap_err();
    assert_eq!(e.fault().exit_code(), 78);
    let text = e.to_string();
    assert!(
        text.starts_with(&format!("http.listen = \"{address}\": cannot listen there: Address already in use")),
        "{text}"
    );
    let run = move |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
        std::env::vars().filter(|(name, _)| name.starts_with("LANDFALL")).for_each(|(n, _)| _ = command.env_remove(n));
        command.args(args).env("LANDFALL__HTTP__LISTEN", address.to_string()).stdin(Stdio::null());
        command.env("LANDFALL__KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1").env("LANDFALL__KAFKA__CONNECT_TIMEOUT", "1s");
        let done = command.output().unwrap();
        (done.status.code(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
    };
    let daemon = tokio::task::spawn_blocking(move || {
        let taken = run(&["run"]);
        let batch = run(&["run", "--available-now"]);
        let probe = run(&["probe"]);
        let ready = run(&["probe", "readyz"]);
        (taken, batch, probe, ready)
    });
    let (taken, batch, probe, ready) = daemon.await.unwrap();
    assert!(taken.0 == Some(78) && taken.1.contains("http.listen"), "{taken:?}");
    // It goes on, to where Kafka is not reached.
    assert!(batch.0 == Some(69) && batch.1.contains("This run goes on without"), "{batch:?}");
    assert!(probe.0 == Some(0) && probe.1.starts_with("alive"), "{probe:?}");
    assert!(ready.0 == Some(0) && ready.1.contains("\"ready\": true"), "{ready:?}");
}

#[test]
fn a_probe_of_nobody_says_so() {
    let probe = |listen: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
        std::env::vars().filter(|(name, _)| name.starts_with("LANDFALL")).for_each(|(n, _)| _ = command.env_remove(n));
        let done = command.args(["probe", "readyz"]).env("LANDFALL__HTTP__LISTEN", listen).output().unwrap();
        (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let (code, says) = probe("127.0.0.1:1");
    assert!(code == Some(69) && says.contains("no answer at http://127.0.0.1:1/readyz"), "{says}");
    for off in ["off", "", "127.0.0.1:0"] {
        let (code, says) = probe(off);
        assert!(code == Some(78) && says.contains("http.listen"), "{off}: {says}");
    }
}
