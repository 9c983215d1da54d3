//! Where each point of `landfall::failpoint::ALL` is met, and what a test has to do for that.

use std::fmt;

/// What happens at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    Kill,
    Stop,
    Io,
    LostReply,
}

impl Fault {
    pub const ALL: [Fault; 4] = [Fault::Kill, Fault::Stop, Fault::Io, Fault::LostReply];

    /// Whether it makes a call fail: at a point without a call it makes no sense.
    pub fn needs_call(self) -> bool {
        matches!(self, Fault::Io | Fault::LostReply)
    }
}

impl fmt::Display for Fault {
    /// As `FAILPOINTS` has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Kill => "kill",
            Fault::Stop => "stop",
            Fault::Io => "io",
            Fault::LostReply => "lost_reply",
        })
    }
}

/// What it takes to come to a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scene {
    /// The first start ever: an error ends it, and the next start goes on from what is there.
    Start,
    /// One daemon under load.
    Alone,
    /// Two daemons that go for the same slots.
    Twins,
    /// A second daemon joins the first one's group.
    Joined,
    /// Somebody deletes a table's directory before its first file.
    NoDirectory,
    /// A process that is dead for long has left staging behind, and nothing is to be landed.
    Litter,
    /// The metastore holds a table from before its last migration.
    OldTable,
    /// An epoch was closed, and nothing is to be landed: a daemon tidies up when it has nothing else to do.
    Sealed,
}

/// A point, how often it is passed before the fault, and in which scene.
pub struct Point {
    pub name: &'static str,
    pub passed: u32,
    pub scene: Scene,
    pub what: &'static str,
}

const fn point(name: &'static str, passed: u32, scene: Scene, what: &'static str) -> Point {
    Point { name, passed, scene, what }
}

/// In the order of the protocol. Where a point is also passed by a start, the fault comes when batches are landing.
pub const POINTS: [Point; 40] = [
    point("open.job", 0, Scene::Start, "`job.json` is put"),
    point("open.owner", 1, Scene::Start, "the second table's `_owner.json` is put"),
    point("open.epoch", 0, Scene::Start, "the first epoch is put into the register"),
    point("sync.register", 2, Scene::Alone, "the register of epochs is listed"),
    point("sync.epoch", 0, Scene::Start, "the newest entry of the register is read"),
    point("sync.snapshot", 0, Scene::Start, "the epoch's snapshot is read"),
    point("sync.slot", 1, Scene::Alone, "slots are read"),
    point("rebalance.assign", 0, Scene::Alone, "positions are ordered for new partitions"),
    point("rebalance.revoke", 0, Scene::Joined, "the group takes partitions away"),
    point("trigger", 3, Scene::Alone, "a batch is due"),
    point("stage.mkdir", 3, Scene::Alone, "the batch's staging directory is made"),
    point("stage.create", 8, Scene::Alone, "a data file is written as a whole"),
    point("stage.write", 30, Scene::Alone, "within it: the bytes are sent to the DataNodes"),
    point("stage.close", 30, Scene::Alone, "within it: the file is closed"),
    point("stage.manifest", 3, Scene::Alone, "the manifest is written"),
    point("stage.list", 3, Scene::Alone, "what is staged is listed and compared"),
    point("commit.before", 3, Scene::Alone, "all is staged"),
    point("commit.rpc", 3, Scene::Alone, "**the rename into the slot**"),
    point("commit.after", 3, Scene::Alone, "the rename was answered"),
    point("commit.readback", 3, Scene::Alone, "the slot is read"),
    point("rebase.before", 0, Scene::Twins, "the slot was lost to another daemon"),
    point("publish.rename.before", 5, Scene::Alone, "some files are in their tables, others not"),
    point("publish.rename.rpc", 5, Scene::Alone, "a file is moved into its table"),
    point("publish.rename.after", 5, Scene::Alone, "a file was moved"),
    point("publish.mkdir", 0, Scene::NoDirectory, "a table's directory is gone, and is made again"),
    point("publish.partition", 1, Scene::Alone, "a new partition's directory is made"),
    point("advance", 3, Scene::Alone, "the batch is landed, the state in memory moves on"),
    point("kafka.commit", 3, Scene::Alone, "the group's offsets are written"),
    point("seal.mkdir", 0, Scene::Alone, "the next epoch's directory is made"),
    point("seal.snapshot", 0, Scene::Alone, "the snapshot is written into it"),
    point("seal.cas", 0, Scene::Alone, "**the rename of the seal into the slot**"),
    point("seal.register", 0, Scene::Alone, "the new epoch is put into the register"),
    point("seal.drop", 0, Scene::Sealed, "an old epoch is deleted"),
    point("gc.staging", 0, Scene::Litter, "staging of a dead process is deleted"),
    point("hms.create.before", 1, Scene::Alone, "a table is created in the metastore"),
    point("hms.create.after", 1, Scene::Alone, "it was created"),
    point("hms.alter.before", 0, Scene::OldTable, "a column is added in the metastore"),
    point("hms.alter.after", 0, Scene::OldTable, "it was added"),
    point("hms.partitions.before", 2, Scene::Twins, "partitions are added in the metastore"),
    point("hms.partitions.after", 2, Scene::Twins, "they were added"),
];
