//! Another configuration while a daemon runs, and a stop that the storage holds up.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::common::gated::Gated;
use crate::common::line::{MIGRATIONS, column, costs, partition, settings, start, start_with_plans, sword};
use landfall::app::{App, AppError, Mode, Reload, read_migrations};
use landfall::batch::{Plan, Trigger};
use landfall::config;
use landfall::fault::Fault;
use landfall::observe::Status;
use landfall::pipeline::{EncodeContext, NextPlan, Planner, Upkeep};
use landfall::schema::migrations;
use landfall::source::{EmbeddedKafka, KafkaConfig, MemoryTopic, Producer};
use landfall::storage::{LocalStorage, MemoryStorage, Storage};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const LOOT: &str = "create external table loot (cost bigint, raw string) stored as parquet location '/tmp/loot'";

/// The seeds' tables, and `loot` beside them, as a running pipeline gets them.
fn next_plan(with_loot: bool, interval: &str) -> NextPlan {
    let mut files = MIGRATIONS.map(|(n, t)| (n.to_owned(), t.to_owned())).to_vec();
    let mut variables = vec![("LANDFALL__TRIGGER__INTERVAL", interval)];
    if with_loot {
        files.push(("0005_loot.sql".to_owned(), LOOT.to_owned()));
        variables.push(("LANDFALL__TABLES__LOOT__COLUMNS__RAW", "kafka.value"));
    }
    let settings = settings(&variables);
    let tables = migrations::load(&files).unwrap();
    let plan = Arc::new(Plan::new(&tables, &settings).unwrap());
    let locations = tables.iter().map(|t| t.location.clone()).collect();
    NextPlan {
        plan: plan.clone(),
        encode: Arc::new(EncodeContext::new("test".to_owned(), plan, locations)),
        trigger: Trigger::new(&settings.trigger),
        upkeep: Upkeep::new(Duration::from_secs(3600), Duration::from_secs(3600)),
        record_gaps: false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_over_twenty_plans_under_load() {
    const MESSAGES: i64 = 40_000;
    let (topic, storage) = (MemoryTopic::default(), Arc::new(MemoryStorage::default()) as Arc<dyn Storage>);
    storage.mkdir("/tmp/loot", landfall::storage::Parents::Create).await.unwrap();
    (0..3).for_each(|p| topic.create(&partition(p)));
    let (planner, plans) = Planner::new();
    let mut daemon = start_with_plans(&topic, &storage, &settings(&[]), None, plans).await;
    let load = {
        let topic = topic.clone();
        tokio::spawn(async move {
            for n in 0..MESSAGES {
                topic.append(&partition(n as i32 % 3), 0, Some(sword(n).as_bytes()));
                if n % 50 == 0 {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
        })
    };
    let (mut with, mut longest) = (0, Duration::ZERO);
    for round in 0..20 {
        // Sometimes the next batch is minutes away by the plan before: the change does not wait for it.
        let next = next_plan(round % 2 == 0, if round % 3 == 0 { "1h" } else { "30ms" });
        let asked = std::time::Instant::now();
        assert!(planner.go_on_with(next).await);
        longest = longest.max(asked.elapsed());
        let before = daemon.status.borrow().messages;
        tokio::time::sleep(Duration::from_millis(60)).await;
        with += u64::from(round % 2 == 0);
        if round % 5 == 4 {
            topic.rebalance();
        }
        println!("plan {round} after {:?}, {before} messages landed", asked.elapsed());
    }
    assert!(!load.is_finished(), "the load must outlast the plans");
    load.await.unwrap();
    assert!(planner.go_on_with(next_plan(false, "30ms")).await);
    daemon.landed(MESSAGES as u64).await;
    daemon.stop().await.unwrap();
    for table in ["sword_purchases", "purchases"] {
        assert!(column(&storage, table, "cost").await == costs(0..MESSAGES), "{table} is not whole");
    }
    let mut loot = column(&storage, "loot", "cost").await;
    let rows = loot.len();
    loot.dedup();
    println!("{with} plans with loot brought it {rows} rows; the longest wait for a batch boundary was {longest:?}");
    assert!(rows == loot.len() && rows > 0 && rows < MESSAGES as usize, "{rows} rows, {} different", loot.len());
}

#[tokio::test]
async fn a_stop_that_the_storage_holds_up_ends_at_its_limit_and_the_next_start_reads_it_again() {
    let (topic, memory) = (MemoryTopic::default(), Arc::new(MemoryStorage::default()) as Arc<dyn Storage>);
    let (gate, open) = watch::channel(true);
    let storage: Arc<dyn Storage> = Arc::new(Gated { inner: memory.clone(), open });
    let settings = settings(&[("LANDFALL__SHUTDOWN__TIMEOUT", "400ms")]);
    (0..10).for_each(|n| topic.append(&partition(0), 0, Some(sword(n).as_bytes())));
    let mut daemon = start(&topic, &storage, &settings, None).await;
    daemon.landed(10).await;
    gate.send_replace(false);
    (10..30).for_each(|n| topic.append(&partition(0), 0, Some(sword(n).as_bytes())));
    tokio::time::sleep(Duration::from_millis(300)).await;
    (30..35).for_each(|n| topic.append(&partition(0), 0, Some(sword(n).as_bytes())));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let asked = std::time::Instant::now();
    let e = daemon.stop().await.unwrap_err();
    assert!((400..3000).contains(&asked.elapsed().as_millis()), "{:?}", asked.elapsed());
    assert!(
        e.to_string().contains("shutdown.timeout, which is 0.4 s: 25 messages that were read are not landed"),
        "{e}"
    );
    assert_eq!((e.fault(), e.fault().exit_code()), (Fault::Fenced, 75));
    gate.send_replace(true);
    let mut daemon = start(&topic, &storage, &settings, None).await;
    daemon.landed(25).await;
    daemon.stop().await.unwrap();
    assert_eq!(column(&memory, "sword_purchases", "cost").await, costs(0..35));
}

/// A daemon on files of its own, a Kafka inside the process and a local folder.
struct Daemon {
    folder: tempfile::TempDir,
    kafka: EmbeddedKafka,
    hangups: watch::Sender<u64>,
    stop: watch::Sender<bool>,
    status: watch::Receiver<Status>,
    task: JoinHandle<Result<(), AppError>>,
    sent: i64,
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
    std::fs::write(folder.join(name), text).unwrap();
}

impl Daemon {
    /// `link`: the configuration is read through `conf/..data`, as a ConfigMap is mounted.
    async fn start(watch: bool) -> Daemon {
        let folder = tempfile::tempdir().unwrap();
        let kafka = EmbeddedKafka::start(&[("events", 2)]).unwrap();
        write(folder.path(), "v1/0001_dead.sql", MIGRATIONS[3].1);
        write(
            folder.path(),
            "v1/0002_coins.sql",
            "create external table coins (cost bigint) stored as parquet location '/coins'",
        );
        let (hangups, asked) = watch::channel(0);
        let (stop, stopped) = watch::channel(false);
        let (sender, status) = watch::channel(Status::default());
        let mut daemon = Daemon { folder, kafka, hangups, stop, status, task: tokio::spawn(async { Ok(()) }), sent: 0 };
        daemon.configure("v1", watch, "[tables.coins]\nwhen = { field = 'kind', equals = 'coin' }");
        let files = daemon.files();
        let settings = config::load(&files, config::environment()).unwrap();
        let migrations = read_migrations(&settings.migrations).unwrap();
        let app = App::new(settings, &migrations).ok().unwrap();
        daemon.task = tokio::spawn(async move {
            let reload = Reload::new(&files, asked).looking_every(Duration::from_millis(100));
            app.run_reloading(Mode::Daemon, stopped, sender, Some(reload)).await
        });
        daemon
    }

    fn files(&self) -> Vec<PathBuf> {
        vec![self.folder.path().join("conf/..data/landfall.toml")]
    }

    /// Writes a new version of the configuration beside the one before, and swaps the link.
    fn configure(&self, version: &str, watch: bool, rest: &str) {
        let folder = self.folder.path();
        let text = format!(
            "migrations = '{0}/conf/..data'\n[kafka]\nbootstrap_servers = '{1}'\n[storage]\nurl = 'file://{0}/store'\n\
             [metastore]\nuri = ''\n[trigger]\ninterval = '200ms'\n[reload]\nwatch = {watch}\n{rest}\n",
            folder.display(),
            self.kafka.bootstrap_servers()
        );
        write(folder, &format!("{version}/landfall.toml"), &text);
        std::fs::create_dir_all(folder.join("conf")).unwrap();
        std::os::unix::fs::symlink(folder.join(version), folder.join("conf/..tmp")).unwrap();
        std::fs::rename(folder.join("conf/..tmp"), folder.join("conf/..data")).unwrap();
    }

    fn migrate(&self, from: &str, to: &str, name: &str, text: &str) {
        for entry in std::fs::read_dir(self.folder.path().join(from)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "sql") {
                write(
                    self.folder.path(),
                    &format!("{to}/{}", path.file_name().unwrap().to_str().unwrap()),
                    &std::fs::read_to_string(&path).unwrap(),
                );
            }
        }
        write(self.folder.path(), &format!("{to}/{name}"), text);
    }

    fn hang_up(&self) {
        self.hangups.send_modify(|n| *n += 1);
    }

    async fn send(&mut self, messages: i64) {
        let (from, servers) = (self.sent, self.kafka.bootstrap_servers());
        self.sent += messages;
        let to = self.sent;
        let send = move || {
            let servers = ("LANDFALL__KAFKA__BOOTSTRAP_SERVERS".to_owned(), servers);
            let settings = config::load_embedded([servers].into_iter()).unwrap();
            let producer = Producer::new(&KafkaConfig::from(&settings.kafka), "events").unwrap();
            (from..to).for_each(|n| {
                producer.send(format!(r#"{{"kind": "coin", "cost": {n}, "shape": "s{n}"}}"#).as_bytes()).unwrap()
            });
            producer.flush(Duration::from_secs(20)).unwrap();
        };
        tokio::task::spawn_blocking(send).await.unwrap();
        self.until(|s| s.messages >= to as u64).await;
    }

    async fn until(&mut self, what: impl FnMut(&Status) -> bool) -> Status {
        let seen = tokio::time::timeout(Duration::from_secs(40), self.status.wait_for(what)).await;
        seen.unwrap_or_else(|_| panic!("not in time: {:?}", self.task.is_finished())).unwrap().clone()
    }

    async fn column(&self, table: &str, name: &str) -> Vec<Option<String>> {
        let storage: Arc<dyn Storage> =
            Arc::new(LocalStorage::new(self.folder.path().join("store").display().to_string()));
        let mut values = Vec::new();
        for entry in storage.list(&format!("/{table}")).await.unwrap().into_iter().filter(|e| !e.name.starts_with('_'))
        {
            let bytes = storage.read(&format!("/{table}/{}", entry.name)).await.unwrap();
            let read = landfall::encode::read_back::rows(bytes, usize::MAX).unwrap();
            let at = read.schema.iter().position(|(column, _)| column == name);
            values.extend(read.rows.into_iter().map(|mut row| at.and_then(|at| row.swap_remove(at))));
        }
        values.sort();
        values
    }
}

const GEMS: &str = "create external table gems (cost bigint) stored as parquet location '/gems'";
const BOTH: &str = "[tables.coins]\nwhen = { field = 'kind', equals = 'coin' }\n[tables.gems]";

#[tokio::test(flavor = "multi_thread")]
async fn tables_columns_and_routes_change_while_the_daemon_runs_and_what_is_wrong_changes_nothing() {
    let mut daemon = Daemon::start(false).await;
    daemon.send(10).await;

    // A file that is broken in every way changes nothing, and is told once.
    daemon.migrate("v1", "bad", "0003_gems.sql", "create external tabel gems");
    daemon.configure("bad", false, "[tables.coins]\nwhen = { field = 'kind', equal = 'x' }");
    daemon.hang_up();
    let status = daemon.until(|s| s.config.failures == 1).await;
    assert!(status.config.last_error.as_ref().unwrap().contains("did you mean"), "{status:?}");
    daemon.configure("bad", false, BOTH);
    daemon.hang_up();
    let error = daemon.until(|s| s.config.failures == 2).await.config.last_error.unwrap();
    assert!(error.contains("0003_gems.sql"), "{error}");
    daemon.send(10).await;
    assert_eq!(daemon.column("coins", "cost").await, costs(0..20));

    // What takes a restart is named, and the rest is not taken over either.
    daemon.migrate("v1", "v2", "0003_gems.sql", GEMS);
    daemon.configure(
        "v2",
        false,
        &format!("{BOTH}\n[memory]\nmax = '128MiB'\n[kafka.properties]\nsasl.password = 'pa55'"),
    );
    daemon.hang_up();
    let error = daemon.until(|s| s.config.failures == 3).await.config.last_error.unwrap();
    assert!(
        error.contains("memory.max, kafka.properties.\"sasl.password\" cannot change while the daemon runs"),
        "{error}"
    );
    assert!(!error.contains("pa55"), "{error}");
    daemon.send(10).await;
    assert!(!daemon.folder.path().join("store/gems").exists());

    // A new table, a new column, another condition: from the next batch on.
    daemon.migrate("v2", "v3", "0004_shape.sql", "alter table coins add columns (shape string)");
    daemon.configure("v3", false, BOTH);
    daemon.hang_up();
    let status = daemon.until(|s| s.config.reloads == 1).await;
    assert!(status.config.last_error.is_none() && status.config.read_again.is_some());
    daemon.send(10).await;
    assert_eq!(daemon.column("coins", "cost").await, costs(0..40));
    assert_eq!(daemon.column("gems", "cost").await, costs(30..40));
    let shapes = daemon.column("coins", "shape").await;
    assert_eq!(shapes.iter().filter(|shape| shape.is_none()).count(), 30, "{shapes:?}");
    assert!(daemon.folder.path().join("store/gems/_owner.json").exists());

    daemon.configure("v3", false, "[tables.coins]\nwhen = { field = 'kind', equals = 'none' }\n[tables.gems]");
    daemon.hang_up();
    daemon.until(|s| s.config.reloads == 2).await;
    daemon.send(10).await;
    assert_eq!(daemon.column("coins", "cost").await, costs(0..40));
    assert_eq!(daemon.column("gems", "cost").await, costs(30..50));
    daemon.stop.send_replace(true);
    daemon.task.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_map_that_is_swapped_is_seen_if_files_are_watched() {
    let mut daemon = Daemon::start(true).await;
    daemon.send(10).await;
    daemon.migrate("v1", "v2", "0003_gems.sql", GEMS);
    daemon.configure("v2", true, BOTH);
    daemon.until(|s| s.config.reloads == 1).await;
    daemon.send(10).await;
    assert_eq!(daemon.column("gems", "cost").await, costs(10..20));
    // What is wrong is told once, however often it is looked at; what puts it right is seen.
    daemon.configure("v3", true, "nonsense");
    daemon.until(|s| s.config.failures == 1).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(daemon.status.borrow().config.failures, 1);
    daemon.configure("v2", true, "[tables.coins]\n[tables.gems]\nwhen = { field = 'kind', equals = 'gem' }");
    daemon.until(|s| s.config.reloads == 2).await;
    daemon.send(10).await;
    assert_eq!(daemon.column("gems", "cost").await, costs(10..20));
    assert_eq!(daemon.column("coins", "cost").await, costs(0..30));
    daemon.stop.send_replace(true);
    daemon.task.await.unwrap().unwrap();
}

#[test]
fn a_hangup_changes_the_log_level_of_the_process_and_a_bad_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let kafka = EmbeddedKafka::start(&[("events", 1)]).unwrap();
    let path = |name: &str| folder.path().join(name);
    let configure = |level: &str| {
        let text = format!(
            "migrations = '{0}/sql'\n[kafka]\nbootstrap_servers = '{1}'\n[storage]\nurl = 'file://{0}'\n[metastore]\nuri = ''\n\
             [logging]\nlevel = '{level}'\n[tables.t]\n",
            folder.path().display(),
            kafka.bootstrap_servers()
        );
        write(folder.path(), "landfall.toml", &text);
    };
    write(folder.path(), "sql/0001_t.sql", "create external table t (a int) stored as parquet location '/t'");
    write(folder.path(), "sql/0002_dead.sql", MIGRATIONS[3].1);
    configure("warn");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_landfall"));
    std::env::vars().filter(|(name, _)| name.starts_with("LANDFALL")).for_each(|(n, _)| _ = command.env_remove(n));
    command.env_remove("RUST_LOG").args(["run", "--log-format", "json", "--config"]).arg(path("landfall.toml"));
    let mut daemon = command.stderr(std::fs::File::create(path("log")).unwrap()).spawn().unwrap();
    let said = || std::fs::read_to_string(path("log")).unwrap();
    let wait = |what: &str, done: &dyn Fn() -> bool| {
        let begun = std::time::Instant::now();
        while !done() {
            assert!(begun.elapsed() < Duration::from_secs(30), "{what}: {}", said());
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let signal = |signal| {
        let pid = rustix::process::Pid::from_raw(daemon.id() as i32).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    };
    wait("the job's file", &|| path("tmp/checkpoints_for_events/job.json").exists());
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(said(), "", "nothing to warn of");
    configure("info,landfall=trace");
    signal(rustix::process::Signal::HUP);
    wait("a level", &|| said().contains("logging goes on at another level") && said().contains("is in force"));
    configure("loud");
    signal(rustix::process::Signal::HUP);
    wait("an error", &|| said().contains("\\\"loud\\\" is not a level"));
    assert!(said().contains("the one before stays in force"), "{}", said());
    configure("error");
    signal(rustix::process::Signal::HUP);
    std::thread::sleep(Duration::from_secs(1));
    let before = said().len();
    signal(rustix::process::Signal::TERM);
    assert_eq!(daemon.wait().unwrap().code(), Some(0), "{}", said());
    assert_eq!(said().len(), before, "the stop is told at info: {}", said());
}
