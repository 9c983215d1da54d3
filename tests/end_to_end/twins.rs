//! Two daemons of one job.

use std::time::Duration;

use landfall::game::Load;

use crate::job::{Daemon, Job, wait_until_landed};
use crate::world::{wait_for, world};

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn two_daemons_share_a_topic_and_one_that_is_killed_is_replaced_with_every_row_once() {
    let Some(world) = world() else { return };
    let job = Job::new(&world, "twins", 4, "1s");
    let producing = job.topic.produce_on(Load::new(8).with_request_ids(true), 700);
    let (mut one, mut two) = (job.start(&[]), job.start(&[]));
    // Each has landed batches of its own partitions while the other did too.
    let shared = |d: &Daemon| {
        let partitions = |p: &serde_json::Value| p["sources"][0]["endOffset"][&job.name].as_object().unwrap().len();
        d.progress().iter().filter(|p| partitions(p) == 2).count() > 2
    };
    wait_for(LIMIT, "both land", || (shared(&one) && shared(&two)).then_some(()));
    one.kill();
    let before = two.progress().len();
    let all_four = |p: &serde_json::Value| p["sources"][0]["endOffset"][&job.name].as_object().unwrap().len() == 4;
    wait_for(LIMIT, "the other takes over", || two.progress()[before..].iter().any(all_four).then_some(()));
    let sent = producing.stop();
    wait_until_landed(&job.topic, &[&one, &two], LIMIT);
    two.terminate(LIMIT);
    job.assert_landed_once();
    let lost = |d: &Daemon| d.lines().iter().filter_map(|line| line["lost_slots"].as_u64()).sum::<u64>();
    let (a, b, slots) = (one.progress().len(), two.progress().len(), job.slots());
    let lost = lost(&one) + lost(&two);
    println!("{sent} messages, {slots} batches ({a} and {b} logged), {lost} slots lost to the other: every row once");
    assert!(!one.runs() && !two.runs());
}
