//! Connections, few and short: whoever asks for the status must not be able to take the daemon's files or memory.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

/// Connections at once; others wait until the kernel's own queue is full.
const MOST: usize = 64;
/// A connection is for one request, which is answered at once: who is so slow is cut off.
const LONGEST: Duration = Duration::from_secs(20);

/// Takes a bounded number of connections, each for a bounded time.
#[derive(Debug)]
pub(super) struct Connections {
    inner: TcpListener,
    free: Arc<Semaphore>,
    longest: Duration,
}

impl Connections {
    pub(super) fn new(inner: TcpListener) -> Connections {
        Connections::limited(inner, MOST, LONGEST)
    }

    fn limited(inner: TcpListener, most: usize, longest: Duration) -> Connections {
        Connections { inner, free: Arc::new(Semaphore::new(most)), longest }
    }
}

impl Listener for Connections {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // The semaphore is never closed; were it, connections would go unlimited and not unanswered.
        let permit = self.free.clone().acquire_owned().await.ok();
        // Retries by itself where the process is out of files.
        let (stream, from) = Listener::accept(&mut self.inner).await;
        let until = Box::pin(tokio::time::sleep_until(Instant::now() + self.longest));
        (Connection { stream, until, _permit: permit }, from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

/// One of them.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    until: Pin<Box<Sleep>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Connection {
    /// Says when the time is up, and wakes the task then.
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.until.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, to)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn who_says_nothing_is_cut_off_and_makes_room() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Connections::limited(listener, 1, Duration::from_millis(300));
        let router = Router::new().route("/", get(|| async { "here" }));
        tokio::spawn(async { axum::serve(connections, router).await });
        let mut silent = TcpStream::connect(address).await.unwrap();
        silent.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        let mut second = TcpStream::connect(address).await.unwrap();
        second.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let (mut nothing, mut answer) = (Vec::new(), Vec::new());
        // A reset and an end are the same here.
        _ = silent.read_to_end(&mut nothing).await;
        second.read_to_end(&mut answer).await.unwrap();
        assert_eq!(nothing.len(), 0);
        assert!(String::from_utf8(answer).unwrap().ends_with("here"));
    }
}
