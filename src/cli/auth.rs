//! `auth`: the auth checks of a suite, or of any server by its URL or command.

use super::Context;
use super::args::{AuthArgs, EvalArgs};
use super::eval::eval;
use super::failure::{Failure, Outcome};
use super::purse::Purse;
use crate::net;
use crate::suite::made::{AuthWish, MadeSuite, Subject};

/// Runs the auth checks.
pub(super) async fn auth(args: &AuthArgs, context: &Context) -> Outcome {
    let Some(subject) = subject(args)? else {
        let only_made = [
            (!args.packs.is_empty(), "--pack"),
            (!args.bearer_env.is_empty(), "--bearer-env"),
            (args.expect_untrusted, "--expect-untrusted"),
        ];
        if let Some((_, flag)) = only_made.iter().find(|(given, _)| *given) {
            let message = format!("`{flag}` is for a URL or a command; a suite says it under `auth_checks`");
            return Err(Failure::usage("usage.flags", message)
                .hint("for example `rehearsal auth http://127.0.0.1:8000/mcp`"));
        }
        return eval(&args.eval, &["auth"], context).await;
    };
    let wish = wish(args, subject, context)?;
    if let Some(note) = without_identity(&wish) {
        context.printer.talk(&context.printer.commands(note));
    }
    let made = MadeSuite::auth(&wish);
    let mut eval_args = EvalArgs::clone(&args.eval);
    eval_args.select.suites = vec![made.file.to_string()];
    eval(&eval_args, &["auth"], &context.making(made)).await
}

/// The target, if the command line names one instead of a suite.
fn subject(args: &AuthArgs) -> Outcome<Option<Subject>> {
    if !args.command.is_empty() {
        return Ok(Some(Subject::Command(args.command.clone())));
    }
    let suites = &args.eval.select.suites;
    let is_url = |name: &&String| name.contains("://");
    match (suites.iter().find(is_url), suites.len()) {
        (None, _) => Ok(None),
        (Some(text), 1) => match url::Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
                Ok(Some(Subject::Url(url.to_string())))
            }
            Ok(url) => Err(bad_url(text, &format!("`{}` is not http or https", url.scheme()))),
            Err(error) => Err(bad_url(text, &error.to_string())),
        },
        (Some(text), _) => Err(bad_url(text, "a URL is probed by itself; name nothing else beside it")),
    }
}

fn bad_url(text: &str, why: &str) -> Failure {
    let text = crate::display::excerpt(text, 80);
    Failure::usage("usage.url", format!("`{text}` cannot be probed: {why}"))
        .hint("give the URL of the MCP endpoint, such as http://127.0.0.1:8000/mcp")
}

fn wish(args: &AuthArgs, subject: Subject, context: &Context) -> Outcome<AuthWish> {
    let standing = match &subject {
        Subject::Url(_) if args.expect_untrusted => &["untrusted"][..],
        Subject::Url(_) => &["strict", "isolation", "leak"][..],
        Subject::Command(_) if args.expect_untrusted => {
            let message =
                "`--expect-untrusted` is for a URL: over standard streams there are no tokens to refuse";
            return Err(Failure::usage("usage.flags", message));
        }
        Subject::Command(_) => &["stdio"][..],
    };
    let packs = match args.packs.is_empty() {
        true => standing.iter().map(|&pack| pack.to_owned()).collect(),
        false => args.packs.clone(),
    };
    let login = match &subject {
        Subject::Url(url) if !args.expect_untrusted => signed_in(url, context)?,
        _ => false,
    };
    let untrusted = args.expect_untrusted.then(|| args.issuer_key.clone());
    Ok(AuthWish { subject, packs, bearers: args.bearer_env.clone(), login, untrusted })
}

/// Whether somebody has signed in at the target.
fn signed_in(url: &str, context: &Context) -> Outcome<bool> {
    let contents = Purse::new(&context.env).read();
    let contents = contents.map_err(|fault| Failure::from_fault(&fault))?;
    let Ok(url) = url::Url::parse(url) else { return Ok(false) };
    Ok(contents.logins().iter().any(|login| login.target == net::shown(&url)))
}

/// What to say to somebody who gives no credentials.
fn without_identity(wish: &AuthWish) -> Option<&'static str> {
    let url = matches!(wish.subject, Subject::Url(_));
    (url && wish.bearers.is_empty() && !wish.login && wish.untrusted.is_none()).then_some(
        "no credentials: checks that need an accepted token are skipped; `rehearsal login URL` or `--bearer-env VARIABLE` \
         gives one, a suite with `auth: {issuer: embedded}` spoofs them all",
    )
}
