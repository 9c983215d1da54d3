//! What a run is made of, from its seed, and the deliberate defects.

use landfall::commit::Defect;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::daemon::Order;
use crate::world::Broken;

/// One run.
#[derive(Debug, Clone)]
pub struct Config {
    pub daemons: usize,
    pub messages: Vec<i64>,
    pub slots_per_epoch: u64,
    pub stamped: bool,
    pub whole: bool,
    pub operator: Option<Order>,
    /// How often a daemon tidies up after a commit.
    pub tidy: f64,
    /// Steps until all faults stop.
    pub steps: usize,
    /// How many of each kind there may be.
    pub crashes: usize,
    pub faults: usize,
    pub collections: usize,
    /// How likely, at each step, one more is.
    pub crash: f64,
    pub fault: f64,
    pub collect: f64,
    /// How likely a call in flight arrives.
    pub deliver: f64,
    /// How likely another daemon goes on; small means long pauses for all others.
    pub switch: f64,
    /// How likely a daemon is paused just before a commit rename.
    pub hold: f64,
    /// Only faults that bring deleted directories back: duplicates of `mkdir`, late commits, and a collector that
    /// deletes what is being staged. Not duplicates of `create` too: docs/proof.md says what they may do then.
    pub revivals: bool,
    pub protocol: &'static [Defect],
    pub broken: Option<Broken>,
    pub kafka_offsets: bool,
    pub slot_gc: bool,
}

impl Config {
    /// The sound protocol with everything that may go wrong.
    pub fn of_seed(seed: u64) -> Config {
        // Not the scheduler's own numbers.
        let mut rng = StdRng::seed_from_u64(seed ^ 0x5eed);
        let partitions = rng.random_range(1..=3);
        let revivals = rng.random_bool(0.2);
        let operator = match rng.random_range(0..10) {
            0..2 => Some(Order::Gap),
            2 => Some(Order::Topic),
            3..5 => Some(Order::Replay),
            _ => None,
        };
        let config = Config {
            daemons: rng.random_range(2..=3),
            messages: (0..partitions).map(|_| rng.random_range(1..=5)).collect(),
            slots_per_epoch: rng.random_range(2..=4),
            stamped: rng.random_bool(0.5),
            whole: rng.random_bool(0.2),
            operator,
            tidy: 0.3,
            steps: 600,
            crashes: rng.random_range(0..=4),
            faults: rng.random_range(0..=8),
            collections: rng.random_range(0..=3),
            crash: 0.01,
            fault: 0.08,
            collect: 0.01,
            deliver: 0.04,
            switch: [0.02, 0.1, 0.3][rng.random_range(0..3)],
            hold: 0.2,
            revivals,
            protocol: &[],
            broken: None,
            kafka_offsets: false,
            slot_gc: false,
        };
        if revivals { config.revive() } else { config }
    }

    fn revive(self) -> Config {
        Config { revivals: true, collections: 30, collect: 0.1, faults: 30, fault: 0.5, deliver: 0.3, ..self }
    }
}

/// A precaution that is taken away, and the run that it is looked for in.
pub struct Sabotage {
    pub name: &'static str,
    pub what: &'static str,
    pub tune: fn(&mut Config),
}

/// The model's defects, each with its name there. Three of the model's are of compaction, which landfall does not have:
/// `x_two_swaps`, `x_compact_nolog` and `x_dst_fixed`.
pub const SABOTAGES: [Sabotage; 12] = [
    Sabotage {
        name: "x_no_fence",
        what: "whoever loses a slot takes the next one without comparing offsets",
        tune: |c| c.protocol = &[Defect::NoFence],
    },
    Sabotage {
        name: "x_overwrite",
        what: "a rename replaces an existing destination",
        tune: |c| c.broken = Some(Broken::Overwrites),
    },
    Sabotage {
        name: "x_rename_v1",
        what: "a rename moves into an existing directory and says ok, and is believed",
        tune: |c| (c.broken, c.protocol) = (Some(Broken::MovesInside), &[Defect::TrustReply]),
    },
    Sabotage {
        name: "x_split_commit",
        what: "only the manifest is committed, data files stay in staging",
        tune: |c| {
            c.protocol = &[Defect::SplitCommit];
            (c.collections, c.collect, c.tidy) = (6, 0.03, 0.6);
        },
    },
    Sabotage {
        name: "x_create_parent",
        what: "a staged file makes its parents, and nobody lists what is staged",
        tune: |c| {
            (c.broken, c.protocol) = (Some(Broken::MakesParents), &[Defect::NoList]);
            (c.collections, c.collect, c.tidy) = (6, 0.03, 0.6);
        },
    },
    Sabotage {
        name: "x_no_list",
        what: "nobody lists what is staged; a late duplicate mkdir revives a deleted directory",
        tune: |c| {
            *c = Config { protocol: &[Defect::NoList], ..c.clone().revive() };
            (c.messages, c.tidy, c.crashes) = (vec![3], 0.0, 0);
        },
    },
    Sabotage {
        name: "x_no_help",
        what: "nobody publishes the last slot of somebody else",
        tune: |c| c.protocol = &[Defect::NoHelp],
    },
    Sabotage {
        name: "x_kafka_offsets",
        what: "a daemon goes on from the group's offsets",
        tune: |c| c.kafka_offsets = true,
    },
    Sabotage {
        name: "x_slot_gc",
        what: "old slots of a live epoch are deleted by name",
        tune: |c| {
            c.slot_gc = true;
            (c.collections, c.collect, c.hold, c.slots_per_epoch) = (6, 0.05, 0.7, 20);
        },
    },
    Sabotage {
        name: "x_epoch_name",
        what: "the next epoch's directory has no uuid in its name",
        tune: |c| {
            c.protocol = &[Defect::EpochName];
            (c.daemons, c.hold, c.crashes, c.slots_per_epoch) = (3, 0.7, 0, 2);
        },
    },
    Sabotage {
        name: "x_replay_twice",
        what: "a replay of dead letters does not look whether another one has landed them",
        tune: |c| {
            (c.protocol, c.operator) = (&[Defect::ReplayTwice], Some(Order::Replay));
            (c.messages, c.hold) = (vec![5, 5], 0.7);
        },
    },
    Sabotage {
        name: "trust_error",
        what: "an error of the commit rename is taken for `not committed`",
        tune: |c| c.protocol = &[Defect::TrustError],
    },
];

/// The run of a seed with a sabotage, by its name.
pub fn sabotaged(seed: u64, s: &Sabotage) -> Config {
    let mut config = Config { operator: None, ..Config::of_seed(seed) };
    (s.tune)(&mut config);
    config
}
