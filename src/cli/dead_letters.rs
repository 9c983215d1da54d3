//! `landfall dead-letters list` and `landfall dead-letters replay`

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use tokio::sync::watch;

use super::live::letters_bar;
use super::{Failure, Format, load_app, start_logging};
use crate::app::App;
use crate::decode::Reason;
use crate::fault::Fault;
use crate::pipeline::letters::{Progress, Selection, Since};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What is in the dead-letter table, by reason: how many, since when, how many were replayed, and samples.
    List(ListArgs),
    /// Sends dead letters through today's tables, routes and settings again, each exactly once.
    Replay(ReplayArgs),
}

#[derive(Debug, clap::Args)]
struct Common {
    /// Configuration file; repeat it to put one over another. [default: config/default.toml, else the built-in one]
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// Only those of this reason: malformed_json, unrouted, …
    #[arg(long)]
    reason: Option<String>,
    /// Only those landed since this batch (a number), or within this time (such as 30m, 24h, 7d).
    #[arg(long, value_name = "BATCH|TIME")]
    since: Option<String>,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t)]
    log_format: Format,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  landfall dead-letters list
  landfall dead-letters list --since 24h --reason malformed_json --limit 10
  landfall dead-letters list --json | jq '.reasons[] | {reason, count, replayed}'

It only reads, and is safe beside running daemons.")]
struct ListArgs {
    #[command(flatten)]
    common: Common,
    /// Samples of each reason.
    #[arg(long, value_name = "N", default_value_t = 3)]
    limit: usize,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  landfall dead-letters replay --dry-run
  landfall dead-letters replay --reason unrouted
  landfall dead-letters replay --topic events --partition 3 --offsets 1200-1299

Each is landed once, however often this runs, is killed, or runs twice at a time; daemons may be running. What is still
bad, or wanted by no table, stays as it is, and can be replayed when something has changed. Exit code 0 also if there
was nothing to do.")]
struct ReplayArgs {
    #[command(flatten)]
    common: Common,
    /// Only those of this topic.
    #[arg(long)]
    topic: Option<String>,
    /// Only those of this partition.
    #[arg(long)]
    partition: Option<i32>,
    /// Only those with an offset from the first to the last of these.
    #[arg(long, value_name = "FIRST-LAST")]
    offsets: Option<String>,
    /// Say what would be done, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::List(args) => list(args).await,
        Command::Replay(args) => replay(args).await,
    }
}

async fn list(args: ListArgs) -> Result<(), Failure> {
    let selection = args.common.selection()?;
    let app = args.common.app()?;
    let (progress, watched) = watch::channel(Progress::default());
    let bar = tokio::spawn(letters_bar(watched));
    let result = app.list_dead_letters(&selection, args.limit, progress).await;
    // It ends with the progress' sender; a bar that panics is no reason to fail.
    _ = bar.await;
    let listing = result?;
    if args.json {
        println!("{}", serde_json::to_string(&listing).map_err(|e| Failure::new(e, Fault::Bug))?);
    } else {
        print!("{listing}");
    }
    Ok(())
}

async fn replay(args: ReplayArgs) -> Result<(), Failure> {
    let offsets = args.offsets.as_deref().map(offsets).transpose()?;
    let ReplayArgs { topic, partition, .. } = args;
    let selection = Selection { topic, partition, offsets, ..args.common.selection()? };
    let app = args.common.app()?;
    let (progress, watched) = watch::channel(Progress::default());
    let bar = tokio::spawn(letters_bar(watched));
    let result = app.replay_dead_letters(&selection, args.dry_run, progress).await;
    _ = bar.await;
    println!("{}", result?);
    Ok(())
}

impl Common {
    fn app(&self) -> Result<App, Failure> {
        start_logging(self.log_format, "warn");
        load_app(&self.config)
    }

    fn selection(&self) -> Result<Selection, Failure> {
        let reasons = Reason::ALL.map(Reason::as_str);
        if let Some(reason) = self.reason.as_deref().filter(|r| !reasons.contains(r)) {
            let known = reasons.join(", ");
            return Err(Failure::of_usage(format!("--reason {reason}: there is no such reason; there are {known}")));
        }
        let now_ms = jiff::Timestamp::now().as_millisecond();
        let since = self.since.as_deref().map(|text| since(text, now_ms)).transpose()?;
        Ok(Selection { reason: self.reason.clone(), since, ..Selection::default() })
    }
}

fn since(text: &str, now_ms: i64) -> Result<Since, Failure> {
    if let Ok(batch) = text.parse() {
        return Ok(Since::Batch(batch));
    }
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let seconds = match &text[digits..] {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3600),
        "d" => Some(86_400),
        _ => None,
    };
    let time = text[..digits].parse::<u64>().ok().zip(seconds).and_then(|(n, unit)| n.checked_mul(unit));
    let ms = time.and_then(|s| i64::try_from(Duration::from_secs(s).as_millis()).ok());
    let wrong = || format!("--since {text}: neither a batch's number nor a time such as 30m, 24h, 7d");
    Ok(Since::Millis(now_ms.saturating_sub(ms.ok_or_else(|| Failure::of_usage(wrong()))?)))
}

fn offsets(text: &str) -> Result<(i64, i64), Failure> {
    let range = text.split_once('-').and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().parse().ok()?)));
    let range = range.or_else(|| text.parse().ok().map(|one| (one, one)));
    let sound = range.filter(|(first, last)| first <= last && *first >= 0);
    sound.ok_or_else(|| {
        Failure::of_usage(format!("--offsets {text}: an offset, or the first and the last of them, as in 1200-1299"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_batch_or_a_time() {
        let now = 1_000_000_000;
        assert_eq!(since("42", now).unwrap(), Since::Batch(42));
        assert_eq!(since("30m", now).unwrap(), Since::Millis(now - 1_800_000));
        assert_eq!(since("7d", now).unwrap(), Since::Millis(now - 604_800_000));
        for bad in ["", "h", "1w", "-1h", "1.5h", "yesterday", "99999999999999999999h"] {
            assert!(since(bad, now).is_err(), "{bad}");
        }
    }

    #[test]
    fn offsets_are_one_or_two_that_ascend() {
        assert_eq!((offsets("7").unwrap(), offsets("1200-1299").unwrap()), ((7, 7), (1200, 1299)));
        for bad in ["", "-", "5-3", "-1", "a-b", "1-", "1-2-3"] {
            assert!(offsets(bad).is_err(), "{bad}");
        }
    }
}
