//! The librdkafka properties that landfall owns, and why.

/// Why `kafka.properties` may not hold `name`, and what to use instead; `None`: it may.
pub(super) fn owned_by_landfall(name: &str) -> Option<&'static str> {
    OWNED.iter().find(|(owned, _)| *owned == name).map(|(_, reason)| *reason)
}

const OFFSETS: &str = "the job's log holds the offsets, so that both commit together; nothing to set instead";

pub(super) const OWNED: [(&str, &str); 10] = [
    ("bootstrap.servers", "it has a key of its own; use kafka.bootstrap_servers"),
    ("metadata.broker.list", "it is another name of bootstrap.servers; use kafka.bootstrap_servers"),
    ("group.id", "it has a key of its own; use kafka.group_id"),
    (
        "auto.offset.reset",
        "it would skip or repeat messages in silence; use kafka.starting_offsets for the first start",
    ),
    ("enable.auto.commit", OFFSETS),
    ("auto.commit.enable", OFFSETS),
    ("enable.auto.offset.store", OFFSETS),
    ("auto.commit.interval.ms", "nothing is committed on a timer; use trigger.interval for how often rows land"),
    ("enable.partition.eof", "landfall needs it to tell when it has read all; nothing to set instead"),
    ("partition.assignment.strategy", "landfall counts on one way of sharing partitions; nothing to set instead"),
];
