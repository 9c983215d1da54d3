//! `landfall demo`

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::HumanCount;
use tokio::sync::watch;

use super::live::demo_view;
use super::produce::{keep_rate, share};
use super::tables::{draw, read_tables};
use super::{Failure, Format, signals, start_logging};
use crate::app::{App, Mode};
use crate::config;
use crate::fault::Fault;
use crate::game::Load;
use crate::observe::Status;
use crate::source::{EmbeddedKafka, KafkaConfig, Producer, SourceError};

/// The seeds' tables, as `migrations/` has them.
const MIGRATIONS: [(&str, &str); 4] = [
    ("0001_sword_purchases.sql", include_str!("../../migrations/0001_sword_purchases.sql")),
    ("0002_purchases.sql", include_str!("../../migrations/0002_purchases.sql")),
    ("0003_guilds.sql", include_str!("../../migrations/0003_guilds.sql")),
    ("0004_dead_letters.sql", include_str!("../../migrations/0004_dead_letters.sql")),
];

const TOPIC: &str = "events";
const PARTITIONS: i32 = 3;
/// The in-process Kafka forgets all but the last 5 MiB of a partition: the producer waits for the daemon to keep up.
const MOST_AHEAD: u64 = 20_000;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  landfall demo                      # until Ctrl-C
  landfall demo --events 20000       # ends by itself and shows what landed
  landfall demo --rate 5000 --interval 10s --dir /tmp/my-demo")]
pub(super) struct Args {
    /// End after this many messages. [default: run until Ctrl-C]
    #[arg(long)]
    events: Option<u64>,
    /// Messages a second; 0: as fast as it goes.
    #[arg(long, default_value_t = 2000)]
    rate: u64,
    /// The same seed makes the same messages.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Share of malformed messages, 0 to 1; they land in the table dead_letters.
    #[arg(long, default_value_t = 0.01, value_parser = share)]
    malformed: f64,
    /// Trigger interval; the daemon's own default is 10s.
    #[arg(long, default_value = "2s")]
    interval: String,
    /// Folder for tables and checkpoint; must be empty. [default: a new one below the system's temporary folder]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Where the status page is served; off: nowhere. [default: 127.0.0.1:8642, or a free port if that is taken]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t)]
    log_format: Format,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    start_logging(args.log_format, "warn");
    let dir = folder(args.dir.as_deref())?;
    let cluster = EmbeddedKafka::start(&[(TOPIC, PARTITIONS)])?;
    let servers = cluster.bootstrap_servers();
    let app = Arc::new(App::new(settings(&args, &dir, &servers)?, &MIGRATIONS.map(|(n, t)| (n.into(), t.into())))?);
    println!("In-process Kafka at {servers}, topic {TOPIC} with {PARTITIONS} partitions.");
    println!("Tables and checkpoint below {}, a batch every {}.", dir.display(), args.interval);

    let (stop, stopped) = signals::stop_flag();
    let (status, watched) = watch::channel(Status::default());
    let serving = match app.serve(watched.clone()).await {
        Ok(serving) => serving,
        // Another demo, or a daemon, has it: this one is to be seen all the same.
        Err(_) if args.listen.is_none() => app.serve_anywhere(watched.clone()).await?,
        Err(e) => return Err(e.into()),
    };
    if let Some(serving) = &serving {
        println!("Status page: {}\n", serving.url());
    }
    let produced = Arc::new(AtomicU64::new(0));
    let view = tokio::spawn(demo_view(watched.clone(), produced.clone(), args.events));
    let producing = {
        let (produced, watched, stopped) = (produced.clone(), watched.clone(), stopped.clone());
        let (events, rate) = (args.events, args.rate);
        let load = Load::new(args.seed).with_malformed(args.malformed);
        tokio::task::spawn_blocking(move || produce(&servers, load, events, rate, &produced, &watched, &stopped))
    };
    // The pipeline is told to stop only when all that was produced has landed.
    let (stop_pipeline, pipeline_stopped) = watch::channel(false);
    let landing = {
        let app = app.clone();
        tokio::spawn(async move { app.run(Mode::Daemon, pipeline_stopped, status).await })
    };
    let feeding = async {
        let sent = producing.await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()));
        if sent.is_ok() {
            let mut watched = watched.clone();
            let all = produced.load(Ordering::Relaxed);
            // A sender that is gone means that the job has ended: its result says why.
            _ = watched.wait_for(|s| s.messages >= all).await;
        }
        stop_pipeline.send_replace(true);
        sent
    };
    let (sent, landed) = tokio::join!(feeding, landing);
    // The view ends with the job; its panic would be no reason to fail.
    _ = view.await;
    landed.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))?;
    sent?;
    drop(stop);
    let status = watched.borrow().clone();
    report(&app, &status, produced.load(Ordering::Relaxed), &dir).await
}

fn folder(wanted: Option<&Path>) -> Result<PathBuf, Failure> {
    let dir = match wanted {
        Some(dir) => dir.to_owned(),
        None => std::env::temp_dir().join(format!("landfall-demo-{}", std::process::id())),
    };
    let fail = |e: std::io::Error| Failure::new(format!("--dir {}: {e}", dir.display()), Fault::Config);
    std::fs::create_dir_all(&dir).map_err(fail)?;
    if std::fs::read_dir(&dir).map_err(fail)?.next().is_some() {
        let text = format!(
            "--dir {} is not empty. The demo's Kafka lives as long as the demo, and a checkpoint of an earlier one does \
             not fit it: name an empty folder",
            dir.display()
        );
        return Err(Failure::new(text, Fault::Config));
    }
    std::path::absolute(&dir).map_err(fail)
}

fn settings(args: &Args, dir: &Path, servers: &str) -> Result<config::Settings, Failure> {
    let overrides = [
        ("LANDFALL__JOB", "demo".to_owned()),
        ("LANDFALL__KAFKA__BOOTSTRAP_SERVERS", servers.to_owned()),
        ("LANDFALL__KAFKA__TOPICS", TOPIC.to_owned()),
        ("LANDFALL__STORAGE__URL", format!("file://{}", dir.display())),
        ("LANDFALL__METASTORE__URI", String::new()),
        ("LANDFALL__TRIGGER__INTERVAL", args.interval.clone()),
    ];
    let listen = args.listen.iter().map(|listen| ("LANDFALL__HTTP__LISTEN", listen.clone()));
    Ok(config::load_embedded(overrides.into_iter().chain(listen).map(|(k, v)| (k.to_owned(), v)))?)
}

fn produce(
    servers: &str,
    load: Load,
    events: Option<u64>,
    rate: u64,
    produced: &AtomicU64,
    status: &watch::Receiver<Status>,
    stopped: &watch::Receiver<bool>,
) -> Result<(), SourceError> {
    let kafka = KafkaConfig {
        bootstrap_servers: servers.to_owned(),
        group_id: String::new(),
        properties: Default::default(),
        connect_timeout: Duration::from_secs(10),
        queue_bytes: KafkaConfig::QUEUE_BYTES,
    };
    let producer = Producer::new(&kafka, TOPIC)?;
    let mut begun = Instant::now();
    let mut paced = 0;
    for (message, done) in load.zip(1..=events.unwrap_or(u64::MAX)) {
        // A sender that is gone: the job has ended.
        let ended = || *stopped.borrow() || status.has_changed().is_err();
        while done > status.borrow().messages + MOST_AHEAD && !ended() {
            std::thread::sleep(Duration::from_millis(20));
            (begun, paced) = (Instant::now(), 0);
        }
        if ended() {
            break;
        }
        producer.send(&message.value)?;
        produced.store(done, Ordering::Relaxed);
        paced += 1;
        keep_rate(begun, paced, rate);
    }
    producer.flush(Duration::from_secs(30))
}

async fn report(app: &App, status: &Status, produced: u64, dir: &Path) -> Result<(), Failure> {
    let views = read_tables(app, 3).await?;
    println!("What the tables hold, read back from their Parquet files:\n");
    for view in &views {
        println!("  {}: {} rows in {} files", view.name, HumanCount(view.rows), view.files);
        println!("{}\n", draw(view));
    }
    let a = &status.accounting;
    println!(
        "{} messages produced = {} events in tables + {} dead letters + {} that no table wants",
        HumanCount(produced),
        HumanCount(a.events),
        HumanCount(a.dead_letters),
        HumanCount(a.unrouted)
    );
    let differing: Vec<_> = views.iter().filter(|v| v.rows != status.rows.get(&v.name).copied().unwrap_or(0)).collect();
    if produced != status.messages || !a.balances() || !differing.is_empty() {
        let names: Vec<_> = differing.iter().map(|v| v.name.as_str()).collect();
        let text = format!("the tables do not hold what was produced ({} landed; {names:?} differ)", status.messages);
        return Err(Failure::new(text, Fault::Bug));
    }
    println!("Every message is accounted for.\n");
    if let Some(view) = views.first() {
        let files = view.uri.trim_start_matches("file://");
        println!("Query them with anything that reads Parquet, for example");
        println!("  duckdb -c \"select host, sum(cost) from '{files}/*.parquet' group by host\"");
    }
    println!("The checkpoint with the manifest of every batch: {}", dir.join("tmp/checkpoints_for_events").display());
    Ok(())
}
