//! A TCP proxy that can go away, so that a test needs no server of its own to kill.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Passes bytes on to a server, as long as it is open.
pub struct Proxy {
    /// Where it listens, on loopback.
    pub address: SocketAddr,
    closed: Arc<AtomicBool>,
    connections: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    /// A proxy of the server at `upstream` (`host:port`).
    pub fn of(upstream: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let proxy = Proxy { address, closed: Arc::default(), connections: Arc::default() };
        let (upstream, closed, connections) = (upstream.to_owned(), proxy.closed.clone(), proxy.connections.clone());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if closed.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(&upstream) else { continue };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    thread::spawn(move || {
                        let _ = io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
                connections.lock().unwrap().extend([client, server]);
            }
        });
        proxy
    }

    /// Breaks all connections, and every new one at once.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        for c in self.connections.lock().unwrap().drain(..) {
            let _ = c.shutdown(Shutdown::Both);
        }
    }

    /// Passes bytes on again.
    pub fn open(&self) {
        self.closed.store(false, Ordering::SeqCst);
    }
}
