//! Another plan while running: taken over between two batches, so that all of a batch is of one plan.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use super::brake::Brake;
use super::content::OpenBatch;
use super::{EncodeContext, Pipeline, Upkeep};
use crate::batch::{Plan, Trigger};

/// What a running pipeline goes on with.
#[derive(Debug)]
pub struct NextPlan {
    /// Tables, columns, routes.
    pub plan: Arc<Plan>,
    /// How rows are encoded.
    pub encode: Arc<EncodeContext>,
    /// When a batch is closed.
    pub trigger: Trigger,
    /// What is looked after beside.
    pub upkeep: Upkeep,
    /// Whether messages that retention took are skipped, with a record in the log.
    pub record_gaps: bool,
}

/// Gives a running pipeline its next plans.
#[derive(Debug)]
pub struct Planner(mpsc::Sender<(NextPlan, oneshot::Sender<()>)>);

impl Planner {
    /// A planner, and the ear that its pipeline gets.
    pub fn new() -> (Planner, NextPlans) {
        // One at a time: the planner waits for each.
        let (sender, incoming) = mpsc::channel(1);
        (Planner(sender), NextPlans { incoming: Some(incoming), waiting: None })
    }

    /// Has the pipeline go on with this plan. Returns when it does so: every message read after that goes by it, and
    /// what was read before is landed, or being landed, by the plan before. `false`: the pipeline is ending, and does not.
    pub async fn go_on_with(&self, next: NextPlan) -> bool {
        let (done, taken) = oneshot::channel();
        self.0.send((next, done)).await.is_ok() && taken.await.is_ok()
    }
}

/// Where a pipeline hears of its next plans.
#[derive(Debug, Default)]
pub struct NextPlans {
    incoming: Option<mpsc::Receiver<(NextPlan, oneshot::Sender<()>)>>,
    waiting: Option<(NextPlan, oneshot::Sender<()>)>,
}

impl NextPlans {
    /// Waits until there is one more; for ever, if nobody can send any. Cancel-safe.
    pub(super) async fn come(&mut self) {
        if self.waiting.is_none()
            && let Some(incoming) = &mut self.incoming
        {
            match incoming.recv().await {
                Some(next) => return self.waiting = Some(next),
                None => self.incoming = None,
            }
        }
        std::future::pending().await
    }

    /// Whether one waits for the open batch to be sealed.
    pub(super) fn is_due(&self) -> bool {
        self.waiting.is_some()
    }
}

impl Pipeline {
    /// This pipeline, going on with what `plans` brings.
    pub fn with_plans(self, plans: NextPlans) -> Pipeline {
        Pipeline { plans, ..self }
    }

    /// Goes on with the plan that waits, if nothing that was read by the one before is open. Positions stay, and so does
    /// what the committing task has: its batch holds the plan that it was made by.
    pub(super) fn change_plan(&mut self) {
        if self.stopping || !self.is_empty() {
            return;
        }
        let Some((next, done)) = self.plans.waiting.take() else { return };
        self.brake = Brake::new(&next.plan);
        self.intake.go_on_with(next.plan);
        self.open = OpenBatch::new(next.encode, self.memory.clone());
        self.trigger = next.trigger;
        self.upkeep = next.upkeep;
        self.upkeep_due = self.upkeep_due.min(Instant::now() + next.upkeep.every);
        self.record_gaps = next.record_gaps;
        // Who asked may be gone.
        _ = done.send(());
    }
}
