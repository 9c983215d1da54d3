//! DataNodes that die or freeze while the NameNode still takes them for alive, under load. `scripts/datanode-tests`
//! runs this on stacks of three and of four DataNodes whose NameNode notices nothing for ten minutes, as by default.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use landfall::game::Load;
use landfall::storage::Storage;
use landfall_stack::Stack;

use crate::job::{Daemon, Job, wait_until_landed};
use crate::world::{World, wait_for, world};

const LIMIT: Duration = Duration::from_secs(120);
const RATE: u64 = 300;
/// What a batch may take while a DataNode is dead or frozen: well below the 630 s until the NameNode knows.
const LONGEST: Duration = Duration::from_secs(60);

/// Servers that were killed or paused; they run again at the end, whatever happens.
struct Broken<'s> {
    stack: &'s Stack,
    dead: Vec<String>,
    paused: Vec<String>,
}

impl<'s> Broken<'s> {
    fn kill(stack: &'s Stack, parts: &[String]) -> Broken<'s> {
        parts.iter().for_each(|part| stack.kill(part).unwrap());
        Broken { stack, dead: parts.to_vec(), paused: Vec::new() }
    }

    fn pause(stack: &'s Stack, part: &str) -> Broken<'s> {
        stack.pause(part).unwrap();
        Broken { stack, dead: Vec::new(), paused: vec![part.to_owned()] }
    }
}

impl Drop for Broken<'_> {
    fn drop(&mut self) {
        self.paused.iter().for_each(|part| self.stack.resume(part).unwrap());
        std::thread::scope(|scope| {
            self.dead.iter().for_each(|part| drop(scope.spawn(|| self.stack.restart(part).unwrap())));
        });
    }
}

/// Shows at the end what a daemon said about replicas.
struct Said<'d>(&'d Daemon);

impl Drop for Said<'_> {
    fn drop(&mut self) {
        for line in self.0.lines() {
            let message = line["message"].as_str().unwrap_or_default();
            if message.contains("replicas") {
                println!("{} {} replicas: {message}", line["timestamp"], line["replicas"]);
            }
        }
    }
}

/// When batches land, as the daemon's log says.
struct Watch<'d> {
    daemon: &'d Daemon,
    seen: usize,
}

impl Watch<'_> {
    /// Waits for a batch that lands from now on; how long it took.
    fn next(&mut self, what: &str) -> Duration {
        self.seen = self.daemon.progress().len();
        let begun = Instant::now();
        wait_for(LIMIT, what, || (self.daemon.progress().len() > self.seen).then_some(()));
        begun.elapsed()
    }

    /// Watches for this time, and until one batch more has landed; the longest time without one.
    fn gap(&mut self, time: Duration, what: &str) -> Duration {
        let (begun, mut longest, mut batches) = (Instant::now(), Duration::ZERO, 0);
        while batches == 0 || begun.elapsed() < time {
            longest = longest.max(self.next(what));
            batches += 1;
        }
        println!("{what}: {batches} batches in {:.0?}, the longest wait for one {longest:.1?}", begun.elapsed());
        longest
    }
}

/// The stack, if it is one for these tests.
fn slow_to_notice() -> Option<World> {
    let world = world()?;
    if world.stack.dead_after() < 300 || world.stack.datanodes() < 3 {
        eprintln!("skipped: needs a stack with DataNodes to spare (scripts/datanode-tests)");
        return None;
    }
    Some(world)
}

/// The blocks below `path` that have fewer replicas than they should; those on a dead DataNode count as there until
/// the NameNode notices.
fn owed(world: &World, path: &str) -> BTreeSet<String> {
    let report = world.stack.fsck(path).unwrap();
    assert!(!report.contains("CORRUPT"), "{report}");
    let short = report.lines().filter(|line| line.contains("Under replicated"));
    let block = |line: &str| line.split("blk_").nth(1)?.split(['_', '.', ' ']).next().map(str::to_owned);
    short.map(|line| block(line).unwrap_or_else(|| panic!("{line}"))).collect()
}

/// Waits until these blocks have all their replicas, or are gone. Those of files still being landed do not count.
fn wait_until_made(world: &World, path: &str, blocks: &BTreeSet<String>) -> Duration {
    let begun = Instant::now();
    wait_for(LIMIT, "all replicas are made", || owed(world, path).is_disjoint(blocks).then_some(()));
    begun.elapsed()
}

#[test]
fn load_lands_on_while_datanodes_and_the_namenode_die_and_freeze() {
    let Some(world) = slow_to_notice() else { return };
    let stack = &world.stack;
    let nodes: Vec<String> = (1..=stack.datanodes()).map(|n| format!("datanode{n}")).collect();
    println!("{} DataNodes; the NameNode notices after {} s", nodes.len(), stack.dead_after());
    let job = Job::new(&world, "datanodes", 2, "1s");
    let mut daemon = job.start(&[]);
    wait_for(LIMIT, "reading", || daemon.reads().then_some(()));
    let producing = job.topic.produce_on(Load::new(11).with_request_ids(true).with_malformed(0.01), RATE);
    let said = Said(&daemon);
    let mut watch = Watch { daemon: &daemon, seen: 0 };
    let seconds = Duration::from_secs;
    watch.gap(seconds(3), "all well");

    let dead = Broken::kill(stack, &nodes[..1]);
    assert!(watch.gap(seconds(10), "one DataNode dead") < LONGEST);
    let blocks = owed(&world, &job.base());
    drop(dead);
    let made = wait_until_made(&world, &job.base(), &blocks);
    println!("it is back, {} blocks have their missing replicas after {made:.1?}", blocks.len());

    let frozen = Broken::pause(stack, &nodes[1]);
    assert!(watch.gap(seconds(25), "one DataNode frozen") < LONGEST);
    let blocks = owed(&world, &job.base());
    drop(frozen);
    let made = wait_until_made(&world, &job.base(), &blocks);
    println!("it goes on, {} blocks have their missing replicas after {made:.1?}", blocks.len());

    let frozen = Broken::pause(stack, "namenode");
    std::thread::sleep(seconds(6));
    drop(frozen);
    println!("NameNode frozen for 6 s, the next batch {:.1?} after it goes on", watch.next("the NameNode goes on"));
    let dead = Broken::kill(stack, &["namenode".to_owned()]);
    drop(dead);
    println!("NameNode killed, the next batch {:.1?} after it is back", watch.next("the NameNode is back"));

    // One less than a file has replicas: of more, a batch whose three are all on dead ones cannot be read back until one of
    // them is there again, and everything waits for it.
    let (rest, two) = nodes.split_at(nodes.len() - 2);
    let most = Broken::kill(stack, two);
    assert!(watch.gap(seconds(10), "two DataNodes dead") < LONGEST);
    let last = Broken::kill(stack, rest);
    std::thread::sleep(seconds(5));
    let none = daemon.progress().len();
    std::thread::sleep(seconds(3));
    assert_eq!(daemon.progress().len(), none, "nothing can land without DataNodes");
    drop(most);
    drop(last);
    println!("all DataNodes were dead, the next batch {:.1?} after they are back", watch.next("they are back"));

    let sent = producing.stop();
    wait_until_landed(&job.topic, &[&daemon], LIMIT);
    let warned = daemon.text().matches("new files are written with fewer replicas").count();
    assert!((1..=12).contains(&warned), "said once a time, not once a file: {warned}");
    drop(said);
    assert!(daemon.runs(), "{}", daemon.tail());
    daemon.terminate(LIMIT);
    job.assert_landed_once();
    wait_for(LIMIT, "all replicas are made", || owed(&world, &job.base()).is_empty().then_some(()));
    println!("{sent} messages in {} batches, all landed once; {warned} warnings of fewer replicas", job.slots());
}

#[test]
fn a_file_is_read_while_a_datanode_that_has_it_is_dead_or_frozen() {
    let Some(world) = slow_to_notice() else { return };
    let dir = format!("/read-{}", uuid::Uuid::new_v4());
    let data = bytes::Bytes::from(vec![7u8; 3_000_000]);
    let path = format!("{dir}/file");
    world.runtime.block_on(world.hdfs.mkdir(&dir, landfall::storage::Parents::Create)).unwrap();
    world.runtime.block_on(world.hdfs.create(&path, data.clone())).unwrap();
    let read = |what: &str| {
        let mut times: Vec<Duration> = Vec::new();
        for _ in 0..6 {
            let begun = Instant::now();
            let bytes = world.runtime.block_on(world.hdfs.read(&path)).unwrap();
            assert_eq!(bytes, data);
            times.push(begun.elapsed());
        }
        let longest = times.into_iter().max().unwrap();
        println!("read of 3 MB with {what}: at most {longest:.2?}");
        assert!(longest < Duration::from_secs(25));
    };
    let frozen = Broken::pause(&world.stack, "datanode1");
    read("a DataNode frozen");
    drop(frozen);
    let dead = Broken::kill(&world.stack, &["datanode1".to_owned()]);
    read("a DataNode dead");
    drop(dead);
    world.delete(&dir);
}
