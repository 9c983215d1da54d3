//! The command line.

use crate::supervise;
use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use landfall_stack::{DEAD_AFTER, Hive, Options, Service, Stack, fence, fetch};
use std::path::PathBuf;

/// Real Kafka, HDFS, Hive metastore and Presto on this machine, without containers, for landfall's tests and for
/// playing.
///
/// Needs Java 17 and Maven (apt-get install openjdk-17-jdk-headless maven), about 2 GB of memory, and 550 MB of disk
/// for the servers' jars, which are fetched once into $LANDFALL_STACK_LIBS (default: ~/.cache/landfall-stack).
#[derive(Parser)]
#[command(
    version,
    after_help = "Parts: kafka, namenode, datanode1, datanode2, …, metastore, presto.
The commands that work on a running stack find it through --dir or $LANDFALL_STACK; `run` and `up` tell its folder."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Fetch the servers' jars, if they are not there, and print their folder
    Fetch {
        /// Spark's jars instead (190 MB), which are fetched at its first start otherwise
        #[arg(long)]
        spark: bool,
    },
    /// Start a stack, run a command with its addresses in the environment, stop the stack, and exit with its code
    Run {
        #[command(flatten)]
        what: What,
        /// The command and its arguments, after --
        #[arg(last = true, required = true)]
        command: Vec<std::ffi::OsString>,
    },
    /// Start a stack, print its addresses, and stay until Ctrl-C
    Up {
        #[command(flatten)]
        what: What,
    },
    /// Stop all parts of a stack, as when the process that started it is gone
    Down {
        #[command(flatten)]
        at: At,
    },
    /// Show the parts: process, memory, ports
    Status {
        #[command(flatten)]
        at: At,
    },
    /// Print the environment that makes landfall use the stack: eval "$(landfall-stack env --dir DIR)"
    Env {
        #[command(flatten)]
        at: At,
    },
    /// Kill a part (SIGKILL)
    Kill(OnePart),
    /// Stop a part (SIGTERM)
    Stop(OnePart),
    /// Pause a part (SIGSTOP)
    Pause(OnePart),
    /// Let a paused part go on (SIGCONT)
    Resume(OnePart),
    /// Start a part again that was killed or stopped, with its ports and data
    Start(OnePart),
    /// Create a topic
    Topic {
        /// Its name
        name: String,
        /// How many partitions
        #[arg(long, default_value_t = 1)]
        partitions: u32,
        #[command(flatten)]
        at: At,
    },
    /// Run an SQL statement in the schema `default`, and print the rows
    Presto {
        /// The statement
        sql: String,
        /// `hive` finds the columns of Parquet files by name, `hive_by_position` by position
        #[arg(long, default_value = "hive")]
        catalog: String,
        #[command(flatten)]
        at: At,
    },
    /// Run SQL statements in a Spark of its own over the stack's metastore, and print the rows
    SparkSql {
        /// The statement
        #[arg(required_unless_present = "file")]
        sql: Option<String>,
        /// A file of statements, each ended by a semicolon at the end of a line
        #[arg(short, long, conflicts_with = "sql")]
        file: Option<PathBuf>,
        /// Read Parquet tables through Hive's SerDe, not with Spark's own reader
        #[arg(long)]
        hive_serde: bool,
        /// The session's time zone
        #[arg(long, default_value = "UTC")]
        zone: String,
        #[command(flatten)]
        at: At,
    },
    /// Become a command whose servers are on the other side of a fence, in a new network namespace (Fence::command)
    #[command(hide = true)]
    Fence {
        #[command(flatten)]
        way: Way,
        /// The command and its arguments, after --
        #[arg(last = true, required = true)]
        command: Vec<std::ffi::OsString>,
    },
    /// The relay beside that command
    #[command(hide = true)]
    FenceRelay {
        #[command(flatten)]
        way: Way,
        /// The command's process id
        #[arg(long)]
        of: u32,
    },
}

#[derive(Args)]
struct Way {
    /// The folder with the sockets of the process outside
    #[arg(long)]
    sockets: PathBuf,
    /// The servers' ports
    #[arg(long, value_delimiter = ',')]
    ports: Vec<u16>,
}

#[derive(Args)]
struct What {
    /// The stack's folder: a new or empty one, or that of an earlier stack, which is then taken up again with its data,
    /// ports and settings [default: a temporary one, removed at the end]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Keep the temporary folder
    #[arg(long)]
    keep: bool,
    /// How many DataNodes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    datanodes: u32,
    /// HDFS's default replication [default: 3, or the number of DataNodes if that is less]
    #[arg(long)]
    replication: Option<u32>,
    /// After how many seconds the NameNode takes a silent DataNode for dead; Hadoop's default is 630
    #[arg(long, default_value_t = DEAD_AFTER, value_parser = clap::value_parser!(u32).range(12..))]
    dead_after: u32,
    /// What to start; what these cannot work without is added
    #[arg(long, value_delimiter = ',', default_value = "kafka,hdfs,metastore,presto")]
    parts: Vec<Service>,
    /// Which Hive Metastore: 3 is 3.1.3, 4 is 4.0.1 (135 MB more, without Presto, which cannot use it)
    #[arg(long, default_value = "3")]
    metastore: Hive,
}

#[derive(Args)]
struct At {
    /// The stack's folder [default: $LANDFALL_STACK]
    #[arg(long)]
    dir: Option<PathBuf>,
}

#[derive(Args)]
struct OnePart {
    /// kafka, namenode, datanode1…N, metastore or presto
    part: String,
    #[command(flatten)]
    at: At,
}

impl From<What> for Options {
    fn from(what: What) -> Options {
        let What { dir, keep, datanodes, replication, dead_after, parts: services, metastore: hive } = what;
        Options { dir, keep, datanodes, replication, dead_after, services, hive, secure: false, quiet: false }
    }
}

impl At {
    fn open(&self) -> Result<Stack> {
        let set = std::env::var_os("LANDFALL_STACK").filter(|dir| !dir.is_empty());
        match self.dir.clone().or(set.map(PathBuf::from)) {
            Some(dir) => Stack::open(&dir),
            None => bail!("which stack? Give --dir, or set $LANDFALL_STACK"),
        }
    }
}

impl Cli {
    /// Does what is asked, and returns the exit code.
    pub(crate) fn run(self) -> Result<u8> {
        match self.command {
            Command::Fetch { spark: false } => println!("{}", fetch::fetch(false)?.display()),
            Command::Fetch { spark: true } => println!("{}", fetch::fetch_spark(false)?.display()),
            Command::Run { what, command } => return supervise::run(what.into(), &command),
            Command::Up { what } => supervise::up(what.into())?,
            Command::Down { at } => at.open()?.shut_down()?,
            Command::Status { at } => print_status(&at.open()?),
            Command::Env { at } => print!("{}", supervise::exports(&at.open()?)),
            Command::Kill(one) => one.at.open()?.kill(&one.part)?,
            Command::Stop(one) => one.at.open()?.stop(&one.part)?,
            Command::Pause(one) => one.at.open()?.pause(&one.part)?,
            Command::Resume(one) => one.at.open()?.resume(&one.part)?,
            Command::Start(one) => one.at.open()?.restart(&one.part)?,
            Command::Topic { name, partitions, at } => at.open()?.create_topic(&name, partitions)?,
            Command::Presto { sql, catalog, at } => {
                print!("{}", at.open()?.presto().query(&catalog, &sql)?.to_table());
            }
            Command::SparkSql { sql, file, hive_serde, zone, at } => {
                let text = match file {
                    Some(file) => std::fs::read_to_string(&file).with_context(|| file.display().to_string())?,
                    None => sql.unwrap_or_default(),
                };
                let mut spark = at.open()?.spark()?;
                spark.query(&format!("set spark.sql.hive.convertMetastoreParquet = {}", !hive_serde))?;
                spark.query(&format!("set spark.sql.session.timeZone = {zone}"))?;
                for statement in text.split(";\n").map(|s| s.trim().trim_end_matches(';')).filter(|s| !s.is_empty()) {
                    let rows = spark.query(statement)?;
                    if !rows.columns.is_empty() {
                        print!("{}", rows.to_table());
                    }
                }
            }
            Command::Fence { way, command } => fence::inside::enter(&way.sockets, &way.ports, &command)?,
            Command::FenceRelay { way, of } => fence::inside::relay(&way.sockets, &way.ports, of)?,
        }
        Ok(0)
    }
}

fn print_status(stack: &Stack) {
    for part in stack.status() {
        let ports = part.ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
        let state = if part.paused { "paused" } else { "running" };
        match part.pid {
            Some(pid) => println!("{:<10} {state:<7}  pid {pid:<7}  {:>4} MiB  ports {ports}", part.name, part.memory),
            None => println!("{:<10} down", part.name),
        }
    }
}
