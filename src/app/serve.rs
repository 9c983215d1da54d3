//! The status page and its like, beside the job.

use std::net::SocketAddr;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::App;
use crate::observe::Status;
use crate::web::{BindError, Server, Site};

/// A server that answers until this is dropped.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Serving {
    /// `http://…`, as it can be asked from this machine.
    pub fn url(&self) -> String {
        format!("http://{}", from_here(self.address))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Who listens everywhere is asked at the loopback address.
fn from_here(listen: SocketAddr) -> SocketAddr {
    match listen {
        SocketAddr::V4(a) if a.ip().is_unspecified() => ([127, 0, 0, 1], a.port()).into(),
        SocketAddr::V6(a) if a.ip().is_unspecified() => ([0, 0, 0, 0, 0, 0, 0, 1], a.port()).into(),
        other => other,
    }
}

impl App {
    /// Where a daemon of this configuration can be asked from this machine; `None`: it does not listen, or at a port
    /// that nobody knows before.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.settings.http.listen.map(from_here).filter(|a| a.port() != 0)
    }

    /// Serves what `status` says, from now on. `None`: `http.listen` is off.
    pub async fn serve(&self, status: watch::Receiver<Status>) -> Result<Option<Serving>, BindError> {
        match self.settings.http.listen {
            Some(listen) => self.serve_at(listen, status).await.map(Some),
            None => Ok(None),
        }
    }

    /// The same at a free port of the same address.
    pub async fn serve_anywhere(&self, status: watch::Receiver<Status>) -> Result<Option<Serving>, BindError> {
        match self.settings.http.listen {
            Some(listen) => self.serve_at((listen.ip(), 0).into(), status).await.map(Some),
            None => Ok(None),
        }
    }

    async fn serve_at(&self, listen: SocketAddr, status: watch::Receiver<Status>) -> Result<Serving, BindError> {
        let server = Server::bind(listen).await?;
        let address = server.address();
        let site = Site::new(status, self.metrics.clone());
        Ok(Serving { address, task: tokio::spawn(server.serve(site)) })
    }
}
