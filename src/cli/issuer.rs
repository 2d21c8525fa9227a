//! `issuer`: the loopback authorization server on its own.

use super::Context;
use super::failure::{Failure, Outcome};
use crate::auth::issuer::Issuer;
use crate::gate::Exit;

/// Serves the issuer until Ctrl-C. Its keys live in memory and end with it.
pub(super) async fn serve(context: &Context) -> Outcome {
    let issuer = Issuer::start(context.secrets.clone(), context.clock.clone())
        .await
        .map_err(|fault| Failure::from_fault(&fault))?;
    context.printer.data_line(issuer.url())?;
    context
        .printer
        .talk("a test issuer: never let anything but a test server trust it; Ctrl-C ends it and its keys");
    let _ = tokio::signal::ctrl_c().await;
    issuer.shutdown();
    Ok(Exit::Interrupted)
}
