//! `landfall game-api`: the binary, asked over raw TCP as Apache Bench asks, on the in-process Kafka.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::api::{Api, assert_status, parts};

use landfall::game::{CALLS, Game, Request};
use landfall::source::EmbeddedKafka;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message as _;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::Value;

const TOPIC: &str = "events";
const LIMIT: Duration = Duration::from_secs(60);

/// All that the topic holds, once it is so many messages and no more come.
fn logged(kafka: &str, count: usize) -> Vec<Value> {
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", kafka).set("group.id", "reader").create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(TOPIC, 0, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    let (mut events, begun) = (Vec::new(), Instant::now());
    loop {
        match consumer.poll(Duration::from_millis(500)) {
            Some(Ok(message)) => events.push(serde_json::from_slice(message.payload().unwrap()).unwrap()),
            Some(Err(e)) => panic!("{e}"),
            None if events.len() >= count => return events,
            None => assert!(begun.elapsed() < LIMIT, "{} of {count} events: {events:?}", events.len()),
        }
    }
}

#[test]
fn each_call_of_the_seeds_loop_is_answered_and_logged_with_its_headers() {
    let kafka = EmbeddedKafka::start(&[(TOPIC, 1)]).unwrap();
    let mut api = Api::start(&kafka.bootstrap_servers(), TOPIC, &[]);
    let mut twin = Game::new();
    let mut expected: Vec<Value> = Vec::new();
    let more =
        [("user7.cox.com", "/purchase/knife"), ("user7.cox.com", "/join_a_guild"), ("h", "/join_guild/caf%C3%A9?x=1")];
    let calls = CALLS.iter().flat_map(|call| std::iter::repeat_n((call.host, call.path), call.count)).chain(more);
    for (host, path) in calls {
        let headers = [("Host", host), ("User-Agent", "ApacheBench/2.3"), ("Accept", "*/*")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let response = twin.handle(&Request { path: path.to_owned(), headers });
        let answer = api.bench(host, path);
        assert_status(&answer, "200");
        assert_eq!(answer.1, response.answer, "{path}");
        expected.push(serde_json::from_str(&response.event.unwrap().to_json()).unwrap());
    }
    assert!(expected.iter().any(|event| event["guild_name"] == "caf\u{e9}" && event["Host"] == "h"));

    // What is no endpoint logs nothing.
    assert_status(&api.bench("h", "/nothing"), "404");
    assert_status(&api.bench("h", "/purchase/spoon"), "404");
    let post = "POST /join_guild/grubs HTTP/1.0\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi";
    assert_status(&parts(&api.ask(post)), "405");
    assert_status(&parts(&api.ask("nonsense\r\n\r\n")), "400");

    // HTTP/1.1, a connection for two requests, names as some clients send them.
    let first = "GET / HTTP/1.1\r\nhost: h\r\nX-Trace-ID: 7\r\n\r\n";
    let last = "GET / HTTP/1.1\r\nhost: h\r\nX-A: 1\r\nx-a: 2\r\nConnection: close\r\n\r\n";
    let both = api.ask(&format!("{first}{last}"));
    assert_eq!(both.matches("This is the default response!\n").count(), 2, "{both}");
    expected.push(serde_json::json!({"event_type": "default", "Host": "h", "X-Trace-Id": "7"}));
    expected.push(serde_json::json!({"event_type": "default", "Host": "h", "X-A": "1,2", "Connection": "close"}));

    let found = logged(&kafka.bootstrap_servers(), expected.len());
    assert_eq!(found, expected, "in the order in which they happened");
    let rest = api.terminate();
    assert!(rest.contains(&format!("{} events logged, 0 requests refused", expected.len())), "{rest}");
}

#[test]
fn an_event_that_kafka_does_not_take_is_a_503() {
    let kafka = EmbeddedKafka::start(&[(TOPIC, 1)]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("landfall.toml");
    let limit = "[kafka.properties]\n\"message.timeout.ms\" = 1000\n";
    std::fs::write(&config, format!("{}{limit}", before_properties())).unwrap();
    let mut api = Api::start(&kafka.bootstrap_servers(), TOPIC, &["--config", config.to_str().unwrap()]);
    assert_status(&api.bench("h", "/"), "200");
    drop(kafka);
    let answer = api.bench("h", "/join_guild/grubs");
    assert_status(&answer, "503");
    assert!(answer.1.starts_with("503 Kafka did not take the event: "), "{}", answer.1);
    let rest = api.terminate();
    assert!(rest.contains("1 events logged, 1 requests refused"), "{rest}");
}

/// The least that is a configuration.
fn before_properties() -> String {
    "[kafka]\nbootstrap_servers = \"localhost:1\"\ntopics = [\"events\"]\n[storage]\nurl = \"file:///tmp\"\n\
     checkpoint = \"/checkpoint\"\n[tables.a]\n"
        .to_owned()
}

#[test]
fn what_cannot_be_reached_ends_the_start() {
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
        let done = command.arg("game-api").args(args).env("LANDFALL__KAFKA__CONNECT_TIMEOUT", "1s").output().unwrap();
        (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, says) = run(&["--listen", &address]);
    assert_eq!(code, Some(78), "{says}");
    assert!(says.contains(&address) && says.contains("--listen"), "{says}");
    let (code, says) = run(&["--listen", "127.0.0.1:0", "--bootstrap-servers", "127.0.0.1:1"]);
    assert_eq!(code, Some(69), "{says}");
    assert!(says.contains("127.0.0.1:1"), "{says}");
}

#[test]
fn the_loop_script_makes_the_seeds_calls() {
    // An `ab` that only notes what it is asked.
    let folder = tempfile::tempdir().unwrap();
    let (ab, notes) = (folder.path().join("ab"), folder.path().join("notes"));
    std::fs::write(&ab, format!("#!/bin/sh\necho \"$*\" >> {}\n", notes.display())).unwrap();
    std::fs::set_permissions(&ab, PermissionsExt::from_mode(0o755)).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/game-events/ab-loop.sh");
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let done = Command::new(&script).env("PATH", path).env("ROUNDS", "2").env("PAUSE", "0").output().unwrap();
    assert!(done.status.success(), "{done:?}");
    let called = std::fs::read_to_string(notes).unwrap();
    // The seeds' loop has no call of `/`, which the samples have.
    let calls = CALLS.iter().filter(|call| call.path != "/");
    let line =
        |c: &landfall::game::Call| format!("-q -n {} -H Host: {} http://localhost:5000{}", c.count, c.host, c.path);
    let round: Vec<_> = calls.map(line).collect();
    assert_eq!(called.lines().collect::<Vec<_>>(), [&round[..], &round[..]].concat());
}
