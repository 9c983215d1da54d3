//! Several servers, late ones and broken ones: against a small one in this process that speaks Thrift's binary protocol
//! and knows one call, `get_database`, whose answer is a database of the name that was asked for.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use landfall_metastore::{Client, Error, Options};

const LIMIT: Duration = Duration::from_millis(400);
const LATE: Duration = Duration::from_millis(700);

/// What the server does with a call for this database.
type Reaction = fn(&str) -> (Duration, Answer);

#[derive(Clone, Copy)]
enum Answer {
    Database,
    MetaException,
    Nothing,
    Hangup,
}

/// A server on loopback.
struct Server {
    address: SocketAddr,
    /// Connections that it took.
    connections: Arc<AtomicU32>,
    reaction: Arc<Mutex<Reaction>>,
}

impl Server {
    fn start(reaction: Reaction) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server { address, connections: Arc::default(), reaction: Arc::new(Mutex::new(reaction)) };
        let (count, reaction) = (server.connections.clone(), server.reaction.clone());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (count, reaction) = (count.clone(), reaction.clone());
                thread::spawn(move || serve(client, &count, &reaction));
            }
        });
        server
    }

    fn react(&self, reaction: Reaction) {
        *self.reaction.lock().unwrap() = reaction;
    }
}

fn serve(mut client: TcpStream, count: &AtomicU32, reaction: &Mutex<Reaction>) {
    let mut is_new = true;
    loop {
        // A call is small and comes whole: the client sends the next one on this connection after the answer.
        let mut call = [0; 4096];
        let Ok(len @ 1..) = client.read(&mut call) else { return };
        if std::mem::take(&mut is_new) {
            count.fetch_add(1, Ordering::SeqCst);
        }
        let text = |at: usize| {
            let len = u32::from_be_bytes(call[at..at + 4].try_into().unwrap()) as usize;
            (String::from_utf8(call[at + 4..at + 4 + len].to_vec()).unwrap(), at + 4 + len)
        };
        let (method, at) = text(4);
        assert_eq!((method.as_str(), len > at), ("get_database", true));
        // seqid, then field 1 of the arguments: a type byte, the id, the text
        let (database, _) = text(at + 4 + 3);
        let (delay, answer) = reaction.lock().unwrap()(&database);
        thread::sleep(delay);
        let mut reply = vec![0x80, 0x01, 0x00, 0x02];
        put(&mut reply, &method);
        reply.extend(&call[at..at + 4]);
        match answer {
            Answer::Database => {
                reply.extend([12, 0, 0, 11, 0, 1]);
                put(&mut reply, &database);
            }
            Answer::MetaException => {
                reply.extend([12, 0, 2, 11, 0, 1]);
                put(&mut reply, "Put request failed : INSERT INTO COLUMNS_V2\n\tat java");
            }
            Answer::Nothing => continue,
            Answer::Hangup => return,
        }
        reply.extend([0, 0]);
        if client.write_all(&reply).is_err() {
            return;
        }
    }
}

fn put(reply: &mut Vec<u8>, text: &str) {
    reply.extend((text.len() as u32).to_be_bytes());
    reply.extend(text.as_bytes());
}

fn client(servers: &[SocketAddr]) -> Client {
    let options = Options { connect_timeout: LIMIT, call_timeout: LIMIT, ..Options::default() };
    Client::new(servers.iter().map(ToString::to_string).collect(), options)
}

/// An address that nobody listens on.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

async fn name(client: &Client, database: &str) -> Result<String, Error> {
    client.get_database(database).await.map(|found| found.name)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_too_late_is_not_taken_for_the_next_one() {
    let server = Server::start(|database| (if database == "slow" { LATE } else { Duration::ZERO }, Answer::Database));
    let client = client(&[server.address]);
    assert_eq!(name(&client, "first").await, Ok("first".to_owned()));
    assert_eq!(name(&client, "slow").await, Err(Error::TimedOut(LIMIT)));
    // While the answer is on its way, when it comes, and after it.
    for n in 0..12 {
        let asked = format!("next{n}");
        assert_eq!(name(&client, &asked).await, Ok(asked));
        tokio::time::sleep(LATE / 8).await;
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 2, "the connection of the late answer is given up");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_at_once_get_their_own_answers_although_one_of_them_is_too_late() {
    let server = Server::start(|database| match database {
        "slow" => (LATE, Answer::Database),
        _ => (Duration::from_millis(30), Answer::Database),
    });
    let client = client(&[server.address]);
    for _ in 0..3 {
        let (a, slow, b, c) =
            tokio::join!(name(&client, "a"), name(&client, "slow"), name(&client, "b"), name(&client, "c"));
        assert_eq!((a, b, c), (Ok("a".to_owned()), Ok("b".to_owned()), Ok("c".to_owned())));
        assert_eq!(slow, Err(Error::TimedOut(LIMIT)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_took_the_server_long_is_its_answer_and_no_reason_to_leave_it() {
    let server = Server::start(|_| (LIMIT / 2, Answer::MetaException));
    let other = Server::start(|_| (Duration::ZERO, Answer::Database));
    let client = client(&[server.address, other.address]);
    for _ in 0..2 {
        let begun = Instant::now();
        assert_eq!(
            name(&client, "a").await,
            Err(Error::Meta("Put request failed : INSERT INTO COLUMNS_V2".to_owned()))
        );
        assert!(begun.elapsed() >= LIMIT / 2);
    }
    assert_eq!((client.server(), server.connections.load(Ordering::SeqCst)), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_be_reached_is_passed_over_within_the_call() {
    let server = Server::start(|_| (Duration::ZERO, Answer::Database));
    let client = client(&[nobody(), server.address]);
    assert_eq!(client.server(), 0);
    for _ in 0..3 {
        assert_eq!(name(&client, "a").await, Ok("a".to_owned()));
        assert_eq!(client.server(), 1, "the one that works is kept");
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_server_that_says_nothing_or_breaks_off_the_next_one_is_asked_and_kept() {
    let first = Server::start(|_| (Duration::ZERO, Answer::Nothing));
    let second = Server::start(|_| (Duration::ZERO, Answer::Database));
    let client = client(&[first.address, second.address]);
    assert_eq!(name(&client, "a").await, Err(Error::TimedOut(LIMIT)));
    for asked in ["b", "c", "d"] {
        assert_eq!(name(&client, asked).await, Ok(asked.to_owned()));
        assert_eq!(client.server(), 1);
    }
    first.react(|_| (Duration::ZERO, Answer::Database));
    second.react(|_| (Duration::ZERO, Answer::Hangup));
    let broken = name(&client, "e").await;
    assert!(matches!(&broken, Err(Error::Transport(reason)) if !reason.contains("RpcInfo")), "{broken:?}");
    assert_eq!(name(&client, "f").await, Ok("f".to_owned()));
    assert_eq!(client.server(), 0, "around, to the first one again");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_server_can_be_reached_each_is_named_and_the_first_is_tried_first_again() {
    let [a, b] = [nobody(), nobody()];
    let client = client(&[a, b]);
    for _ in 0..2 {
        let Err(Error::Transport(reason)) = name(&client, "a").await else { panic!("an error of the network") };
        let [first, second] = [a, b].map(|address| reason.find(&address.to_string()).unwrap());
        assert!(first < second, "{reason}");
    }
}
