//! The endpoints.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use tokio::net::TcpListener;

use super::connection::Connections;
use super::site::Site;
use super::{health, page};
use crate::fault::Fault;
use crate::observe::{Metrics, Time};

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

/// Of every answer. The page's own style and script are files of this server, so that nothing else, and nothing that
/// stands in a message, is ever loaded or run.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
    // One request a connection: none is left idle.
    (header::CONNECTION, "close"),
];

/// Nothing can be served there.
#[derive(Debug, thiserror::Error)]
#[error(
    "http.listen = \"{listen}\": cannot listen there: {source}. Give each daemon of a machine an address of its own, port 0 \
     for a free one, or \"off\""
)]
pub struct BindError {
    /// The address.
    pub listen: SocketAddr,
    /// What the system says.
    pub source: std::io::Error,
}

impl BindError {
    /// Whose fault it is: the address is one that the configuration names.
    pub fn fault(&self) -> Fault {
        Fault::Config
    }
}

/// A server that listens, and does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Takes the address; port 0 takes a free one.
    pub async fn bind(listen: SocketAddr) -> Result<Server, BindError> {
        let bound = async {
            let listener = TcpListener::bind(listen).await?;
            let address = listener.local_addr()?;
            Ok(Server { listener, address })
        };
        bound.await.map_err(|source| BindError { listen, source })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until it is dropped.
    pub async fn serve(self, site: Site) {
        let routes = routes(Arc::new(site), self.address.ip());
        // It ends with the listener only, which retries by itself.
        _ = axum::serve(Connections::new(self.listener), routes).await;
    }
}

type Shown = State<Arc<Site>>;

fn routes(site: Arc<Site>, listen: IpAddr) -> Router {
    Router::new()
        .route("/", get(|State(site): Shown| async move { html(&site) }))
        .route("/status.css", get(|| async { answer("text/css; charset=utf-8", page::STYLE) }))
        .route("/status.js", get(|| async { answer("text/javascript; charset=utf-8", page::SCRIPT) }))
        .route("/icon.svg", get(|| async { answer("image/svg+xml", page::ICON) }))
        .route("/metrics", get(|State(site): Shown| async move { answer(Metrics::CONTENT_TYPE, site.metrics()) }))
        .route("/progress", get(|State(site): Shown| async move { progress(&site) }))
        .route("/status.json", get(|State(site): Shown| async move { json(&site.status()) }))
        .route("/livez", get(|State(site): Shown| async move { live(&site) }))
        .route("/readyz", get(|State(site): Shown| async move { ready(&site) }))
        .fallback(|| async { nowhere() })
        .method_not_allowed_fallback(|| async { (StatusCode::METHOD_NOT_ALLOWED, answer(TEXT, "only GET and HEAD\n")) })
        .with_state(site)
        .layer(middleware::from_fn_with_state(listen.is_loopback(), guard))
}

fn answer(kind: &'static str, body: impl IntoResponse) -> Response {
    ([(header::CONTENT_TYPE, kind)], body).into_response()
}

fn html(site: &Site) -> Response {
    answer(HTML, page::page(&site.view(), Time::now()))
}

fn json(what: &impl Serialize) -> Response {
    match serde_json::to_string(what) {
        Ok(text) => answer(JSON, format!("{text}\n")),
        Err(e) => (StatusCode::INTERNAL_SERVER_ERROR, answer(TEXT, format!("{e}\n"))).into_response(),
    }
}

/// As Spark's `recentProgress`: the last batches, the newest last.
fn progress(site: &Site) -> Response {
    let status = site.status();
    json(&status.progress.iter().map(|p| &**p).collect::<Vec<_>>())
}

fn live(site: &Site) -> Response {
    let life = health::life(&site.status(), Time::now());
    let code = if life.alive { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, answer(TEXT, format!("{}\n", life.says))).into_response()
}

fn ready(site: &Site) -> Response {
    let readiness = health::readiness(&site.status(), Time::now());
    let code = if readiness.ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, answer(JSON, readiness.to_json())).into_response()
}

fn nowhere() -> Response {
    const THERE: &str = "There are / /metrics /livez /readyz /progress /status.json\n";
    (StatusCode::NOT_FOUND, answer(TEXT, THERE)).into_response()
}

async fn guard(State(only_here): State<bool>, request: Request, next: Next) -> Response {
    let mut response = if !only_here || is_local(request.headers()) {
        next.run(request).await
    } else {
        let says =
            "This server listens for its own machine only: ask for localhost or 127.0.0.1. For others: http.listen\n";
        (StatusCode::MISDIRECTED_REQUEST, answer(TEXT, says)).into_response()
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether a request was meant for this machine. A page of another site that has its name point here would send its own
/// name, and must not read what messages hold.
fn is_local(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST) else { return true };
    let Ok(host) = host.to_str() else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let inner = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || inner.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_local() {
        let local =
            |host: &'static str| is_local(&HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]));
        for good in ["localhost", "LOCALHOST:8642", "127.0.0.1", "127.0.0.1:8642", "[::1]:8642", "[::1]", "127.1.2.3:1"]
        {
            assert!(local(good), "{good}");
        }
        for bad in
            ["evil.example", "evil.example:8642", "localhost.evil.example:1", "10.0.0.1:8642", "[::2]:1", "", ":80"]
        {
            assert!(!local(bad), "{bad}");
        }
        assert!(is_local(&HeaderMap::new()), "HTTP/1.0");
    }
}
