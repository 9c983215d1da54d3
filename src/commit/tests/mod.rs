//! Of the commit, without any storage.
#![allow(clippy::unwrap_used)]

mod machine;
