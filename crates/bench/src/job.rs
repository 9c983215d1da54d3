//! A landfall of its own: configuration, migrations, database and directories; and its runs.

use crate::events::TABLES;
use crate::process::{self, Cost};
use crate::topic::Topic;
use crate::world::{Seen, World};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Where tables are written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum To {
    /// Local files.
    Local,
    /// HDFS, at the stack's replication: 3 unless it is told otherwise.
    Hdfs,
}

impl To {
    /// As it stands in tables.
    pub fn text(self) -> &'static str {
        match self {
            To::Local => "local files",
            To::Hdfs => "HDFS",
        }
    }
}

/// What a job is besides its topic.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Where its tables are.
    pub to: To,
    /// How many tables more it has than the three, which no message matches.
    pub more_tables: usize,
    /// Lines of `[trigger]`; what they do not say has its default.
    pub trigger: String,
}

impl Shape {
    /// The shipped job with its default trigger.
    pub fn shipped(to: To) -> Shape {
        Shape { to, more_tables: 0, trigger: String::new() }
    }
}

/// A job on a topic.
#[derive(Debug)]
pub struct Job<'w> {
    world: &'w World,
    /// Its name, and that of its database.
    pub name: String,
    to: To,
    folder: PathBuf,
}

impl<'w> Job<'w> {
    /// Writes its configuration and its migrations.
    pub fn new(world: &'w World, what: &str, topic: &Topic, shape: &Shape) -> Result<Job<'w>> {
        let name = world.name(what);
        let folder = world.out.join("jobs").join(&name);
        let job = Job { world, name, to: shape.to, folder };
        fs::create_dir_all(job.folder.join("migrations")).with_context(|| job.folder.display().to_string())?;
        job.write_migrations(shape.more_tables)?;
        fs::write(job.folder.join("landfall.toml"), job.config(topic, shape))?;
        Ok(job)
    }

    fn base(&self) -> String {
        format!("/bench/{}", self.name)
    }

    /// The directory of a table on HDFS.
    pub fn table_dir(&self, table: &str) -> String {
        format!("{}/{table}", self.base())
    }

    fn local(&self) -> PathBuf {
        self.folder.join("files")
    }

    fn config(&self, topic: &Topic, shape: &Shape) -> String {
        let (name, base, folder, stack) = (&self.name, self.base(), self.folder.display(), &self.world.stack);
        let url = match self.to {
            To::Local => format!("file://{}", self.local().display()),
            To::Hdfs => stack.hdfs(),
        };
        let more = (0..shape.more_tables)
            .map(|n| format!("[tables.other_{n}]\nwhen = {{ field = \"event_type\", equals = \"other_{n}\" }}\n"));
        format!(
            r#"job = "{name}"
migrations = "{folder}/migrations"
[kafka]
bootstrap_servers = "{kafka}"
topics = ["{topic}"]
[trigger]
{trigger}
[storage]
url = "{url}"
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
{more}"#,
            kafka = stack.kafka(),
            metastore = stack.metastore(),
            topic = topic.name,
            trigger = shape.trigger,
            more = more.collect::<String>(),
        )
    }

    /// The shipped ones with this job's database and directories; the tables more are like that of the purchases.
    fn write_migrations(&self, more_tables: usize) -> Result<()> {
        let own = |text: &str| {
            text.replace("default.", &format!("{}.", self.name)).replace("'/tmp/", &format!("'{}/", self.base()))
        };
        let to = self.folder.join("migrations");
        let mut purchases = String::new();
        for entry in fs::read_dir("migrations").context("migrations: run this in the repository's folder")? {
            let entry = entry?;
            let text = fs::read_to_string(entry.path())?;
            fs::write(to.join(entry.file_name()), own(&text))?;
            if entry.file_name().to_string_lossy().ends_with("_purchases.sql") && !text.contains("sword_") {
                purchases = text;
            }
        }
        for n in 0..more_tables {
            let text = own(&purchases.replace("default.purchases", &format!("default.other_{n}")))
                .replace("/purchases'", &format!("/other_{n}'"));
            fs::write(to.join(format!("{:04}_other_{n}.sql", 100 + n)), text)?;
        }
        Ok(())
    }

    /// Starts `landfall run` with these arguments more, on these cores only if some are given (as in `taskset -c`).
    pub fn start(&self, args: &[&str], cores: Option<&str>) -> Result<Run> {
        let landfall = &self.world.landfall;
        let mut command = match cores {
            Some(cores) => {
                let mut command = Command::new("taskset");
                command.args(["-c", cores]).arg(landfall);
                command
            }
            None => Command::new(landfall),
        };
        let ours = std::env::vars_os().map(|(name, _)| name).filter(|n| n.to_string_lossy().starts_with("LANDFALL"));
        ours.for_each(|name| _ = command.env_remove(name));
        command
            .arg("run")
            .arg("--config")
            .arg(self.folder.join("landfall.toml"))
            .args(["--log-format", "json"])
            .args(args);
        command.env("HADOOP_USER_NAME", self.world.stack.user()).env("RUST_LOG", "info");
        // Another daemon of this machine may have the default.
        command.env("LANDFALL__HTTP__LISTEN", "127.0.0.1:0");
        let begun = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = child.with_context(|| format!("cannot run {}", command.get_program().display()))?;
        let errors = child.stderr.take().context("it was asked for a pipe")?;
        let log = Arc::new(Mutex::new(Log::default()));
        let (to, pid, file) = (Arc::clone(&log), child.id(), self.folder.join("landfall.log"));
        let copy = File::create(&file)?;
        let status = self.world.stack.status();
        let servers: Vec<u32> = status.iter().filter_map(|part| u32::try_from(part.pid?).ok()).collect();
        thread::spawn(move || follow(BufReader::new(errors), pid, &servers, copy, &to));
        Ok(Run { child, begun, log, file })
    }

    /// How many files its tables have for readers to see, and their bytes.
    pub fn files(&self) -> Result<(usize, u64)> {
        let mut all = Vec::new();
        for (table, _) in TABLES {
            all.extend(match self.to {
                To::Hdfs => self.world.list(&self.table_dir(table))?,
                To::Local => list_local(&self.local().join(self.table_dir(table).trim_start_matches('/')))?,
            });
        }
        Ok((all.len(), all.iter().map(|f| f.bytes).sum()))
    }

    /// Deletes its files, so that one run after the other does not fill the disk. Its log and configuration stay.
    pub fn delete_files(&self) -> Result<()> {
        match self.to {
            To::Hdfs => self.world.delete(&self.base()),
            To::Local => Ok(fs::remove_dir_all(self.local())?),
        }
    }
}

fn list_local(dir: &Path) -> Result<Vec<Seen>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with(['_', '.']) && entry.file_type()?.is_file() {
            files.push(Seen { name, bytes: entry.metadata()?.len() });
        }
    }
    Ok(files)
}

/// A moment of a run, and the CPU seconds until then.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    at: Instant,
    /// Of the run.
    cpu: f64,
    /// Of all servers.
    servers: f64,
    /// Of nobody: the machine's cores were idle.
    idle: f64,
}

/// What went by between two moments.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Seconds.
    pub wall: f64,
    /// CPU seconds of the run.
    pub cpu: f64,
    /// CPU seconds of all servers.
    pub servers: f64,
    /// Seconds that the machine's cores were idle.
    pub idle: f64,
}

impl Mark {
    fn now(run: u32, servers: &[u32]) -> Mark {
        let (at, cpu) = (Instant::now(), process::cpu(run));
        Mark { at, cpu, servers: servers.iter().map(|pid| process::cpu(*pid)).sum(), idle: process::idle() }
    }

    /// From then to `self`.
    pub fn since(self, then: Mark) -> Span {
        let wall = (self.at - then.at).as_secs_f64();
        Span { wall, cpu: self.cpu - then.cpu, servers: self.servers - then.servers, idle: self.idle - then.idle }
    }
}

/// A batch that landed, as the progress record says.
#[derive(Debug, Clone)]
pub struct Landed {
    /// Its slot, with which the names of its files begin.
    pub slot: u64,
    /// Messages read.
    pub messages: u64,
    /// By partition, the first offset and the one after the last.
    pub offsets: BTreeMap<u64, (u64, u64)>,
}

/// What is told by a run's log.
#[derive(Debug, Default)]
pub struct Log {
    /// When it began to read.
    pub reading: Option<Mark>,
    /// When its last batch was told of.
    pub last: Option<Mark>,
    /// The batches.
    pub landed: Vec<Landed>,
}

fn follow(lines: impl BufRead, run: u32, servers: &[u32], mut copy: File, log: &Mutex<Log>) {
    for line in lines.lines().map_while(Result::ok) {
        let mark = Mark::now(run, servers);
        writeln!(copy, "{line}").ok(); // the copy is for people
        let Ok(json) = serde_json::from_str::<Value>(&line) else { continue };
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(landed) = landed(&json) {
            log.landed.push(landed);
            log.last = Some(mark);
        } else if json["message"].as_str() == Some("reading") && log.reading.is_none() {
            log.reading = Some(mark);
        }
    }
}

fn landed(line: &Value) -> Option<Landed> {
    let progress = line.get("progress")?;
    let source = &progress["sources"][0];
    let ends = source["endOffset"].as_object()?.values().next()?.as_object()?;
    let starts = source["startOffset"].as_object()?.values().next()?;
    let range = |(p, end): (&String, &Value)| Some((p.parse().ok()?, (starts[p].as_u64()?, end.as_u64()?)));
    Some(Landed {
        slot: progress["batchId"].as_u64()?,
        messages: progress["numInputRows"].as_u64()?,
        offsets: ends.iter().map(range).collect::<Option<_>>()?,
    })
}

/// A running landfall; killed when dropped.
#[derive(Debug)]
pub struct Run {
    child: Child,
    /// When it was started.
    pub begun: Instant,
    log: Arc<Mutex<Log>>,
    file: PathBuf,
}

impl Run {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What its log has told so far.
    pub fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the log is.
    pub fn log_file(&self) -> &Path {
        &self.file
    }

    /// Messages that landed.
    pub fn messages(&self) -> u64 {
        self.log().landed.iter().map(|l| l.messages).sum()
    }

    /// Waits until that is true of it; fails if it ends before, or if it takes longer than `limit`.
    pub fn until(&mut self, what: &str, limit: Duration, done: impl Fn(&Run) -> bool) -> Result<()> {
        let begun = Instant::now();
        while !done(self) {
            let file = self.file.display();
            if let Some(status) = self.child.try_wait()? {
                anyhow::bail!("landfall ended with {status} before {what}; see {file}");
            }
            ensure!(begun.elapsed() < limit, "not within {} s: {what}; see {file}", limit.as_secs());
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Waits until it has begun to read.
    pub fn until_reading(&mut self) -> Result<()> {
        self.until("it read", Duration::from_secs(60), |run| run.log().reading.is_some())
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> Result<Cost> {
        let cost = process::wait(&mut self.child, limit)?;
        ensure!(cost.status.success(), "landfall ended with {}; see {}", cost.status, self.file.display());
        Ok(cost)
    }

    /// Asks it to end, and waits.
    pub fn stop(&mut self) -> Result<Cost> {
        process::terminate(&self.child);
        self.wait(Duration::from_secs(60))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_progress_record_is_understood() {
        let line = serde_json::json!({
            "message": "batch 7 landed: 5 messages in 3 ms; rows: guilds 5",
            "progress": {
                "batchId": 7, "numInputRows": 5,
                "sources": [{"startOffset": {"t": {"0": 10, "2": 3}}, "endOffset": {"t": {"0": 12, "2": 6}}}]
            }
        });
        let landed = landed(&line).expect("a batch");
        assert_eq!((landed.slot, landed.messages), (7, 5));
        assert_eq!(landed.offsets, BTreeMap::from([(0, (10, 12)), (2, (3, 6))]));
        assert!(super::landed(&serde_json::json!({"message": "reading"})).is_none());
    }
}
