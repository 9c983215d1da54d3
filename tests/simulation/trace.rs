//! What happened, for people: steps with labels, and counts.

use std::hash::{DefaultHasher, Hasher};
use std::sync::atomic::Ordering;

use crate::daemon::Done;
use crate::wire::{Call, Reply};
use crate::world::Seen;

/// The steps of one run, written down only if somebody will read them.
pub struct Trace {
    verbose: bool,
    pub lines: Vec<String>,
}

impl Trace {
    pub fn new(verbose: bool) -> Trace {
        Trace { verbose, lines: Vec::new() }
    }

    pub fn note(&mut self, line: impl FnOnce() -> String) {
        if self.verbose {
            self.lines.push(format!("{:4}. {}", self.lines.len() + 1, line()));
        }
    }

    pub fn step(&mut self, who: usize, call: &Call, fate: &str, reply: &Reply) {
        let who = || if who == usize::MAX { "net".to_owned() } else { who.to_string() };
        let fate = if fate == "Sound" { String::new() } else { format!(" [{fate}]") };
        let reply = || match reply {
            Ok(crate::wire::Answer::Listing(entries)) => {
                format!("{:?}", entries.iter().map(|e| short(&e.name)).collect::<Vec<_>>())
            }
            Ok(_) => "ok".to_owned(),
            Err(e) => short(&e.to_string()),
        };
        self.note(|| format!("{}: {}{fate} -> {}", who(), label(call), reply()));
    }
}

/// The path without its checkpoint, its ids cut to 8 digits.
fn short(path: &str) -> String {
    let mut out = String::new();
    let mut rest = path;
    while let Some(at) = rest.find(|c: char| c.is_ascii_hexdigit()) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let long = from.get(..36).is_some_and(|id| uuid::Uuid::try_parse(id).is_ok());
        let (keep, skip) = if long { (8, 36) } else { (1, 1) };
        out.push_str(&from[..keep]);
        rest = &from[skip..];
    }
    (out + rest).replace("/checkpoint/", "")
}

pub fn label(call: &Call) -> String {
    match call {
        Call::Rename(from, to) => format!("rename {} to {}", short(from), short(to)),
        Call::Create(path, data) => format!("create {} ({} bytes)", short(path), data.len()),
        call => format!("{} {}", call.op(), short(call.path())),
    }
}

/// What kind of place a call is about, without ids: what tells one interleaving from another.
pub fn shape(call: &Call, hash: &mut DefaultHasher) {
    for path in [call.path(), call.to()] {
        for part in path.split('/') {
            let keep = match part.len() {
                _ if part.ends_with(".snappy.parquet") => "000000000000-0".len(),
                _ if part.starts_with("m.") => "m.".len(),
                len if len >= 36 => len - 36,
                len => len,
            };
            hash.write(&part.as_bytes()[..keep]);
            hash.write_u8(b'/');
        }
    }
}

macro_rules! counts {
    ($($name:ident),*) => {
        /// How often what happened.
        #[derive(Debug, Default, Clone)]
        pub struct Counts {
            /// Tells this run's schedule from others.
            pub schedule: u64,
            $(pub $name: u64,)*
        }

        impl Counts {
            pub fn add(&mut self, other: &Counts) {
                $(self.$name += other.$name;)*
            }

            pub fn all(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)*]
            }
        }
    };
}

counts!(
    steps,
    crashes,
    errors,
    lost_replies,
    late,
    duplicates,
    torn,
    collected,
    staging_lost,
    slots,
    landed,
    superseded,
    rebased,
    seals,
    registered,
    reopened,
    epochs_dropped,
    voids,
    gaps,
    topics,
    replays,
    replays_superseded
);

impl Counts {
    pub fn saw(&mut self, call: &Call, reply: &Reply, open: bool) {
        match call {
            Call::Read(path) if open && path.ends_with("/snapshot.json") => self.reopened += 1,
            Call::Rename(_, to) if open && to.contains("/log/epochs/") => self.registered += u64::from(reply.is_ok()),
            Call::Rename(from, _) if call.is_commit() && reply.is_err() && from.contains("/staging/") => {
                let gone = matches!(reply, Err(landfall::storage::StorageError::NotFound { .. }));
                self.staging_lost += u64::from(gone);
            }
            _ => {}
        }
    }

    pub fn add_up(&mut self, seen: &Seen, done: &Done) {
        (self.slots, self.seals, self.voids) = (seen.slots, seen.seals, seen.voids);
        (self.gaps, self.topics, self.epochs_dropped) = (seen.gaps, seen.topics, seen.epochs_dropped);
        self.replays = seen.replays;
        self.replays_superseded = done.replays_superseded.load(Ordering::Relaxed);
        self.landed = done.landed.load(Ordering::Relaxed);
        self.superseded = done.superseded.load(Ordering::Relaxed);
        self.rebased = done.rebased.load(Ordering::Relaxed);
        self.collected += done.collected.load(Ordering::Relaxed);
    }
}
