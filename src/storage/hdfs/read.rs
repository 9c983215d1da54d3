//! Reading one file whole, past DataNodes that are frozen.
//!
//! The crate goes to the next replica when a DataNode refuses or breaks off, but waits for one that says nothing
//! (`dfs.client.socket-timeout`). The NameNode names the replicas in a new order each time, so a second read, begun
//! soon, most often meets one that answers. Each read is a task of its own: a panic in the crate is an error here.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hdfs_native::{Client, HdfsError};
use tokio::task::JoinHandle;

use super::errors::classify;
use crate::storage::port::StorageError;

/// When another read is begun beside those that have not answered; a file is read this often at most, and once more.
const STAGGER: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(6)];
/// A read that nobody waits for any more ends after this.
const GRACE: Duration = Duration::from_secs(300);

/// All bytes of a file.
pub(super) async fn read(client: &Client, full: &str, path: &str) -> Result<Bytes, StorageError> {
    let begin = || start(client.clone(), full.to_owned(), path.to_owned());
    let mut reads = FuturesUnordered::from_iter([begin()]);
    let mut stagger = STAGGER.into_iter();
    let mut failed = None;
    loop {
        let wait = stagger.next();
        let ended = match wait {
            Some(wait) => tokio::time::timeout(wait, reads.next()).await,
            None => Ok(reads.next().await),
        };
        match ended {
            Ok(Some(Ok(Ok(bytes)))) => return Ok(bytes),
            // The NameNode's word: another read would hear the same.
            Ok(Some(Ok(Err(e @ (StorageError::NotFound { .. } | StorageError::Refused { .. }))))) => return Err(e),
            Ok(Some(Ok(Err(e)))) => failed = Some(e),
            Ok(Some(Err(panic))) => failed = Some(away(path, &format!("the HDFS client gave up: {panic}"))),
            Ok(None) => return Err(failed.unwrap_or_else(|| away(path, "no read was begun"))),
            // Nothing within the time.
            Err(_) => reads.push(begin()),
        }
    }
}

fn away(path: &str, reason: &str) -> StorageError {
    StorageError::Unavailable { op: "read", path: path.to_owned(), reason: reason.to_owned() }
}

fn start(client: Client, full: String, path: String) -> JoinHandle<Result<Bytes, StorageError>> {
    tokio::spawn(async move {
        let work = Box::pin(async {
            let mut reader = client.read(&full).await?;
            let len = reader.file_length();
            Ok::<_, HdfsError>((len, reader.read_bytes(len).await?))
        });
        match tokio::time::timeout(GRACE, work).await {
            Err(_) => Err(StorageError::TimedOut { op: "read", path, limit: GRACE }),
            Ok(Err(e)) => Err(classify("read", &path, &e)),
            Ok(Ok((len, bytes))) if bytes.len() == len => Ok(bytes),
            Ok(Ok((len, bytes))) => Err(away(&path, &format!("{} of {len} bytes came", bytes.len()))),
        }
    })
}
