//! Spark in local mode: a second reader of the tables, with Spark's own Parquet reader or with Hive's SerDe.

use crate::config::HOST;
use crate::presto::Rows;
use crate::stack::Stack;
use crate::{fetch, java};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Java runs it from its source.
const PROGRAM: &str = include_str!("../spark/SparkQueries.java");
const LOGGING: &str = include_str!("../spark/log4j2.properties");

/// What Spark reaches into, which Java 17 closed: its own list, `org.apache.spark.launcher.JavaModuleOptions`.
const OPENS: [&str; 14] = [
    "java.base/java.lang",
    "java.base/java.lang.invoke",
    "java.base/java.lang.reflect",
    "java.base/java.io",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.ref",
    "java.base/sun.nio.ch",
    "java.base/sun.nio.cs",
    "java.base/sun.security.action",
    "java.base/sun.util.calendar",
];

/// A Spark session in a process of its own, of a gigabyte at most, that ends with this value. Up in about 10 s.
///
/// `set spark.sql.hive.convertMetastoreParquet = false` makes it read tables through Hive's SerDe instead of its own
/// reader, `set spark.sql.session.timeZone = America/New_York` changes the zone, which is UTC at first.
#[derive(Debug)]
pub struct Spark {
    process: Child,
    statements: ChildStdin,
    answers: BufReader<ChildStdout>,
    log: PathBuf,
}

/// An answer of the program.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Rows { columns: Vec<(String, String)>, rows: Vec<Vec<Value>> },
    Error { error: String },
}

impl Stack {
    /// Starts a Spark on the stack's HDFS and metastore, fetching its jars if need be (about 190 MB).
    pub fn spark(&self) -> Result<Spark> {
        let settings = [
            ("spark.hadoop.fs.defaultFS", self.hdfs()),
            ("spark.hadoop.hive.metastore.uris", self.metastore()),
            ("spark.sql.warehouse.dir", format!("{}/warehouse", self.hdfs())),
        ];
        Spark::start(&self.dir.path().join("spark"), self.user(), settings.into())
    }
}

impl Spark {
    /// Starts a Spark on local files, with a metastore of its own in that folder, which is made. No servers are needed.
    pub fn local(folder: &Path) -> Result<Spark> {
        let folder = std::path::absolute(folder)?;
        let metastore = folder.join("metastore");
        let settings = [
            (
                "spark.hadoop.javax.jdo.option.ConnectionURL",
                format!("jdbc:derby:;databaseName={};create=true", metastore.display()),
            ),
            ("spark.sql.warehouse.dir", format!("file://{}", folder.join("warehouse").display())),
        ];
        Spark::start(&folder, "landfall", settings.into())
    }

    fn start(folder: &Path, user: &str, mut settings: BTreeMap<&str, String>) -> Result<Spark> {
        let (java, jars) = (java::find()?, fetch::fetch_spark(false)?);
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let (program, logging) = (folder.join("SparkQueries.java"), folder.join("log4j2.properties"));
        fs::write(&program, PROGRAM)?;
        fs::write(&logging, LOGGING)?;
        let log = folder.join("spark.log");
        for (key, value) in [
            ("spark.master", "local[2]"),
            ("spark.app.name", "landfall-stack"),
            ("spark.driver.host", HOST),
            ("spark.driver.bindAddress", HOST),
            ("spark.ui.enabled", "false"),
            ("spark.sql.session.timeZone", "UTC"),
            ("spark.sql.datetime.java8API.enabled", "true"),
            ("spark.sql.shuffle.partitions", "1"),
        ] {
            settings.insert(key, value.to_owned());
        }
        settings.insert("spark.local.dir", folder.join("tmp").display().to_string());
        settings.insert("spark.hadoop.hive.exec.scratchdir", folder.join("scratch").display().to_string());
        settings.insert("derby.stream.error.file", folder.join("derby.log").display().to_string());
        settings.insert("log4j2.configurationFile", format!("file:{}", logging.display()));
        settings.insert("user.timezone", "UTC".to_owned());
        let mut process = Command::new(java)
            .args(["-Xmx1g", "-Xss4m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .args(OPENS.map(|package| format!("--add-opens={package}=ALL-UNNAMED")))
            .args(settings.iter().map(|(key, value)| format!("-D{key}={value}")))
            .arg("-cp")
            .arg(jars.join("*"))
            .arg(program)
            .env("HADOOP_USER_NAME", user)
            .env_remove("SPARK_HOME")
            .env_remove("SPARK_CONF_DIR")
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .spawn()
            .context("cannot run java")?;
        let (statements, answers) = (process.stdin.take(), process.stdout.take());
        let statements = statements.context("Spark's process has no standard input")?;
        let answers = BufReader::new(answers.context("Spark's process has no standard output")?);
        Ok(Spark { process, statements, answers, log })
    }

    /// Runs a statement to its end, however long that takes. The values are in the forms that Presto's JSON has, but
    /// timestamps have microseconds. A statement that fails gives Spark's message and its causes.
    pub fn query(&mut self, sql: &str) -> Result<Rows> {
        let gone = || format!("Spark's process is gone: see {}", self.log.display());
        writeln!(self.statements, "{}", Value::from(sql)).with_context(gone)?;
        let mut line = String::new();
        if self.answers.read_line(&mut line).with_context(gone)? == 0 {
            bail!(gone());
        }
        match serde_json::from_str(&line).with_context(|| format!("cannot understand Spark's answer: {line}"))? {
            Answer::Rows { columns, rows } => Ok(Rows { columns, rows }),
            Answer::Error { error } => bail!("{error}"),
        }
    }
}

impl Drop for Spark {
    fn drop(&mut self) {
        // It holds nothing that must be written: its tables' files are not its own.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
