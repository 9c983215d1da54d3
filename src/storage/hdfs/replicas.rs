//! With how many replicas a file is tried, how often, and how long one try may take. No I/O, and time is an argument.
//!
//! The crate never tells the NameNode which DataNodes have failed it, so every new try gets nodes chosen at random.
//! A dead or frozen DataNode that the NameNode still offers (10.5 minutes by default) fails every file that it is
//! chosen for. So a file is tried some times with the full number, then with one replica fewer, down to one.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a small file may take, at first.
const SMALL_FILE: Duration = Duration::from_secs(3);
/// What a bigger one may take more, in bytes a second.
const SLOWEST: f64 = 2.0 * 1024.0 * 1024.0;
/// The limits have been doubled this often at most.
const MOST_PATIENCE: u32 = 4;
/// Tries with one number of replicas, and how many limits they may take together: with the full number; with fewer;
/// with a single one, the last resort. Most fail within milliseconds: nothing listens at a dead DataNode's port.
const FULL: (u32, f64) = (3, 1.5);
const FEWER: (u32, f64) = (6, 0.5);
const LAST: (u32, f64) = (8, 5.5);
/// How often one call goes through all numbers. Again only if tries ran into their limits, which are longer then.
const ROUNDS: u32 = 3;
/// How long after a fall the full number is tried again, by one file.
const PROBE_AFTER: Duration = Duration::from_secs(30);
/// So many files in a row must have worked with the full number before all get it again.
const PROOFS: u32 = 3;

/// What one client remembers of all its files, so that each does not find out anew.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The full number, once it is known.
    wanted: Option<u32>,
    /// How many replicas fewer new files begin with, since when, and when the full number is tried again.
    fallen: Option<Fallen>,
    /// How often the limits are doubled.
    patience: u32,
}

#[derive(Debug)]
struct Fallen {
    lowered: u32,
    since: Instant,
    probe_at: Instant,
    proofs: u32,
}

/// What the log should say, once each.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// New files begin with fewer replicas from now on.
    Fell,
    /// They have the full number again, after this time.
    Recovered(Duration),
}

impl Memory {
    /// `wanted`: the full number, if the configuration says it.
    pub(super) fn new(wanted: Option<u32>) -> Memory {
        Memory(Mutex::new(State { wanted, ..State::default() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The plan of a new file of `len` bytes.
    pub(super) fn plan(&self, len: usize, now: Instant) -> Plan<'_> {
        let mut state = self.state();
        let (mut lowered, mut probe) = (0, false);
        if let Some(fallen) = &mut state.fallen {
            probe = now >= fallen.probe_at;
            if probe {
                fallen.probe_at = now + PROBE_AFTER;
            } else {
                lowered = fallen.lowered;
            }
        }
        let (patience, wanted) = (state.patience, state.wanted);
        let level = Level { tries: 0, spent: Duration::ZERO };
        Plan {
            memory: self,
            len,
            wanted,
            lowered,
            probe,
            patience,
            level,
            round: 1,
            cut: false,
            slow: false,
            fell: false,
        }
    }
}

/// The tries of one file.
#[derive(Debug)]
pub(super) struct Plan<'m> {
    memory: &'m Memory,
    len: usize,
    wanted: Option<u32>,
    lowered: u32,
    /// It tries whether the full number works again.
    probe: bool,
    patience: u32,
    level: Level,
    round: u32,
    /// A try of this round ran into its limit.
    cut: bool,
    /// One with fewer replicas did.
    slow: bool,
    /// It found out by itself that the full number does not work.
    fell: bool,
}

/// What has been tried with the present number.
#[derive(Debug)]
struct Level {
    tries: u32,
    spent: Duration,
}

impl Plan<'_> {
    /// How many replicas the next try asks for; `None`: as many as the server gives by default.
    pub(super) fn replicas(&self) -> Option<u32> {
        self.wanted.map(|wanted| wanted.saturating_sub(self.lowered).max(1))
    }

    /// How many it must have in the end, if the last try asked for fewer.
    pub(super) fn to_raise(&self) -> Option<u32> {
        self.wanted.filter(|wanted| self.replicas() < Some(*wanted))
    }

    /// How long the next try may take.
    pub(super) fn limit(&self) -> Duration {
        self.limit_with(self.patience)
    }

    /// With fewer replicas it goes faster, and where a node is frozen most tries are in vain.
    fn limit_with(&self, patience: u32) -> Duration {
        let full = limit(self.len, patience);
        if self.lowered == 0 { full } else { full / 2 }
    }

    /// A short wait before the next try.
    pub(super) fn pause(&self) -> Duration {
        Duration::from_millis(20) * self.level.tries
    }

    /// Whether it must still be found out what the full number is.
    pub(super) fn needs_wanted(&self) -> bool {
        self.wanted.is_none()
    }

    /// What the full number is.
    pub(super) fn learn(&mut self, wanted: u32) {
        self.wanted = Some(wanted);
        self.memory.state().wanted = Some(wanted);
    }

    /// A try failed after `took`, by DataNodes. Whether there is another one.
    pub(super) fn failed(&mut self, took: Duration) -> bool {
        let Some(wanted) = self.wanted else { return false };
        let limit = self.limit();
        if took >= limit {
            self.cut = true;
            self.slow |= self.lowered > 0;
        }
        self.level.tries += 1;
        self.level.spent += took;
        if self.lowered == 0 {
            // Another file may have found out meanwhile.
            let mut state = self.memory.state();
            if let Some(fallen) = &mut state.fallen {
                if self.probe {
                    fallen.proofs = 0;
                }
                self.go_to(fallen.lowered);
                return true;
            }
        }
        let last = self.lowered + 1 >= wanted;
        let (tries, limits) = match self.lowered {
            _ if last => LAST,
            0 => FULL,
            _ => FEWER,
        };
        if self.level.tries < tries && self.level.spent < limit.mul_f64(limits) {
            return true;
        }
        if !last {
            self.fell = true;
            self.go_to(self.lowered + 1);
            return true;
        }
        if !self.cut || self.round == ROUNDS {
            return false;
        }
        self.lengthen();
        (self.round, self.cut) = (self.round + 1, false);
        self.patience = (self.patience + 1).min(MOST_PATIENCE);
        self.go_to(0);
        true
    }

    fn go_to(&mut self, lowered: u32) {
        self.lowered = lowered;
        self.level = Level { tries: 0, spent: Duration::ZERO };
    }

    /// The last try worked, in this time.
    pub(super) fn worked(mut self, took: Duration, now: Instant) -> Option<Note> {
        self.cut = false;
        let mut state = self.memory.state();
        let enough = (0..MOST_PATIENCE).find(|p| took * 2 <= self.limit_with(*p));
        state.patience = state.patience.min(enough.unwrap_or(MOST_PATIENCE));
        if self.lowered > 0 {
            // Quick failures are cheap: the next file may well begin one below the full number.
            let lowered = if self.slow { self.lowered } else { 1 };
            let known = state.fallen.as_ref();
            if known.is_none() && !self.fell {
                // Begun with fewer before another file proved the full number.
                return None;
            }
            let note = known.is_none().then_some(Note::Fell);
            let (since, probe_at, proofs) =
                known.map_or((now, now + PROBE_AFTER, 0), |f| (f.since, f.probe_at, f.proofs));
            state.fallen = Some(Fallen { lowered, since, probe_at, proofs });
            return note;
        }
        let fallen = state.fallen.as_mut().filter(|_| self.probe)?;
        fallen.proofs += 1;
        fallen.probe_at = now;
        if fallen.proofs < PROOFS {
            return None;
        }
        let since = fallen.since;
        state.fallen = None;
        Some(Note::Recovered(now.duration_since(since)))
    }

    fn lengthen(&self) {
        let mut state = self.memory.state();
        state.patience = state.patience.max(self.patience + 1).min(MOST_PATIENCE);
    }
}

impl Drop for Plan<'_> {
    /// Also when the whole call was cut: a slow storage must get longer limits in the end.
    fn drop(&mut self) {
        if self.cut {
            self.lengthen();
        }
    }
}

fn limit(len: usize, patience: u32) -> Duration {
    (SMALL_FILE + Duration::from_secs_f64(len as f64 / SLOWEST)) * 2u32.pow(patience)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_millis(5);

    /// The numbers of replicas that are tried when every try takes `took` and fails.
    fn all_tries(plan: &mut Plan<'_>, took: impl Fn(&Plan<'_>) -> Duration) -> Vec<u32> {
        let mut tried = vec![plan.replicas().unwrap()];
        while plan.failed(took(plan)) {
            tried.push(plan.replicas().unwrap());
        }
        tried
    }

    #[test]
    fn dead_datanodes_cost_tries_and_no_time() {
        let memory = Memory::new(Some(3));
        let tried = all_tries(&mut memory.plan(1000, Instant::now()), |_| QUICK);
        assert_eq!(tried, [[3; 3].as_slice(), &[2; 6], &[1; 8]].concat());
    }

    #[test]
    fn frozen_datanodes_cost_a_few_limits_and_then_get_longer_ones() {
        let memory = Memory::new(Some(3));
        let now = Instant::now();
        let mut plan = memory.plan(1000, now);
        let tried = all_tries(&mut plan, |plan| plan.limit());
        assert_eq!(tried, [3, 3, 2, 1, 1, 1, 1, 1, 1].repeat(3));
        assert_eq!(plan.patience, 2);
        drop(plan);
        assert!(memory.plan(0, now).limit() >= SMALL_FILE * 8, "a call that failed by limits begins with longer ones");
    }

    #[test]
    fn a_call_that_was_cut_leaves_longer_limits_and_quick_writes_take_them_back() {
        let memory = Memory::new(Some(1));
        let now = Instant::now();
        let mut plan = memory.plan(64 << 20, now);
        assert_eq!(plan.limit(), Duration::from_secs(35));
        plan.failed(plan.limit());
        drop(plan);
        let plan = memory.plan(64 << 20, now);
        assert_eq!(plan.limit(), Duration::from_secs(70));
        // A storage that needs this long keeps its limits.
        assert_eq!(plan.worked(Duration::from_secs(30), now), None);
        assert_eq!(memory.plan(0, now).limit(), SMALL_FILE * 2);
        memory.plan(1000, now).worked(QUICK, now);
        assert_eq!(memory.plan(0, now).limit(), SMALL_FILE);
    }

    #[test]
    fn the_next_files_begin_where_one_worked_and_go_back_up_after_some_time() {
        let memory = Memory::new(None);
        let begun = Instant::now();
        let mut plan = memory.plan(1000, begun);
        assert_eq!((plan.replicas(), plan.needs_wanted()), (None, true));
        plan.learn(3);
        while plan.replicas() == Some(3) {
            assert!(plan.failed(QUICK));
        }
        assert_eq!((plan.replicas(), plan.to_raise()), (Some(2), Some(3)));
        assert_eq!(plan.worked(QUICK, begun), Some(Note::Fell));

        let next = memory.plan(1000, begun + QUICK);
        assert_eq!((next.replicas(), next.to_raise()), (Some(2), Some(3)));
        assert_eq!(next.worked(QUICK, begun + QUICK), None, "said once");

        // One file tries the full number; meanwhile the others do not.
        let later = begun + PROBE_AFTER;
        let mut probe = memory.plan(1000, later);
        assert_eq!(probe.replicas(), Some(3));
        assert_eq!(memory.plan(1000, later).replicas(), Some(2));
        assert!(probe.failed(QUICK));
        assert_eq!(probe.replicas(), Some(2), "one failure is enough");
        assert_eq!(probe.worked(QUICK, later), None);

        let later = later + PROBE_AFTER;
        for n in 1..=PROOFS {
            let probe = memory.plan(1000, later);
            assert_eq!((probe.replicas(), probe.to_raise()), (Some(3), None));
            // Files that are written meanwhile prove nothing, for or against.
            if n < PROOFS {
                memory.plan(1000, later - QUICK).worked(QUICK, later);
            }
            let late = memory.plan(1000, later - QUICK);
            let recovered = (n == PROOFS).then_some(Note::Recovered(PROBE_AFTER * 2));
            assert_eq!(probe.worked(QUICK, later), recovered);
            assert_eq!(late.worked(QUICK, later), None, "a file begun before that is no new fall");
        }
        assert_eq!(memory.plan(1000, later).replicas(), Some(3));
    }

    #[test]
    fn where_tries_are_slow_the_next_files_begin_as_low_as_one_worked() {
        let memory = Memory::new(Some(3));
        let now = Instant::now();
        let mut plan = memory.plan(1000, now);
        while plan.replicas() > Some(1) {
            plan.failed(plan.limit());
        }
        assert_eq!(plan.worked(QUICK, now), Some(Note::Fell));
        assert_eq!(memory.plan(1000, now).replicas(), Some(1));
        assert_eq!(memory.plan(1000, now).limit(), limit(1000, 0) / 2, "a working file is no reason for patience");
    }

    #[test]
    fn one_replica_has_nothing_below_it() {
        let memory = Memory::new(Some(1));
        let tried = all_tries(&mut memory.plan(1000, Instant::now()), |_| QUICK);
        assert_eq!(tried, [1; 8]);
    }
}
