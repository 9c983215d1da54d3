//! The command line: arguments, one file per command, exit codes.

mod accept;
mod check;
mod config;
mod dead_letters;
mod demo;
mod game_api;
mod infer;
mod live;
mod probe;
mod produce;
mod run;
mod signals;
mod status;
mod tables;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::app::{App, log_filter, read_migrations};
use crate::config::{self as configuration, Settings};
use crate::fault::Fault;
use crate::observe::{LogFormat, init_logging, set_log_filter};

/// Lands JSON events from Kafka as Parquet in external Hive tables, each event exactly once.
#[derive(Debug, Parser)]
#[command(name = "landfall", version, max_term_width = 110, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EX_USAGE: u8 = 64;
const EXIT_CODES: &str = "Exit codes: 0 done, 64 usage, 65 data, 69 a service cannot be reached, 70 a bug of landfall, \
                          75 try again, 78 configuration.\nLog level: RUST_LOG=info (or debug, landfall::commit=debug, …), else `logging.level` of the configuration.";

#[derive(Debug, Subcommand)]
enum Command {
    /// The daemon: reads the topics and lands every batch until it is told to stop (SIGTERM, Ctrl-C).
    Run(run::Args),
    /// The whole thing with nothing installed: an in-process Kafka, the seeds' game events, tables in a local folder.
    Demo(demo::Args),
    /// Writes the seeds' loads to a topic or a file: game events, course assessments.
    Produce(produce::Args),
    /// Reads a sample of messages and prints the CREATE EXTERNAL TABLE that could hold them.
    Infer(infer::Args),
    /// Looks before a start: configuration, migrations, Kafka, storage, metastore, and what a start would make or change.
    Check(check::Args),
    /// What the configuration says in the end, and where each value comes from.
    Config(config::Args),
    /// The seeds' games as an HTTP API, for curl and Apache Bench: each request is logged to a topic as an event.
    GameApi(game_api::Args),
    /// Where the job stands: each partition's offsets and lag, the last batch, each table. Reads only, daemon or not.
    Status(status::Args),
    /// Asks the running daemon whether it is alive, or whether everything lands: for health checks.
    Probe(probe::Args),
    /// The audit: whether log, files and metastore agree and every row is accounted for. Reads only, beside daemons too.
    Verify(verify::Args),
    /// The messages that could not become rows: what there is, and sending them through today's tables again.
    DeadLetters(dead_letters::Args),
    /// Goes on behind messages that are gone from Kafka, and records in the log that they were given up.
    AcceptGap(accept::GapArgs),
    /// Reads a topic that was deleted and made again from its beginning, as another one of the same name.
    AcceptTopic(accept::TopicArgs),
}

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    /// Text on a terminal, else JSON.
    #[default]
    Auto,
    /// Text.
    Text,
    /// One JSON object a line.
    Json,
}

/// What ends a command early: words for the user, and whose fault it is.
#[derive(Debug)]
struct Failure {
    message: String,
    fault: Fault,
    /// It stands in the log already.
    logged: bool,
    /// The command line is not as it must be.
    usage: bool,
}

impl Failure {
    fn new(message: impl ToString, fault: Fault) -> Failure {
        Failure { message: message.to_string(), fault, logged: false, usage: false }
    }

    fn of_usage(message: impl ToString) -> Failure {
        Failure { usage: true, ..Failure::new(message, Fault::Config) }
    }

    fn exit_code(&self) -> u8 {
        if self.usage { EX_USAGE } else { self.fault.exit_code() }
    }
}

macro_rules! failure_from {
    ($($error:ty),*) => {
        $(impl From<$error> for Failure {
            fn from(e: $error) -> Failure {
                Failure::new(&e, e.fault())
            }
        })*
    };
}
failure_from!(
    crate::app::AppError,
    crate::config::ConfigError,
    crate::source::SourceError,
    crate::storage::StorageError,
    crate::encode::ReadBackError,
    crate::web::BindError
);

/// Parses the arguments, runs the command, and returns the process's exit code.
pub fn main() -> ExitCode {
    landfall_malloc::bound_what_is_kept();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            // Nowhere to complain to if this fails.
            _ = e.print();
            // Help and version are no errors.
            return ExitCode::from(if e.use_stderr() { EX_USAGE } else { 0 });
        }
    };
    crate::failpoint::from_environment();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("landfall: cannot start: {e}");
            return ExitCode::from(Fault::Retry.exit_code());
        }
    };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Run(args) => run::run(args).await,
            Command::Demo(args) => demo::run(args).await,
            Command::Produce(args) => produce::run(args).await,
            Command::Infer(args) => infer::run(args).await,
            Command::Check(args) => check::run(args).await,
            Command::Config(args) => config::run(args),
            Command::GameApi(args) => game_api::run(args).await,
            Command::Status(args) => status::run(args).await,
            Command::Probe(args) => probe::run(args).await,
            Command::Verify(args) => verify::run(args).await,
            Command::DeadLetters(args) => dead_letters::run(args).await,
            Command::AcceptGap(args) => accept::gap(args).await,
            Command::AcceptTopic(args) => accept::topic(args).await,
        }
    });
    // A blocking call that hangs in a client must not keep the process from ending.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.logged {
                eprintln!("landfall: {}", failure.message);
            }
            ExitCode::from(failure.exit_code())
        }
    }
}

/// To standard output: one JSON object, or text.
fn print_report(report: &(impl serde::Serialize + std::fmt::Display), json: bool) -> Result<(), Failure> {
    if json {
        println!("{}", serde_json::to_string(report).map_err(|e| Failure::new(e, Fault::Bug))?);
    } else {
        print!("{report}");
    }
    Ok(())
}

/// The job of these configuration files and the environment.
fn load_app(files: &[PathBuf]) -> Result<App, Failure> {
    app_of(configuration::load(files, configuration::environment())?)
}

/// The job of these settings and their migrations.
fn app_of(settings: Settings) -> Result<App, Failure> {
    let migrations = read_migrations(&settings.migrations)?;
    Ok(App::new(settings, &migrations)?)
}

/// Says whether log lines are JSON.
fn start_logging(format: Format, default_filter: &str) -> bool {
    let format = match format {
        Format::Auto => LogFormat::Auto,
        Format::Text => LogFormat::Text,
        Format::Json => LogFormat::Json,
    };
    init_logging(format, &rust_log().unwrap_or_else(|| log_filter(default_filter)))
}

/// Logs by the configuration's level, unless the environment says otherwise.
fn follow_log_level(level: &str) -> Result<(), Failure> {
    match rust_log() {
        Some(_) => Ok(()),
        None => {
            set_log_filter(&log_filter(level)).map_err(|e| Failure::new(format!("logging.level: {e}"), Fault::Config))
        }
    }
}

/// What the environment wants logged.
fn rust_log() -> Option<String> {
    std::env::var("RUST_LOG").ok()
}
