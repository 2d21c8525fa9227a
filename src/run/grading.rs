//! Scoring a trial: code first, kept with what code decides, then the judge where code has not failed it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::decided::{Coded, Decided};
use super::scored::Scored;
use crate::drive::World;
use crate::plan::Case;
use crate::score::Finding;
use crate::score::judge::{Judge, Judged, undecided};
use crate::store::{Packed, Store};
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

    /// Keeps a transcript and scores it. What code decides alone is stored with it in one go.
    pub(super) async fn grade(self: Arc<Self>, case: Arc<Case>, transcript: Arc<Transcript>) -> Scored {
        if transcript.end == End::Interrupted {
            return Scored::of(&case, &transcript);
        }
        let (known, driven) = (Arc::clone(&case), Arc::clone(&transcript));
        let worked = self.store.clerks().work(move || {
            let packed = Packed::of(&driven);
            // A transcript is kept whatever becomes of its score.
            let coded = catch_unwind(AssertUnwindSafe(|| Coded::of(&known, &driven)));
            let scored = match &coded {
                Ok(Coded::Decided(decided)) => decided.packed().map(Some),
                _ => Ok(None),
            };
            (packed, scored, coded)
        });
        let (packed, scored, coded) = worked.await.unwrap_or_else(|broken| broken.resume());
        let (scored, unscored) = match scored {
            Ok(scored) => (scored, None),
            Err(error) => (None, Some(error)),
        };
        let kept = async { self.store.keep(packed?, scored).await };
        if let Some(error) = kept.await.err().or(unscored) {
            return Scored::of(&case, &transcript).stopped_by(error.into());
        }
        match coded.unwrap_or_else(|panic| resume_unwind(panic)) {
            Coded::Decided(decided) => decided.scored,
            Coded::Open(findings) => self.decide(&case, &transcript, findings).await,
        }
    }

    /// Scores a transcript that is kept already.
    pub(super) async fn regrade(self: Arc<Self>, case: Arc<Case>, transcript: Arc<Transcript>) -> Scored {
        let (known, driven) = (Arc::clone(&case), Arc::clone(&transcript));
        let coded = self.store.clerks().work(move || Coded::of(&known, &driven));
        match coded.await.unwrap_or_else(|broken| broken.resume()) {
            Coded::Decided(decided) => self.enter(*decided).await,
            Coded::Open(findings) => self.decide(&case, &transcript, findings).await,
        }
    }

    /// Asks the judge about what code has not decided, and keeps the score.
    async fn decide(&self, case: &Case, transcript: &Arc<Transcript>, mut findings: Vec<Finding>) -> Scored {
        match self.judge(case, transcript).await {
            Ok(mut judged) => {
                findings.append(&mut judged.findings);
                findings.extend(undecided(&findings));
                self.enter(Decided::of(case, transcript, findings, &judged)).await
            }
            Err(undecided) => undecided,
        }
    }

    async fn enter(&self, decided: Decided) -> Scored {
        let Decided { key, verdict, spend, scored } = decided;
        match self.store.scored(key, &verdict, spend).await {
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
