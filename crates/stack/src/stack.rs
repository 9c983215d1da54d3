//! The handle on a stack.

use crate::config::{self, HOST};
use crate::dir::Dir;
use crate::part::{Part, Service};
use crate::presto::Presto;
use crate::process::{self, is_ours};
use crate::settings::{Options, Ports, Settings};
use crate::state::PartState;
use crate::{launch, presto, ready, secure};
use anyhow::{Context, Error, Result, bail};
use rustix::process::Signal;
use std::path::Path;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(20);

/// A handle on a running stack. A stack that was [started](Stack::start) through this handle is shut down with it; one
/// that it is only [attached](Stack::attach) to goes on.
#[derive(Debug)]
pub struct Stack {
    pub(crate) dir: Dir,
    pub(crate) settings: Settings,
    owned: bool,
    /// Why it did not start; tells the other parts' waits to break off.
    pub(crate) failure: OnceLock<Error>,
}

/// How a part is doing.
#[derive(Clone, Debug)]
pub struct PartStatus {
    /// `kafka`, `namenode`, `datanode1`, …
    pub name: String,
    /// Its process, if it runs.
    pub pid: Option<i32>,
    /// It runs and is paused.
    pub paused: bool,
    /// The memory it holds, in MiB.
    pub memory: u64,
    /// The ports it listens on, the one that its clients use first.
    pub ports: Vec<u16>,
}

impl Stack {
    /// The stack in the folder `$LANDFALL_STACK`; None if that is not set.
    ///
    /// # Panics
    /// If it is set and there is no stack: tests must not be skipped because of a wrong folder.
    pub fn attach() -> Option<Stack> {
        let dir = std::env::var_os("LANDFALL_STACK").filter(|dir| !dir.is_empty())?;
        Some(Stack::open(Path::new(&dir)).unwrap_or_else(|error| panic!("$LANDFALL_STACK: {error:#}")))
    }

    /// The stack in that folder, whether its parts run or not.
    pub fn open(dir: &Path) -> Result<Stack> {
        let dir = Dir::at(dir)?;
        Ok(Stack { settings: Settings::load(dir.path())?, dir, owned: false, failure: OnceLock::new() })
    }

    /// Starts a stack, fetching the servers if need be, and waits until all of it is ready.
    pub fn start(options: Options) -> Result<Stack> {
        let earlier = options.dir.as_deref().is_some_and(Settings::exist_in);
        let settings = match &options.dir {
            Some(dir) if earlier => Settings::load(dir)?,
            _ => Settings::new(&options)?,
        };
        let dir = options.dir.as_deref().map_or_else(Dir::temporary, Dir::given)?;
        let mut stack = Stack { dir, settings, owned: false, failure: OnceLock::new() };
        if stack.status().iter().any(|part| part.pid.is_some()) {
            bail!("the stack in {} is running", stack.dir.path().display());
        }
        stack.owned = true; // from here on a failure shuts down what was started
        let Err(error) = stack.boot(options.quiet) else { return Ok(stack) };
        if earlier || !ready::ports_clashed(&stack) {
            return Err(error);
        }
        eprintln!("landfall-stack: a port was taken in the meantime; trying once more with others");
        stack.end_all(Duration::ZERO)?;
        stack.dir.clear()?;
        stack.settings.ports = Ports::pick(stack.settings.datanodes)?;
        stack.settings.secure = stack.settings.secure.map(|_| secure::Ports::pick()).transpose()?;
        stack.boot(options.quiet)?;
        Ok(stack)
    }

    fn boot(&mut self, quiet: bool) -> Result<()> {
        self.settings.save(self.dir.path())?;
        config::write(&self.dir, &self.settings)?;
        launch::prepare(&self.dir, &self.settings)?;
        secure::make_certificates(&self.dir, &self.settings)?;
        let start = Instant::now();
        let report = |what: &str| {
            if !quiet {
                eprintln!("{what:<10} ready after {:4.1} s", start.elapsed().as_secs_f64());
            }
        };
        let stack = &*self;
        let boot_part = |part: Part| {
            launch::launch(part, &stack.dir, &stack.settings)?;
            ready::wait(stack, part)?;
            report(&part.to_string());
            Ok(())
        };
        thread::scope(|scope| {
            for part in stack.settings.parts() {
                // The first failure is the one to tell; those that follow from it are lost.
                scope.spawn(move || boot_part(part).or_else(|error| stack.failure.set(error)).ok());
            }
        });
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        if self.has(Service::Hdfs) {
            ready::wait_for_hdfs(self)?;
            self.make_warehouse()?;
        }
        Ok(())
    }

    /// The metastore names the folder of its schema `default`, but does not make it; Presto then refuses to write there.
    fn make_warehouse(&self) -> Result<()> {
        let url = format!("{}/webhdfs/v1/warehouse?op=MKDIRS&user.name={}", self.namenode_http(), self.settings.user);
        let agent = presto::agent(Duration::from_secs(30));
        agent.put(&url).send_empty().context("cannot make the folder /warehouse in HDFS")?;
        Ok(())
    }

    /// The stack's folder.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Whether the service is part of this stack.
    pub fn has(&self, service: Service) -> bool {
        self.settings.services.contains(&service)
    }

    /// Kafka's bootstrap server, `host:port`.
    pub fn kafka(&self) -> String {
        format!("{HOST}:{}", self.settings.ports.kafka)
    }

    /// The NameNode, `hdfs://host:port`.
    pub fn hdfs(&self) -> String {
        config::namenode(&self.settings)
    }

    /// The NameNode's web server, `http://host:port`: WebHDFS and fsck.
    pub fn namenode_http(&self) -> String {
        format!("http://{HOST}:{}", self.settings.ports.namenode_http)
    }

    /// How many DataNodes it has, running or not.
    pub fn datanodes(&self) -> u32 {
        self.settings.datanodes
    }

    /// After how many seconds the NameNode takes a silent DataNode for dead.
    pub fn dead_after(&self) -> u32 {
        self.settings.dead_after
    }

    /// What the NameNode finds when it checks all files below `path` (`hdfs fsck PATH -files -blocks`).
    pub fn fsck(&self, path: &str) -> Result<String> {
        let (web, user) = (self.namenode_http(), &self.settings.user);
        let url = format!("{web}/fsck?ugi={user}&path={path}&files=1&blocks=1");
        let mut answer = presto::agent(Duration::from_secs(30)).get(&url).call().context("fsck")?;
        Ok(answer.body_mut().read_to_string()?)
    }

    /// The Hive metastore, `thrift://host:port`.
    pub fn metastore(&self) -> String {
        config::metastore(&self.settings)
    }

    /// A client of Presto. Its catalogs are `hive`, which finds a Parquet file's columns by name, and
    /// `hive_by_position`, which is Presto's default.
    pub fn presto(&self) -> Presto {
        Presto::new(&format!("http://{HOST}:{}", self.settings.ports.presto), &self.settings.user)
    }

    /// The user that the servers take for the owner of HDFS.
    pub fn user(&self) -> &str {
        &self.settings.user
    }

    /// The environment that makes landfall and its tests use this stack.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        let mut env = vec![("LANDFALL_STACK", self.dir().display().to_string())];
        let services = [
            (Service::Kafka, "LANDFALL__KAFKA__BOOTSTRAP_SERVERS", self.kafka()),
            (Service::Hdfs, "LANDFALL__STORAGE__URL", self.hdfs()),
            (Service::Metastore, "LANDFALL__METASTORE__URI", self.metastore()),
            (Service::Presto, "PRESTO_URL", self.presto().url().to_owned()),
        ];
        env.extend(services.into_iter().filter(|(s, ..)| self.has(*s)).map(|(_, name, value)| (name, value)));
        env.push(("HADOOP_USER_NAME", self.settings.user.clone()));
        env
    }

    /// How all parts are doing.
    pub fn status(&self) -> Vec<PartStatus> {
        let status = |part: Part| {
            let pid = self.pid(part);
            PartStatus {
                name: part.to_string(),
                pid,
                paused: pid.is_some_and(process::is_paused),
                memory: pid.and_then(process::resident).unwrap_or(0) / 1024,
                ports: self.settings.ports_of(part),
            }
        };
        self.settings.parts().into_iter().map(status).collect()
    }

    /// Kills the part (SIGKILL), and waits until it is gone. No error if it was not running.
    pub fn kill(&self, part: &str) -> Result<()> {
        self.end(self.part(part)?, Duration::ZERO)
    }

    /// Lets the part end by itself (SIGTERM), kills it if it takes too long, and waits until it is gone.
    pub fn stop(&self, part: &str) -> Result<()> {
        self.end(self.part(part)?, PATIENCE)
    }

    /// Pauses the part (SIGSTOP): connections stay open and nothing answers.
    pub fn pause(&self, part: &str) -> Result<()> {
        self.signal(part, Signal::STOP, true)
    }

    /// Lets a paused part go on (SIGCONT).
    pub fn resume(&self, part: &str) -> Result<()> {
        self.signal(part, Signal::CONT, false)
    }

    /// Starts a part that was stopped or killed, with the same ports and data, and waits until it is ready. If it is
    /// running, only waits. The part does not end with this process; whoever started the stack stops it.
    pub fn restart(&self, part: &str) -> Result<()> {
        let part = self.part(part)?;
        if self.pid(part).is_none() {
            launch::launch(part, &self.dir, &self.settings)?;
        }
        ready::wait(self, part)?;
        let of_hdfs = matches!(part, Part::NameNode | Part::DataNode(_));
        if of_hdfs && ready::is_running(self, Part::NameNode) {
            ready::wait_for_hdfs(self)?;
        }
        Ok(())
    }

    /// Creates a topic. It must not exist.
    pub fn create_topic(&self, name: &str, partitions: u32) -> Result<()> {
        let (kafka, partitions) = (self.kafka(), partitions.to_string());
        let topic = ["org.apache.kafka.tools.TopicCommand", "--create", "--topic", name];
        let rest = ["--partitions", &partitions, "--replication-factor", "1", "--bootstrap-server", &kafka];
        let output = launch::tool(Part::Kafka, &self.dir, &self.settings, &[&topic[..], &rest].concat())?;
        if !output.status.success() {
            bail!("cannot create the topic {name}: {}", launch::text(&output).trim());
        }
        Ok(())
    }

    /// Puts HDFS into safe mode, in which it refuses every change, or ends that.
    pub fn safe_mode(&self, on: bool) -> Result<()> {
        let what = if on { "enter" } else { "leave" };
        let admin = ["org.apache.hadoop.hdfs.tools.DFSAdmin", "-safemode", what];
        let output = launch::tool(Part::NameNode, &self.dir, &self.settings, &admin)?;
        if !output.status.success() {
            bail!("cannot {what} safe mode: {}", launch::text(&output).trim());
        }
        Ok(())
    }

    /// Starts the DataNodes again as such that have no room left on their disks, or as before.
    pub fn fill_disks(&self, full: bool) -> Result<()> {
        config::write(&self.dir, &Settings { disks_full: full, ..self.settings.clone() })?;
        thread::scope(|scope| {
            let nodes = self.settings.parts().into_iter().filter(|part| matches!(part, Part::DataNode(_)));
            let again = |part: Part| self.kill(&part.to_string()).and_then(|()| self.restart(&part.to_string()));
            let again: Vec<_> = nodes.map(|part| scope.spawn(move || again(part))).collect();
            again.into_iter().try_for_each(|done| done.join().unwrap_or_else(|e| std::panic::resume_unwind(e)))
        })
    }

    /// Lets a directory of HDFS hold no more than so many bytes, replicas counted (`hdfs dfsadmin -setSpaceQuota`); `None`:
    /// as many as it wants.
    pub fn set_space_quota(&self, path: &str, bytes: Option<u64>) -> Result<()> {
        const NONE: i64 = -1;
        let bytes = bytes.map_or(NONE, |bytes| bytes as i64);
        let (web, user) = (self.namenode_http(), &self.settings.user);
        let url = format!(
            "{web}/webhdfs/v1{path}?op=SETQUOTA&namespacequota={NONE}&storagespacequota={bytes}&user.name={user}"
        );
        presto::agent(Duration::from_secs(30)).put(&url).send_empty().with_context(|| format!("quota of {path}"))?;
        Ok(())
    }

    /// Stops all parts. A temporary folder is removed; one that was named is kept, and can be started again.
    pub fn shut_down(&self) -> Result<()> {
        if self.settings.temporary {
            // Nothing that they could save when asked to end would be read again.
            self.end_all(Duration::ZERO)?;
            return self.dir.remove();
        }
        self.end_all(PATIENCE)
    }

    /// Ends all parts at once, also such as another process has just started.
    fn end_all(&self, patience: Duration) -> Result<()> {
        thread::scope(|scope| {
            let parts = self.settings.parts().into_iter();
            let ends: Vec<_> = parts.map(|part| scope.spawn(move || self.end(part, patience))).collect();
            ends.into_iter().try_for_each(|end| end.join().unwrap_or_else(|e| std::panic::resume_unwind(e)))
        })
    }

    fn end(&self, part: Part, patience: Duration) -> Result<()> {
        let mark = self.dir.mark(part);
        let mut found = process::find(&mark).into_iter();
        found.try_for_each(|pid| process::end(pid, &mark, patience).with_context(|| part.to_string()))
    }

    fn signal(&self, part: &str, signal: Signal, paused: bool) -> Result<()> {
        let part = self.part(part)?;
        let pid = self.pid(part).with_context(|| format!("{part} is not running"))?;
        process::signal(pid, &self.dir.mark(part), signal).with_context(|| part.to_string())?;
        if !process::wait_until(Duration::from_secs(5), || process::is_paused(pid) == paused) {
            bail!("{part} did not react to the signal");
        }
        Ok(())
    }

    fn part(&self, name: &str) -> Result<Part> {
        let part: Part = name.parse()?;
        let parts = self.settings.parts();
        if !parts.contains(&part) {
            let names: Vec<String> = parts.iter().map(Part::to_string).collect();
            bail!("this stack has no {part}; it has {}", names.join(", "));
        }
        Ok(part)
    }

    pub(crate) fn state(&self, part: Part) -> Result<PartState> {
        PartState::load(&self.dir.state(part))
    }

    /// The part's process, if it runs.
    pub(crate) fn pid(&self, part: Part) -> Option<i32> {
        let pid = self.state(part).ok()?.pid?;
        is_ours(pid, &self.dir.mark(part)).then_some(pid)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let is_there = self.dir().exists();
        if self.owned
            && is_there
            && let Err(error) = self.shut_down()
        {
            eprintln!("landfall-stack: {error:#}");
        }
    }
}
