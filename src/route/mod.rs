//! Which tables a message goes to.

mod matcher;
mod router;

pub use router::{Router, TableMask};
