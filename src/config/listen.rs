//! Where the daemon answers HTTP.

use std::net::SocketAddr;

/// `[http]`: the status page, the metrics, the probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Http {
    /// `listen`: address and port, port 0 for a free one; `None`: nothing is served. Default `127.0.0.1:8642`.
    pub listen: Option<SocketAddr>,
}

const OFF: &str = "off";

/// `address:port`, `localhost:port`, or `off`; comes back as an address and a port, or as `off`.
pub(super) fn listen_or_off(text: &str) -> Result<String, String> {
    match text.trim() {
        // Compose files hand on unset variables as empty ones.
        "" | OFF => Ok(OFF.to_owned()),
        text => {
            let numbers = text.strip_prefix("localhost:").map_or(text.to_owned(), |port| format!("127.0.0.1:{port}"));
            let address: Result<SocketAddr, _> = numbers.parse();
            // Which of a name's addresses would be listened at is nobody's guess.
            address.map(|a| a.to_string()).map_err(|_| "not an IP address with a port".to_owned())
        }
    }
}

/// The address in a text that was checked.
pub(super) fn address(checked: &str) -> Option<SocketAddr> {
    checked.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_or_off() {
        for (text, kept) in [
            ("127.0.0.1:8642", "127.0.0.1:8642"),
            (" 0.0.0.0:0 ", "0.0.0.0:0"),
            ("localhost:80", "127.0.0.1:80"),
            ("[::]:8642", "[::]:8642"),
            ("off", "off"),
            ("", "off"),
        ] {
            assert_eq!(listen_or_off(text).as_deref(), Ok(kept), "{text}");
        }
        for bad in
            ["8642", ":8642", "127.0.0.1", "host:8642", "127.0.0.1:65536", "http://127.0.0.1:1", "on", "localhost:x"]
        {
            assert!(listen_or_off(bad).is_err(), "{bad}");
        }
        assert_eq!(address("off"), None);
        assert_eq!(address("[::1]:5").map(|a| a.port()), Some(5));
    }
}
