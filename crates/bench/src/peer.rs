//! The peer: PySpark in a virtual environment below `target`, and its job.

use crate::process::Family;
use crate::topic::Topic;
use crate::world::World;
use anyhow::{Context, Result, ensure};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const PROGRAM: &str = include_str!("../spark/peer.py");
const POM: &str = include_str!("../maven/pom.xml");
const PYSPARK: &str = "pyspark==3.5.7";

/// PySpark, and Spark's source for Kafka.
#[derive(Debug)]
pub struct Peer {
    venv: PathBuf,
    /// With commas between.
    jars: String,
    folder: PathBuf,
}

/// Which filters the job has, and how much it logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filters {
    /// Python UDFs, at Spark's own log level: the seeds' job as its user runs it.
    Python,
    /// `get_json_object`, and only errors logged.
    Native,
}

impl Filters {
    /// As it stands in tables.
    pub fn text(self) -> &'static str {
        match self {
            Filters::Python => "Spark, Python filters",
            Filters::Native => "Spark, native filters, quiet",
        }
    }
}

impl Peer {
    /// Installs what is missing: PySpark from its package index (320 MB), the source for Kafka by Maven.
    pub fn install(world: &World) -> Result<Peer> {
        let folder = world.out.join("spark");
        let (venv, libs) = (world.out.join("venv"), folder.join("jars"));
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("peer.py"), PROGRAM)?;
        fs::write(folder.join("pom.xml"), POM)?;
        if !venv.join("bin/spark-submit").is_file() {
            eprintln!("installing {PYSPARK} into {}", venv.display());
            let place = venv.display().to_string();
            must("python3", &["-m", "venv", &place], "apt-get install python3-venv")?;
            let pip = format!("{place}/bin/pip");
            let by_hand = format!("{pip} install {PYSPARK}");
            must(&pip, &["install", "--no-input", "--disable-pip-version-check", PYSPARK], &by_hand)?;
        }
        if !libs.join("complete").is_file() {
            let pom = folder.join("pom.xml").display().to_string();
            let to = format!("-Dlibs={}", libs.display());
            let by_hand = "apt-get install openjdk-17-jdk-headless maven";
            must("mvn", &["--batch-mode", "--quiet", "--file", &pom, &to, "package"], by_hand)?;
            fs::write(libs.join("complete"), "")?;
        }
        let mut jars = Vec::new();
        for entry in fs::read_dir(&libs)? {
            jars.push(entry?.path().display().to_string());
        }
        jars.retain(|jar| jar.ends_with(".jar"));
        ensure!(jars.len() > 2, "Maven made too few jars in {}", libs.display());
        Ok(Peer { venv, jars: jars.join(","), folder })
    }

    /// Starts the job on a topic, with its tables below a folder of HDFS. Its standard error goes into a file.
    pub fn start(&self, world: &World, topic: &Topic, out: &str, trigger: &str, filters: Filters) -> Result<Job> {
        let log = self.folder.join("job.log");
        let mut command = Command::new(self.venv.join("bin/spark-submit"));
        command.args(["--master", "local[2]", "--jars", &self.jars]);
        command.args(["--conf", &format!("spark.hadoop.fs.defaultFS={}", world.stack.hdfs())]);
        // The same addresses and zone as everything else here.
        command.args(["--conf", "spark.driver.host=127.0.0.1", "--conf", "spark.driver.bindAddress=127.0.0.1"]);
        command.args(["--conf", "spark.sql.session.timeZone=UTC"]).arg(self.folder.join("peer.py"));
        command.env_remove("SPARK_HOME").env_remove("SPARK_CONF_DIR").env_remove("PYTHONPATH");
        command.env("PYSPARK_PYTHON", self.venv.join("bin/python")).env("HADOOP_USER_NAME", world.stack.user());
        command
            .env("PATH", format!("{}:{}", self.venv.join("bin").display(), std::env::var("PATH").unwrap_or_default()));
        command.env("KAFKA", world.stack.kafka()).env("TOPIC", &topic.name).env("TRIGGER", trigger);
        command.env("OUT", format!("{}{out}", world.stack.hdfs()));
        command.env("FILTER", if filters == Filters::Python { "udf" } else { "native" });
        if filters == Filters::Native {
            command.env("QUIET", "1");
        }
        command.current_dir(&self.folder).stdin(Stdio::null());
        let said = self.folder.join("job.out");
        command.stdout(File::create(&said)?).stderr(File::create(&log)?);
        let begun = Instant::now();
        let child = command.spawn().context("cannot run spark-submit")?;
        Ok(Job { family: Family::of(child.id()), child, begun, log, said })
    }
}

fn must(program: &str, args: &[&str], by_hand: &str) -> Result<()> {
    let status = Command::new(program).args(args).status();
    let status = status.with_context(|| format!("cannot run {program}; this would do: {by_hand}"))?;
    ensure!(status.success(), "{program} ended with {status}; this would do by hand: {by_hand}");
    Ok(())
}

/// The running job.
#[derive(Debug)]
pub struct Job {
    /// It and all its processes.
    pub family: Family,
    child: Child,
    /// When it was started.
    pub begun: Instant,
    log: PathBuf,
    said: PathBuf,
}

impl Job {
    fn log(&self) -> &Path {
        &self.log
    }

    /// Looks at its processes for this long, or until `done`; fails if it ends.
    pub fn look_on(&mut self, time: Duration, done: impl Fn() -> bool) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < time && !done() {
            ensure!(self.family.look(), "Spark's job has ended; see {}", self.log().display());
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Waits until its queries are started.
    pub fn until_started(&mut self) -> Result<()> {
        let said = self.said.clone();
        let started = move || fs::read_to_string(&said).is_ok_and(|text| text.contains("PEER started"));
        self.look_on(Duration::from_secs(120), &started)?;
        ensure!(started(), "Spark's job did not start in 120 s; see {}", self.log().display());
        Ok(())
    }

    /// Waits for its end, which must be a good one; seconds since its start.
    pub fn wait(&mut self, limit: Duration) -> Result<f64> {
        while self.family.look() {
            ensure!(self.begun.elapsed() < limit, "Spark's job does not end; see {}", self.log().display());
            landfall_stack::signals::caught()
                .map_or(Ok(()), |signal| Err(anyhow::anyhow!("stopped by signal {signal}")))?;
            thread::sleep(Duration::from_millis(50));
        }
        let wall = self.begun.elapsed().as_secs_f64();
        let status = self.child.wait()?;
        ensure!(status.success(), "Spark's job ended with {status}; see {}", self.log().display());
        fs::remove_file(self.log())?; // a line an event, with Python filters
        Ok(wall)
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.family.terminate();
        let begun = Instant::now();
        while self.family.look() && begun.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(100));
        }
        self.child.kill().ok(); // it has ended, or it does not listen
        self.child.wait().ok();
    }
}
