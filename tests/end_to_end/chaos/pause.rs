//! A daemon that is paused with a batch in staging, for longer than another needs to take its place and go on.

use std::time::{Duration, Instant};

use landfall::game::Load;
use landfall_stack::fence::{Direction, Fence, Held, NetFault};

use super::{LIMIT, assert_landed, chaos_config, fence, setting};
use crate::by_day;
use crate::job::{Daemon, Job, wait_until_landed};
use crate::twins::batches_of;
use crate::world::{World, wait_for, world};

/// Pauses that may miss their moment, one after the other.
const TRIES: u32 = 10;

/// When the daemon is paused.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Moment {
    /// Its batch is in staging, and the commit's rename is not sent.
    Staged,
    /// The rename is on its way, and arrives only after another daemon took over.
    RenameOnItsWay,
    /// The rename has committed the batch, and the answer never arrives.
    AnswerLost,
}

impl Moment {
    /// From which request on what is held back: that for the listing of the whole batch, or the rename.
    fn fault(self) -> NetFault {
        match self {
            Moment::Staged => NetFault::HoldFrom(&["getListing", "/staging/"], Direction::ToServer),
            Moment::RenameOnItsWay => NetFault::HoldFrom(&["rename2", "/staging/"], Direction::ToServer),
            Moment::AnswerLost => NetFault::HoldFrom(&["rename2", "/staging/"], Direction::ToClient),
        }
    }

    fn held(self) -> Held {
        if self == Moment::AnswerLost { Held::Lost } else { Held::Delivered }
    }
}

#[test]
fn a_daemon_paused_between_staging_and_commit_changes_nothing_when_it_wakes() {
    let Some(world) = world() else { return };
    let pause = Duration::from_secs(setting("PAUSE_SECONDS", 12));
    let job = Job::new(&world, "long_pause", 4, "700ms");
    job.declare_positions();
    by_day::declare(&job);
    // Few batches in a long pause, for Presto opens every file of them.
    let interval = if pause > Duration::from_secs(60) { "5s" } else { "700ms" };
    let config = chaos_config(&job).replace("\"700ms\"", &format!("\"{interval}\""));
    job.write_config(&(config + by_day::CONFIG));
    let fence = fence(&world);
    let load = Load::new(12).with_request_ids(true).with_malformed(0.01);
    let of_a_day = 200 * pause.as_secs().max(4) / 4;
    let producing = job.topic.produce_at(load, 200, move |n| Some(by_day::time_ms(0, n, of_a_day)));
    let mut one = job.start_behind(fence.as_ref());
    wait_for(LIMIT, "reading", || one.reads().then_some(()));
    let staging = format!("{}/checkpoint/staging", job.base());
    let mut own = world.list(&staging).unwrap();
    assert_eq!(own.len(), 1);
    let own = format!("{staging}/{}", own.remove(0).name);
    let mut two = job.start(&[]);
    let shared = |d: &Daemon| batches_of(d, &job, 2) > 2;
    wait_for(LIMIT, "both land", || (shared(&one) && shared(&two)).then_some(()));

    let moments: &[Moment] = match fence {
        Some(_) => &[Moment::Staged, Moment::RenameOnItsWay, Moment::AnswerLost],
        None => &[Moment::Staged],
    };
    let only: String = setting("PAUSE_AT", String::new());
    let chosen = |moment: &&Moment| only.is_empty() || only == format!("{moment:?}");
    let moments: Vec<Moment> = moments.iter().filter(chosen).copied().collect();
    assert!(!moments.is_empty(), "PAUSE_AT={only} is no moment here");
    let mut missed = 0;
    for moment in &moments {
        while !pause_at(&world, &job, &own, *moment, fence.as_ref(), [&one, &two], pause) {
            missed += 1;
            assert!(missed < TRIES, "the daemon was never paused when {moment:?}");
        }
    }
    let sent = producing.stop();
    wait_until_landed(&job.topic, &[&one, &two], LIMIT);
    wait_for(LIMIT, "all partitions are registered", || by_day::all_registered(&world, &job));
    one.terminate(LIMIT);
    two.terminate(LIMIT);
    let landed = assert_landed(&world, &job);
    let dropped = one.text().matches("another daemon landed messages of this batch").count();
    let slots = [&one, &two].iter().flat_map(|d| d.progress()).filter_map(|p| p["batchId"].as_u64()).max().unwrap() + 1;
    println!(
        "paused for {} s each, when {moments:?} ({missed} missed): {sent} messages, {slots} slots, {dropped} batches \
         dropped on waking: {:?} rows, each once",
        pause.as_secs(),
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
    let hit = match fence {
        Some(fence) => {
            fence.break_part("namenode", moment.fault()).unwrap();
            wait_for(LIMIT, format!("{moment:?}"), || fence.holds("namenode").unwrap().then_some(()));
            one.signal("STOP");
            true
        }
        // It is a matter of luck.
        None => {
            let attempt = wait_for(LIMIT, "a batch in staging", || attempt(world, own));
            one.signal("STOP");
            world.list(&attempt).is_some()
        }
    };
    let begun = Instant::now();
    let (all, shared) = (batches_of(two, job, 4), batches_of(one, job, 2));
    if hit {
        wait_for(LIMIT, "the other takes over", || (batches_of(two, job, 4) > all + 1).then_some(()));
        std::thread::sleep(pause.saturating_sub(begun.elapsed()));
    }
    if let Some(fence) = fence {
        fence.heal("namenode", moment.held()).unwrap();
        // What was on its way arrives while its sender still sleeps.
        std::thread::sleep(Duration::from_millis(500));
    }
    one.signal("CONT");
    wait_for(LIMIT, "it is back", || (batches_of(one, job, 2) > shared + 1).then_some(()));
    hit
}

/// A batch of this process in staging.
fn attempt(world: &World, own: &str) -> Option<String> {
    let mut names = world.list(own)?.into_iter().map(|e| e.name);
    Some(format!("{own}/{}", names.find(|name| uuid::Uuid::try_parse(name).is_ok())?))
}
