//! A metastore that is not there when a job begins, and tables that nobody knows meanwhile. What else goes away and comes
//! back: `outages`.

use std::time::Duration;

use landfall::game::Load;
use landfall_stack::Stack;

use crate::job::{Job, wait_until_landed};
use crate::world::{wait_for, world};

const LIMIT: Duration = Duration::from_secs(60);

/// A stopped part, started again whatever happens.
pub struct Away<'s>(&'s Stack, &'static str);

impl<'s> Away<'s> {
    pub fn stop(stack: &'s Stack, part: &'static str) -> Away<'s> {
        stack.stop(part).unwrap();
        Away(stack, part)
    }
}

impl Drop for Away<'_> {
    fn drop(&mut self) {
        self.0.restart(self.1).unwrap();
    }
}

#[test]
fn data_lands_while_the_metastore_is_away_and_the_tables_are_registered_when_it_is_back() {
    let Some(world) = world() else { return };
    let job = Job::new(&world, "outage", 2, "1s");
    let sender = job.topic.sender();
    let mut load = Load::new(5).with_request_ids(true).with_malformed(0.02);
    let mut produce = |n| {
        load.by_ref().take(n).for_each(|message| sender.send(Some(&message.value)));
        sender.flush();
    };
    produce(230);
    let away = Away::stop(&world.stack, "metastore");
    // At the first start ever: there are no tables to be compared.
    let mut daemon = job.start(&[]);
    wait_until_landed(&job.topic, &[&daemon], LIMIT);
    assert!(!world.visible(&job.table_dir("guilds")).is_empty());
    assert!(daemon.text().contains("the metastore is away"), "{}", daemon.tail());
    drop(away);
    let count = format!("select count(*) from {}.dead_letters", job.name);
    wait_for(LIMIT, "the tables are registered", || world.number(&count));
    job.assert_landed_once();

    // And while it runs.
    let files = world.visible(&job.table_dir("guilds")).len();
    let away = Away::stop(&world.stack, "metastore");
    produce(230);
    wait_until_landed(&job.topic, &[&daemon], LIMIT);
    assert!(world.visible(&job.table_dir("guilds")).len() > files);
    drop(away);
    job.assert_landed_once();
    assert!(daemon.runs(), "{}", daemon.tail());
    daemon.terminate(LIMIT);
}
