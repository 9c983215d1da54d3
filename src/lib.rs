//! landfall reads JSON events from Kafka, routes each to every table that wants it, and lands the rows as
//! Parquet in external Hive tables, each event exactly once as a plain directory reader sees it.
//!
//! A message goes down this way and never comes back up; `docs/architecture.md` has the picture:
//! source → decode → route → batch → encode → commit → catalog.

pub mod app;
pub mod batch;
pub mod catalog;
pub mod checkpoint;
pub mod cli;
pub mod commit;
pub mod config;
pub mod decode;
pub mod encode;
pub mod failpoint;
pub mod fault;
pub mod game;
pub mod infer;
pub mod model;
pub mod observe;
pub mod pipeline;
pub mod route;
pub mod schema;
pub mod source;
pub mod storage;
pub mod verify;
pub mod web;
