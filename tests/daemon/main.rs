//! A daemon as its users see it, in one process with all that it needs: its flow, its commands, its page. All cases are in
//! one binary, as most of them wait.
#![allow(clippy::unwrap_used)]

#[path = "../common/api.rs"]
mod api;
mod browser;
mod check;
#[path = "../common/chromium.rs"]
mod chromium;
#[path = "../common/mod.rs"]
mod common;
mod dead_letters;
mod examples;
mod game_api;
mod http;
mod metrics;
mod pipeline;
mod reload;
mod status;
