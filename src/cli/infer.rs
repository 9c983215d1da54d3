//! `landfall infer`

use std::io::BufRead;
use std::path::{Path, PathBuf};

use super::{Failure, Format, start_logging};
use crate::config;
use crate::fault::Fault;
use crate::infer::{Sample, Where};
use crate::source::{KafkaConfig, newest_messages};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  landfall infer > migrations/0005_events.sql
  landfall infer --where event_type=purchase_sword --table sword_purchases
  landfall infer --topic assessments --messages 100000
  landfall infer --file events.jsonl --table events
  zcat events.jsonl.gz | landfall infer --file - --table events

The statement goes to standard output, what was read of to standard error. Hive cannot change a column's type later: look
at the remarks, and correct the types by what you know of the data.")]
pub(super) struct Args {
    /// Topic to read. [default: the first of kafka.topics]
    #[arg(long, conflicts_with = "file")]
    topic: Option<String>,
    /// Read this file instead, a JSON message a line; - is standard input.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// How many messages at most: the newest of a topic, the first of a file.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    messages: u64,
    /// Only messages whose field has this text.
    #[arg(long = "where", value_name = "FIELD=TEXT", value_parser = condition)]
    condition: Option<(String, String)>,
    /// Name of the table. [default: the topic's or the file's]
    #[arg(long)]
    table: Option<String>,
    /// Directory of the table. [default: /tmp/<table>]
    #[arg(long)]
    location: Option<String>,
    /// Configuration file, for [kafka] and [tables."*"] only; repeat it to put one over another.
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t)]
    log_format: Format,
}

fn condition(text: &str) -> Result<(String, String), String> {
    let (field, text) = text.split_once('=').ok_or("expected FIELD=TEXT, such as event_type=purchase_sword")?;
    Ok((field.to_owned(), text.to_owned()))
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    start_logging(args.log_format, "warn");
    let work = tokio::task::spawn_blocking(move || infer(&args));
    work.await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))
}

fn infer(args: &Args) -> Result<(), Failure> {
    let mut sample = Sample::default();
    let mut other = 0u64;
    let condition = args.condition.as_ref().map(|(field, text)| Where::new(field, text));
    let mut take = |message: &[u8]| match &condition {
        Some(condition) if !condition.holds(message) => other += 1,
        _ => sample.add(message),
    };
    let settings = config::load(&args.config, config::environment())?;
    let (from, name) = match &args.file {
        Some(file) => {
            read_lines(file, args.messages, &mut take)?;
            (shown(file), file.file_stem().unwrap_or_default().to_string_lossy().into_owned())
        }
        None => {
            let topic = args.topic.clone().unwrap_or_else(|| settings.kafka.topics[0].clone());
            let kafka = KafkaConfig::from(&settings.kafka);
            newest_messages(&kafka, &topic, args.messages, &mut take)?;
            (format!("topic {topic} at {}", kafka.bootstrap_servers), topic)
        }
    };
    let (left_out, reason) = sample.left_out();
    eprintln!("{from}: {} messages looked at", sample.messages());
    if other > 0 {
        eprintln!("{other} messages are not of --where");
    }
    if let Some(reason) = reason {
        eprintln!("{left_out} messages left out, which would be dead letters; the first: {reason}");
    }
    if sample.messages() == 0 {
        return Err(Failure::new(format!("{from}: no JSON object to infer from"), Fault::BadData));
    }
    let table = args.table.clone().unwrap_or_else(|| table_name(&name));
    let location = args.location.clone().unwrap_or_else(|| format!("/tmp/{table}"));
    // These names have other sources by the configuration.
    let taken: Vec<String> = settings.any_table.keys().cloned().collect();
    print!("{}", sample.propose(&table, &location, &taken));
    println!("\n-- In the configuration:\n-- [tables.{table}]");
    if let Some((field, text)) = &args.condition {
        println!("-- when = {{ field = {field:?}, equals = {text:?} }}");
    }
    Ok(())
}

/// A name that Hive takes.
fn table_name(name: &str) -> String {
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    let name = name.trim_matches('_');
    if name.is_empty() { "events".to_owned() } else { name.to_owned() }
}

fn shown(file: &Path) -> String {
    if is_stdin(file) { "standard input".to_owned() } else { file.display().to_string() }
}

fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

fn read_lines(file: &Path, most: u64, take: &mut impl FnMut(&[u8])) -> Result<(), Failure> {
    let fail = |e: std::io::Error| Failure::new(format!("{}: {e}", shown(file)), Fault::Config);
    let mut reader: Box<dyn BufRead> = match is_stdin(file) {
        true => Box::new(std::io::stdin().lock()),
        false => Box::new(std::io::BufReader::new(std::fs::File::open(file).map_err(fail)?)),
    };
    let (mut line, mut read) = (Vec::new(), 0);
    while read < most && reader.read_until(b'\n', &mut line).map_err(fail)? > 0 {
        if !line.trim_ascii().is_empty() {
            take(&line);
            read += 1;
        }
        line.clear();
    }
    Ok(())
}
