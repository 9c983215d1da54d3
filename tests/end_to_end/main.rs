//! The real binary against the real servers: Kafka, HDFS, the metastore, Presto. `make test` starts them; without
//! them each test says so and passes. One test runs at a time, for they measure times and kill servers.
#![allow(clippy::unwrap_used, missing_docs)]

mod accept;
#[path = "../common/api.rs"]
mod api;
mod available_now;
mod by_day;
mod chaos;
mod crash;
mod datanodes;
mod dead_letters;
mod examples;
mod expected;
#[path = "../common/exposition.rs"]
mod exposition;
mod failpoints;
mod job;
mod lag;
mod migrate;
mod outage;
mod outages;
mod partitions;
mod refused;
mod reload;
mod restart;
mod seeds;
mod topic;
mod twins;
mod verify;
mod world;
