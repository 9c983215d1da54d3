//! The seeds' game: its HTTP API as a pure state machine, its load, and messages that are broken in many ways.
//! No I/O, no clock; randomness comes from seeds.

mod api;
mod event;
mod load;
mod malformed;

pub use api::{Game, Request, Response};
pub use event::Event;
pub use load::{CALLS, Call, EVENTS_PER_LOOP, Load, Message};
pub use malformed::{MALFORMED_FORMS, malformed};
