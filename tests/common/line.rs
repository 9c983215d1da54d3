//! The whole flow in memory: topics, daemons and tables with the seeds' own migrations and configuration.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use landfall::batch::{Plan, Trigger};
use landfall::checkpoint::Layout;
use landfall::commit::{Committer, Job, Log, RealHost};
use landfall::config::{Settings, load_embedded};
use landfall::encode::read_back;
use landfall::model::TopicPartition;
use landfall::observe::{Metrics, Status};
use landfall::pipeline::{EncodeContext, Memory, NextPlans, Parts, Pipeline, PipelineError, Reporter, Upkeep, Workers};
use landfall::schema::{Table, migrations};
use landfall::source::{MemorySource, MemoryTopic};
use landfall::storage::Storage;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

pub const MIGRATIONS: [(&str, &str); 4] = [
    ("0001_sword_purchases.sql", include_str!("../../migrations/0001_sword_purchases.sql")),
    ("0002_purchases.sql", include_str!("../../migrations/0002_purchases.sql")),
    ("0003_guilds.sql", include_str!("../../migrations/0003_guilds.sql")),
    ("0004_dead_letters.sql", include_str!("../../migrations/0004_dead_letters.sql")),
];

pub fn partition(p: i32) -> TopicPartition {
    TopicPartition::new("events", p)
}

pub fn settings(overrides: &[(&str, &str)]) -> Settings {
    let base = [("LANDFALL__TRIGGER__INTERVAL", "50ms")];
    let all = base.iter().chain(overrides).map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    load_embedded(all.collect::<BTreeMap<_, _>>().into_iter()).unwrap()
}

pub struct Running {
    pub stop: watch::Sender<bool>,
    pub status: watch::Receiver<Status>,
    pub memory: Memory,
    pub metrics: Metrics,
    pub task: JoinHandle<Result<(), PipelineError>>,
}

impl Running {
    pub async fn landed(&mut self, messages: u64) {
        let landed = self.status.wait_for(|s| s.messages >= messages);
        tokio::time::timeout(Duration::from_secs(20), landed).await.expect("lands in time").unwrap();
    }
    pub async fn stop(self) -> Result<(), PipelineError> {
        self.stop.send_replace(true);
        self.task.await.unwrap()
    }
}

pub fn tables() -> Vec<Table> {
    migrations::load(&MIGRATIONS.map(|(n, t)| (n.to_owned(), t.to_owned()))).unwrap()
}

/// Opens the job's log, with short epochs.
pub async fn committer(storage: &Arc<dyn Storage>) -> Committer {
    let log = Log::new(storage.clone(), Layout::new("/checkpoint"), Arc::new(RealHost));
    let incarnation = Uuid::new_v4();
    let tables = tables().into_iter().map(|t| (t.name, t.location)).collect();
    let job = Job { name: "test".to_owned(), topics: vec!["events".to_owned()], tables };
    log.make_directories(incarnation, &job).await.unwrap();
    let opened = log.open(&job, &[]).await.unwrap();
    Committer::new(log, opened.job, opened.state, incarnation, "test".to_owned(), 5)
}

/// Starts a daemon on a topic and a storage, as `landfall run` does.
pub async fn start(
    topic: &MemoryTopic,
    storage: &Arc<dyn Storage>,
    settings: &Settings,
    until: Option<BTreeMap<TopicPartition, i64>>,
) -> Running {
    start_with_plans(topic, storage, settings, until, NextPlans::default()).await
}

/// The same, going on with what `plans` brings.
pub async fn start_with_plans(
    topic: &MemoryTopic,
    storage: &Arc<dyn Storage>,
    settings: &Settings,
    until: Option<BTreeMap<TopicPartition, i64>>,
    plans: NextPlans,
) -> Running {
    let tables = tables();
    let plan = Arc::new(Plan::new(&tables, settings).unwrap());
    let locations = tables.iter().map(|t| t.location.clone()).collect();
    let committer = committer(storage).await;
    let (stop, stopped) = watch::channel(false);
    let (sender, status) = watch::channel(Status::default());
    let (memory, metrics) = (Memory::new(settings.memory.between()), Metrics::new());
    let pipeline = Pipeline::new(Parts {
        source: Box::new(MemorySource::subscribe(topic, 7)),
        plan: plan.clone(),
        trigger: Trigger::new(&settings.trigger),
        encode: Arc::new(EncodeContext::new("test".to_owned(), plan, locations)),
        workers: Workers::new(2).unwrap(),
        memory: memory.clone(),
        committer,
        reporter: Reporter::new("test", "memory:///", sender, metrics.clone()),
        upkeep: Upkeep::new(Duration::from_secs(3600), Duration::from_secs(3600)),
        record_gaps: settings.kafka.record_gaps,
        until,
    });
    let pipeline = pipeline.stop_within(settings.stop_within).with_plans(plans);
    Running { stop, status, memory, metrics, task: tokio::spawn(pipeline.run(stopped)) }
}

/// All rows of a table, one column of each, sorted.
pub async fn column(storage: &Arc<dyn Storage>, table: &str, column: &str) -> Vec<Option<String>> {
    let dir = format!("/tmp/{table}");
    let mut values = Vec::new();
    for entry in storage.list(&dir).await.unwrap() {
        if entry.name.starts_with('_') {
            continue;
        }
        let bytes = storage.read(&format!("{dir}/{}", entry.name)).await.unwrap();
        let read = read_back::rows(bytes, usize::MAX).unwrap();
        let at = read.schema.iter().position(|(name, _)| name == column).unwrap();
        values.extend(read.rows.into_iter().map(|mut r| r.swap_remove(at)));
    }
    values.sort();
    values
}

pub fn sword(n: i64) -> String {
    format!(r#"{{"event_type": "purchase_sword", "Host": "h", "User-Agent": "ab", "cost": {n}, "type": "sabre"}}"#)
}

pub fn guild(n: i64) -> String {
    format!(r#"{{"event_type": "join_guild", "guild_name": "g{n}", "guild_member_cnt": {n}}}"#)
}

pub fn costs(range: std::ops::Range<i64>) -> Vec<Option<String>> {
    let mut values: Vec<_> = range.map(|n| Some(n.to_string())).collect();
    values.sort();
    values
}
