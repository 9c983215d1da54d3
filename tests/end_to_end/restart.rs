//! Stopping and starting again.

use std::time::Duration;

use landfall::game::Load;

use crate::job::{Job, TABLES};
use crate::world::{wait_for, world};

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn a_stop_lands_what_is_buffered_and_a_restart_resumes_from_the_log_and_never_from_the_groups_offsets() {
    let Some(world) = world() else { return };
    let job = Job::new(&world, "restart", 2, "1h");
    let sender = job.topic.sender();
    let mut load = Load::new(2).with_request_ids(true).with_malformed(0.02);
    load.by_ref().take(300).for_each(|message| sender.send(Some(&message.value)));
    sender.flush();

    let mut first = job.start(&[]);
    wait_for(LIMIT, "reading", || first.reads().then_some(()));
    std::thread::sleep(Duration::from_secs(3));
    for table in TABLES {
        assert_eq!(world.visible(&job.table_dir(table)), [""; 0], "{table} before its interval of an hour is over");
    }
    first.terminate(LIMIT);
    assert_eq!(first.progress().len(), 1, "{}", first.tail());
    assert_eq!(job.assert_landed_once().guilds.len(), first.progress()[0]["sink"]["tables"]["guilds"]);

    // Whoever believed this would land all of it again.
    job.topic.commit_group_offsets(&job.group(), 0);
    let ends = job.topic.ends();
    load.take(100).for_each(|message| sender.send(Some(&message.value)));
    sender.flush();
    let mut second = job.start(&[]);
    wait_for(LIMIT, "reading", || second.reads().then_some(()));
    for (partition, end) in ends.iter().enumerate() {
        assert_eq!(second.landed(&job.name, partition), Some(*end), "{}", second.tail());
    }
    std::thread::sleep(Duration::from_secs(3));
    second.terminate(LIMIT);
    assert_eq!(second.progress()[0]["numInputRows"], 100, "{}", second.tail());
    job.assert_landed_once();
}
