//! `landfall accept-gap` and `landfall accept-topic`

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use clap::ValueEnum;

use super::{Failure, Format, load_app, start_logging};
use crate::app::{App, From as Begin};
use crate::fault::Fault;
use crate::model::{Offset, TopicPartition};

#[derive(Debug, clap::Args)]
struct Common {
    /// Why: it stays in the log, with your name and this host's.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Configuration file; repeat it to put one over another. [default: config/default.toml, else the built-in one]
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// Do not ask. Without a terminal it is needed: else what would be done is said, and nothing is changed (exit 64).
    #[arg(long, short)]
    yes: bool,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t)]
    log_format: Format,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  landfall accept-gap events 3 --reason 'daemon was down for longer than the retention'
  landfall accept-gap events 3 --to 1700 --reason 'poison messages, ticket 4711' --yes

A daemon that has stopped the partition goes on within a few seconds; none has to be restarted.
Refused with exit code 65 where there is no gap.")]
pub(super) struct GapArgs {
    /// Topic.
    topic: String,
    /// Partition.
    partition: i32,
    /// Go on at this offset, also if messages before it are still there. [default: the oldest message in Kafka]
    #[arg(long, value_name = "OFFSET")]
    to: Option<i64>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  landfall accept-topic events --reason 'made anew with 12 partitions'
  landfall accept-topic events --from newest --reason 'refilled with what was landed already' --yes

Rows of the new topic have another name in columns of source kafka.topic: events#1, so that no two rows have the same
topic, partition and offset. Daemons go on within a few seconds; none has to be restarted.")]
pub(super) struct TopicArgs {
    /// Topic.
    topic: String,
    /// Where to begin in the new topic.
    #[arg(long, value_enum, default_value_t = FromArg::Oldest)]
    from: FromArg,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FromArg {
    /// With its oldest message.
    Oldest,
    /// With the next message to come.
    Newest,
}

fn app(common: &Common) -> Result<App, Failure> {
    start_logging(common.log_format, "warn");
    if common.reason.trim().is_empty() {
        return Err(Failure::of_usage("--reason is empty: say why, it stays in the log"));
    }
    load_app(&common.config)
}

pub(super) async fn gap(args: GapArgs) -> Result<(), Failure> {
    let app = app(&args.common)?;
    let mut log = app.operator_log().await?;
    let partition = TopicPartition::new(args.topic, args.partition);
    let done = async {
        let gap = log.gap(&partition, args.to.map(Offset)).await?;
        confirm(&format!("To be skipped for ever, {gap}."), &args.common)?;
        let slot = log.accept_gap(&gap, &args.common.reason).await?;
        println!("skipped {gap}: slot {} of the log; reading goes on at offset {}", slot.0, gap.to);
        Ok(())
    };
    let done: Result<(), Failure> = done.await;
    log.close().await;
    done
}

pub(super) async fn topic(args: TopicArgs) -> Result<(), Failure> {
    let app = app(&args.common)?;
    let mut log = app.operator_log().await?;
    let from = match args.from {
        FromArg::Oldest => Begin::Oldest,
        FromArg::Newest => Begin::Newest,
    };
    let done = async {
        let renewal = log.renewal(&args.topic, from).await?;
        let doubt = match renewal.doubtful {
            true => {
                "\nEvery position of the log is one that Kafka has. If this is still the old topic, all messages \
                     from there on are landed a second time."
            }
            false => "",
        };
        confirm(&format!("{renewal}{doubt}"), &args.common)?;
        let slot = log.accept_topic(&renewal, &args.common.reason).await?;
        println!("topic {} begins anew as {0}#{}: slot {} of the log", renewal.topic, renewal.incarnation, slot.0);
        Ok(())
    };
    let done: Result<(), Failure> = done.await;
    log.close().await;
    done
}

/// Says what is to be done, and asks on a terminal.
fn confirm(what: &str, common: &Common) -> Result<(), Failure> {
    println!("{what}");
    if common.yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::of_usage("nothing was changed: there is no terminal to ask at, so add --yes to do it"));
    }
    print!("Do it? [y/N] ");
    let mut answer = String::new();
    let asked = std::io::stdout().flush().and_then(|()| std::io::stdin().read_line(&mut answer));
    asked.map_err(|e| Failure::new(format!("cannot ask: {e}"), Fault::Retry))?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::of_usage("nothing was changed")),
    }
}
