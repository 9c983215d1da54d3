//! The seeds' systems as sources of messages: the HTTP API of their games as a pure state machine, their loads, course
//! assessments, and messages that are broken in many ways. No I/O, no clock; randomness comes from seeds.

mod api;
mod assessments;
mod batch;
mod event;
mod load;
mod malformed;

pub use api::{Game, Request, Response};
pub use assessments::{ASSESSMENTS, Assessments};
pub use batch::{BatchEvents, PROVIDERS};
pub use event::Event;
pub use load::{CALLS, Call, EVENTS_PER_LOOP, Load, Message};
pub use malformed::{MALFORMED_FORMS, malformed};
