//! `landfall produce`

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::{Failure, Format, signals, start_logging};
use crate::config;
use crate::game::Load;
use crate::source::{KafkaConfig, Producer, SourceError};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  landfall produce --events 10000
  landfall produce --events 60000 --rate 1000 --seed 7 --topic events")]
pub(super) struct Args {
    /// How many messages.
    #[arg(long, default_value_t = 1000)]
    events: u64,
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
    /// Give every event a header X-Request-Id of its own, so that each can be told from every other.
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

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    start_logging(args.log_format, "warn");
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

/// How many messages were sent, and how many of them are malformed.
fn produce(
    args: &Args,
    kafka: &KafkaConfig,
    topic: &str,
    stopped: &watch::Receiver<bool>,
) -> Result<(u64, u64), SourceError> {
    let producer = Producer::new(kafka, topic)?;
    let load = Load::new(args.seed).with_request_ids(args.request_ids).with_malformed(args.malformed);
    let begun = Instant::now();
    let (mut sent, mut malformed) = (0, 0);
    for (message, done) in load.take(usize::try_from(args.events).unwrap_or(usize::MAX)).zip(1..) {
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
