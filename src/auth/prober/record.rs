//! Every request goes out at its time and leaves a record of itself and its answer.

use super::pace::asked_to_wait;
use super::{DEADLINE, Prober};
use crate::auth::checks::eras::mark;
use crate::transcript::{HttpSide, What};

/// What stands before the label of a request that was answered with 429 and sent again.
const HELD_OFF: &str = "told to wait: ";

impl Prober {
    /// Sends when it is time, and records. Somebody who is asked to come back later does so once, if it is not too late
    /// then; what he was told before stands in the record under a label of its own.
    pub(super) async fn recorded<F: Future<Output = Result<HttpSide, String>> + Send>(
        &self,
        label: &str,
        request: HttpSide,
        send: impl Fn() -> F + Send,
    ) -> Result<HttpSide, String> {
        self.pacer.turn().await;
        let (response, took_ms) = self.timed(send()).await;
        let wait = asked_to_wait(&response, self.log.clock().wall()).filter(|wait| *wait <= DEADLINE);
        let Some(wait) = wait else {
            return self.noted(label, request, response, took_ms);
        };
        let _ = self.noted(&format!("{HELD_OFF}{label}"), request.clone(), response, took_ms);
        tokio::time::sleep(wait).await;
        self.pacer.turn().await;
        let (response, took_ms) = self.timed(send()).await;
        self.noted(label, request, response, took_ms)
    }

    async fn timed<T>(&self, sent: impl Future<Output = T>) -> (T, u64) {
        let begun = self.log.elapsed_ms();
        let response = sent.await;
        (response, self.log.elapsed_ms().saturating_sub(begun))
    }

    pub(super) fn noted(
        &self,
        label: &str,
        request: HttpSide,
        response: Result<HttpSide, String>,
        took_ms: u64,
    ) -> Result<HttpSide, String> {
        let label = self.marked_label(label);
        self.log.note(What::Exchanged { label, request, response: response.clone(), took_ms });
        response
    }

    fn marked_label(&self, label: &str) -> String {
        match self.era.filter(|_| self.marked) {
            Some(era) => format!("{}{label}", mark(era)),
            None => label.to_owned(),
        }
    }
}
