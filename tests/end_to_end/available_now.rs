//! `run --available-now`, the batch job.

use std::time::Duration;

use landfall::game::Load;

use crate::job::Job;
use crate::world::world;

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn available_now_drains_all_there_is_and_a_second_run_adds_nothing() {
    let Some(world) = world() else { return };
    // Partition 0 ends with an aborted transaction, 1 with a commit marker, 2 has aborted ones only, 3 has nothing.
    let job = Job::new(&world, "available_now", 4, "1s");
    let mut events = Load::new(3).with_request_ids(true).map(|message| message.value);
    let mut some = |n| events.by_ref().take(n).collect::<Vec<_>>();
    let plain = job.topic.sender();
    some(300).iter().for_each(|event| plain.send_to(Some(0), None, None, Some(event)));
    plain.flush();
    let sender = job.topic.transactional_sender();
    let aborted = some(46);
    sender.transaction(1, &some(92), true);
    sender.transaction(0, &some(46), true);
    sender.transaction(0, &aborted[..23], false);
    sender.transaction(2, &aborted[23..], false);

    let run = job.drain(LIMIT);
    let expected = job.assert_landed_once();
    assert_eq!(expected.guilds.len() + expected.purchases.len() + expected.unrouted, 300 + 92 + 46);
    let guilds = world.presto("hive", &format!("select raw_event from {0}.guilds", job.name));
    let of_aborted = |row: &&Vec<serde_json::Value>| aborted.iter().any(|a| row[0] == *String::from_utf8_lossy(a));
    assert_eq!(guilds.iter().filter(of_aborted).count(), 0, "rows of aborted transactions");
    assert_eq!(job.slots(), run.progress().len());
    assert!(job.slots() > 0);

    let slots = job.slots();
    let again = job.drain(LIMIT);
    assert_eq!((job.slots(), again.progress().len()), (slots, 0), "nothing new, nothing written: {}", again.tail());

    sender.transaction(3, &some(23), true);
    job.drain(LIMIT);
    assert_eq!(job.assert_landed_once().guilds.len(), expected.guilds.len() + 15);
    assert_eq!(job.slots(), slots + 1);
}
