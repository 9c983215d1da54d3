//! Another configuration while running: read again when it is asked for, or when a file has changed, and taken over
//! between two batches. All of it or nothing: on any error the one before stays in force.

mod files;

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{error, info};
use uuid::Uuid;

use super::{App, AppError, blocking, read_migrations};
use crate::catalog::Wanted;
use crate::config::{self, needs_restart};
use crate::fault::Fault;
use crate::observe::metrics::table;
use crate::observe::{Status, Time, set_log_filter};
use crate::pipeline::{NextPlan, Planner, Upkeep};
use files::Changes;

/// How often files are looked at, if they are watched.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How soon a configuration is tried again that was refused because a service is away.
const AGAIN: Duration = Duration::from_secs(30);

/// What a running job reads its next configuration from.
#[derive(Debug)]
pub struct Reload {
    files: Vec<PathBuf>,
    asked: Option<watch::Receiver<u64>>,
    look_every: Duration,
}

impl Reload {
    /// The configuration `files` of the command line; read again whenever `asked` counts on.
    pub fn new(files: &[PathBuf], asked: watch::Receiver<u64>) -> Reload {
        Reload { files: files.to_vec(), asked: Some(asked), look_every: LOOK_EVERY }
    }

    /// The same, looking at watched files so often instead of every 5 s.
    pub fn looking_every(self, look_every: Duration) -> Reload {
        Reload { look_every, ..self }
    }
}

/// What logs by `level`: that of the clients is left out unless it is asked for by name. They tell every failed reconnect,
/// several times; what matters of it landfall says itself, once.
pub fn log_filter(level: &str) -> String {
    format!("librdkafka=off,rdkafka=off,hdfs_native=off,volo=off,volo_thrift=off,{level}")
}

/// What is told to the running job's parts.
pub(super) struct Listeners {
    pub planner: Planner,
    /// The tables that the registrar keeps.
    pub wanted: watch::Sender<Vec<Wanted>>,
    pub status: watch::Sender<Status>,
}

/// Keeps a running job at its files' configuration.
pub(super) struct Reloading {
    current: Arc<App>,
    reload: Reload,
    to: Listeners,
    changes: Changes,
    again: Option<Instant>,
}

/// What was taken over.
enum Taken {
    /// The files say what is in force.
    Nothing,
    /// Only what is not part of the flow.
    Aside,
    /// Tables and routes.
    Plan { new_tables: Vec<String> },
    /// The pipeline is ending.
    Ending,
}

impl Reloading {
    pub(super) fn new(app: App, reload: Reload, to: Listeners) -> Reloading {
        Reloading { current: Arc::new(app), reload, to, changes: Changes::default(), again: None }
    }

    /// Never returns; may be dropped at any time.
    pub(super) async fn run(mut self) -> Infallible {
        let seen = self.look().await;
        self.changes.told(seen);
        loop {
            let again = self.asked().await;
            let tried = self.take_over().await;
            self.again = None;
            match tried {
                Ok(Taken::Ending) => {}
                Ok(taken) => self.tell(&taken),
                Err(e) => {
                    if e.fault() == Fault::Retry {
                        self.again = Some(Instant::now() + AGAIN);
                    }
                    self.refuse(&e, again);
                }
            }
        }
    }

    /// Waits until there is a reason to read the files. Whether it is only that it is tried again.
    async fn asked(&mut self) -> bool {
        loop {
            let (look_every, again) = (self.reload.look_every, self.again);
            tokio::select! {
                () = counted_on(&mut self.reload.asked) => {
                    let seen = self.look().await;
                    self.changes.told(seen);
                    return false;
                }
                () = tokio::time::sleep(look_every), if self.current.settings.watch_files => {
                    let seen = self.look().await;
                    if self.changes.settled(seen) {
                        return false;
                    }
                }
                () = tokio::time::sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => return true,
            }
        }
    }

    async fn look(&self) -> files::Seen {
        let (files, migrations) = (self.reload.files.clone(), self.current.settings.migrations.clone());
        blocking(move || files::look(&files, &migrations)).await
    }

    async fn take_over(&mut self) -> Result<Taken, AppError> {
        let (files, current) = (self.reload.files.clone(), self.current.clone());
        let next = blocking(move || {
            let settings = config::load(&files, config::environment())
                .map_err(|e| AppError::Config(e.problems().iter().map(ToString::to_string).collect()))?;
            let migrations = read_migrations(&settings.migrations)?;
            current.renewed(settings, &migrations)
        });
        let next = next.await?;
        let bound = needs_restart(&self.current.settings, &next.settings);
        if !bound.is_empty() {
            let what = format!("{} cannot change while the daemon runs: restart it", bound.join(", "));
            return Err(AppError::Config(vec![what]));
        }
        if next.plan.wants_headers() && !self.current.reads_headers {
            let what =
                "a column of kafka.headers is new, and messages are read without their headers: restart the daemon";
            return Err(AppError::Config(vec![what.to_owned()]));
        }
        let is_same = next.is_like(&self.current);
        let level = next.settings.log_level.clone();
        let new_level = level != self.current.settings.log_level;
        if !is_same {
            self.make_ready(&next).await?;
        }
        if new_level {
            set_log_filter(&log_filter(&level)).map_err(|e| AppError::Config(vec![format!("logging.level: {e}")]))?;
            info!(level, "logging goes on at another level");
        }
        let aside = new_level || next.settings.watch_files != self.current.settings.watch_files;
        if is_same {
            self.current = Arc::new(next);
            return Ok(if aside { Taken::Aside } else { Taken::Nothing });
        }
        if !self.to.planner.go_on_with(next.next_plan()).await {
            return Ok(Taken::Ending);
        }
        let new_tables = next.tables().filter(|(t, _)| self.current.tables().all(|(old, _)| old.name != t.name));
        let new_tables = new_tables.map(|(t, _)| t.name.clone()).collect();
        let wanted = next.wanted();
        self.to.wanted.send_if_modified(|old| {
            let changed = *old != wanted;
            *old = wanted;
            changed
        });
        self.current = Arc::new(next);
        Ok(Taken::Plan { new_tables })
    }

    /// What a start looks at and makes: tables as the metastore has them, directories, owners, and whether the storage
    /// can move files there.
    async fn make_ready(&self, next: &App) -> Result<(), AppError> {
        if next.tables != self.current.tables {
            next.compare_with_metastore().await?;
            let (log, job, scratch) = (next.log(), next.job(), Uuid::new_v4());
            let prepared = next.prepare(&log, &job, scratch).await;
            next.clear_staging(scratch).await;
            prepared?;
            log.claim_tables(&job).await.map_err(|e| next.reached(e))?;
        }
        next.listen_for_partitions();
        Ok(())
    }

    fn tell(&self, taken: &Taken) {
        match taken {
            Taken::Nothing => info!("the configuration was read again and says what is in force"),
            Taken::Aside | Taken::Ending => info!("the configuration was read again and is in force"),
            Taken::Plan { new_tables } => info!(
                tables = self.current.tables.len(),
                ?new_tables,
                "the configuration was read again and is in force from this batch on"
            ),
        }
        self.current.metrics.count(&table::RELOADS, &["taken_over"], 1);
        self.to.status.send_modify(|s| {
            self.current.name_tables(s);
            s.config.read_again = Some(Time::now());
            s.config.reloads += 1;
            s.config.last_error = None;
        });
    }

    fn refuse(&self, e: &AppError, again: bool) {
        let reason = e.to_string();
        // Of a service that stays away it is said once.
        if !again || self.to.status.borrow().config.last_error.as_ref() != Some(&reason) {
            error!(fault = ?e.fault(), "the configuration was read again and is not taken over, the one before stays in force: {reason}");
        }
        self.current.metrics.count(&table::RELOADS, &["refused"], 1);
        self.to.status.send_modify(|s| {
            s.config.failures += 1;
            s.config.last_error = Some(reason);
        });
    }
}

impl App {
    /// What a pipeline goes on with.
    fn next_plan(&self) -> NextPlan {
        NextPlan {
            plan: self.plan.clone(),
            encode: self.encode_context(),
            trigger: crate::batch::Trigger::new(&self.settings.trigger),
            upkeep: Upkeep::new(self.settings.log.staging_retention, self.settings.log.retention),
            record_gaps: self.settings.kafka.record_gaps,
        }
    }

    /// Whether the flow would be the same.
    fn is_like(&self, other: &App) -> bool {
        let flow = |app: &App| {
            let mut settings = app.settings.clone();
            (settings.log_level, settings.watch_files, settings.migrations) = Default::default();
            settings
        };
        self.tables == other.tables && flow(self) == flow(other)
    }
}

/// Waits until it counts on; for ever, if it cannot any more.
async fn counted_on(asked: &mut Option<watch::Receiver<u64>>) {
    if let Some(counting) = asked {
        if counting.changed().await.is_ok() {
            return;
        }
        *asked = None;
    }
    std::future::pending().await
}
