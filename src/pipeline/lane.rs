//! One data file of the open batch: rows wait in its lane until a worker encodes them, in their order.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::content::EncodeContext;
use super::memory::{Held, Memory};
use super::workers::Workers;
use crate::batch::{PlannedTable, SealedTable, Source};
use crate::commit::ContentError;
use crate::encode::{EncodeError, EncodeOptions, FileWriter, FinishedFile};

/// A file's footer.
pub(super) type Footer = Vec<(String, String)>;

/// The file of a table, or of one partition of it.
#[derive(Debug)]
pub(super) struct Lane {
    table: usize,
    context: Arc<EncodeContext>,
    state: Mutex<State>,
    idle: Condvar,
}

struct State {
    waiting: Vec<SealedTable>,
    /// `None` before the first row, and while somebody writes.
    writer: Option<FileWriter>,
    /// Somebody writes.
    busy: bool,
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
        let state =
            State { waiting: Vec::new(), writer: None, busy: false, done: None, worked: Duration::ZERO, held, behind };
        Lane { table, context, state: Mutex::new(state), idle: Condvar::new() }
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

    fn work(&self) {
        loop {
            let mut state = self.lock();
            if state.waiting.is_empty() || state.done.is_some() {
                state.busy = false;
                self.idle.notify_all();
                return;
            }
            let (rows, writer) = (std::mem::take(&mut state.waiting), state.writer.take());
            drop(state);
            let begun = Instant::now();
            let written = self.write(writer, rows);
            let mut state = self.lock();
            state.worked += begun.elapsed();
            match written {
                Ok(writer) => state.writer = Some(writer),
                Err(e) => state.done = Some(Err(self.error(&e))),
            }
            state.count();
        }
    }

    fn write(&self, writer: Option<FileWriter>, rows: Vec<SealedTable>) -> Result<FileWriter, EncodeError> {
        let planned = &self.context.plan.tables[self.table];
        let mut writer = match writer {
            Some(writer) => writer,
            None => FileWriter::new(&planned.schema, file_options(planned))?,
        };
        for r in rows {
            writer.write(r.columns(), r.rows)?;
        }
        Ok(writer)
    }

    /// The file, complete but for its number; the first call ends it. Waits for whoever is writing.
    pub(super) fn finish(&self, footer: &Footer) -> Result<Arc<FinishedFile>, ContentError> {
        let state = self.lock();
        let mut state = self.idle.wait_while(state, |s| s.busy).unwrap_or_else(PoisonError::into_inner);
        if let Some(done) = &state.done {
            return done.clone();
        }
        state.busy = true;
        let (rows, writer) = (std::mem::take(&mut state.waiting), state.writer.take());
        drop(state);
        let begun = Instant::now();
        let file = self.write(writer, rows).and_then(|w| w.finish(footer.clone()));
        let done = file.map(Arc::new).map_err(|e| self.error(&e));
        let mut state = self.lock();
        state.worked += begun.elapsed();
        state.done = Some(done.clone());
        state.busy = false;
        state.count();
        self.idle.notify_all();
        done
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
