//! `issuer`: the loopback authorization server on its own, in the foreground or beside a shell.

use std::path::Path;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::Context;
use super::failure::{Failure, Outcome};
use crate::auth::Minted;
use crate::auth::issuer::{Issuer, Options, StableKey, WARNING};
use crate::drive::issuer::AuthorityFile;
use crate::gate::Exit;

pub(super) use args::IssuerArgs;

mod args;
mod background;
mod key_file;
mod told;

/// The client that tokens are for when nobody runs a suite.
const TESTER: &str = "tester";

/// Serves the issuer until it is stopped, writes a key, or starts an issuer that stays behind.
pub(super) async fn issuer(args: &IssuerArgs, context: &Context) -> Outcome {
    if let Some(path) = &args.export_key {
        return key_file::export(path, context);
    }
    if args.print_env && !args.detached {
        if args.key.is_some() {
            warn(context);
        }
        return background::start(args, context).await;
    }
    let issuer = start(args, context).await?;
    let file = AuthorityFile::of(&issuer).map_err(|fault| Failure::from_fault(&fault))?;
    let minted = Minted { scopes: args.scopes.clone(), ..Minted::default() };
    let secret = issuer.enroll(TESTER, minted).map_err(|fault| Failure::from_fault(&fault))?;
    if args.detached {
        let told = told::all(&issuer, args, (TESTER, &secret), file.as_ref().map(AuthorityFile::path));
        context.printer.data(background::report(&told, args.format).as_bytes())?;
    } else {
        context.printer.data_line(issuer.url())?;
        if args.key.is_some() {
            warn(context);
        }
        if let Some(file) = &file {
            context.printer.talk(&format!("its authority is in {}", file.path().display()));
        }
        context.printer.talk(
            "a test issuer: never let anything but a test server trust it; Ctrl-C ends it and its keys",
        );
    }
    let interrupted = stopped(args.end()).await;
    issuer.shutdown();
    Ok(if interrupted { Exit::Interrupted } else { Exit::Pass })
}

async fn start(args: &IssuerArgs, context: &Context) -> Outcome<Issuer> {
    let key = args.key.as_deref().map(read).transpose()?;
    let options = Options { port: args.port, key, tls: args.tls, offset: args.clock_offset.0 };
    let started = Issuer::start_with(&options, context.secrets.clone(), context.clock.clone()).await;
    started.map_err(|fault| Failure::from_fault(&fault))
}

fn read(path: &Path) -> Outcome<StableKey> {
    let text = key_file::text(path)?;
    StableKey::from_pem(&text).map_err(|fault| {
        Failure::usage("issuer.key", format!("{}: {}", path.display(), fault.message))
            .hint("`rehearsal issuer --export-key FILE` writes a good one")
    })
}

fn warn(context: &Context) {
    context.printer.tell(&format!("WARNING: {WARNING}"));
}

/// Waits for Ctrl-C or SIGTERM (true), or until the time is over (false).
async fn stopped(lasting: Option<Duration>) -> bool {
    let over = async {
        match lasting {
            Some(lasting) => tokio::time::sleep(lasting).await,
            None => std::future::pending().await,
        }
    };
    let Ok(mut term) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return true;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => true,
        _ = term.recv() => true,
        () = over => false,
    }
}
