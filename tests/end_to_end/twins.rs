//! Two daemons of one job.

use std::time::Duration;

use landfall::game::Load;
use serde_json::Value;

use crate::job::{Daemon, Job, wait_until_landed};
use crate::world::{wait_for, world};

const LIMIT: Duration = Duration::from_secs(60);

/// How many batches it has landed of this many partitions.
pub fn batches_of(daemon: &Daemon, job: &Job, partitions: usize) -> usize {
    let of = |p: &Value| p["sources"][0]["endOffset"][&job.name].as_object().unwrap().len();
    daemon.progress().iter().filter(|p| of(p) == partitions).count()
}

/// Two daemons, each of which has landed batches of its half of the partitions.
fn both_at_work(job: &Job) -> (Daemon, Daemon) {
    let (one, two) = (job.start(&[]), job.start(&[]));
    let shared = |d: &Daemon| batches_of(d, job, 2) > 2;
    wait_for(LIMIT, "both land", || (shared(&one) && shared(&two)).then_some(()));
    (one, two)
}

fn figures(job: &Job, sent: u64, daemons: [&Daemon; 2]) -> String {
    let lost = |d: &Daemon| d.lines().iter().filter_map(|line| line["lost_slots"].as_u64()).sum::<u64>();
    let ([a, b], [lost_a, lost_b]) = (daemons.map(|d| d.progress().len()), daemons.map(lost));
    let slots = job.slots();
    format!("{sent} messages, {slots} batches ({a} and {b} logged; {lost_a} and {lost_b} slots lost): every row once")
}

#[test]
fn two_daemons_share_a_topic_and_one_that_is_killed_is_replaced_with_every_row_once() {
    let Some(world) = world() else { return };
    let job = Job::new(&world, "twins", 4, "1s");
    let producing = job.topic.produce_on(Load::new(8).with_request_ids(true), 700);
    let (mut one, mut two) = both_at_work(&job);
    one.kill();
    let before = batches_of(&two, &job, 4);
    wait_for(LIMIT, "the other takes over", || (batches_of(&two, &job, 4) > before).then_some(()));
    let sent = producing.stop();
    wait_until_landed(&job.topic, &[&one, &two], LIMIT);
    two.terminate(LIMIT);
    job.assert_landed_once();
    println!("one of two killed: {}", figures(&job, sent, [&one, &two]));
}

#[test]
fn a_paused_daemon_that_wakes_after_another_took_its_partitions_lands_nothing_twice() {
    let Some(world) = world() else { return };
    let job = Job::new(&world, "paused", 4, "1s");
    let producing = job.topic.produce_on(Load::new(9).with_request_ids(true), 700);
    let (mut one, mut two) = both_at_work(&job);
    for _ in 0..2 {
        let (all, shared) = (batches_of(&two, &job, 4), batches_of(&one, &job, 2));
        one.signal("STOP");
        wait_for(LIMIT, "the other takes over", || (batches_of(&two, &job, 4) > all + 1).then_some(()));
        one.signal("CONT");
        wait_for(LIMIT, "it is back", || (batches_of(&one, &job, 2) > shared + 1).then_some(()));
    }
    let sent = producing.stop();
    wait_until_landed(&job.topic, &[&one, &two], LIMIT);
    one.terminate(LIMIT);
    two.terminate(LIMIT);
    job.assert_landed_once();
    println!("one of two paused twice: {}", figures(&job, sent, [&one, &two]));
}
