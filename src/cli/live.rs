//! Live views on the terminal; nothing is drawn where standard error is none.

use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressState, ProgressStyle};
use tokio::sync::watch;

use crate::observe::Status;
use crate::pipeline::letters;
use crate::verify::Progress;

const REDRAW: Duration = Duration::from_millis(200);

/// Follows `run --available-now` until the status' sender is gone: messages read of those there are, then the landing.
pub(super) async fn available_now_bar(mut status: watch::Receiver<Status>) {
    let since = Instant::now();
    // What is to be read is not known yet.
    let bar = ProgressBar::new_spinner();
    bar.set_style(style("{spinner} {elapsed} {msg}"));
    bar.enable_steady_tick(REDRAW);
    bar.set_message("reaching Kafka, the storage and the metastore");
    let mut begun = false;
    while status.changed().await.is_ok() {
        let (read, left, landed) = {
            let s = status.borrow_and_update();
            (s.read, s.left, s.messages)
        };
        let Some(left) = left else { continue };
        if !begun && left > 0 {
            begun = true;
            bar.set_style(
                style("{bar:40} {human_pos}/{human_len} messages read, {rate} a second, {eta} left; {msg}").with_key(
                    "rate",
                    |state: &ProgressState, to: &mut dyn Write| {
                        // What cannot be drawn is drawn again soon.
                        _ = write!(to, "{}", HumanCount(state.per_sec() as u64));
                    },
                ),
            );
            // Rate and time left count from here.
            bar.reset();
        }
        bar.set_length(read + left);
        bar.set_position(read);
        bar.set_message(format!("{} landed", HumanCount(landed)));
    }
    bar.finish_and_clear();
    if std::io::stderr().is_terminal() {
        let s = status.borrow();
        eprintln!(
            "{} messages landed in {} batches, {}",
            HumanCount(s.messages),
            s.batches,
            HumanDuration(since.elapsed())
        );
    }
}

/// Follows `verify` until the progress' sender is gone.
pub(super) async fn verify_bar(mut progress: watch::Receiver<Progress>) {
    let bar = ProgressBar::new(0);
    bar.set_style(style("{bar:40} {pos}/{len} {msg}, {elapsed}"));
    bar.enable_steady_tick(REDRAW);
    while progress.changed().await.is_ok() {
        let p = *progress.borrow_and_update();
        bar.set_length(p.total);
        bar.set_position(p.done);
        bar.set_message(p.phase);
    }
    bar.finish_and_clear();
}

/// Follows `dead-letters` until the progress' sender is gone.
pub(super) async fn letters_bar(mut progress: watch::Receiver<letters::Progress>) {
    let bar = ProgressBar::new(0);
    bar.set_style(style("{bar:40} {pos}/{len} files{msg}, {elapsed}"));
    bar.enable_steady_tick(REDRAW);
    while progress.changed().await.is_ok() {
        let p = *progress.borrow_and_update();
        bar.set_length(p.total);
        bar.set_position(p.done);
        if p.replayed > 0 {
            bar.set_message(format!(", {} replayed", HumanCount(p.replayed)));
        }
    }
    bar.finish_and_clear();
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants of this file.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Follows the demo until the status' sender is gone. `produced` counts messages sent, `total` is how many there will be.
pub(super) async fn demo_view(mut status: watch::Receiver<Status>, produced: Arc<AtomicU64>, total: Option<u64>) {
    let terminal = std::io::stderr().is_terminal();
    let bar = match total {
        Some(total) => ProgressBar::new(total),
        None => ProgressBar::new_spinner(),
    };
    let head = if total.is_some() { "{bar:40} {pos}/{len} messages landed" } else { "{spinner} {pos} messages landed" };
    bar.set_style(style(&format!("{head}, {{elapsed}}\n{{msg}}")));
    let mut batches = 0;
    loop {
        let gone = tokio::select! {
            changed = status.changed() => changed.is_err(),
            () = tokio::time::sleep(REDRAW) => false,
        };
        let s = status.borrow_and_update().clone();
        let sent = produced.load(Ordering::Relaxed);
        if terminal {
            bar.set_position(s.messages);
            bar.set_message(table(&s, sent));
            bar.tick();
        } else if s.batches > batches {
            println!("{}", last_batch(&s, sent));
        }
        batches = s.batches;
        if gone {
            break;
        }
    }
    bar.finish_and_clear();
}

fn last_batch(s: &Status, sent: u64) -> String {
    let Some(p) = &s.last else { return "waiting for the consumer group to form (about 3 s)".to_owned() };
    let rows: Vec<_> = p.sink.tables.iter().map(|(t, n)| format!("{t} +{}", HumanCount(*n))).collect();
    format!(
        "batch {}: {} messages in {} ms ({}); lag {}",
        p.batch_id,
        HumanCount(p.num_input_rows),
        p.duration_ms.get("triggerExecution").copied().unwrap_or_default(),
        rows.join(", "),
        HumanCount(sent.saturating_sub(s.messages))
    )
}

fn table(s: &Status, sent: u64) -> String {
    let mut lines: Vec<_> =
        s.rows.iter().map(|(t, n)| format!("  {t:<18} {:>10} rows", HumanCount(*n).to_string())).collect();
    let a = &s.accounting;
    lines.push(format!("  wanted by no table {:>10} messages", HumanCount(a.unrouted).to_string()));
    lines
        .push(format!("  lag                {:>10} messages", HumanCount(sent.saturating_sub(s.messages)).to_string()));
    lines.push(format!("  {}", last_batch(s, sent)));
    lines.join("\n")
}
