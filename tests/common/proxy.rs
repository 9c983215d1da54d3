//! A TCP proxy that can go away and be late, so that a test needs no server of its own to kill.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Passes bytes on to a server, as long as it is open.
pub struct Proxy {
    /// Where it listens, on loopback.
    pub address: SocketAddr,
    closed: Arc<AtomicBool>,
    /// How late the server's bytes are, in ms.
    late: Arc<AtomicU64>,
    connections: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    /// A proxy of the server at `upstream` (`host:port`).
    pub fn of(upstream: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let proxy = Proxy { address, closed: Arc::default(), late: Arc::default(), connections: Arc::default() };
        let (upstream, closed, connections) = (upstream.to_owned(), proxy.closed.clone(), proxy.connections.clone());
        let (none, late) = (Arc::new(AtomicU64::new(0)), proxy.late.clone());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if closed.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(&upstream) else { continue };
                for (from, to, late) in [(&client, &server, &none), (&server, &client, &late)] {
                    let (from, to, late) = (from.try_clone().unwrap(), to.try_clone().unwrap(), late.clone());
                    thread::spawn(move || pass(from, to, &late));
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

    /// From now on all that the server says comes so much later.
    pub fn delay(&self, by: Duration) {
        self.late.store(by.as_millis() as u64, Ordering::SeqCst);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, late: &AtomicU64) {
    let mut buffer = vec![0; 32 * 1024];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        thread::sleep(Duration::from_millis(late.load(Ordering::SeqCst)));
        if to.write_all(&buffer[..len]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
