//! What the integration tests share.
#![allow(dead_code, clippy::unwrap_used, missing_docs)]

pub mod arrays;
pub mod catalog_suite;
pub mod every_type;
pub mod exposition;
pub mod faulty;
pub mod gated;
pub mod line;
pub mod promql;
pub mod proxy;
pub mod storage_suite;
pub mod toy;
pub mod yielding;
