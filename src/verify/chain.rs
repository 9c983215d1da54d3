//! The log, slot by slot: whether each continues the ones before it, and which files it names. Facts in, findings out.
//! After a fault it goes on from what the next slot says, so that one fault is one finding.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use super::audit::{FileRecord, Place};
use super::facts::{Decided, Epoch, Left, SlotFacts, SlotRecord, View};
use super::finding::{Finding, Kind};
use super::mend::{adopted, difference, moved_to};
use crate::checkpoint::{
    ChainError, Entry, Layout, LogState, Manifest, Outdated, PartitionEntry, Replayed, SealEntry, Snapshot, TableTotal,
};
use crate::model::{BatchId, Slot, TopicPartition};

/// The log as far as it was read.
#[derive(Debug)]
pub struct Chain {
    layout: Layout,
    job: Uuid,
    configured: BTreeMap<String, String>,
    state: Option<LogState>,
    /// The state that the epoch before ended with, unless a fault is known of it.
    handed_on: Option<Snapshot>,
    /// The seal that closed the current epoch.
    sealed: Option<SealEntry>,
    /// Slots are missing: the first entry of each partition behind them need not continue it.
    excused: bool,
    settled: BTreeSet<TopicPartition>,
    faulty: bool,
    ids: HashMap<BatchId, Slot>,
    moved: BTreeMap<(String, String), (Slot, u64)>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Where files were published: only [`Chain::place`] adds to it.
    pub places: Vec<Place>,
    /// Indexes of the places, by table and directory.
    by_dir: HashMap<String, HashMap<String, usize>>,
    /// Slots with files.
    pub slots: Vec<SlotRecord>,
    /// Directories of the epochs.
    pub dirs: Vec<String>,
    /// Files that were still in their slots.
    pub left: Vec<Left>,
    /// Slots that are gone: from, and up to but not including.
    pub lost: Vec<(Slot, Slot)>,
    /// Slots without an entry.
    pub void: u64,
    /// Slots that are there.
    pub read: u64,
    /// Gaps and topics.
    pub decided: Vec<Decided>,
    /// First slot with a manifest, and what each table had got before.
    pub oldest: Option<(Slot, BTreeMap<String, TableTotal>)>,
}

impl Chain {
    /// Nothing read yet. `tables`: name and directory of each configured table.
    pub fn new(layout: Layout, job: Uuid, tables: &[(String, String)]) -> Chain {
        let places: Vec<_> = tables.iter().map(|(table, dir)| Place::whole(table, dir, true)).collect();
        let mut by_dir: HashMap<String, HashMap<String, usize>> = HashMap::new();
        for (at, place) in places.iter().enumerate() {
            by_dir.entry(place.table.clone()).or_default().insert(place.dir.clone(), at);
        }
        Chain {
            layout,
            job,
            configured: tables.iter().cloned().collect(),
            state: None,
            handed_on: None,
            sealed: None,
            excused: false,
            settled: BTreeSet::new(),
            faulty: false,
            ids: HashMap::new(),
            moved: BTreeMap::new(),
            findings: Vec::new(),
            places,
            by_dir,
            slots: Vec::new(),
            dirs: Vec::new(),
            left: Vec::new(),
            lost: Vec::new(),
            void: 0,
            read: 0,
            decided: Vec::new(),
            oldest: None,
        }
    }

    /// The slot after the last one.
    pub fn next(&self) -> Slot {
        self.state.as_ref().map_or(Slot(0), LogState::next)
    }

    /// What each table got since the job began.
    pub fn totals(&self) -> BTreeMap<String, TableTotal> {
        self.state.as_ref().map(|s| s.totals().clone()).unwrap_or_default()
    }

    /// The dead letters that were landed after all.
    pub fn replayed(&self) -> Replayed {
        self.state.as_ref().map(|s| s.replayed().clone()).unwrap_or_default()
    }

    /// An epoch begins.
    pub fn begin(&mut self, epoch: &Epoch, snapshot: &Snapshot) {
        let path = self.layout.snapshot(&epoch.dir);
        let mut wrong = Vec::new();
        if (snapshot.job, snapshot.epoch, snapshot.base_slot) != (self.job, epoch.number, epoch.base) {
            wrong.push(format!(
                "it is of job id {}, epoch {} from slot {} on; expected {}, {} and {}",
                snapshot.job, snapshot.epoch, snapshot.base_slot.0, self.job, epoch.number, epoch.base.0
            ));
        } else if let Some(expected) = self.handed_on.take().filter(|e| e != snapshot) {
            wrong.push(difference(&expected, snapshot));
        }
        self.findings.extend(wrong.into_iter().map(|what| Finding::new(Kind::WrongSnapshot, &path, what)));
        self.state = Some(LogState::from_snapshot(snapshot, &epoch.dir));
        self.dirs.push(epoch.dir.clone());
        self.oldest.get_or_insert_with(|| (snapshot.base_slot, snapshot.tables.clone()));
        (self.sealed, self.handed_on, self.excused, self.faulty) = (None, None, false, false);
    }

    /// The next slot of the epoch that is there.
    pub fn add(&mut self, facts: SlotFacts) {
        let Some(mut state) = self.state.take() else { return };
        let slot = facts.slot;
        let path = self.layout.slot(state_dir(&self.dirs), slot);
        if self.sealed.is_some() {
            if !matches!(facts.view, View::Void) {
                let what = "it lies behind the seal of its epoch: the log does not go on here".to_owned();
                self.findings.push(Finding::new(Kind::DamagedSlot, path, what).of_slot(slot));
            }
            self.state = Some(state);
            return;
        }
        if slot > state.next() {
            self.missing(state.next(), slot);
            state = moved_to(&state, slot);
        }
        self.read += 1;
        match facts.view {
            View::Void if facts.left.is_empty() => {
                self.void += 1;
                state.skip_void();
            }
            View::Void => {
                let what = format!("it holds {} files and no manifest: daemons skip it", facts.left.len());
                self.damaged(Kind::DamagedSlot, path, what, &mut state);
            }
            View::Damaged(kind, what) => self.damaged(kind, path, what, &mut state),
            View::Entry(entry) => self.entry(&mut state, &entry, &path, &facts.left),
        }
        self.state = Some(state);
    }

    fn damaged(&mut self, kind: Kind, path: String, what: String, state: &mut LogState) {
        self.findings.push(Finding::new(kind, path, what).of_slot(state.next()));
        self.lost.push((state.next(), state.next().next()));
        self.excuse();
        state.skip_void();
    }

    fn missing(&mut self, from: Slot, to: Slot) {
        let path = self.layout.slot(state_dir(&self.dirs), from);
        let what = match to.0 - from.0 {
            1 => format!("slot {} is missing, and the log goes on behind it", from.0),
            n => format!("{n} slots from {} on are missing, and the log goes on behind them", from.0),
        };
        self.findings.push(Finding::new(Kind::MissingSlot, path, what).of_slot(from));
        self.lost.push((from, to));
        self.excuse();
    }

    fn excuse(&mut self) {
        (self.excused, self.faulty) = (true, true);
        self.settled.clear();
    }

    fn entry(&mut self, state: &mut LogState, entry: &Entry, path: &str, left: &[String]) {
        let slot = state.next();
        let found = |kind, what| Finding::new(kind, path, what).of_slot(slot);
        if let Some(first) = self.ids.insert(entry.id(), slot) {
            self.findings
                .push(found(Kind::DoubledBatch, format!("batch {} stands in slot {} too", entry.id(), first.0)));
        }
        let before = state.clone();
        if let Err(e) = state.fold(entry) {
            self.faulty = true;
            if !self.is_excused(state, entry, &e) {
                self.findings.push(found(Kind::BrokenChain, e.to_string()));
            }
            *state = adopted(state, entry);
            if state.fold(entry).is_err() {
                state.skip_void();
            }
        }
        if let Entry::Batch(m) = entry {
            self.settled.extend(m.partitions.iter().map(PartitionEntry::partition));
            self.batch(slot, m, path, left);
        } else {
            for name in left {
                let what = "a file in a slot that lands no rows".to_owned();
                self.findings.push(Finding::new(Kind::ForeignFile, format!("{path}/{name}"), what).of_slot(slot));
            }
        }
        match entry {
            Entry::Batch(_) => {}
            Entry::Seal(seal) => {
                self.handed_on = (!self.faulty).then(|| before.next_snapshot());
                self.sealed = Some((**seal).clone());
            }
            Entry::Gap(g) => self.decided.push(Decided {
                slot: slot.0,
                kind: "gap",
                what: format!(
                    "{}[{}]: offsets {} up to {} skipped, {} offsets",
                    g.topic,
                    g.p,
                    g.from,
                    g.to,
                    g.to.0 - g.from.0
                ),
                reason: g.reason.clone(),
                operator: g.operator.clone(),
            }),
            Entry::Topic(t) => self.decided.push(Decided {
                slot: slot.0,
                kind: "topic",
                what: format!("topic {} began anew as {0}#{}", t.topic, t.incarnation),
                reason: t.reason.clone(),
                operator: t.operator.clone(),
            }),
        }
    }

    /// Whether a break is only that of slots which are known to be missing.
    fn is_excused(&self, state: &LogState, entry: &Entry, e: &ChainError) -> bool {
        let ChainError::Broken { source, .. } = e else { return false };
        match source {
            Outdated::Incarnation { .. } => return self.excused,
            // What is missing can only have landed fewer of them.
            Outdated::Replayed { .. } => return false,
            Outdated::Offsets(_) | Outdated::Epoch { .. } => {}
        }
        let settled = |p: &TopicPartition| self.settled.contains(p);
        match entry {
            Entry::Batch(m) => {
                self.excused
                    && m.partitions.iter().all(|p| {
                        let (tp, end) = (p.partition(), state.end(&p.partition()));
                        end.is_none_or(|end| end == p.start) || !settled(&tp)
                    })
            }
            Entry::Gap(g) => self.excused && !settled(&TopicPartition::new(g.topic.as_str(), g.p)),
            Entry::Topic(_) | Entry::Seal(_) => false,
        }
    }

    fn batch(&mut self, slot: Slot, m: &Manifest, path: &str, left: &[String]) {
        let read = m.messages();
        let backwards = m.partitions.iter().find(|p| p.end < p.start || p.records > (p.end.0 - p.start.0) as u64);
        if !m.counts.balances() || m.counts.read != read || backwards.is_some() {
            let what = format!(
                "its figures do not add up: {:?}, {read} messages in its partitions and dead letters",
                m.counts
            );
            self.findings.push(Finding::new(Kind::WrongCounts, path, what).of_slot(slot));
        }
        for (table, location) in &m.locations {
            if self.configured.get(table).is_some_and(|today| today != location) {
                let (_, slots) = self.moved.entry((table.clone(), location.clone())).or_insert((slot, 0));
                *slots += 1;
            }
        }
        for (k, file) in m.files.iter().enumerate() {
            let (Some(root), Some(dir)) = (m.locations.get(&file.table), m.directory(file)) else {
                let what = format!("its manifest names no directory for table {}", file.table);
                self.findings.push(Finding::new(Kind::DamagedSlot, path, what).of_slot(slot));
                continue;
            };
            let place = self.place(&file.table, root, &dir);
            let record = FileRecord::of(slot, m, k, file, left.contains(&file.name));
            if record.left {
                let (path, name) = (format!("{path}/{}", file.name), record.name());
                self.left.push(Left { place, slot, path, name });
            }
            self.places[place].files.push(record);
        }
        if !m.files.is_empty() {
            self.slots.push(SlotRecord { slot, dir: self.dirs.len().saturating_sub(1), batch: m.batch });
        }
        for name in left.iter().filter(|name| m.files.iter().all(|f| f.name != **name)) {
            let what = "its manifest does not name it: no daemon gets past this slot while it is there".to_owned();
            self.findings.push(Finding::new(Kind::ForeignFile, format!("{path}/{name}"), what).of_slot(slot));
        }
    }

    /// The index of a place, which is entered if it is not known: a table's directory `root`, or `dir` below it.
    pub fn place(&mut self, table: &str, root: &str, dir: &str) -> usize {
        if let Some(at) = self.by_dir.get(table).and_then(|dirs| dirs.get(dir)) {
            return *at;
        }
        let mut place = Place::whole(table, dir, false);
        if dir == root {
            place.current = !self.configured.contains_key(table);
        } else {
            self.place(table, root, root);
            root.clone_into(&mut place.root);
        }
        self.places.push(place);
        let at = self.places.len() - 1;
        self.by_dir.entry(table.to_owned()).or_default().insert(dir.to_owned(), at);
        at
    }

    /// The epoch ends; `next`: the one that the register names after it. What comes next, if the log goes on.
    pub fn end(&mut self, epoch: &Epoch, next: Option<&Epoch>) -> Option<Epoch> {
        let at = self.next();
        let Some(seal) = &self.sealed else {
            let next = next?;
            if at < next.base {
                self.missing(at, next.base);
            } else {
                let what = format!("epoch {} is registered, and epoch {} has no seal", next.number, epoch.number);
                self.findings.push(Finding::new(Kind::BrokenRegister, self.layout.epoch_file(next.number), what));
            }
            self.handed_on = None;
            return Some(next.clone());
        };
        let sealed = Epoch { number: seal.epoch, dir: seal.next.clone(), base: seal.base_slot };
        if let Some(next) = next.filter(|next| **next != sealed) {
            let what = format!(
                "it names {} from slot {} on, the seal in slot {} names {} from {} on",
                next.dir,
                next.base.0,
                at.0.saturating_sub(1),
                sealed.dir,
                sealed.base.0
            );
            self.findings.push(Finding::new(Kind::BrokenRegister, self.layout.epoch_file(next.number), what));
            self.handed_on = None;
            return Some(next.clone());
        }
        Some(sealed)
    }

    /// All is read.
    pub fn finish(&mut self) {
        for ((table, location), (first, slots)) in std::mem::take(&mut self.moved) {
            let what = format!(
                "the configuration says {}, but {slots} slots from {} on published to this directory",
                self.configured[&table], first.0
            );
            self.findings.push(Finding::new(Kind::WrongLocation, location, what).of_table(&table).of_slot(first));
        }
    }
}

fn state_dir(dirs: &[String]) -> &str {
    dirs.last().map_or("", String::as_str)
}
