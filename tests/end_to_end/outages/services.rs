//! Services that are dead, frozen, slow; each alone, and all together.

use std::path::Path;
use std::time::{Duration, Instant};

use landfall_stack::Stack;
use landfall_stack::fence::{Fence, Held, NetFault};

use super::line::{Line, text};
use super::report::{self, Case};
use crate::world::World;

const RATE: u64 = 300;
/// `metastore.call_timeout` here: a server that is later than this is one that answers too late.
const METASTORE_LIMIT: &str = "5s";
const SHORT: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(60);

/// How a service is away.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum How {
    /// Killed, and started again.
    Dead,
    /// Stopped by SIGSTOP: its connections stay open.
    Frozen,
    /// Each chunk of bytes between it and the daemon takes so much longer.
    Slow(Duration),
    /// HDFS refuses every change.
    SafeMode,
    /// The DataNodes, started again for it, say that they have no room.
    Full,
}

use How::{Dead, Frozen, Full, SafeMode, Slow};

/// An outage.
#[derive(Debug, Clone, Copy)]
pub struct Outage {
    what: &'static str,
    parts: &'static [&'static str],
    how: How,
    lasts: Duration,
}

const KAFKA: &[&str] = &["kafka"];
const NAMENODE: &[&str] = &["namenode"];
const DATANODES: &[&str] = &["datanode1", "datanode2", "datanode3"];
const METASTORE: &[&str] = &["metastore"];
const EVERYTHING: &[&str] = &["kafka", "namenode", "datanode1", "datanode2", "datanode3", "metastore"];

/// All of them; the short form has those of 5 s that need no fence.
pub fn outages(short: bool) -> Vec<Outage> {
    let slow = Slow(Duration::from_millis(700));
    let services = [
        ("Kafka", KAFKA),
        ("NameNode", NAMENODE),
        ("all DataNodes", DATANODES),
        ("metastore", METASTORE),
        ("Kafka, HDFS and metastore together", EVERYTHING),
    ];
    let mut all = Vec::new();
    for lasts in [SHORT, LONG] {
        for (what, parts) in services {
            all.extend([Dead, Frozen, slow].map(|how| Outage { what, parts, how, lasts }));
        }
        all.push(Outage { what: "HDFS", parts: NAMENODE, how: SafeMode, lasts });
        all.push(Outage { what: "HDFS", parts: NAMENODE, how: Full, lasts });
        all.extend([Dead, Frozen].map(|how| Outage {
            what: "one DataNode of three",
            parts: &["datanode2"],
            how,
            lasts,
        }));
    }
    let late = Slow(Duration::from_secs(8));
    all.push(Outage { what: "metastore answers after its time limit", parts: METASTORE, how: late, lasts: LONG });
    if short {
        all.retain(|o| o.lasts == SHORT && !matches!(o.how, Slow(_) | Full) && o.what != "one DataNode of three");
    }
    all
}

impl Outage {
    pub fn name(&self) -> String {
        match self.how {
            Dead => format!("{}: dead", self.what),
            Frozen => format!("{}: frozen", self.what),
            Slow(by) => format!("{}: slow by {} ms a packet", self.what, by.as_millis()),
            SafeMode => format!("{}: safe mode", self.what),
            Full => format!("{}: disks full", self.what),
        }
    }

    /// Whether a long run has it: not those that want a fence, or DataNodes with other settings.
    pub fn is_for_a_soak(&self) -> bool {
        self.lasts == SHORT && !matches!(self.how, Slow(_) | Full)
    }

    pub fn lasts(&self) -> Duration {
        self.lasts
    }

    pub fn begin(&self, stack: &Stack, fence: Option<&Fence>) {
        for part in self.parts {
            match self.how {
                Dead => stack.kill(part).unwrap(),
                Frozen => stack.pause(part).unwrap(),
                Slow(by) => fence.unwrap().break_part(part, NetFault::Delay(by)).unwrap(),
                SafeMode => stack.safe_mode(true).unwrap(),
                Full => stack.fill_disks(true).unwrap(),
            }
        }
    }

    pub fn end(&self, stack: &Stack, fence: Option<&Fence>) {
        std::thread::scope(|scope| {
            for part in self.parts {
                scope.spawn(move || match self.how {
                    Dead => stack.restart(part).unwrap(),
                    Frozen => stack.resume(part).unwrap(),
                    Slow(_) => fence.unwrap().heal(part, Held::Delivered).unwrap(),
                    SafeMode => stack.safe_mode(false).unwrap(),
                    Full => stack.fill_disks(false).unwrap(),
                });
            }
        });
    }
}

/// Puts the servers right, also when a case fails.
struct Mended<'a>(&'a Outage, &'a Stack);

impl Drop for Mended<'_> {
    fn drop(&mut self) {
        // A fence goes with its test.
        if std::thread::panicking() && !matches!(self.0.how, Slow(_)) {
            self.0.end(self.1, None);
        }
    }
}

/// One daemon through all of these.
pub fn run(world: &World, outages: &[Outage]) -> Vec<Case> {
    let program = Path::new(env!("CARGO_BIN_EXE_landfall")).with_file_name("landfall-stack");
    let fence = program.exists().then(|| Fence::new(&world.stack, &program));
    let fence = fence.and_then(|made| made.inspect_err(|e| println!("no slow services here: {e:#}")).ok());
    let mut line = Line::start(world, "outages", RATE, fence.as_ref(), |config| {
        config.replace("[metastore]\n", &format!("[metastore]\ncall_timeout = \"{METASTORE_LIMIT}\"\n"))
    });
    let mut cases = Vec::new();
    for outage in outages.iter().filter(|o| fence.is_some() || !matches!(o.how, Slow(_))) {
        let before = line.begin();
        let begun = Instant::now();
        let mended = Mended(outage, &world.stack);
        outage.begin(&world.stack, fence.as_ref());
        std::thread::sleep(outage.lasts.saturating_sub(begun.elapsed()));
        let batches = line.daemon.progress().len() - before;
        outage.end(&world.stack, fence.as_ref());
        let lasted = begun.elapsed();
        let back = Instant::now();
        let goes_on = line.goes_on();
        drop(mended);
        let rows = line.check(0);
        let visible = Some(back.elapsed());
        assert!(line.daemon.runs(), "{}", line.daemon.tail());
        let must_land = matches!(outage.how, Slow(_)) && outage.lasts == LONG;
        assert!(batches > 0 || !must_land, "a slow service is no reason to land nothing for a minute");
        let said = line.said().iter().map(text).collect();
        let case = Case {
            what: outage.name(),
            lasted: Some(lasted),
            batches,
            command: None,
            goes_on,
            visible,
            rows,
            peak: line.peak(),
            said,
        };
        print!("{:#?}\n{}", case.said, report::service(&case));
        cases.push(case);
    }
    if super::wanted("Kafka: dead, and nothing is sent") {
        line.quiet();
        line.begin();
        world.stack.kill("kafka").unwrap();
        line.wait_for_word("no Kafka broker answers");
        world.stack.restart("kafka").unwrap();
        println!("{}", line.wait_for_word("Kafka answers again"));
        line.load(2);
    }
    line.end();
    cases
}
