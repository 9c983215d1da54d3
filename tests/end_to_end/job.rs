//! A job of the test's own: configuration, migrations, database, directories; and its daemons.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use landfall_stack::fence::Fence;
use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

use crate::by_day;
use crate::expected::Expected;
use crate::topic::Topic;
use crate::world::{World, wait_for};

pub const TABLES: [&str; 4] = ["sword_purchases", "purchases", "guilds", "dead_letters"];

/// The seeds' job under another name, so that tests do not see each other.
pub struct Job<'w> {
    world: &'w World,
    /// Name of the job, the topic and the database, and directory of all its files on HDFS.
    pub name: String,
    pub topic: Topic,
    pub folder: TempDir,
    /// Bigger for each daemon started.
    starts: AtomicU32,
}

impl<'w> Job<'w> {
    /// With an own topic and database, both empty.
    pub fn new(world: &'w World, name: &str, partitions: i32, interval: &str) -> Job<'w> {
        let job = Job::bare(world, name, partitions, interval);
        job.world.presto("hive", &format!("create schema {}", job.name));
        job
    }

    /// Without a database: the daemon makes it.
    pub fn bare(world: &'w World, name: &str, partitions: i32, interval: &str) -> Job<'w> {
        let name = format!("e2e_{name}_{}", &Uuid::new_v4().simple().to_string()[..6]);
        let topic = Topic::create(world, &name, partitions);
        let folder = tempfile::tempdir().unwrap();
        let job = Job { world, topic, folder, starts: AtomicU32::new(0), name };
        job.write_migrations();
        job.write_config(&job.config(interval));
        job
    }

    /// The directory of all its files on HDFS.
    pub fn base(&self) -> String {
        format!("/e2e/{}", self.name)
    }

    pub fn table_dir(&self, table: &str) -> String {
        format!("{}/{table}", self.base())
    }

    pub fn group(&self) -> String {
        format!("landfall-{}", self.name)
    }

    /// The configuration that [`Job::new`] writes.
    pub fn config(&self, interval: &str) -> String {
        let (name, base, folder, stack) = (&self.name, self.base(), self.folder.path().display(), &self.world.stack);
        let (kafka, hdfs, metastore) = (stack.kafka(), stack.hdfs(), stack.metastore());
        format!(
            r#"
job = "{name}"
migrations = "{folder}/migrations"
[kafka]
bootstrap_servers = "{kafka}"
topics = ["{name}"]
connect_timeout = "5s"
[kafka.properties] # a killed member is missed soon
"session.timeout.ms" = "2000"
"heartbeat.interval.ms" = "500"
[trigger]
interval = "{interval}"
[storage]
url = "{hdfs}"
checkpoint = "{base}/checkpoint"
[metastore]
uri = "{metastore}"
database = "{name}"
[tables.sword_purchases]
when = {{ field = "event_type", equals = "purchase_sword" }}
[tables.purchases]
when = {{ field = "event_type", contains = "purchase" }}
[tables.guilds]
when = {{ field = "event_type", contains = "guild" }}
[tables."*".columns]
raw_event = "kafka.value"
timestamp = "kafka.timestamp"
"#
        )
    }

    pub fn write_config(&self, text: &str) {
        std::fs::write(self.folder.path().join("landfall.toml"), text).unwrap();
    }

    /// The seeds' own, with this job's database and directories.
    fn write_migrations(&self) {
        let to = self.folder.path().join("migrations");
        std::fs::create_dir(&to).unwrap();
        for entry in std::fs::read_dir(repository().join("migrations")).unwrap() {
            let entry = entry.unwrap();
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let own =
                text.replace("default.", &format!("{}.", self.name)).replace("'/tmp/", &format!("'{}/", self.base()));
            assert_ne!(text, own, "{:?}", entry.path());
            std::fs::write(to.join(entry.file_name()), own).unwrap();
        }
    }

    /// Declares Kafka's partition and offset as the last columns of each table that has none.
    pub fn declare_positions(&self) {
        for entry in std::fs::read_dir(self.folder.path().join("migrations")).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            if !text.contains("kafka_partition") {
                let columns = ",\n    `_kafka_partition` int,\n    `_kafka_offset` bigint\n)\nstored as";
                let more = text.replace("\n)\nstored as", columns);
                assert_ne!(text, more, "{path:?}");
                std::fs::write(path, more).unwrap();
            }
        }
    }

    /// Starts `landfall run` with these arguments more.
    pub fn start(&self, args: &[&str]) -> Daemon {
        self.start_as(landfall(), args)
    }

    /// The same with these variables in its environment.
    pub fn start_with(&self, args: &[&str], environment: &[(&str, &str)]) -> Daemon {
        let mut command = landfall();
        command.envs(environment.iter().copied());
        self.start_as(command, args)
    }

    /// Starts it behind a fence, if there is one.
    pub fn start_behind(&self, fence: Option<&Fence>) -> Daemon {
        let program = program();
        self.start_as(fence.map_or_else(landfall, |fence| unconfigured(fence.command(program.as_ref()))), &[])
    }

    fn start_as(&self, mut command: Command, args: &[&str]) -> Daemon {
        let n = self.starts.fetch_add(1, Ordering::Relaxed);
        command.arg("run").arg("--config").arg(self.folder.path().join("landfall.toml")).args(args);
        command.env("HADOOP_USER_NAME", self.world.stack.user());
        Daemon::spawn(command, self.folder.path().join(format!("run-{n}.log")))
    }

    /// Runs another command on this job to its end.
    pub fn command(&self, args: &[&str]) -> Output {
        let mut command = landfall();
        command.args(args).arg("--config").arg(self.folder.path().join("landfall.toml"));
        command.env("HADOOP_USER_NAME", self.world.stack.user()).env("USER", "operator").stdin(Stdio::null());
        let done = command.output().unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Output { code: done.status.code(), text: text(&done.stdout), errors: text(&done.stderr) }
    }

    /// Runs `landfall run --available-now` to its end.
    pub fn drain(&self, limit: Duration) -> Daemon {
        let mut run = self.start(&["--available-now"]);
        assert_eq!(run.wait(limit).code(), Some(0), "{}", run.tail());
        run
    }

    /// How many slots its log has.
    pub fn slots(&self) -> usize {
        let log = format!("{}/checkpoint/log", self.base());
        let epochs = self.world.list(&log).unwrap_or_default().into_iter().filter(|e| e.name.starts_with('e'));
        let epochs = epochs.filter(|e| e.name != "epochs").map(|e| format!("{log}/{}", e.name));
        epochs.map(|dir| self.world.list(&dir).unwrap().iter().filter(|e| e.is_dir).count()).sum()
    }

    /// Through Presto, as it is by default, the tables hold what the topic holds; which is returned.
    pub fn assert_landed_once(&self) -> Expected {
        let expected = Expected::of(&self.name, &self.topic.read());
        expected.assert_landed(self.world, "hive_by_position", &self.name);
        expected
    }
}

/// What a command said.
#[derive(Debug)]
pub struct Output {
    pub code: Option<i32>,
    pub text: String,
    pub errors: String,
}

impl Output {
    /// It ended with this code, and said all of this.
    pub fn assert(&self, code: i32, says: &[&str]) {
        println!("exit {:?}\n{}{}", self.code, self.text, self.errors);
        let all = format!("{}{}", self.text, self.errors);
        assert_eq!(self.code, Some(code), "{all}");
        for words in says {
            assert!(all.contains(words), "`{words}` is not in:\n{all}");
        }
    }
}

impl Drop for Job<'_> {
    /// What a failed test leaves is there to be looked at.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("left for inspection: database {0}, topic {0}, {1} on HDFS", self.name, self.base());
            return;
        }
        let presto = self.world.stack.presto();
        for table in TABLES.into_iter().chain([by_day::TABLE]) {
            _ = presto.query("hive", &format!("drop table if exists {}.{table}", self.name));
        }
        _ = presto.query("hive", &format!("drop schema if exists {}", self.name));
        self.world.delete(&self.base());
        Topic::delete(self.world, &self.name);
    }
}

/// Waits until all that the topic holds is landed by these daemons, as their logs say.
pub fn wait_until_landed(topic: &Topic, daemons: &[&Daemon], limit: Duration) {
    let ends = topic.ends();
    wait_for(limit, format!("all of {} landed up to {ends:?}", topic.name), || {
        let done = |p: usize, end: i64| end == 0 || daemons.iter().any(|d| d.landed(&topic.name, p) >= Some(end));
        ends.iter().enumerate().all(|(p, end)| done(p, *end)).then_some(())
    });
}

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The binary, in an environment without configuration.
pub fn landfall() -> Command {
    unconfigured(Command::new(program()))
}

/// The binary of the tests, or the one that is to be tried instead, as the release.
fn program() -> std::ffi::OsString {
    std::env::var_os("LANDFALL_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_landfall").into())
}

fn unconfigured(mut command: Command) -> Command {
    let ours = std::env::vars_os().map(|(name, _)| name).filter(|n| n.to_string_lossy().starts_with("LANDFALL"));
    ours.for_each(|name| _ = command.env_remove(name));
    // Several run at once.
    command.env("LANDFALL__HTTP__LISTEN", "127.0.0.1:0");
    command.env_remove("RUST_LOG").current_dir(repository());
    command
}

/// A running landfall; killed when dropped, and then its log is shown if the test has failed.
pub struct Daemon {
    child: Child,
    log: PathBuf,
    read: Mutex<LogLines>,
}

/// The lines of a log that are JSON, as far as it was read, and how far that is.
#[derive(Default)]
struct LogLines {
    lines: Vec<Value>,
    at: u64,
}

impl Daemon {
    pub fn spawn(mut command: Command, log: PathBuf) -> Daemon {
        let file = File::create(&log).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        Daemon { child: command.spawn().unwrap(), log, read: Mutex::default() }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; it must end with exit code 0.
    pub fn terminate(&mut self, limit: Duration) {
        self.signal("TERM");
        assert_eq!(self.wait(limit).code(), Some(0), "{}", self.tail());
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        wait_for(limit, "landfall ends", || self.child.try_wait().unwrap())
    }

    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// All it has said so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }

    /// The lines of its log that are JSON.
    pub fn lines(&self) -> Vec<Value> {
        self.read_on().lines.clone()
    }

    /// Reads what its log has more since the last time.
    fn read_on(&self) -> MutexGuard<'_, LogLines> {
        let mut read = self.read.lock().unwrap();
        let mut file = File::open(&self.log).unwrap();
        file.seek(SeekFrom::Start(read.at)).unwrap();
        let mut more = Vec::new();
        file.read_to_end(&mut more).unwrap();
        // The last line may still be written.
        more.truncate(more.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1));
        read.at += more.len() as u64;
        read.lines.extend(more.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok()));
        read
    }

    /// Where its log is.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The progress records of its batches.
    pub fn progress(&self) -> Vec<Value> {
        self.lines().into_iter().map(|mut line| line["progress"].take()).filter(|p| !p.is_null()).collect()
    }

    /// Whether it has begun to read partitions.
    pub fn reads(&self) -> bool {
        self.read_on().lines.iter().any(|line| line["message"] == "reading")
    }

    /// Up to which offset it has landed a partition, or found it landed.
    pub fn landed(&self, topic: &str, partition: usize) -> Option<i64> {
        let landed = self.landed_by_itself(topic, partition);
        let read = self.read_on();
        // `reading` has a field positions = ["topic[0]@17", …]
        let mark = format!("\"{topic}[{partition}]@");
        let lines = read.lines.iter().filter(|line| line["message"] == "reading");
        let found = lines.filter_map(|line| {
            let positions = line["positions"].as_str()?;
            positions.split_once(&mark)?.1.split('"').next()?.parse().ok()
        });
        landed.max(found.max())
    }

    /// Up to which offset its own batches have landed a partition.
    pub fn landed_by_itself(&self, topic: &str, partition: usize) -> Option<i64> {
        let end = |p: &Value| p["progress"]["sources"][0]["endOffset"][topic][partition.to_string()].as_i64();
        self.read_on().lines.iter().filter_map(end).max()
    }

    /// The end of its log.
    pub fn tail(&self) -> String {
        let text = self.text();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Gone already, mostly.
        _ = self.child.kill();
        _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the end of {}:\n{}\n---", self.log.display(), self.tail());
        }
    }
}
