//! `landfall probe`

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use super::{Failure, load_app};
use crate::fault::Fault;

/// An answer is made of what is known already.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  landfall probe                # is it alive? for a container's health check
  landfall probe readyz         # does everything land? prints why not

Asks the daemon of this configuration at http.listen, on this machine; no curl is needed.

Exit code 0: yes. 69: no, or it does not answer. 78: http.listen says that nothing is served.")]
pub(super) struct Args {
    /// What to ask.
    #[arg(value_enum, default_value_t = Probe::Livez)]
    probe: Probe,
    /// Configuration file; repeat it to put one over another. [default: config/default.toml, else the built-in one]
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Probe {
    /// Whether the process turns over; if not, only a restart helps.
    Livez,
    /// Whether all that is sent lands and can be queried.
    Readyz,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let Some(address) = load_app(&args.config)?.http_address() else {
        let what = "probe: http.listen is off, or has port 0: there is no address to ask at";
        return Err(Failure::new(what, Fault::Config));
    };
    let path = match args.probe {
        Probe::Livez => "/livez",
        Probe::Readyz => "/readyz",
    };
    let answer = tokio::task::spawn_blocking(move || ask(address, path)).await;
    let answer = answer.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()));
    let no = |e: std::io::Error| Failure::new(format!("probe: no answer at http://{address}{path}: {e}"), Fault::Retry);
    let (yes, body) = answer.map_err(no)?;
    print!("{body}");
    if yes { Ok(()) } else { Err(Failure::new(format!("probe: {path} says no"), Fault::Retry)) }
}

/// Whether the answer is 200, and its body.
fn ask(address: SocketAddr, path: &str) -> std::io::Result<(bool, String)> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    // Far more than either probe says; whoever listens there may be somebody else.
    stream.take(1 << 20).read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| std::io::Error::other("it is no HTTP"))?;
    Ok((head.split_whitespace().nth(1) == Some("200"), body.to_owned()))
}
