//! `landfall game-api`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing::{info, warn};

use super::{Failure, Format, signals, start_logging};
use crate::config;
use crate::fault::Fault;
use crate::game::{Game, Request};
use crate::source::{AcknowledgedProducer, KafkaConfig, Sent, SourceError};

/// After a signal, requests that are being answered get this long, and so does what is on its way to Kafka.
const LAST: Duration = Duration::from_secs(15);

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  landfall game-api
  curl http://localhost:5000/purchase_a_sword/sabre
  ab -n 2 -H \"Host: user1.comcast.com\" http://localhost:5000/join_guild/grubs
  landfall game-api --listen 0.0.0.0:5000 --bootstrap-servers kafka:9092 --topic events

Endpoints: / /purchase_a_sword/NAME /purchase_a_shield/NAME /join_guild/NAME /leave_guild/NAME
           /purchase/{sword,shield,helmet,knife,gauntlet} /join_a_guild")]
pub(super) struct Args {
    /// Address and port; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:5000")]
    listen: SocketAddr,
    /// Kafka's host:port, several with commas between. [default: kafka.bootstrap_servers]
    #[arg(long)]
    bootstrap_servers: Option<String>,
    /// Topic; it must exist. [default: the first of kafka.topics]
    #[arg(long)]
    topic: Option<String>,
    /// Configuration file, for [kafka] only; repeat it to put one over another.
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t)]
    log_format: Format,
}

/// The game behind its endpoints.
struct Api {
    game: Mutex<Game>,
    producer: AcknowledgedProducer,
    logged: AtomicU64,
    refused: AtomicU64,
    /// Kafka did not take the last event.
    away: AtomicBool,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    start_logging(args.log_format, "info");
    let settings = config::load(&args.config, config::environment())?;
    let mut kafka = KafkaConfig::from(&settings.kafka);
    kafka.bootstrap_servers = args.bootstrap_servers.unwrap_or(kafka.bootstrap_servers);
    let servers = kafka.bootstrap_servers.clone();
    let topic = args.topic.unwrap_or_else(|| settings.kafka.topics[0].clone());
    let (_stop, stopped) = signals::stop_flag();
    let listen = |e| {
        let what = format!("cannot listen at {}: {e}. Choose another address by --listen", args.listen);
        Failure::new(what, Fault::Config)
    };
    let listener = TcpListener::bind(args.listen).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let producer = {
        let topic = topic.clone();
        blocking(move || AcknowledgedProducer::new(&kafka, &topic)).await?
    };
    println!("The game is at http://{address} and logs to topic {topic} at {servers}.");
    let api = Arc::new(Api {
        game: Mutex::new(Game::new()),
        producer,
        logged: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        away: AtomicBool::new(false),
    });
    serve(listener, api.clone(), stopped).await?;
    let (logged, refused) = (api.logged.load(Ordering::Relaxed), api.refused.load(Ordering::Relaxed));
    // Requests that were cut off may have left events behind.
    blocking(move || api.producer.flush(LAST)).await?;
    println!("{logged} events logged, {refused} requests refused because Kafka did not take theirs.");
    Ok(())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))
}

/// Until the signal; then answers what was asked before it.
async fn serve(listener: TcpListener, api: Arc<Api>, stopped: watch::Receiver<bool>) -> Result<(), Failure> {
    let asked = |mut stopped: watch::Receiver<bool>| async move {
        // A sender that is gone can no longer ask: the process is ending.
        _ = stopped.wait_for(|stop| *stop).await;
    };
    let router = Router::new().fallback(answer).with_state(api);
    let served = axum::serve(listener, router).with_graceful_shutdown(asked(stopped.clone()));
    let late = async {
        asked(stopped).await;
        tokio::time::sleep(LAST).await;
    };
    tokio::select! {
        served = served => served.map_err(|e| Failure::new(format!("the HTTP server ended: {e}"), Fault::Retry)),
        // A client that keeps its connection and says nothing must not keep the process.
        () = late => Ok(()),
    }
}

async fn answer(State(api): State<Arc<Api>>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method != Method::GET {
        let allow = [(header::ALLOW, "GET")];
        return (StatusCode::METHOD_NOT_ALLOWED, allow, "405 Method Not Allowed\n").into_response();
    }
    let request = Request { path: uri.path().to_owned(), headers: fields(&headers) };
    let (answer, sent) = api.play(&request);
    let Some(sent) = sent else { return (StatusCode::NOT_FOUND, answer).into_response() };
    let taken = match sent {
        Ok(sent) => sent.acknowledged().await,
        Err(e) => Err(e),
    };
    api.note(&taken);
    match taken {
        Ok(()) => answer.into_response(),
        Err(e) => {
            let what = format!("503 Kafka did not take the event: {e}\n");
            (StatusCode::SERVICE_UNAVAILABLE, what).into_response()
        }
    }
}

impl Api {
    /// Answers, and queues the event; `None`: there is no such endpoint. Events are queued in the order in which they
    /// happened in the game. Who is refused afterwards has joined the guild all the same, as the counts to come tell.
    fn play(&self, request: &Request) -> (String, Option<Result<Sent, SourceError>>) {
        let mut game = self.game.lock().unwrap_or_else(PoisonError::into_inner);
        let response = game.handle(request);
        let sent = response.event.map(|event| self.producer.send(event.to_json().as_bytes()));
        (response.answer, sent)
    }

    /// Counts, and says when Kafka goes and when it is back.
    fn note(&self, taken: &Result<(), SourceError>) {
        let count = if taken.is_ok() { &self.logged } else { &self.refused };
        count.fetch_add(1, Ordering::Relaxed);
        match (taken, self.away.swap(taken.is_err(), Ordering::Relaxed)) {
            (Err(e), false) => warn!(error = %e, "Kafka does not take events: answering 503 until it does"),
            (Ok(()), true) => info!("Kafka takes events again"),
            _ => {}
        }
    }
}

/// All headers, as the seeds' web server hands them on: names in title case, however they were sent; what came several
/// times joined by commas.
fn fields(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |name| headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let joined = |name| text(name).collect::<Vec<_>>().join(",");
    headers.keys().map(|name| (title_case(name.as_str()), joined(name))).collect()
}

fn title_case(name: &str) -> String {
    let mut begins = true;
    let cased = name.chars().map(|c| {
        let cased = if begins { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        begins = !c.is_ascii_alphanumeric();
        cased
    });
    cased.collect()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn headers_become_fields_in_title_case_and_joined() {
        let sent = [
            ("hOST", &b"user1.comcast.com"[..]),
            ("user-agent", b"ab"),
            ("X-A", b"1"),
            ("x-a", b"2"),
            ("accept", b"caf\xc3\xa9 \xff"),
        ];
        let headers: HeaderMap = sent
            .into_iter()
            .map(|(n, v)| (HeaderName::try_from(n).unwrap(), HeaderValue::from_bytes(v).unwrap()))
            .collect();
        let mut found = fields(&headers);
        found.sort();
        let wanted =
            [("Accept", "caf\u{e9} \u{fffd}"), ("Host", "user1.comcast.com"), ("User-Agent", "ab"), ("X-A", "1,2")];
        assert_eq!(found, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
