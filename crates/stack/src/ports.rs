//! Free ports.

use anyhow::{Result, bail};
use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::net::TcpListener;

/// The lowest port we hand out.
const FIRST: u16 = 10_000;

/// Finds `count` different ports that nothing listens on, on any address (the metastore listens on all of them).
///
/// They lie below the range from which the kernel takes the local ports of outgoing connections: else, while a test
/// keeps a server down, some client's connection could be given that server's port, and it could not come back.
pub(crate) fn free(count: usize) -> Result<Vec<u16>> {
    let end = ephemeral_start().unwrap_or(32_768).max(FIRST + 5_000);
    let mut held = Vec::new(); // all are held until the end, so that none is found twice
    for _ in 0..count * 100 {
        if held.len() == count {
            break;
        }
        held.extend(TcpListener::bind(("0.0.0.0", FIRST + random() % (end - FIRST))));
    }
    if held.len() < count {
        bail!("did not find {count} free ports between {FIRST} and {end}");
    }
    held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}

fn ephemeral_start() -> Option<u16> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    range.split_whitespace().next()?.parse().ok()
}

/// The standard library seeds its hash maps from the system: random enough here.
fn random() -> u16 {
    RandomState::new().build_hasher().finish() as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::wait_until;
    use std::collections::HashSet;
    use std::time::Duration;

    #[test]
    fn free_ports_are_different_and_free() {
        let ports = free(20).expect("20 ports");
        assert_eq!(ports.iter().collect::<HashSet<_>>().len(), 20);
        // A process that another test is just starting may still hold them for a moment.
        let bind = |port: &u16| {
            let mut bound = None;
            wait_until(Duration::from_secs(5), || {
                bound = TcpListener::bind(("127.0.0.1", *port)).ok();
                bound.is_some()
            });
            bound.expect("still free")
        };
        let bound: Vec<TcpListener> = ports.iter().map(bind).collect();
        assert!(free(20).expect("20 more").iter().all(|p| !ports.contains(p)));
        drop(bound);
    }
}
