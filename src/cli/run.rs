//! `landfall run`

use std::io::IsTerminal;
use std::path::PathBuf;

use tokio::sync::watch;
use tracing::{error, info, warn};

use super::live::available_now_bar;
use super::{Failure, Format, follow_log_level, load_app, signals, start_logging};
use crate::app::{App, AppError, Mode, Reload, Serving};
use crate::fault::Fault;
use crate::observe::Status;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  landfall run
  landfall run --config config/default.toml --config production.toml
  LANDFALL__KAFKA__BOOTSTRAP_SERVERS=kafka:9092 landfall run
  kill -HUP …                           # the daemon reads configuration and migrations again, for its next batch
  landfall run --available-now          # a batch job: lands all there is, then exits 0
  landfall run --available-now --success-files --config examples/game-events-batch/landfall.toml")]
pub(super) struct Args {
    /// Configuration file; repeat it to put one over another. [default: config/default.toml, else the built-in one]
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// Land all that is in the topics now, in as many batches as needed, then exit 0.
    #[arg(long)]
    available_now: bool,
    /// With --available-now: when all is landed and registered, put an empty file _SUCCESS into each table's directory.
    /// A later run adds what is new and leaves the file; none is ever deleted.
    #[arg(long, requires = "available_now")]
    success_files: bool,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t)]
    log_format: Format,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    // The bar on a terminal says what a line for each batch would say.
    let bar = args.available_now && matches!(args.log_format, Format::Auto) && std::io::stderr().is_terminal();
    let json = start_logging(args.log_format, if bar { "warn" } else { "info" });
    let result = land(args, bar).await;
    result.map_err(|mut failure| {
        if json {
            // Who tails structured logs must find there why the daemon ended.
            let exit_code = failure.exit_code();
            error!(exit_code, fault = ?failure.fault, "{}", failure.message);
            failure.logged = true;
        }
        failure
    })
}

async fn land(args: Args, bar: bool) -> Result<(), Failure> {
    let app = load_app(&args.config)?;
    if !bar {
        follow_log_level(app.log_level())?;
    }
    let (_stop, stopped) = signals::stop_flag();
    let (status, watched) = watch::channel(Status::default());
    let mode = if args.available_now { Mode::AvailableNow } else { Mode::Daemon };
    // Up before anything is reached: a start that waits for a service says so there.
    let _serving = serve(&app, mode, watched.clone()).await?;
    let bar = args.available_now.then(|| tokio::spawn(available_now_bar(watched)));
    // A batch run is over before a change matters.
    let reload = (mode == Mode::Daemon).then(|| Reload::new(&args.config, signals::hangups()));
    let result = app.run_reloading(mode, stopped.clone(), status, reload).await;
    if let Some(bar) = bar {
        // It ends with the status' sender; a bar that panics is no reason to fail the run.
        _ = bar.await;
    }
    result?;
    if args.success_files {
        if *stopped.borrow() {
            let what = "stopped by a signal: what was read is landed, but perhaps not all there is, and no _SUCCESS file is \
                        written. Run again";
            return Err(Failure::new(what, Fault::Fenced));
        }
        app.write_success_files().await.map_err(AppError::from)?;
    }
    Ok(())
}

async fn serve(app: &App, mode: Mode, status: watch::Receiver<Status>) -> Result<Option<Serving>, Failure> {
    match app.serve(status).await {
        Ok(serving) => {
            if let Some(serving) = &serving {
                info!(url = serving.url(), "status page, metrics and probes are served");
            }
            Ok(serving)
        }
        // A batch run beside a daemon of the same configuration has nothing to say that its exit code does not.
        Err(e) if mode == Mode::AvailableNow => {
            warn!("{e}. This run goes on without");
            Ok(None)
        }
        Err(e) => Err(e.into()),
    }
}
