//! Writing one file whole, past DataNodes that are dead or frozen and that the NameNode still offers.
//!
//! A failed try is deleted and the same path is written again. That is sound although calls of the failed try may
//! still be under way, because the caller alone knows the path (a name below its own staging directory), and because:
//! - what a late call says about blocks or about the end of the file carries the file's id, which died with the file;
//! - a late create makes no second file where one is, and adds at most an empty one, which the next create then meets:
//!   the call ends with an error, and the caller stages everything anew under a new name;
//! - there is no next try unless the delete was answered; a late one therefore finds what nobody wants any more.
//!
//! Whatever went wrong otherwise, the caller lists the directory afterwards and compares names and lengths.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hdfs_native::{Client, HdfsError, WriteOptions};
use tokio::sync::oneshot;
use tracing::{debug, info, warn};

use super::errors::{classify, from_namenode};
use super::replicas::{Memory, Note, Plan};
use crate::storage::failing;
use crate::storage::port::StorageError;

/// Limit of the NameNode's calls between two tries, of making the file, and of what it may take in one try.
const NAMENODE: Duration = Duration::from_secs(15);
/// How many calls of the NameNode a try is made of, generously: a slow NameNode is no fault of the DataNodes.
const CALLS: u32 = 6;
/// Blocks of a file are as large as the file, between these: the NameNode reckons with a whole block on each DataNode for every
/// try, for ten minutes and more, and refuses new files when their disks would not hold them all. The lower one is the least
/// that it takes by default, the upper one its default.
const BLOCK: (u64, u64) = (1 << 20, 128 << 20);
/// How long an abandoned try may go on by itself.
const GRACE: Duration = Duration::from_secs(300);
/// An abandoned try ends after so many bytes at the latest.
const CHUNK: usize = 1 << 20;

/// Why a try failed.
enum Failure {
    /// The NameNode refused, or was not there: other DataNodes do not help.
    NameNode(StorageError),
    /// DataNodes, or nothing came within the limit; the file may be there in part.
    DataNodes(StorageError),
}

/// Where a file is written, and how it is told.
pub(super) struct Target<'a> {
    pub(super) client: &'a Client,
    /// As the port names it.
    pub(super) path: &'a str,
    /// As HDFS names it.
    pub(super) full: &'a str,
}

/// Writes `data` into a new file, synced and closed, with fewer replicas if it must be; then asks for the full number.
pub(super) async fn write(target: &Target<'_>, data: Bytes, memory: &Memory) -> Result<(), StorageError> {
    let mut plan = memory.plan(data.len(), Instant::now());
    let mut first = true;
    loop {
        let begun = Instant::now();
        let limit = plan.limit();
        let (tried, of_namenode) = one_try(target, &data, plan.replicas(), limit).await;
        let failed = match tried {
            Ok(()) => {
                if let Some(wanted) = plan.to_raise() {
                    raise(target, wanted).await?;
                }
                let (replicas, wanted) = (plan.replicas(), plan.to_raise());
                let took = begun.elapsed().saturating_sub(of_namenode);
                say(plan.worked(took, Instant::now()), replicas, wanted, target.path);
                return Ok(());
            }
            Err(Failure::NameNode(e)) if first => return Err(e),
            // What stands in the way is our own failed try. No caller must take it for another's file.
            Err(Failure::NameNode(StorageError::AlreadyExists { op, path })) => {
                let reason = "an earlier try of this call came late".to_owned();
                return Err(StorageError::Unavailable { op, path, reason });
            }
            Err(Failure::NameNode(e)) => return Err(e),
            Err(Failure::DataNodes(e)) => e,
        };
        first = false;
        let took = begun.elapsed().saturating_sub(of_namenode);
        debug!(error = %failed, replicas = plan.replicas(), ?took, "a try to write a file failed");
        // Ends the lease, too: the file is still open, and would stay so as long as this process lives.
        clean_up(target, &mut plan).await?;
        if !plan.failed(took) {
            return Err(failed);
        }
        tokio::time::sleep(plan.pause()).await;
    }
}

fn say(note: Option<Note>, replicas: Option<u32>, wanted: Option<u32>, path: &str) {
    match note {
        Some(Note::Fell) => warn!(
            replicas,
            wanted,
            path,
            "DataNodes fail that the NameNode still offers: new files are written with fewer replicas, \
             and the NameNode is asked for the rest at once"
        ),
        Some(Note::Recovered(time)) => info!(
            replicas,
            outage_seconds = time.as_secs_f64(),
            "new files are written with the full number of replicas again"
        ),
        None => {}
    }
}

/// Marks its try as abandoned when the caller goes away, for whatever reason.
struct Leave(Arc<AtomicBool>);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One try, in a task of its own: the crate panics when two DataNodes of a pipeline fail at once, and a writer that is
/// dropped half way leaves its connections open for ever. An abandoned try ends by itself as soon as the DataNodes let
/// it; the crate then closes what it opened. `limit` is for the DataNodes; what a slow NameNode needs comes on top, and is
/// told.
async fn one_try(
    target: &Target<'_>,
    data: &Bytes,
    replicas: Option<u32>,
    limit: Duration,
) -> (Result<(), Failure>, Duration) {
    let abandoned = Leave(Arc::default());
    let (client, full, path) = (target.client.clone(), target.full.to_owned(), target.path.to_owned());
    let (data, left, begun) = (data.clone(), abandoned.0.clone(), Instant::now());
    let (made, is_made) = oneshot::channel();
    let mut task = tokio::spawn(async move {
        let work = Box::pin(put(&client, &full, &path, data, replicas, made, &left));
        tokio::time::timeout(GRACE, work).await.unwrap_or_else(|_| Err(too_long(&path, GRACE)))
    });
    let making = match tokio::time::timeout(NAMENODE, is_made).await {
        Ok(Ok(())) => begun.elapsed(),
        // It has failed: the task says why.
        Ok(Err(_)) => Duration::ZERO,
        Err(_) => {
            let (op, path) = ("create", target.path.to_owned());
            let error = Failure::NameNode(StorageError::TimedOut { op, path, limit: NAMENODE });
            return (Err(error), Duration::ZERO);
        }
    };
    let of_namenode = (making * CALLS).min(NAMENODE);
    let rest = (limit + of_namenode).saturating_sub(begun.elapsed());
    match tokio::time::timeout(rest, &mut task).await {
        Ok(Ok(result)) => (result, making),
        Ok(Err(panic)) => {
            let (path, reason) = (target.path.to_owned(), format!("the HDFS client gave up: {panic}"));
            (Err(Failure::DataNodes(StorageError::Unavailable { op: "create", path, reason })), making)
        }
        // All of the limit was for the DataNodes.
        Err(_) => (Err(too_long(target.path, limit)), of_namenode),
    }
}

fn too_long(path: &str, limit: Duration) -> Failure {
    Failure::DataNodes(StorageError::TimedOut { op: "create", path: path.to_owned(), limit })
}

async fn put(
    client: &Client,
    full: &str,
    path: &str,
    mut data: Bytes,
    replicas: Option<u32>,
    made: oneshot::Sender<()>,
    abandoned: &AtomicBool,
) -> Result<(), Failure> {
    let mut options = WriteOptions::default().overwrite(false).create_parent(false);
    options.replication = replicas;
    options.block_size = Some((data.len() as u64).next_multiple_of(BLOCK.0).clamp(BLOCK.0, BLOCK.1));
    let failure = |e: HdfsError| {
        let known = classify("create", path, &e);
        if from_namenode(&e) { Failure::NameNode(known) } else { Failure::DataNodes(known) }
    };
    // Whatever this fails by, there is no file of ours that DataNodes could have failed.
    let created = client.create(full, &options).await;
    let mut writer = created.map_err(|e| Failure::NameNode(classify("create", path, &e)))?;
    // Nobody waits for an abandoned one.
    _ = made.send(());
    let abandoned = || abandoned.load(Ordering::Relaxed);
    while !data.is_empty() && !abandoned() {
        let chunk = data.split_to(data.len().min(CHUNK));
        Box::pin(failing::io("stage.write", writer.write_bytes(chunk))).await.map_err(failure)?;
    }
    if !abandoned() {
        // Without it the bytes are in the DataNodes' memory only when `close` returns.
        writer.hsync().await.map_err(failure)?;
    }
    // Of an abandoned try, too: only this ends the tasks that keep its connections open.
    Box::pin(failing::io("stage.close", writer.close())).await.map_err(failure)
}

/// Deletes what a try has left, and finds out the full number of replicas from it before.
async fn clean_up(target: &Target<'_>, plan: &mut Plan<'_>) -> Result<(), StorageError> {
    let (client, full) = (target.client, target.full);
    if plan.needs_wanted() {
        match soon("create", target.path, client.get_file_info(full)).await {
            Ok(status) => plan.learn(status.replication.unwrap_or(1)),
            // The create has not come through: the call ends after this.
            Err(StorageError::NotFound { .. }) => {}
            Err(e) => return Err(e),
        }
    }
    soon("create", target.path, client.delete(full, false)).await.map(drop)
}

/// Asks the NameNode for the full number of replicas. It makes them when DataNodes are there.
async fn raise(target: &Target<'_>, wanted: u32) -> Result<(), StorageError> {
    match soon("create", target.path, target.client.set_replication(target.full, wanted)).await {
        // Written and safe, only not as often as it should be: no reason to write it for ever.
        Err(e @ StorageError::Refused { .. }) => {
            warn!(error = %e, path = target.path, wanted, "a file keeps fewer replicas than it should have");
            Ok(())
        }
        other => other.map(drop),
    }
}

async fn soon<T>(
    op: &'static str,
    path: &str,
    call: impl Future<Output = Result<T, HdfsError>>,
) -> Result<T, StorageError> {
    match tokio::time::timeout(NAMENODE, call).await {
        Ok(result) => result.map_err(|e| classify(op, path, &e)),
        Err(_) => Err(StorageError::TimedOut { op, path: path.to_owned(), limit: NAMENODE }),
    }
}
