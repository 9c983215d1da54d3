//! Starting a job: its checkpoint is made or adopted, its tables are claimed, its log is read.

use uuid::Uuid;

use super::log::{Log, LogError};
use crate::checkpoint::{EpochFile, FORMAT_VERSION, JobFile, Layout, LogState, OwnerFile};
use crate::model::{Offset, Slot, TopicPartition};
use crate::storage::{Parents, StorageError, failing};

/// Who starts.
#[derive(Debug, Clone)]
pub struct Job {
    /// The configuration's `job`.
    pub name: String,
    /// Its topics.
    pub topics: Vec<String>,
    /// Its tables: name and directory.
    pub tables: Vec<(String, String)>,
}

/// An opened log.
#[derive(Debug)]
pub struct Opened {
    /// The job's file.
    pub job: JobFile,
    /// The state, all published.
    pub state: LogState,
    /// Whether this start began the log.
    pub first_start: bool,
}

impl Log {
    /// Refuses a checkpoint or a table of another job, and writes nothing. [`Log::open`] looks again, for others may
    /// start at the same time.
    pub async fn check(&self, job: &Job) -> Result<(), LogError> {
        // A listing has a shorter limit than a read, should the storage be away.
        self.exists().await?;
        // The owners first: a twin that starts just now writes the job's file before them.
        let mut owners = Vec::new();
        for (table, dir) in &job.tables {
            owners.push((table, dir, self.read_owner(dir).await?));
        }
        let id = self.read_job(job).await?.map(|file| file.id);
        let mut found = owners.into_iter().filter_map(|(table, dir, owner)| Some((table, dir, owner?)));
        found.try_for_each(|(table, dir, owner)| self.compare_owner(table, dir, &owner, &job.name, id))
    }

    /// Makes the checkpoint's directories and this process's own in staging, and the tables' directories.
    pub async fn make_directories(&self, incarnation: Uuid, job: &Job) -> Result<(), LogError> {
        self.storage.mkdir(&self.layout.staging(), Parents::Create).await?;
        self.storage.mkdir(&self.layout.epochs(), Parents::Create).await?;
        self.storage.mkdir(&self.layout.incarnation(incarnation), Parents::Require).await?;
        for (_, dir) in &job.tables {
            self.storage.mkdir(dir, Parents::Create).await?;
        }
        Ok(())
    }

    /// Whether a log stands here already: then `starting_offsets` no longer counts.
    pub async fn exists(&self) -> Result<bool, LogError> {
        match self.storage.list(&self.layout.epochs()).await {
            Ok(entries) => Ok(!entries.is_empty()),
            Err(StorageError::NotFound { .. }) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    /// Opens the job's log, or begins it at `starts`. Partitions that are not in `starts` begin with their oldest
    /// message. Several daemons may do this at once: each file is put once, and the first one counts.
    pub async fn open(&self, job: &Job, starts: &[(TopicPartition, Offset)]) -> Result<Opened, LogError> {
        let file = self.claim_tables(job).await?;
        let first_start = !self.exists().await?;
        if first_start {
            self.begin_log(file.id, starts).await?;
        }
        let state = self.reopen(file.id).await?;
        Ok(Opened { job: file, state, first_start })
    }

    /// Claims the job's tables for it, whose directories are there, and gives its file, which is made if there is none.
    pub async fn claim_tables(&self, job: &Job) -> Result<JobFile, LogError> {
        let file = self.job_file(job).await?;
        for (table, dir) in &job.tables {
            self.claim_table(&file, table, dir).await?;
        }
        Ok(file)
    }

    /// Reads the log from its newest epoch on, and publishes its last slot. Of the others, old ones mostly, the process
    /// hears nothing.
    pub async fn reopen(&self, job: Uuid) -> Result<LogState, LogError> {
        let mut state = self.last_snapshot(job).await?;
        match self.follow(&mut state, false).await {
            // The epoch was closed and deleted while it was read.
            Err(LogError::Storage(StorageError::NotFound { .. })) if self.newest_epoch().await? > state.epoch() => {
                state = self.last_snapshot(job).await?;
                self.follow(&mut state, false).await?;
            }
            read => _ = read?,
        }
        Ok(state)
    }

    /// Where the log stands, read only: nothing is published, registered or made. `None`: the job has not begun. A daemon
    /// that closes an epoch meanwhile may be one epoch ahead of the answer.
    pub async fn peek(&self, job: &Job) -> Result<Option<LogState>, LogError> {
        let Some(file) = self.read_job(job).await? else { return Ok(None) };
        if !self.exists().await? {
            return Ok(None);
        }
        let mut state = self.last_snapshot(file.id).await?;
        while self.look_on(&mut state).await? {}
        Ok(Some(state))
    }

    async fn job_file(&self, job: &Job) -> Result<JobFile, LogError> {
        if let Some(file) = self.read_job(job).await? {
            return Ok(file);
        }
        let file = JobFile {
            v: FORMAT_VERSION,
            job: job.name.clone(),
            id: self.host.new_id(),
            created_ms: self.host.now_ms(),
            topics: job.topics.clone(),
            tables: job.tables.iter().map(|(name, _)| name.clone()).collect(),
            shards: 1,
        };
        let path = self.layout.job_file();
        failing::at("open.job", &path, self.put_once(&path, file.to_bytes())).await?;
        // Not ours if a twin was quicker.
        self.read_job(job).await?.ok_or_else(|| lost("read", self.layout.job_file()))
    }

    async fn read_job(&self, job: &Job) -> Result<Option<JobFile>, LogError> {
        let path = self.layout.job_file();
        let Some(bytes) = self.read_if_there(&path).await? else { return Ok(None) };
        let file = JobFile::parse(&path, &bytes)?;
        if file.job != job.name {
            return Err(LogError::Config(format!(
                "the checkpoint {} belongs to job `{}`, and this configuration says job = \"{}\". \
                 Give every job a checkpoint of its own (storage.checkpoint), or the right name (job)",
                self.storage.uri(self.layout.root()),
                file.job,
                job.name
            )));
        }
        Ok(Some(file))
    }

    /// Marks a table's directory, which had to be made again, as this job's once more.
    pub(super) async fn mark_again(&self, dir: &str) -> Result<(), StorageError> {
        let path = self.layout.job_file();
        match JobFile::parse(&path, &self.storage.read(&path).await?) {
            Ok(job) => self.put_once(&Layout::owner_file(dir), self.owner(&job).to_bytes()).await,
            // Nobody starts on a job file like that; publishing what is committed goes on.
            Err(_) => Ok(()),
        }
    }

    fn owner(&self, job: &JobFile) -> OwnerFile {
        let checkpoint = self.storage.uri(self.layout.root());
        OwnerFile { v: FORMAT_VERSION, job: job.job.clone(), id: job.id, checkpoint }
    }

    async fn claim_table(&self, job: &JobFile, table: &str, dir: &str) -> Result<(), LogError> {
        let owner = match self.read_owner(dir).await? {
            Some(owner) => owner,
            None => {
                let owner = self.owner(job);
                let path = Layout::owner_file(dir);
                failing::at("open.owner", &path, self.put_once(&path, owner.to_bytes())).await?;
                self.read_owner(dir).await?.ok_or_else(|| lost("read", Layout::owner_file(dir)))?
            }
        };
        self.compare_owner(table, dir, &owner, &job.job, Some(job.id))
    }

    async fn read_owner(&self, dir: &str) -> Result<Option<OwnerFile>, LogError> {
        let path = Layout::owner_file(dir);
        let bytes = self.read_if_there(&path).await?;
        Ok(bytes.map(|bytes| OwnerFile::parse(&path, &bytes)).transpose()?)
    }

    /// `id`: the job's, if it has a checkpoint yet.
    fn compare_owner(
        &self,
        table: &str,
        dir: &str,
        owner: &OwnerFile,
        job: &str,
        id: Option<Uuid>,
    ) -> Result<(), LogError> {
        if Some(owner.id) == id {
            return Ok(());
        }
        let this = id.map_or("has no checkpoint yet".to_owned(), |id| format!("id {id}"));
        Err(LogError::Config(format!(
            "table {table}: {} is fed by job `{}` (id {}, checkpoint {}), this is job `{job}` ({this}). Two jobs must \
             not feed one table. If that checkpoint was deleted on purpose, delete the table's files and its \
             _owner.json too, else every row would land a second time",
            self.storage.uri(dir),
            owner.job,
            owner.id,
            owner.checkpoint,
        )))
    }

    async fn begin_log(&self, job: Uuid, starts: &[(TopicPartition, Offset)]) -> Result<(), LogError> {
        let dir = self.new_epoch_name(1);
        self.storage.mkdir(&self.layout.epoch_dir(&dir), Parents::Require).await?;
        let snapshot = LogState::first_snapshot(job, starts);
        self.storage.create(&self.layout.snapshot(&dir), snapshot.to_bytes()).await?;
        let entry = EpochFile { v: FORMAT_VERSION, dir, base_slot: Slot(0) };
        let path = self.layout.epoch_file(1);
        Ok(failing::at("open.epoch", &path, self.put_once(&path, entry.to_bytes())).await?)
    }
}

/// A file that was just put is gone.
fn lost(op: &'static str, path: String) -> LogError {
    StorageError::NotFound { op, path }.into()
}
