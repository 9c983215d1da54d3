//! One data file of the open batch: rows wait in its lane until a worker encodes them, in their order.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::content::EncodeContext;
use super::memory::{Held, Memory};
use super::workers::Workers;
use crate::batch::{PlannedTable, SealedTable, Source};
use crate::commit::ContentError;
use crate::encode::{Dictionaries, EncodeError, EncodeOptions, FileWriter, FinishedFile};

/// A file's footer.
pub(super) type Footer = Vec<(String, String)>;

/// The file of a table, or of one partition of it.
#[derive(Debug)]
pub(super) struct Lane {
    table: usize,
    context: Arc<EncodeContext>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    waiting: Vec<SealedTable>,
    /// `None` before the first row, and while somebody writes.
    writer: Option<FileWriter>,
    /// Somebody writes.
    busy: bool,
    /// The file is to end with what waits.
    footer: Option<Arc<Footer>>,
    done: Option<Result<Arc<FinishedFile>, ContentError>>,
    /// How long somebody has written.
    worked: Duration,
    held: Held,
    behind: Held,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("waiting", &self.waiting.len()).field("busy", &self.busy).finish_non_exhaustive()
    }
}

impl Lane {
    pub(super) fn new(table: usize, context: Arc<EncodeContext>, memory: &Memory) -> Lane {
        let (held, behind) = (memory.hold(), memory.wait());
        let state = State {
            waiting: Vec::new(),
            writer: None,
            busy: false,
            footer: None,
            done: None,
            worked: Duration::ZERO,
            held,
            behind,
        };
        Lane { table, context, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Adds rows, which the next call of [`Lane::encode`] or [`Lane::finish`] takes.
    pub(super) fn add(&self, rows: SealedTable) {
        let mut state = self.lock();
        state.waiting.push(rows);
        state.count();
    }

    /// Has a worker encode what waits.
    pub(super) fn encode(self: &Arc<Lane>, workers: &Workers) {
        let mut state = self.lock();
        if !state.busy {
            state.busy = true;
            let lane = self.clone();
            workers.run(move || lane.work());
        }
    }

    /// Has a worker encode what waits and end the file.
    pub(super) fn end(self: &Arc<Lane>, footer: Arc<Footer>, workers: &Workers) {
        self.lock().footer = Some(footer);
        self.encode(workers);
    }

    fn work(&self) {
        loop {
            let mut state = self.lock();
            if state.done.is_some() || state.waiting.is_empty() && state.footer.is_none() {
                state.busy = false;
                return;
            }
            let (rows, writer, footer) = (std::mem::take(&mut state.waiting), state.writer.take(), state.footer.take());
            drop(state);
            let begun = Instant::now();
            let written = self.write(writer, rows);
            let mut done = None;
            let writer = match (written, footer) {
                (Ok(writer), None) => Some(writer),
                (Ok(writer), Some(footer)) => {
                    let file = writer.finish(footer.to_vec());
                    file.iter().for_each(|file| self.dictionaries().learn(file));
                    done = Some(file.map(Arc::new).map_err(|e| self.error(&e)));
                    None
                }
                (Err(e), _) => {
                    done = Some(Err(self.error(&e)));
                    None
                }
            };
            let mut state = self.lock();
            (state.writer, state.done) = (writer, done);
            state.worked += begun.elapsed();
            state.count();
            self.changed.notify_all();
        }
    }

    fn dictionaries(&self) -> &Dictionaries {
        &self.context.dictionaries[self.table]
    }

    fn write(&self, writer: Option<FileWriter>, rows: Vec<SealedTable>) -> Result<FileWriter, EncodeError> {
        let planned = &self.context.plan.tables[self.table];
        let mut writer = match writer {
            Some(writer) => writer,
            None => FileWriter::new(&planned.schema, self.dictionaries().choose(file_options(planned)))?,
        };
        for r in rows {
            writer.write(r.columns(), r.rows)?;
        }
        Ok(writer)
    }

    /// The file, complete but for its number; the first call ends it, if no worker was told to.
    pub(super) fn finish(&self, footer: &Arc<Footer>) -> Result<Arc<FinishedFile>, ContentError> {
        let mut state = self.lock();
        if state.done.is_none() {
            // Who is writing sees it then.
            state.footer = Some(footer.clone());
            if !std::mem::replace(&mut state.busy, true) {
                drop(state);
                self.work();
                state = self.lock();
            }
        }
        let state = self.changed.wait_while(state, |s| s.done.is_none()).unwrap_or_else(PoisonError::into_inner);
        state.done.clone().expect("was waited for")
    }

    /// How long threads have written so far.
    pub(super) fn worked(&self) -> Duration {
        self.lock().worked
    }

    fn error(&self, e: &EncodeError) -> ContentError {
        ContentError { table: self.context.plan.tables[self.table].table.name.clone(), reason: e.to_string() }
    }

    /// What a panic left behind is as it was before the call: it is only changed at once.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How the files of a table are written.
pub fn file_options(planned: &PlannedTable) -> EncodeOptions {
    let numbered = planned.table.columns.iter().zip(&planned.sources).filter(|(_, s)| **s == Source::BatchId);
    EncodeOptions {
        plain_columns: planned.raw_columns.clone(),
        no_dictionary: planned.timestamp_text_columns.clone(),
        numbered_columns: numbered.map(|(c, _)| c.physical_name.clone()).collect(),
        ..EncodeOptions::default()
    }
}

impl State {
    fn count(&mut self) {
        let waiting: u64 = self.waiting.iter().map(SealedTable::memory).sum();
        let written = self.writer.as_ref().map_or(0, FileWriter::memory);
        let done = self.done.iter().flatten().map(|f| f.memory()).sum::<usize>();
        self.held.set(waiting + (written + done) as u64);
        self.behind.set(waiting);
    }
}
