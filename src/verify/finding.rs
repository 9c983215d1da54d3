//! What an audit finds, in words that stay the same.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::model::Slot;

/// What kind of finding; its word is for scripts and does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A data file of the log is in no table.
    MissingFile,
    /// A data file is shorter than it was when it was landed.
    TruncatedFile,
    /// A data file is longer than it was when it was landed.
    LongerFile,
    /// A data file stands in a table twice.
    DoubledFile,
    /// Something that readers would see, or that is in the way, and that the log does not know.
    ForeignFile,
    /// The directory of a table is gone.
    MissingDirectory,
    /// A committed file still waits in its slot.
    UnpublishedFile,
    /// A table's files lie elsewhere than its readers, or its next rows, look for them.
    WrongLocation,
    /// The metastore does not have the table.
    MissingTable,
    /// The metastore has the table otherwise than its migration.
    TableDiffers,
    /// The metastore does not have a partition that has rows.
    MissingPartition,
    /// The metastore has a partition on which readers fail.
    BrokenPartition,
    /// A table's directory is not marked as this job's.
    WrongOwner,
    /// A slot of the log is gone.
    MissingSlot,
    /// A slot does not continue the ones before it.
    BrokenChain,
    /// A slot does not hold what a slot must hold.
    DamagedSlot,
    /// Two slots are one batch.
    DoubledBatch,
    /// The figures of a manifest do not add up.
    WrongCounts,
    /// Files of epochs that were deleted are not as many, or not as large, as the log says.
    WrongTotals,
    /// An epoch begins with another state than the one before it ended with.
    WrongSnapshot,
    /// The directory of an epoch is gone.
    MissingEpoch,
    /// The register of epochs does not fit the log.
    BrokenRegister,
    /// A file of the checkpoint cannot be read.
    Unreadable,
    /// The bytes or the rows of a data file are not those that were landed.
    WrongContent,
    /// Something could not be looked at.
    NotChecked,
}

impl Kind {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Kind::MissingFile => "missing_file",
            Kind::TruncatedFile => "truncated_file",
            Kind::LongerFile => "longer_file",
            Kind::DoubledFile => "doubled_file",
            Kind::ForeignFile => "foreign_file",
            Kind::MissingDirectory => "missing_directory",
            Kind::UnpublishedFile => "unpublished_file",
            Kind::WrongLocation => "wrong_location",
            Kind::MissingTable => "missing_table",
            Kind::TableDiffers => "table_differs",
            Kind::MissingPartition => "missing_partition",
            Kind::BrokenPartition => "broken_partition",
            Kind::WrongOwner => "wrong_owner",
            Kind::MissingSlot => "missing_slot",
            Kind::BrokenChain => "broken_chain",
            Kind::DamagedSlot => "damaged_slot",
            Kind::DoubledBatch => "doubled_batch",
            Kind::WrongCounts => "wrong_counts",
            Kind::WrongTotals => "wrong_totals",
            Kind::WrongSnapshot => "wrong_snapshot",
            Kind::MissingEpoch => "missing_epoch",
            Kind::BrokenRegister => "broken_register",
            Kind::Unreadable => "unreadable",
            Kind::WrongContent => "wrong_content",
            Kind::NotChecked => "not_checked",
        }
    }

    /// What to do about it.
    fn advice(self) -> &'static str {
        match self {
            Kind::MissingFile => {
                "restore the file from a copy or a snapshot of the storage (on HDFS, look in the trash first). Without \
                 one its rows are gone: the log stands behind their messages and does not read them again"
            }
            Kind::TruncatedFile | Kind::LongerFile | Kind::WrongContent => {
                "replace the file by a copy or from a snapshot of the storage; readers fail on it, or show other rows"
            }
            Kind::DoubledFile => "delete this copy: every reader sees its rows twice",
            Kind::ForeignFile => "move it elsewhere: only landfall may put anything there",
            Kind::MissingDirectory => "restore the directory with its files from a snapshot of the storage",
            Kind::UnpublishedFile => {
                "start a daemon of the job: before anything else it moves the file into its table. If one is running, \
                 its log says what keeps it from doing so"
            }
            Kind::WrongLocation => {
                "tables must not move once rows have landed: set the location back to where the files are, in the \
                 migration or with `alter table … set location`"
            }
            Kind::MissingTable => "start a daemon of the job: it creates the table; the files stay as they are",
            Kind::MissingPartition => {
                "a daemon of the job registers it within five minutes; if one is running, its log says what keeps it from that"
            }
            Kind::BrokenPartition => {
                "drop it with `alter table … drop partition (…)`: queries of the table fail as long as it is there"
            }
            Kind::TableDiffers => "do what it says; until then readers may fail or show wrong values",
            Kind::WrongOwner => {
                "find out who feeds this table; two jobs must not. If the file was only lost, a start of the daemon \
                 puts it back"
            }
            Kind::MissingSlot => {
                "stop the daemons and restore the slot's directory from a snapshot of the storage: they take a missing \
                 slot for a free one and land its messages a second time"
            }
            Kind::BrokenChain | Kind::DamagedSlot | Kind::DoubledBatch | Kind::WrongSnapshot | Kind::BrokenRegister => {
                "stop the daemons, keep the checkpoint as it is, and restore what was changed from a snapshot of the \
                 storage"
            }
            Kind::WrongCounts => "keep the manifest and report it: this is a bug of landfall",
            Kind::WrongTotals => {
                "compare the directory with a snapshot of the storage: files of these slots were deleted, changed or \
                 added"
            }
            Kind::MissingEpoch => "stop the daemons and restore the directory from a snapshot of the storage",
            Kind::Unreadable => "restore the file from a copy, or run the version of landfall that wrote it",
            Kind::NotChecked => "verify again when it answers",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.word())
    }
}

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind.
    pub kind: Kind,
    /// The table, if it is about one.
    pub table: Option<String>,
    /// The slot, if it is about one.
    pub slot: Option<u64>,
    /// Where: a URI when it is reported.
    pub path: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub todo: String,
}

impl Finding {
    /// A finding at a path.
    pub fn new(kind: Kind, path: impl Into<String>, what: impl Into<String>) -> Finding {
        let todo = kind.advice().to_owned();
        Finding { kind, table: None, slot: None, path: path.into(), what: what.into(), todo }
    }

    /// The same, of this table.
    pub fn of_table(mut self, table: &str) -> Finding {
        self.table = Some(table.to_owned());
        self
    }

    /// The same, of this slot.
    pub fn of_slot(mut self, slot: Slot) -> Finding {
        self.slot = Some(slot.0);
        self
    }

    /// The same, with other advice.
    pub fn advise(mut self, todo: &str) -> Finding {
        self.todo = todo.to_owned();
        self
    }

    /// Whether another audit found the same.
    pub fn is_same(&self, other: &Finding) -> bool {
        (self.kind, &self.table, self.slot, &self.path) == (other.kind, &other.table, other.slot, &other.path)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(table) = &self.table {
            write!(f, "  table {table}")?;
        }
        if let Some(slot) = self.slot {
            write!(f, "  slot {slot}")?;
        }
        write!(f, "\n  {}\n  {}.\n  To do: {}.", self.path, self.what, self.todo)
    }
}
