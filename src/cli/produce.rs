//! `landfall produce`

use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use tokio::sync::watch;

use super::{Failure, Format, signals, start_logging};
use crate::config;
use crate::fault::Fault;
use crate::game::{ASSESSMENTS, Load};
use crate::source::{KafkaConfig, Producer, SourceError};

/// What is produced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Kind {
    /// The game's events: purchases of swords and shields, guilds that are joined and left.
    #[default]
    GameEvents,
    /// The other game's events: items purchased and the guild joined, from random hosts of six providers.
    GameEventsBatch,
    /// Course assessments, nested: 3,280 are a full set.
    Assessments,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  landfall produce --events 10000
  landfall produce --events 60000 --rate 1000 --seed 7 --topic events
  landfall produce --load assessments --topic assessments
  landfall produce --load assessments --to - | jq -r .exam_name | sort | uniq -c | sort -rn | head")]
pub(super) struct Args {
    /// Which load.
    #[arg(long, value_enum, default_value_t)]
    load: Kind,
    /// How many messages. [default: 1000; of assessments 3280]
    #[arg(long)]
    events: Option<u64>,
    /// Write them to this file, one a line, instead of to Kafka; `-` is standard output.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rate", "topic", "malformed", "config"])]
    to: Option<PathBuf>,
    /// Messages a second; 0: as fast as it goes.
    #[arg(long, default_value_t = 0)]
    rate: u64,
    /// The same seed makes the same messages.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Topic; it must exist. [default: the first of kafka.topics]
    #[arg(long)]
    topic: Option<String>,
    /// Share of malformed messages, 0 to 1.
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    malformed: f64,
    /// Give every event of a game a header X-Request-Id of its own, so that each can be told from every other.
    #[arg(long)]
    request_ids: bool,
    /// Configuration file, for [kafka] only; repeat it to put one over another.
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t)]
    log_format: Format,
}

pub(super) fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("a number from 0 to 1".to_owned()),
    }
}

/// Sleeps so that `done` messages take as long as `rate` a second says.
pub(super) fn keep_rate(begun: Instant, done: u64, rate: u64) {
    if rate > 0 {
        let due = Duration::from_secs_f64(done as f64 / rate as f64);
        if let Some(early) = due.checked_sub(begun.elapsed()) {
            std::thread::sleep(early);
        }
    }
}

impl Args {
    fn load(&self) -> Load {
        let load = match self.load {
            Kind::GameEvents => Load::new(self.seed),
            Kind::GameEventsBatch => Load::batch(self.seed),
            Kind::Assessments => Load::assessments(self.seed),
        };
        load.with_request_ids(self.request_ids).with_malformed(self.malformed)
    }

    fn events(&self) -> usize {
        let usual = if self.load == Kind::Assessments { ASSESSMENTS } else { 1000 };
        self.events.map_or(usual, |events| usize::try_from(events).unwrap_or(usize::MAX))
    }
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    start_logging(args.log_format, "warn");
    if args.request_ids && args.load == Kind::Assessments {
        return Err(Failure::of_usage("--request-ids: assessments have no headers; their keen_id tells them apart"));
    }
    if let Some(file) = args.to.clone() {
        return write_file(&args, &file);
    }
    let settings = config::load(&args.config, config::environment())?;
    let topic = args.topic.clone().unwrap_or_else(|| settings.kafka.topics[0].clone());
    let kafka = KafkaConfig::from(&settings.kafka);
    let servers = kafka.bootstrap_servers.clone();
    let begun = Instant::now();
    let (_stop, stopped) = signals::stop_flag();
    let work = tokio::task::spawn_blocking(move || produce(&args, &kafka, &topic, &stopped).map(|done| (topic, done)));
    let (topic, (events, malformed)) = work.await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))?;
    let seconds = begun.elapsed().as_secs_f64();
    println!("{events} messages to topic {topic} at {servers} in {seconds:.1} s, {malformed} of them malformed");
    Ok(())
}

fn write_file(args: &Args, file: &Path) -> Result<(), Failure> {
    let written = if file == Path::new("-") {
        match write_lines(args, std::io::stdout().lock()) {
            // Who reads has enough, as `head` does.
            Err(e) if e.kind() == ErrorKind::BrokenPipe => return Ok(()),
            written => written,
        }
    } else {
        File::create(file).and_then(|to| write_lines(args, to))
    };
    let written = written.map_err(|e| Failure::new(format!("--to {}: {e}", file.display()), Fault::Config))?;
    // Standard output may be the messages.
    eprintln!("{written} messages written to {}", file.display());
    Ok(())
}

fn write_lines(args: &Args, to: impl Write) -> std::io::Result<usize> {
    let mut to = BufWriter::new(to);
    for message in args.load().take(args.events()) {
        to.write_all(&message.value)?;
        to.write_all(b"\n")?;
    }
    to.flush()?;
    Ok(args.events())
}

/// How many messages were sent, and how many of them are malformed.
fn produce(
    args: &Args,
    kafka: &KafkaConfig,
    topic: &str,
    stopped: &watch::Receiver<bool>,
) -> Result<(u64, u64), SourceError> {
    let producer = Producer::new(kafka, topic)?;
    let begun = Instant::now();
    let (mut sent, mut malformed) = (0, 0);
    for (message, done) in args.load().take(args.events()).zip(1..) {
        if *stopped.borrow() {
            break;
        }
        producer.send(&message.value)?;
        sent = done;
        malformed += u64::from(message.malformed);
        keep_rate(begun, done, args.rate);
    }
    producer.flush(Duration::from_secs(60))?;
    Ok((sent, malformed))
}
