//! Between a daemon and the world: every call of the storage, and every wait, is parked until the scheduler answers it.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use landfall::commit::{Batch, ContentError, DataFile, Defect, Host};
use landfall::model::Slot;
use landfall::storage::{Entry, Parents, Storage, StorageError};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;

/// What a daemon asks for.
#[derive(Debug, Clone)]
pub enum Call {
    Mkdir(String, Parents),
    Create(String, Bytes),
    Read(String),
    List(String),
    Rename(String, String),
    Delete(String),
    Wait,
}

#[derive(Debug)]
pub enum Answer {
    Done,
    Bytes(Bytes),
    Listing(Vec<Entry>),
    Deleted(bool),
}

pub type Reply = Result<Answer, StorageError>;

impl Call {
    pub fn op(&self) -> &'static str {
        match self {
            Call::Mkdir(..) => "mkdir",
            Call::Create(..) => "create",
            Call::Read(_) => "read",
            Call::List(_) => "list",
            Call::Rename(..) => "rename",
            Call::Delete(_) => "delete",
            Call::Wait => "wait",
        }
    }

    pub fn path(&self) -> &str {
        match self {
            Call::Mkdir(p, _) | Call::Create(p, _) | Call::Read(p) | Call::List(p) => p,
            Call::Rename(p, _) | Call::Delete(p) => p,
            Call::Wait => "",
        }
    }

    /// Where a rename goes.
    pub fn to(&self) -> &str {
        if let Call::Rename(_, to) = self { to } else { "" }
    }

    pub fn changes(&self) -> bool {
        !matches!(self, Call::Read(_) | Call::List(_) | Call::Wait)
    }

    /// The rename that decides: into a slot of the log.
    pub fn is_commit(&self) -> bool {
        self.to().contains("/log/e0")
    }

    pub fn unavailable(&self) -> StorageError {
        let (op, path) = (self.op(), self.path().to_owned());
        StorageError::Unavailable { op, path, reason: "simulated".to_owned() }
    }

    pub fn timed_out(&self) -> StorageError {
        StorageError::TimedOut { op: self.op(), path: self.path().to_owned(), limit: Duration::ZERO }
    }
}

#[derive(Debug, Default)]
pub struct Parked {
    next: u64,
    calls: BTreeMap<u64, Call>,
    wakers: BTreeMap<u64, Waker>,
    replies: BTreeMap<u64, Reply>,
    /// Calls that nobody waits for any more: they may have been sent.
    pub dropped: Vec<Call>,
}

/// One life of a daemon, as the scheduler sees it.
#[derive(Debug, Default)]
pub struct Wire(Mutex<Parked>);

impl Wire {
    fn parked(&self) -> MutexGuard<'_, Parked> {
        self.0.lock().unwrap()
    }

    /// The calls that wait for an answer, oldest first.
    pub fn pending(&self) -> Vec<(u64, Call)> {
        self.parked().calls.iter().map(|(id, call)| (*id, call.clone())).collect()
    }

    pub fn answer(&self, id: u64, reply: Reply) {
        let mut parked = self.parked();
        parked.calls.remove(&id);
        parked.replies.insert(id, reply);
        if let Some(waker) = parked.wakers.remove(&id) {
            waker.wake();
        }
    }

    pub fn take_dropped(&self) -> Vec<Call> {
        std::mem::take(&mut self.parked().dropped)
    }

    fn call(self: &Arc<Wire>, call: Call) -> Parking {
        let mut parked = self.parked();
        parked.next += 1;
        let id = parked.next;
        parked.calls.insert(id, call);
        Parking { wire: self.clone(), id }
    }
}

/// A call under way.
struct Parking {
    wire: Arc<Wire>,
    id: u64,
}

impl Future for Parking {
    type Output = Reply;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reply> {
        let mut parked = self.wire.parked();
        match parked.replies.remove(&self.id) {
            Some(reply) => Poll::Ready(reply),
            None => {
                parked.wakers.insert(self.id, cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Parking {
    fn drop(&mut self) {
        let mut parked = self.wire.parked();
        parked.wakers.remove(&self.id);
        parked.replies.remove(&self.id);
        if let Some(call) = parked.calls.remove(&self.id) {
            parked.dropped.push(call);
        }
    }
}

/// A daemon's storage: the other end of its wire.
#[derive(Debug)]
pub struct SimStorage(pub Arc<Wire>);

impl SimStorage {
    async fn done(&self, call: Call) -> Result<(), StorageError> {
        self.0.call(call).await.map(|_| ())
    }
}

#[async_trait]
impl Storage for SimStorage {
    fn uri(&self, path: &str) -> String {
        format!("sim://{path}")
    }
    async fn mkdir(&self, path: &str, parents: Parents) -> Result<(), StorageError> {
        self.done(Call::Mkdir(path.to_owned(), parents)).await
    }
    async fn create(&self, path: &str, data: Bytes) -> Result<(), StorageError> {
        self.done(Call::Create(path.to_owned(), data)).await
    }
    async fn read(&self, path: &str) -> Result<Bytes, StorageError> {
        match self.0.call(Call::Read(path.to_owned())).await? {
            Answer::Bytes(bytes) => Ok(bytes),
            other => panic!("{other:?} to a read"),
        }
    }
    async fn list(&self, path: &str) -> Result<Vec<Entry>, StorageError> {
        match self.0.call(Call::List(path.to_owned())).await? {
            Answer::Listing(entries) => Ok(entries),
            other => panic!("{other:?} to a list"),
        }
    }
    async fn rename(&self, from: &str, to: &str) -> Result<(), StorageError> {
        self.done(Call::Rename(from.to_owned(), to.to_owned())).await
    }
    async fn delete(&self, path: &str) -> Result<bool, StorageError> {
        match self.0.call(Call::Delete(path.to_owned())).await? {
            Answer::Deleted(there) => Ok(there),
            other => panic!("{other:?} to a delete"),
        }
    }
}

/// A daemon's process: ids and choices from the seed, and a wait is over when the scheduler says so.
#[derive(Debug)]
pub struct SimHost {
    wire: Arc<Wire>,
    rng: Mutex<StdRng>,
    defects: &'static [Defect],
    /// Whether the log is open: reading a snapshot after that is opening it anew.
    pub open: AtomicBool,
}

impl SimHost {
    /// Everything in the world has time 0, so that an age below this is over and any other is not.
    pub const NOW_MS: i64 = 1000;

    pub fn new(wire: Arc<Wire>, seed: u64, defects: &'static [Defect]) -> SimHost {
        let rng = Mutex::new(StdRng::seed_from_u64(seed));
        SimHost { wire, rng, defects, open: AtomicBool::new(false) }
    }

    pub fn chance(&self, p: f64) -> bool {
        self.rng.lock().unwrap().random_bool(p)
    }

    /// One of `1..=most`.
    pub fn up_to(&self, most: i64) -> i64 {
        self.rng.lock().unwrap().random_range(1..=most)
    }

    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// A point at which others may run, or this one die.
    pub async fn yield_now(&self) {
        // A wait cannot fail.
        _ = self.wire.call(Call::Wait).await;
    }
}

#[async_trait]
impl Host for SimHost {
    fn now_ms(&self) -> i64 {
        SimHost::NOW_MS
    }
    fn new_id(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.rng.lock().unwrap().random()).into_uuid()
    }
    async fn pause(&self, _: Duration) {
        self.yield_now().await;
    }
    async fn encode(&self, batch: Arc<Batch>, slot: Slot) -> Result<Vec<DataFile>, ContentError> {
        batch.content.files(slot)
    }
    fn has(&self, defect: Defect) -> bool {
        self.defects.contains(&defect)
    }
}
