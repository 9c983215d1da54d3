//! Named points in the order of the protocol at which a test can kill or stop the process, or make a call fail. The
//! release build has none of this: the feature `failpoints` is on in tests only.
//!
//! `FAILPOINTS="commit.rpc=return(lost_reply);advance=2*off->1*return(kill)"`, in the language of the crate `fail`, sets
//! what happens where: `kill` (SIGKILL), `stop` (SIGSTOP, until somebody continues the process), `io` (the call is not
//! made and fails), `lost_reply` (the call is made, and fails).

use std::future::Future;

/// Makes a call at a point; `failed` is its error if a test wants one.
pub async fn around<T, E>(
    point: &'static str,
    failed: impl Fn() -> E,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let injected = imp::injected(point);
    if injected == Some(Injected::Error) {
        return Err(failed());
    }
    let answer = call.await?;
    if injected == Some(Injected::LostReply) { Err(failed()) } else { Ok(answer) }
}

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
    pub fn reached(_: &'static str) {}

    /// Nothing, ever.
    #[inline(always)]
    pub(super) fn injected(_: &'static str) -> Option<Injected> {
        None
    }

    /// Nothing.
    #[inline(always)]
    pub fn from_environment() {}
}

#[cfg(feature = "failpoints")]
mod imp {
    use rustix::process::{Signal, getpid, kill_process};
    use tracing::warn;

    use super::Injected;

    /// Every point, in the order of the protocol, and whether a call is made there, which can also fail.
    pub const ALL: [(&str, bool); 40] = [
        ("open.job", true),
        ("open.owner", true),
        ("open.epoch", true),
        ("sync.register", true),
        ("sync.epoch", true),
        ("sync.snapshot", true),
        ("sync.slot", true),
        ("rebalance.assign", false),
        ("rebalance.revoke", false),
        ("trigger", false),
        ("stage.mkdir", true),
        ("stage.create", true),
        ("stage.write", true),
        ("stage.close", true),
        ("stage.manifest", true),
        ("stage.list", true),
        ("commit.before", false),
        ("commit.rpc", true),
        ("commit.after", false),
        ("commit.readback", true),
        ("rebase.before", false),
        ("publish.rename.before", true),
        ("publish.rename.rpc", true),
        ("publish.rename.after", true),
        ("publish.mkdir", true),
        ("publish.partition", true),
        ("advance", false),
        ("kafka.commit", false),
        ("seal.mkdir", true),
        ("seal.snapshot", true),
        ("seal.cas", true),
        ("seal.register", true),
        ("seal.drop", true),
        ("gc.staging", true),
        ("hms.create.before", true),
        ("hms.create.after", true),
        ("hms.alter.before", true),
        ("hms.alter.after", true),
        ("hms.partitions.before", true),
        ("hms.partitions.after", true),
    ];

    /// Does what a test has set for this point, where no call is made. Of a kill or a stop nothing comes back.
    pub fn reached(point: &'static str) {
        let injected = eval(point, false);
        assert_eq!(injected, None, "failpoint {point}: there is no call that could fail");
    }

    /// The same for a call.
    pub(super) fn injected(point: &'static str) -> Option<Injected> {
        eval(point, true)
    }

    fn eval(point: &'static str, is_call: bool) -> Option<Injected> {
        debug_assert!(ALL.contains(&(point, is_call)), "failpoint {point} is missing in failpoint::ALL");
        fail::eval(point, |action| {
            let fault = action.as_deref().unwrap_or_default();
            // Said before it happens: a test looks for it.
            warn!(point, fault, "failpoint");
            match fault {
                "kill" => signal(Signal::KILL),
                "stop" => signal(Signal::STOP),
                "io" => Some(Injected::Error),
                "lost_reply" => Some(Injected::LostReply),
                other => panic!("failpoint {point}: {other:?} is not kill, stop, io or lost_reply"),
            }
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

#[cfg(feature = "failpoints")]
pub use imp::ALL;
pub use imp::{from_environment, reached};
