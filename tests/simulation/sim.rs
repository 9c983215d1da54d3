//! The scheduler: at every step the seed picks who goes on, and what becomes of a call.

use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::common::toy::CHECKPOINT;
use crate::config::Config;
use crate::daemon::{Done, Order, Plan, daemon, operator};
use crate::trace::{Counts, Trace, shape};
use crate::wire::{Call, SimHost, Wire};
use crate::world::World;

/// Steps in which a daemon that is alone must be through.
const ENOUGH: usize = 20_000;

type Life = Pin<Box<dyn Future<Output = Result<(), String>>>>;

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Process {
    order: Option<Order>,
    wire: Arc<Wire>,
    host: Arc<SimHost>,
    /// `None`: dead, or done.
    life: Option<Life>,
    done: bool,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Fate {
    Sound,
    /// Carried out, and the answer is lost.
    LostReply,
    /// Not carried out.
    Error,
    /// Timed out; it may be carried out later.
    Late,
    /// Carried out, and once more later.
    Duplicate,
    /// Sent again at once: the answer is the second one.
    Resent,
    /// Half a file is written, and an error comes.
    Torn,
}

pub struct Sim {
    config: Config,
    plan: Arc<Plan>,
    rng: StdRng,
    world: World,
    processes: Vec<Process>,
    /// Calls that nobody waits for, and that may still be carried out.
    net: Vec<Call>,
    /// Who goes on.
    at: usize,
    faulty: bool,
    pub trace: Trace,
    pub counts: Counts,
    hash: DefaultHasher,
}

impl Sim {
    pub fn new(seed: u64, config: Config, verbose: bool) -> Sim {
        let plan = Arc::new(Plan {
            messages: config.messages.clone(),
            slots_per_epoch: config.slots_per_epoch,
            letters: config.operator == Some(Order::Replay),
            stamped: config.stamped,
            tidy: config.tidy,
            kafka_offsets: config.kafka_offsets,
            whole: config.whole,
            group: Default::default(),
            done: Done::default(),
        });
        let world = World::new(config.broken, config.messages.clone(), plan.letters);
        let (rng, trace) = (StdRng::seed_from_u64(seed), Trace::new(verbose));
        let (processes, net, counts, hash) = Default::default();
        let mut sim = Sim { config, plan, rng, world, processes, net, at: 0, faulty: true, trace, counts, hash };
        for _ in 0..sim.config.daemons {
            sim.start(None);
        }
        for _ in 0..sim.config.operator.map_or(0, |order| if order == Order::Replay { 2 } else { 1 }) {
            sim.start(sim.config.operator);
        }
        sim
    }

    /// The whole run. `Err`: what must never be.
    pub fn run(&mut self) -> Result<(), String> {
        let end = self.chaos();
        let end = end.and_then(|()| self.recover());
        self.counts.add_up(&self.world.seen, &self.plan.done);
        self.counts.schedule = self.hash.finish();
        end
    }

    fn chaos(&mut self) -> Result<(), String> {
        while self.counts.steps < self.config.steps as u64 && self.processes.iter().any(|p| !p.done) {
            self.counts.steps += 1;
            if self.config.crashes > 0 && self.rng.random_bool(self.config.crash) {
                let victim = self.rng.random_range(0..self.processes.len());
                if self.crash(victim) {
                    self.config.crashes -= 1;
                    self.counts.crashes += 1;
                }
            } else if self.config.collections > 0 && self.rng.random_bool(self.config.collect) {
                self.collect();
            } else if !self.net.is_empty() && self.rng.random_bool(self.config.deliver) {
                self.deliver()?;
            } else {
                self.choose();
                self.go_on(self.at)?;
            }
        }
        Ok(())
    }

    /// All faults stop: one fresh daemon must land everything, then whoever is still paused must end in peace.
    fn recover(&mut self) -> Result<(), String> {
        self.faulty = false;
        let zombies = self.processes.len();
        if self.rng.random_bool(0.5) {
            (0..zombies).for_each(|i| _ = self.crash(i));
        }
        self.alone()?;
        for i in 0..zombies {
            self.finish(i)?;
        }
        while !self.net.is_empty() {
            self.deliver()?;
        }
        self.alone()
    }

    fn alone(&mut self) -> Result<(), String> {
        self.trace.note(|| "a fresh daemon, alone".to_owned());
        let i = self.start(None);
        self.finish(i)?;
        if self.plan.letters {
            let i = self.start(Some(Order::Replay));
            self.finish(i)?;
            self.world.all_replayed()?;
        }
        self.world.complete()
    }

    fn finish(&mut self, i: usize) -> Result<(), String> {
        for _ in 0..ENOUGH {
            if self.processes[i].life.is_none() {
                return Ok(());
            }
            self.counts.steps += 1;
            if !self.net.is_empty() && self.rng.random_bool(self.config.deliver) {
                self.deliver()?;
            }
            self.go_on(i)?;
        }
        Err(format!("LIVELOCK: daemon {i} alone is not through after {ENOUGH} steps"))
    }

    fn start(&mut self, order: Option<Order>) -> usize {
        let wire = Arc::new(Wire::default());
        let host = Arc::new(SimHost::new(wire.clone(), self.rng.random(), self.config.protocol));
        self.processes.push(Process { order, wire, host, life: None, done: true });
        let i = self.processes.len() - 1;
        self.revive(i);
        i
    }

    fn revive(&mut self, i: usize) {
        let wire = Arc::new(Wire::default());
        let host = Arc::new(SimHost::new(wire.clone(), self.rng.random(), self.config.protocol));
        let (plan, order) = (self.plan.clone(), self.processes[i].order);
        let life: Life = match order {
            None => Box::pin(daemon(plan, host.clone(), wire.clone())),
            Some(order) => Box::pin(operator(plan, host.clone(), wire.clone(), order)),
        };
        self.processes[i] = Process { order, wire, host, life: Some(life), done: false };
    }

    /// Stops a process at once. What it has sent may still arrive.
    fn crash(&mut self, i: usize) -> bool {
        if self.processes[i].life.take().is_none() {
            return false;
        }
        self.hash.write_usize(100 + i);
        self.trace.note(|| format!("{i}: CRASH"));
        // A command is not given again.
        self.processes[i].done = self.processes[i].order.is_some();
        self.drop_calls(i);
        true
    }

    fn drop_calls(&mut self, i: usize) {
        for call in self.processes[i].wire.take_dropped() {
            if call.changes() && self.rng.random_bool(0.5) {
                self.trace.note(|| format!("{i}: in flight: {}", crate::trace::label(&call)));
                self.net.push(call);
            }
        }
    }

    /// Mostly the same process goes on, so that the others are paused for long.
    fn choose(&mut self) {
        let p = &self.processes[self.at];
        let held = self.rng.random_bool(self.config.hold) && p.wire.pending().iter().any(|(_, c)| c.is_commit());
        if p.done || held || self.rng.random_bool(self.config.switch) {
            let open: Vec<usize> = (0..self.processes.len()).filter(|&i| !self.processes[i].done).collect();
            self.at = open[self.rng.random_range(0..open.len())];
        }
    }

    fn go_on(&mut self, i: usize) -> Result<(), String> {
        if self.processes[i].life.is_none() {
            self.trace.note(|| format!("{i}: starts again"));
            self.revive(i);
        }
        let pending = self.processes[i].wire.pending();
        let Some(k) = (!pending.is_empty()).then(|| self.rng.random_range(0..pending.len())) else {
            return self.poll(i);
        };
        // Reads have no effect: mostly all of them are answered in one step.
        let all = !pending[k].1.changes() && self.rng.random_bool(0.8);
        let chosen = pending.iter().enumerate().filter(|(j, (_, call))| *j == k || all && !call.changes());
        for (j, (id, call)) in chosen {
            let fate = self.fate(call);
            (i, j, call.op(), fate).hash(&mut self.hash);
            shape(call, &mut self.hash);
            let reply = self.perform(call, fate)?;
            self.counts.saw(call, &reply, self.processes[i].host.is_open());
            self.trace.step(i, call, &format!("{fate:?}"), &reply);
            self.processes[i].wire.answer(*id, reply);
        }
        self.poll(i)
    }

    fn poll(&mut self, i: usize) -> Result<(), String> {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let Some(life) = &mut self.processes[i].life else { return Ok(()) };
        loop {
            match life.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(end) => {
                    self.processes[i].life = None;
                    self.processes[i].done = self.processes[i].order.is_some() || self.world.complete().is_ok();
                    self.trace.note(|| format!("{i}: ends"));
                    self.drop_calls(i);
                    return end.map_err(|e| format!("daemon {i} {e}"));
                }
                Poll::Pending if woken.0.swap(false, Ordering::Relaxed) => {}
                Poll::Pending => break,
            }
        }
        self.drop_calls(i);
        Ok(())
    }

    fn fate(&mut self, call: &Call) -> Fate {
        let possible = self.faulty && self.config.faults > 0 && !matches!(call, Call::Wait);
        if !possible || !self.rng.random_bool(self.config.fault) {
            return Fate::Sound;
        }
        let mut fates = vec![Fate::Error];
        if call.changes() {
            fates.extend([Fate::LostReply, Fate::Late, Fate::Duplicate, Fate::Resent]);
        }
        if matches!(call, Call::Create(..)) {
            fates.push(Fate::Torn);
        }
        if self.config.revivals {
            let is_mkdir = matches!(call, Call::Mkdir(..));
            fates.retain(|f| (is_mkdir && *f == Fate::Duplicate) || (call.is_commit() && *f == Fate::Late));
        }
        if fates.is_empty() {
            return Fate::Sound;
        }
        self.config.faults -= 1;
        let fate = fates[self.rng.random_range(0..fates.len())];
        match fate {
            Fate::LostReply => self.counts.lost_replies += 1,
            Fate::Error | Fate::Sound => self.counts.errors += 1,
            Fate::Late => self.counts.late += 1,
            Fate::Duplicate | Fate::Resent => self.counts.duplicates += 1,
            Fate::Torn => self.counts.torn += 1,
        }
        fate
    }

    fn perform(&mut self, call: &Call, fate: Fate) -> Result<crate::wire::Reply, String> {
        Ok(match fate {
            Fate::Sound => self.world.execute(call)?,
            Fate::Error => Err(call.unavailable()),
            Fate::LostReply => {
                _ = self.world.execute(call)?;
                Err(call.unavailable())
            }
            Fate::Late => {
                self.net.push(call.clone());
                Err(call.timed_out())
            }
            Fate::Duplicate => {
                // A second `create` opens an empty file, and nobody writes into it.
                self.net.push(match call {
                    Call::Create(path, _) => Call::Create(path.clone(), Bytes::new()),
                    call => call.clone(),
                });
                self.world.execute(call)?
            }
            Fate::Resent => {
                _ = self.world.execute(call)?;
                self.world.execute(call)?
            }
            Fate::Torn => {
                if let Call::Create(path, data) = call {
                    _ = self.world.execute(&Call::Create(path.clone(), data.slice(..data.len() / 2)))?;
                }
                Err(call.unavailable())
            }
        })
    }

    fn deliver(&mut self) -> Result<(), String> {
        let k = self.rng.random_range(0..self.net.len());
        let call = self.net.swap_remove(k);
        // Not everything that is on its way arrives.
        if self.rng.random_bool(0.1) {
            return Ok(());
        }
        self.hash.write_usize(200);
        shape(&call, &mut self.hash);
        let reply = self.world.execute(&call)?;
        self.trace.step(usize::MAX, &call, "arrives", &reply);
        Ok(())
    }

    /// A collector of another process, or the one of `x_slot_gc`.
    fn collect(&mut self) {
        if self.config.slot_gc {
            if let Some(slot) = self.world.delete_first_slot() {
                self.config.collections -= 1;
                self.trace.note(|| format!("gc: deletes {slot}"));
            }
            return;
        }
        let staging = format!("{CHECKPOINT}/staging");
        let mut found = Vec::new();
        for entry in self.world.list(&staging) {
            let dir = format!("{staging}/{}", entry.name);
            for attempt in self.world.list(&dir) {
                let dir = format!("{dir}/{}", attempt.name);
                if !self.config.revivals || !self.world.list(&dir).is_empty() {
                    found.push(dir);
                }
            }
            if !self.config.revivals {
                found.push(dir);
            }
        }
        if found.is_empty() {
            return;
        }
        let call = Call::Delete(found.swap_remove(self.rng.random_range(0..found.len())));
        self.config.collections -= 1;
        self.counts.collected += 1;
        self.hash.write_usize(300);
        shape(&call, &mut self.hash);
        let reply = self.world.execute(&call);
        self.trace.note(|| format!("gc: {} -> {}", crate::trace::label(&call), reply.is_ok()));
    }
}
