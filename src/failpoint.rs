//! Named places in the order of the protocol at which a test can kill or stop the process, or make a call fail. The
//! release build has none of this: the feature `failpoints` is on in tests only.
//!
//! `FAILPOINTS="commit.rpc=return(lost_reply);advance=2*off->1*return(kill)"`, in the language of the crate `fail`, sets
//! what happens where: `kill` (SIGKILL), `stop` (SIGSTOP, until somebody continues the process), `io` (the call is not
//! made and fails), `lost_reply` (the call is made, and fails).

/// What a test wants to happen to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Injected {
    /// It fails and is not made.
    Error,
    /// It is made, but its answer is an error.
    LostReply,
}

#[cfg(not(feature = "failpoints"))]
mod imp {
    use super::Injected;

    /// Nothing, ever.
    #[inline(always)]
    pub fn reached(_: &'static str) -> Option<Injected> {
        None
    }

    /// Nothing.
    #[inline(always)]
    pub fn from_environment() {}
}

#[cfg(feature = "failpoints")]
mod imp {
    use rustix::process::{Signal, getpid, kill_process};

    use super::Injected;

    /// Does what a test has set for this place. Of a kill or a stop nothing comes back.
    pub fn reached(name: &'static str) -> Option<Injected> {
        fail::eval(name, |action| match action.as_deref() {
            Some("kill") => signal(Signal::KILL),
            Some("stop") => signal(Signal::STOP),
            Some("io") => Some(Injected::Error),
            Some("lost_reply") => Some(Injected::LostReply),
            other => panic!("failpoint {name}: {other:?} is not kill, stop, io or lost_reply"),
        })
        .flatten()
    }

    fn signal(signal: Signal) -> Option<Injected> {
        // To ourselves it cannot be refused.
        _ = kill_process(getpid(), signal);
        None
    }

    /// Takes `FAILPOINTS`, for as long as the process lives.
    pub fn from_environment() {
        std::mem::forget(fail::FailScenario::setup());
    }
}

pub use imp::{from_environment, reached};
