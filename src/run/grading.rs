//! Scoring a trial: kept first, then code, then the judge where code has not failed it.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::scored::Scored;
use crate::drive::World;
use crate::plan::Case;
use crate::score::judge::{Judge, Judged};
use crate::score::{self, Verdict};
use crate::store::Store;
use crate::store::record::JudgeSpend;
use crate::transcript::{End, Fault, Recorder, Side, Transcript};

/// What grading needs.
pub(super) struct Grader {
    judge: Option<Arc<Judge>>,
    store: Store,
    world: Arc<World>,
    permits: Semaphore,
}

impl Grader {
    pub(super) fn new(judge: Option<Arc<Judge>>, store: Store, world: Arc<World>) -> Self {
        let permits = Semaphore::new(world.seats.there());
        Self { judge, store, world, permits }
    }

    /// Keeps a transcript, then scores it.
    pub(super) async fn grade(self: Arc<Self>, case: Arc<Case>, transcript: Arc<Transcript>) -> Scored {
        if transcript.end == End::Interrupted {
            return Scored::of(&case, &transcript);
        }
        match self.store.finished(Arc::clone(&transcript)).await {
            Ok(_) => self.regrade(case, transcript).await,
            Err(error) => Scored::of(&case, &transcript).stopped_by(error.into()),
        }
    }

    /// Scores a transcript that is kept already: code first, the judge only where code has not failed it.
    pub(super) async fn regrade(self: Arc<Self>, case: Arc<Case>, transcript: Arc<Transcript>) -> Scored {
        let mut findings = score::by_code(&transcript, &case.checks);
        let mut judged = Judged::default();
        if !case.criteria.is_empty() && score::needs_judge(&findings) {
            match self.judge(&case, &transcript).await {
                Ok(decided) => judged = decided,
                Err(undecided) => return undecided,
            }
            findings.append(&mut judged.findings);
        }
        let verdict = Verdict { score_key: case.score_key, findings };
        let spend = JudgeSpend { calls: judged.calls, usage: judged.usage, cost: judged.cost };
        let mut scored = Scored::of(&case, &transcript);
        scored.enter(&case, &verdict, &transcript, judged.calls > 0);
        scored.unpriced |= judged.calls > 0 && judged.cost.is_none();
        scored.judge_cost = judged.cost.unwrap_or(0.0);
        scored.cost += scored.judge_cost;
        match self.store.scored(transcript.header.key, &verdict, spend).await {
            Ok(()) => scored,
            Err(error) => scored.stopped_by(error.into()),
        }
    }
}

impl Grader {
    /// Asks the judge. Not when what it says could not be kept, and not once the run is aborted: the transcript is kept
    /// and is scored on resume.
    async fn judge(&self, case: &Case, transcript: &Transcript) -> Result<Judged, Scored> {
        let scored = || Scored::of(case, transcript);
        let Some(judge) = &self.judge else {
            let why = "the case has criteria and nobody was named to judge them";
            return Err(scored().stopped_by(Fault::new(Side::Harness, "bug.no-judge", why)));
        };
        let work = async {
            let _permit = self.permits.acquire().await;
            if let Some(error) = self.store.failure() {
                return Err(scored().stopped_by(error.into()));
            }
            let log = Recorder::new(self.world.clock.clone(), self.world.secrets.clone());
            Ok(judge.decide(transcript, &case.criteria, &log).await)
        };
        tokio::select! {
            biased;
            () = self.world.stop.abort.cancelled() => Err(scored()),
            judged = work => judged,
        }
    }
}
