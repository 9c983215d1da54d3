//! Wiring: the one file that sees everything.

mod accept;
mod audit;
mod check;
mod declared;
mod error;
mod host;
mod letters;
mod measured;
mod overlap;
mod prepare;
mod register;
mod reload;
mod serve;
mod status;
mod success;
mod telling;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use tokio::sync::watch;
use tracing::{info, warn};
use uuid::Uuid;

use crate::batch::{Plan, Trigger};
use crate::catalog::{self, Catalog, HiveCatalog, NewPartitions, RegistrarStatus, Wanted};
use crate::checkpoint::Layout;
use crate::commit::{Committer, Job, Log, LogError, Opened};
use crate::config::Settings;
use crate::config::settings::StartingOffsets;
use crate::model::{Offset, TopicPartition};
use crate::observe::{Metrics, Phase, Status};
use crate::pipeline::{EncodeContext, Memory, Parts, Pipeline, PipelineError, Planner, Reporter, Upkeep, Workers};
use crate::schema::Table;
use crate::source::{KafkaConfig, KafkaSource, SourceError, end_offsets, reach};
use crate::storage::{HdfsStorage, LocalStorage, Storage, TimedStorage};

pub use accept::{From, Gap, OperatorLog, Renewal};
pub use check::{CheckReport, Line, Mark, migration_errors};
pub use declared::read_migrations;
use declared::{Declared, declare};
pub use error::AppError;
pub use measured::MeasuredStorage;
use reload::{Listeners, Reloading};
pub use reload::{Reload, log_filter};
pub use serve::Serving;
pub use status::StatusReport;
pub use success::SuccessError;

/// A job whose configuration is sound: nothing was reached or written yet.
#[derive(Clone)]
pub struct App {
    settings: Settings,
    tables: Vec<Table>,
    plan: Arc<Plan>,
    locations: Vec<String>,
    storage: Arc<dyn Storage>,
    catalog: Option<Arc<dyn Catalog>>,
    /// Partitions that are perhaps not registered yet.
    new_partitions: NewPartitions,
    metrics: Metrics,
    /// Tables whose partitions are registered by this process.
    partitioned: Arc<RwLock<BTreeSet<String>>>,
    /// Whether messages come with their headers, as the plan of the start wanted them.
    reads_headers: bool,
}

/// How a job ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Never: until it is told to stop.
    Daemon,
    /// When all that was in the topics at the start is landed.
    AvailableNow,
}

impl App {
    /// Checks everything that can be checked without reaching anything. All errors at once.
    pub fn new(settings: Settings, migration_files: &[(String, String)]) -> Result<App, AppError> {
        let Declared { tables, plan, locations } = declare(&settings, migration_files)?;
        let metrics = Metrics::new();
        let storage = open_storage(&settings, &metrics)?;
        let catalog = match &settings.metastore {
            Some(m) => {
                let catalog = HiveCatalog::new(m, user(&settings));
                Some(Arc::new(catalog.map_err(|e| AppError::Config(vec![e.to_string()]))?) as Arc<dyn Catalog>)
            }
            None => None,
        };
        let (new_partitions, partitioned, reads_headers) = (NewPartitions::new(), Arc::default(), plan.wants_headers());
        Ok(App {
            settings,
            tables,
            plan,
            locations,
            storage,
            catalog,
            new_partitions,
            metrics,
            partitioned,
            reads_headers,
        })
    }

    /// This job with another configuration, on the same services.
    fn renewed(&self, settings: Settings, migration_files: &[(String, String)]) -> Result<App, AppError> {
        let Declared { tables, plan, locations } = declare(&settings, migration_files)?;
        Ok(App { settings, tables, plan, locations, ..self.clone() })
    }

    /// The tables in the order of the migrations, each with its directory on the storage.
    pub fn tables(&self) -> impl Iterator<Item = (&Table, &str)> {
        self.tables.iter().zip(self.locations.iter().map(String::as_str))
    }

    /// What the daemon logs: `logging.level`.
    pub fn log_level(&self) -> &str {
        &self.settings.log_level
    }

    /// Where files go.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    /// What is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    fn wanted(&self) -> Vec<Wanted> {
        let database = database(&self.settings);
        self.tables().map(|(t, dir)| Wanted::new(t, database, dir, self.storage.uri(dir))).collect()
    }

    fn kafka(&self) -> KafkaConfig {
        KafkaConfig { queue_bytes: self.settings.memory.queue(), ..KafkaConfig::from(&self.settings.kafka) }
    }

    /// Runs the job. `stop` turning true lands what is buffered and ends it; `status` follows every batch.
    pub async fn run(
        &self,
        mode: Mode,
        stop: watch::Receiver<bool>,
        status: watch::Sender<Status>,
    ) -> Result<(), AppError> {
        self.run_reloading(mode, stop, status, None).await
    }

    /// The same, taking over the configuration that `reload` brings while it runs.
    pub async fn run_reloading(
        &self,
        mode: Mode,
        stop: watch::Receiver<bool>,
        status: watch::Sender<Status>,
        reload: Option<Reload>,
    ) -> Result<(), AppError> {
        let incarnation = Uuid::new_v4();
        let (registrar, registered) = watch::channel(RegistrarStatus::default());
        let _telling = self.tell(incarnation, &status, registered);
        let start = async {
            let partitions = self.reach_kafka(mode).await?;
            self.compare_with_metastore().await?;
            self.open_log(incarnation, &partitions).await
        };
        // A start that waits for a service must hear a stop too; it may be cut off anywhere, as by a kill.
        let mut stopped = stop.clone();
        let started = tokio::select! {
            started = start => Some(started),
            _ = stopped.wait_for(|s| *s) => None,
        };
        let Some(committer) = started else { return Ok(()) };
        let committer = committer?;
        status.send_modify(|s| s.phase = Phase::Running);
        let result = self.land(mode, committer, stop, (status, registrar), reload).await;
        if !matches!(result, Err(AppError::Pipeline(PipelineError::Unlanded { .. }))) {
            self.clear_staging(incarnation).await;
        }
        result
    }

    /// What this process staged and did not land is of no use to anybody; what stays is collected by a later start.
    async fn clear_staging(&self, incarnation: Uuid) {
        let own = log_layout(&self.settings).incarnation(incarnation);
        _ = tokio::time::timeout(Duration::from_secs(5), self.storage.delete(&own)).await;
    }

    async fn land(
        &self,
        mode: Mode,
        committer: Committer,
        stop: watch::Receiver<bool>,
        (status, registrar): (watch::Sender<Status>, watch::Sender<RegistrarStatus>),
        reload: Option<Reload>,
    ) -> Result<(), AppError> {
        let until = match mode {
            Mode::Daemon => None,
            Mode::AvailableNow => Some(self.ends().await?),
        };
        let (wanted, registrar) = self.keep_registered(registrar);
        let sink = self.storage.uri("/");
        let (topics, headers) = (&self.settings.kafka.topics, self.plan.wants_headers());
        let source = KafkaSource::subscribe_with(&self.kafka(), topics, headers, &self.metrics)?;
        let pipeline = Pipeline::new(Parts {
            source: Box::new(source),
            plan: self.plan.clone(),
            trigger: Trigger::new(&self.settings.trigger),
            encode: self.encode_context(),
            workers: Workers::new(cores()).map_err(AppError::Start)?,
            memory: Memory::new(self.settings.memory.between()),
            committer,
            reporter: Reporter::new(&self.settings.job, &sink, status.clone(), self.metrics.clone()),
            upkeep: Upkeep::new(self.settings.log.staging_retention, self.settings.log.retention),
            record_gaps: self.settings.kafka.record_gaps,
            until,
        });
        let pipeline = pipeline.stop_within(self.settings.stop_within);
        let result = match reload {
            Some(reload) => {
                let (planner, plans) = Planner::new();
                let reloading = Reloading::new(self.clone(), reload, Listeners { planner, wanted, status });
                tokio::select! {
                    result = Box::pin(pipeline.with_plans(plans).run(stop)) => result,
                    never = Box::pin(reloading.run()) => match never {},
                }
            }
            None => {
                // Live views end with the last sender.
                drop(status);
                Box::pin(pipeline.run(stop)).await
            }
        };
        if let Some((task, registered)) = registrar {
            wait_for_registration(mode, registered, &self.new_partitions).await;
            task.abort();
        }
        Ok(result?)
    }

    fn encode_context(&self) -> Arc<EncodeContext> {
        let (job, plan, locations) = (self.settings.job.clone(), self.plan.clone(), self.locations.clone());
        Arc::new(EncodeContext::new(job, plan, locations))
    }

    async fn reach_kafka(&self, mode: Mode) -> Result<Vec<TopicPartition>, AppError> {
        let (kafka, topics) = (self.kafka(), self.settings.kafka.topics.clone());
        let found = blocking(move || reach(&kafka, &topics)).await?;
        for topic in &self.settings.kafka.topics {
            if !found.iter().any(|tp| *tp.topic == **topic) {
                let servers = self.settings.kafka.bootstrap_servers.clone();
                if mode == Mode::AvailableNow {
                    return Err(SourceError::NoTopic { topic: topic.clone(), servers }.into());
                }
                warn!(topic, "the topic does not exist yet: waiting for it");
            }
        }
        Ok(found)
    }

    async fn ends(&self) -> Result<BTreeMap<TopicPartition, i64>, AppError> {
        let (kafka, topics) = (self.kafka(), self.settings.kafka.topics.clone());
        Ok(blocking(move || end_offsets(&kafka, &topics)).await?)
    }

    /// A table that the metastore holds differently stops the start; a metastore that is away does not.
    async fn compare_with_metastore(&self) -> Result<(), AppError> {
        let Some(catalog) = &self.catalog else { return Ok(()) };
        let differing = catalog::check_once(catalog.as_ref(), &self.wanted()).await.unwrap_or_default();
        let lines = differing.into_iter().flat_map(|(table, differences)| {
            differences
                .into_iter()
                .map(move |d| format!("table {table} differs from its migration in the metastore: {d}"))
        });
        let lines: Vec<_> = lines.collect();
        if lines.is_empty() { Ok(()) } else { Err(AppError::Config(lines)) }
    }

    fn log(&self) -> Log {
        Log::new(self.storage.clone(), log_layout(&self.settings), self.host())
    }

    fn job(&self) -> Job {
        let tables = self.tables().map(|(t, dir)| (t.name.clone(), dir.to_owned())).collect();
        Job { name: self.settings.job.clone(), topics: self.settings.kafka.topics.clone(), tables }
    }

    async fn open_log(&self, incarnation: Uuid, partitions: &[TopicPartition]) -> Result<Committer, AppError> {
        let (log, job) = (self.log(), self.job());
        self.prepare(&log, &job, incarnation).await?;
        let starts = match self.settings.kafka.starting_offsets {
            StartingOffsets::Latest if !log.exists().await? => {
                let ends = self.ends().await?;
                ends.into_iter().map(|(tp, high)| (tp, Offset(high))).collect()
            }
            _ => Vec::new(),
        };
        let opened = log.open(&job, &starts).await?;
        let age_ms = self.settings.log.staging_retention.as_millis() as i64;
        let deleted = log.collect_staging(incarnation, age_ms).await?;
        let checkpoint = self.storage.uri(&self.settings.storage.checkpoint);
        info!(
            checkpoint,
            job = opened.job.job,
            next_batch = opened.state.next().0,
            epoch = opened.state.epoch(),
            first_start = opened.first_start,
            kafka_partitions = partitions.len(),
            old_staging_deleted = deleted,
            "the log is open"
        );
        Ok(self.committer(log, opened, incarnation))
    }

    fn committer(&self, log: Log, opened: Opened, incarnation: Uuid) -> Committer {
        let instance = instance(incarnation);
        let slots_per_epoch = self.settings.log.slots_per_epoch.get();
        Committer::new(log, opened.job, opened.state, incarnation, instance, slots_per_epoch)
    }

    fn reached(&self, e: LogError) -> AppError {
        match e {
            LogError::Storage(source) => AppError::Storage { url: self.settings.storage.url.clone(), source },
            other => other.into(),
        }
    }
}

fn log_layout(settings: &Settings) -> Layout {
    Layout::new(&settings.storage.checkpoint)
}

/// Of tables whose DDL names none.
fn database(settings: &Settings) -> &str {
    settings.metastore.as_ref().map_or("default", |m| &m.database)
}

/// Who we are to HDFS, and so to the metastore: whom the tables belong to.
fn user(settings: &Settings) -> Option<String> {
    settings.storage.user.clone().or_else(|| variable("HADOOP_USER_NAME")).or_else(|| variable("USER"))
}

fn open_storage(settings: &Settings, metrics: &Metrics) -> Result<Arc<dyn Storage>, AppError> {
    let s = &settings.storage;
    let fail = |source| AppError::Storage { url: s.url.clone(), source };
    let inner: Arc<dyn Storage> = match s.url.strip_prefix("file://") {
        Some(root) => Arc::new(LocalStorage::new(root)),
        None => Arc::new(HdfsStorage::new(&s.url, s.user.as_deref(), &s.properties).map_err(fail)?),
    };
    let timed = TimedStorage::new(inner, s.call_timeout, s.write_timeout);
    Ok(Arc::new(MeasuredStorage::new(Arc::new(timed), metrics)))
}

/// A batch run that ends before its tables are known would leave its rows invisible until the next run.
async fn wait_for_registration(
    mode: Mode,
    mut registered: watch::Receiver<RegistrarStatus>,
    new_partitions: &NewPartitions,
) {
    if mode == Mode::AvailableNow {
        let known = async {
            let mut waiting = new_partitions.subscribe();
            _ = registered.wait_for(|s| !s.tables.is_empty() && s.unregistered() == 0).await;
            _ = waiting.wait_for(BTreeSet::is_empty).await;
        };
        if tokio::time::timeout(Duration::from_secs(30), known).await.is_err() {
            warn!(
                "not all tables and partitions are registered in the metastore: their rows are landed, and the next run registers them"
            );
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))
}

/// Cores that this process may use.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}

/// A variable of the environment that says something.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// Names this process in manifests, and wherever it is told from others.
fn instance(incarnation: Uuid) -> String {
    format!("{}/{}/{incarnation}", hostname(), std::process::id())
}

fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| "host".to_owned(), |h| h.trim().to_owned())
}
