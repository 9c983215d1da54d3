//! What is read of the log.

use std::collections::BTreeSet;

use serde::Serialize;

use super::finding::{Finding, Kind};
use crate::checkpoint::{Entry, EpochFile, Layout};
use crate::model::{BatchId, Slot};

/// An epoch, by the register or by the seal before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    /// Its number.
    pub number: u64,
    /// Name of its directory.
    pub dir: String,
    /// Its first slot.
    pub base: Slot,
}

/// What a slot holds.
#[derive(Debug)]
pub enum View {
    /// No manifest, no files: a no-op.
    Void,
    /// An entry.
    Entry(Entry),
    /// Something else; why.
    Damaged(Kind, String),
}

/// A slot as it was read.
#[derive(Debug)]
pub struct SlotFacts {
    /// Its number.
    pub slot: Slot,
    /// What it holds.
    pub view: View,
    /// Names of other files in it than the manifest.
    pub left: Vec<String>,
}

/// A file that was still in its slot.
#[derive(Debug, Clone)]
pub struct Left {
    /// Index of the place that it belongs to.
    pub place: usize,
    /// Its slot.
    pub slot: Slot,
    /// Its path in the slot.
    pub path: String,
    /// Its name in the table.
    pub name: String,
}

/// A slot with data files, for a deep audit.
#[derive(Debug, Clone, Copy)]
pub struct SlotRecord {
    /// Its number.
    pub slot: Slot,
    /// Index of its epoch's directory in [`Chain::dirs`].
    pub dir: usize,
    /// Its batch.
    pub batch: BatchId,
}

/// What somebody decided about the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decided {
    /// Its slot.
    pub slot: u64,
    /// `gap` or `topic`.
    pub kind: &'static str,
    /// What was decided, in words.
    pub what: String,
    /// Why.
    pub reason: String,
    /// Who decided.
    pub operator: String,
}

/// What the register of epochs says.
#[derive(Debug, Default)]
pub struct Register {
    /// Epochs that are there, oldest first, without a hole.
    pub kept: Vec<Epoch>,
    /// How many were deleted.
    pub dropped: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Compares the register, in the order of its numbers, with the directories that are there.
pub fn compare_register(layout: &Layout, register: &[(u64, EpochFile)], dirs: &BTreeSet<String>) -> Register {
    let mut out = Register::default();
    for (pair, number) in register.windows(2).map(|pair| (pair, pair[1].0)) {
        let path = layout.epoch_file(number);
        if pair[0].0 + 1 != number {
            let what = format!("epoch {} is registered, and no epoch {}", number, number - 1);
            out.findings.push(Finding::new(Kind::BrokenRegister, path, what));
        } else if pair[0].1.base_slot >= pair[1].1.base_slot {
            let what = format!(
                "it begins with slot {}, and the epoch before with slot {}",
                pair[1].1.base_slot.0, pair[0].1.base_slot.0
            );
            out.findings.push(Finding::new(Kind::BrokenRegister, path, what));
        }
    }
    for (at, (number, file)) in register.iter().enumerate() {
        let newest = at + 1 == register.len();
        if dirs.contains(&file.dir) {
            out.kept.push(Epoch { number: *number, dir: file.dir.clone(), base: file.base_slot });
        } else if out.kept.is_empty() && !newest {
            // Closed, and deleted after the time of `log.retention`; the oldest go first.
            out.dropped += 1;
        } else {
            let what = format!("the directory of epoch {number} is gone");
            out.findings.push(Finding::new(Kind::MissingEpoch, layout.epoch_dir(&file.dir), what));
        }
    }
    out
}
