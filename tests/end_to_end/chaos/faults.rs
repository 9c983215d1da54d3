//! Who breaks what: the servers, the network of one daemon, the consumer group.

use std::time::{Duration, Instant};

use landfall_stack::Stack;
use landfall_stack::fence::{Direction, Held, NetFault};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::Run;

/// What happens to a server. The numbers are the shortest and the longest time, in seconds.
#[derive(Debug, Clone, Copy)]
enum ServerFault {
    Stop(&'static str, f64, f64),
    Kill(&'static str, f64, f64),
    Freeze(&'static str, f64, f64),
    SafeMode(f64, f64),
}

use ServerFault::{Freeze, Kill, SafeMode, Stop};

const SERVER_FAULTS: [(&str, ServerFault); 10] = [
    ("NameNode stopped and started", Stop("namenode", 1.0, 6.0)),
    ("NameNode killed and started", Kill("namenode", 0.0, 3.0)),
    ("NameNode frozen", Freeze("namenode", 2.0, 12.0)),
    ("HDFS in safe mode", SafeMode(2.0, 8.0)),
    ("DataNode killed and started", Kill("datanode", 1.0, 20.0)),
    ("DataNode frozen", Freeze("datanode", 3.0, 20.0)),
    ("metastore killed and started", Kill("metastore", 1.0, 10.0)),
    ("metastore frozen", Freeze("metastore", 2.0, 10.0)),
    ("Kafka killed and started", Kill("kafka", 0.0, 3.0)),
    ("Kafka frozen", Freeze("kafka", 2.0, 10.0)),
];

/// Puts the servers right, also when the test fails.
struct Mended<'s>(&'s Stack);

impl Drop for Mended<'_> {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        let mut errors = Vec::new();
        for part in self.0.status().iter().filter(|part| part.paused) {
            errors.extend(self.0.resume(&part.name).err());
        }
        for part in self.0.status().iter().filter(|part| part.pid.is_none()) {
            errors.extend(self.0.restart(&part.name).err());
        }
        if failed {
            errors.extend(self.0.safe_mode(false).err());
        }
        assert!(failed || errors.is_empty(), "{errors:?}");
    }
}

/// One server fault after the other, each kind once before any comes again.
pub fn servers(run: &Run, mut rng: StdRng, seconds: u64) {
    let _alarm = run.alarm();
    let _mended = Mended(&run.world.stack);
    let pause = if seconds < 600 { 8.0..16.0 } else { 30.0..60.0 };
    let mut next: Vec<(&str, ServerFault)> = Vec::new();
    while run.faults.sleep(Duration::from_secs_f64(rng.random_range(pause.clone()))) {
        if next.is_empty() {
            next = SERVER_FAULTS.to_vec();
            next.shuffle(&mut rng);
        }
        if let Some((name, fault)) = next.pop() {
            let begun = Instant::now();
            break_server(run, fault, &mut rng);
            println!("{name}: {:.1} s", begun.elapsed().as_secs_f64());
            run.note(|f| *f.server_faults.entry(name).or_default() += 1);
        }
    }
}

fn break_server(run: &Run, fault: ServerFault, rng: &mut StdRng) {
    let stack = &run.world.stack;
    let datanodes = stack.status().iter().filter(|part| part.name.starts_with("datanode")).count();
    let number = rng.random_range(1..=datanodes);
    let part = |name: &str| if name == "datanode" { format!("{name}{number}") } else { name.to_owned() };
    let mut wait =
        |shortest, longest| _ = run.faults.sleep(Duration::from_secs_f64(rng.random_range(shortest..longest)));
    match fault {
        Stop(name, from, to) => {
            stack.stop(&part(name)).unwrap();
            wait(from, to);
            stack.restart(&part(name)).unwrap();
        }
        Kill(name, from, to) => {
            stack.kill(&part(name)).unwrap();
            wait(from, to);
            stack.restart(&part(name)).unwrap();
        }
        Freeze(name, from, to) => {
            stack.pause(&part(name)).unwrap();
            wait(from, to);
            stack.resume(&part(name)).unwrap();
        }
        SafeMode(from, to) => {
            stack.safe_mode(true).unwrap();
            wait(from, to);
            stack.safe_mode(false).unwrap();
        }
    }
}

/// A foreign member comes into the consumer group and leaves it: two rebalances each time.
pub fn group(run: &Run) {
    let _alarm = run.alarm();
    let mut visits = 0;
    while run.faults.sleep(Duration::from_secs(15)) {
        visits += 1;
        let until = Instant::now() + Duration::from_secs(2 + visits % 5);
        let stay = || Instant::now() < until && !run.faults.has_rung();
        run.job.topic.visit_group(&run.job.group(), stay);
        run.note(|f| f.visits += 1);
    }
}

/// One network fault after the other, on the daemon behind the fence.
pub fn network(run: &Run, mut rng: StdRng) {
    let _alarm = run.alarm();
    let Some(fence) = &run.fence else { return };
    let all: Vec<&str> = fence.parts();
    let datanodes: Vec<&str> = all.iter().copied().filter(|part| part.starts_with("datanode")).collect();
    while run.faults.sleep(Duration::from_secs_f64(rng.random_range(2.0..8.0))) {
        let (place, parts) = match rng.random_range(0..10) {
            // What the commit rests on has most of them.
            0..4 => ("NameNode", vec!["namenode"]),
            4..6 => ("Kafka", vec!["kafka"]),
            6 => ("a DataNode", vec![datanodes[rng.random_range(0..datanodes.len())]]),
            7 => ("all DataNodes", datanodes.clone()),
            8 => ("metastore", vec!["metastore"]),
            _ => ("everything", all.clone()),
        };
        let (what, fault) = match rng.random_range(0..10) {
            0..2 => ("cut", NetFault::Cut),
            2..4 => ("slow", NetFault::Delay(Duration::from_millis(rng.random_range(50..800)))),
            4..7 => ("replies held back", NetFault::Hold(Direction::ToClient)),
            7..9 => ("requests held back", NetFault::Hold(Direction::ToServer)),
            _ => ("both ways held back", NetFault::Hold(Direction::Both)),
        };
        // Short ones end within the limit of a call, long ones do not.
        let longest = if rng.random_bool(0.6) { 4.0 } else { 20.0 };
        let (held, outcome) = match (fault, rng.random_bool(0.5)) {
            (NetFault::Hold(_), true) => (Held::Delivered, ", then delivered"),
            (NetFault::Hold(_), false) => (Held::Lost, ", then lost"),
            _ => (Held::Delivered, ""),
        };
        parts.iter().for_each(|part| fence.break_part(part, fault).unwrap());
        run.faults.sleep(Duration::from_secs_f64(rng.random_range(0.3..longest)));
        parts.iter().for_each(|part| fence.heal(part, held).unwrap());
        run.note(|f| *f.network_faults.entry(format!("{place}: {what}{outcome}")).or_default() += 1);
    }
}
