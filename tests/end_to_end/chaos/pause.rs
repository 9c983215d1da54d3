//! A daemon that is paused with a batch in staging, for longer than another needs to take its place and go on.

use std::time::{Duration, Instant};

use landfall::checkpoint::Manifest;
use landfall::game::Load;
use landfall::storage::Storage;
use landfall_stack::fence::{Direction, Fence, Held, NetFault};

use super::{LIMIT, assert_landed, chaos_config, fence, setting};
use crate::job::{Daemon, Job, wait_until_landed};
use crate::twins::batches_of;
use crate::world::{World, wait_for, world};

/// Pauses that may miss their moment, one after the other.
const TRIES: u32 = 10;

/// When the daemon is paused.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Moment {
    /// Its batch is whole in staging, and the commit's rename is not sent.
    Staged,
    /// The rename, or the last question before it, is on its way, and arrives only after another daemon took over.
    RenameOnItsWay,
}

#[test]
fn a_daemon_paused_between_staging_and_commit_changes_nothing_when_it_wakes() {
    let Some(world) = world() else { return };
    let pause = Duration::from_secs(setting("PAUSE_SECONDS", 12));
    let job = Job::new(&world, "long_pause", 4, "700ms");
    job.declare_positions();
    job.write_config(&chaos_config(&job));
    let fence = fence(&world);
    let producing = job.topic.produce_on(Load::new(12).with_request_ids(true).with_malformed(0.01), 200);
    let mut one = job.start_behind(fence.as_ref());
    wait_for(LIMIT, "reading", || one.reads().then_some(()));
    let staging = format!("{}/checkpoint/staging", job.base());
    let mut own = world.list(&staging).unwrap();
    assert_eq!(own.len(), 1);
    let own = format!("{staging}/{}", own.remove(0).name);
    let mut two = job.start(&[]);
    let shared = |d: &Daemon| batches_of(d, &job, 2) > 2;
    wait_for(LIMIT, "both land", || (shared(&one) && shared(&two)).then_some(()));

    let moments = [Some(Moment::Staged), fence.as_ref().map(|_| Moment::RenameOnItsWay)];
    let mut missed = 0;
    for moment in moments.into_iter().flatten() {
        while !pause_at(&world, &job, &own, moment, fence.as_ref(), [&one, &two], pause) {
            missed += 1;
            assert!(missed < TRIES, "the daemon was never paused when {moment:?}");
        }
    }
    let sent = producing.stop();
    wait_until_landed(&job.topic, &[&one, &two], LIMIT);
    one.terminate(LIMIT);
    two.terminate(LIMIT);
    let landed = assert_landed(&world, &job);
    let dropped = one.text().matches("another daemon landed messages of this batch").count();
    println!(
        "paused for {} s between staging and commit ({missed} missed): {sent} messages, {} slots, {dropped} batches \
         dropped on waking: {:?} rows, each once",
        pause.as_secs(),
        job.slots(),
        landed.rows
    );
}

/// One pause of the first daemon; false, and soon, if it missed its moment.
fn pause_at(
    world: &World,
    job: &Job,
    own: &str,
    moment: Moment,
    fence: Option<&Fence>,
    [one, two]: [&Daemon; 2],
    pause: Duration,
) -> bool {
    let network = |fault| fence.iter().for_each(|fence| fence.break_part("namenode", fault).unwrap());
    let heal = || fence.iter().for_each(|fence| fence.heal("namenode", Held::Delivered).unwrap());
    // Slow enough to be met between two calls.
    network(NetFault::Delay(Duration::from_millis(200)));
    let attempt = wait_for(LIMIT, "a batch is whole in staging", || whole_attempt(world, own));
    if moment == Moment::RenameOnItsWay {
        network(NetFault::Hold(Direction::ToServer));
        std::thread::sleep(Duration::from_millis(300));
    }
    let begun = Instant::now();
    one.signal("STOP");
    // What it had said before has arrived after this.
    std::thread::sleep(Duration::from_millis(500));
    let hit = world.list(&attempt).is_some();
    let (all, shared) = (batches_of(two, job, 4), batches_of(one, job, 2));
    if hit {
        wait_for(LIMIT, "the other takes over", || (batches_of(two, job, 4) > all + 1).then_some(()));
        std::thread::sleep(pause.saturating_sub(begun.elapsed()));
        assert!(moment == Moment::Staged || world.list(&attempt).is_some(), "somebody took what is on its way");
    }
    heal();
    if hit && moment == Moment::RenameOnItsWay {
        // It arrives while its sender still sleeps.
        std::thread::sleep(Duration::from_secs(1));
    }
    one.signal("CONT");
    wait_for(LIMIT, "it is back", || (batches_of(one, job, 2) > shared + 1).then_some(()));
    hit
}

/// A batch of this process that is whole in staging.
fn whole_attempt(world: &World, own: &str) -> Option<String> {
    let attempts = world.list(own)?.into_iter().filter(|e| uuid::Uuid::try_parse(&e.name).is_ok());
    attempts.map(|e| format!("{own}/{}", e.name)).find(|dir| is_whole(world, dir) == Some(true))
}

fn is_whole(world: &World, dir: &str) -> Option<bool> {
    let entries = world.list(dir)?;
    let manifest = entries.iter().find(|e| e.name.starts_with("m.") && e.len > 0)?;
    let path = format!("{dir}/{}", manifest.name);
    let manifest = Manifest::parse(&path, &world.runtime.block_on(world.hdfs.read(&path)).ok()?).ok()?;
    let there = |name: &str, len| entries.iter().any(|e| e.name == name && e.len == len);
    Some(manifest.files.iter().all(|file| there(&file.name, file.bytes)))
}
