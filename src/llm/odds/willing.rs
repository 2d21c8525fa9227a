//! A model that is asked for odds as long as its API gives them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::BoxFuture;

use crate::llm::{ChatModel, ChatReply, ChatRequest, Media, Offers};
use crate::transcript::{CaseHeader, Fault, Loss, Recorder};

/// The same model, which answers without odds where its API refuses to be asked for them. The refusal stands among the
/// failed attempts, and nobody asks again.
pub(in crate::llm) fn willing(model: Arc<dyn ChatModel>) -> Arc<dyn ChatModel> {
    Arc::new(Willing { model, refuses: AtomicBool::new(false) })
}

struct Willing {
    model: Arc<dyn ChatModel>,
    refuses: AtomicBool,
}

/// Whether a request was refused for what it holds. APIs say so in words of their own, with 400, 403 or 422.
fn is_refusal(fault: &Fault) -> bool {
    matches!(fault.code.as_str(), "model.refused-request" | "credentials.refused")
}

impl Willing {
    async fn ask(&self, request: &ChatRequest, log: &Recorder) -> Result<ChatReply, Fault> {
        if request.weigh.is_none() {
            return self.model.complete(request, log).await;
        }
        if !self.refuses.load(Ordering::Relaxed) {
            match self.model.complete(request, log).await {
                Err(fault) if is_refusal(&fault) => {}
                outcome => return outcome,
            }
        }
        let plain = ChatRequest { weigh: None, ..request.clone() };
        let reply = self.model.complete(&plain, log).await?;
        // Only now is it known what was refused.
        self.refuses.store(true, Ordering::Relaxed);
        Ok(reply)
    }
}

impl ChatModel for Willing {
    fn complete<'a>(
        &'a self,
        request: &'a ChatRequest,
        log: &'a Recorder,
    ) -> BoxFuture<'a, Result<ChatReply, Fault>> {
        Box::pin(self.ask(request, log))
    }

    fn losses(&self, tools: &Offers) -> Vec<Loss> {
        self.model.losses(tools)
    }

    fn unseen(&self, media: &Media) -> Option<String> {
        self.model.unseen(media)
    }

    fn at(&self, header: &CaseHeader) -> Option<Arc<dyn ChatModel>> {
        self.model.at(header)
    }
}
