//! `login` and `logout`: a person signs in at a target, and runs use what was granted.
//!
//! The address of the authorization page is printed and opened by nobody but the person, unless `--browser` says so.
//! The answer comes back to a port of this machine (RFC 8252) that listens for this one login.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use url::Url;

use super::Context;
use super::failure::{Failure, Outcome};
use super::output::Printer;
use super::purse::Purse;
use crate::auth::client::{
    Client, Consenting, Grant, Held, Means, Memory, Nobody, OAuth, Registered, Revoked, Settings, SignedIn,
    Trace, Visitor, Wallet, revoke,
};
use crate::display;
use crate::gate::Exit;
use crate::net;
use crate::transcript::{Fault, Side};

mod args;

pub(super) use args::{LoginArgs, LogoutArgs};

/// How long a person may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Signs in and stores the tokens.
pub(super) async fn login(args: &LoginArgs, context: &Context) -> Outcome {
    let Some(target) = args.url.clone() else {
        return Err(Failure::usage("usage.flags", "name the target to sign in at"));
    };
    let printer = context.printer;
    let visitor: Arc<dyn Visitor> = match args.auto_consent {
        true => Arc::new(Consenting::new().map_err(|fault| Failure::from_fault(&fault))?),
        false => {
            present(context)?;
            Arc::new(Listener::bind(args.port, args.browser, printer).await?)
        }
    };
    let purse = Purse::new(&context.env);
    // What cannot be stored afterwards should not be granted first.
    purse.read().map_err(|fault| Failure::from_fault(&fault))?;
    let grant = Grant::Code {
        visitor,
        registered: registered(args, context)?,
        document: args.client_document.clone(),
    };
    let scopes = (!args.scopes.is_empty()).then(|| args.scopes.clone());
    let settings = Settings {
        account: args.account.clone(),
        scopes,
        old_servers: true,
        ..Settings::new(target.clone(), grant)
    };
    let wallet = Arc::new(Memory::default());
    let shared = Arc::clone(&wallet) as Arc<dyn Wallet>;
    let means = Means { wallet: shared, secrets: context.secrets.clone(), clock: context.clock.clone() };
    let shown = display::safe_line(&net::shown(&target));
    let done = OAuth::new(settings, means).sign_in().await.map_err(|fault| Failure::from_fault(&fault))?;
    match done {
        SignedIn::As(held) => {
            store(&purse, wallet.as_ref(), &held).map_err(|fault| Failure::from_fault(&fault))?;
            printer.data_line(&format!("signed in at {shown}{}", named(args.account.as_deref())))?;
            if held.tokens.refresh.is_none() {
                printer.talk("the server gave no refresh token: sign in again when the token ends");
            }
            Ok(Exit::Pass)
        }
        SignedIn::Open => {
            printer.data_line(&format!("{shown} asks for no authorization; nothing was stored"))?;
            Ok(Exit::Pass)
        }
        SignedIn::Refused(status) => {
            let text = format!(
                "`{shown}` refuses the token that its own authorization server granted (HTTP {status})"
            );
            Err(Failure::new(Exit::Credentials, "credentials.refused", text))
        }
    }
}

/// Only a person can sign in.
fn present(context: &Context) -> Outcome<()> {
    let automatic = (context.env)("CI").is_some_and(|value| !value.is_empty() && value != "false");
    if std::io::stderr().is_terminal() && !automatic {
        return Ok(());
    }
    let text = "nobody is here to sign in: there is no terminal, or this is a CI job";
    Err(Failure::new(Exit::Credentials, "credentials.login", text).hint(
        "sign in on a machine with a terminal, or give the persona an identity for machines such as `client_credentials`",
    ))
}

fn registered(args: &LoginArgs, context: &Context) -> Outcome<Option<Registered>> {
    let Some(id) = &args.client_id else { return Ok(None) };
    let secret = match &args.client_secret_env {
        None => None,
        Some(name) => {
            let value = (context.env)(name).filter(|value| !value.is_empty()).ok_or_else(|| {
                let text = format!("the environment variable `{name}` is not set");
                Failure::new(Exit::Credentials, "credentials.missing", text)
            })?;
            context.secrets.register(name, &value);
            Some(SecretString::from(value))
        }
    };
    Ok(Some(Registered::new(id, secret)))
}

fn store(purse: &Purse, wallet: &Memory, held: &Held) -> Result<(), Fault> {
    if let Some(client) = wallet.client(&held.issuer) {
        purse.keep_client(&held.issuer, &client)?;
    }
    purse.keep(held)
}

fn named(account: Option<&str>) -> String {
    account.map_or_else(String::new, |account| format!(" as {}", display::safe_line(account)))
}

/// Shows the stored logins.
pub(super) fn list(context: &Context) -> Outcome {
    let purse = Purse::new(&context.env);
    let contents = purse.read().map_err(|fault| Failure::from_fault(&fault))?;
    if contents.logins().is_empty() {
        context.printer.talk("no login is stored");
    }
    let now = context.clock.wall().as_second();
    for login in contents.logins() {
        let state = match (login.expires.is_some_and(|end| end <= now), login.is_renewable()) {
            (_, true) => "renews itself",
            (true, false) => "ended; sign in again",
            (false, false) => "good until its token ends",
        };
        let target = Url::parse(&login.target).map_or_else(|_| login.target.clone(), |url| net::shown(&url));
        let scopes =
            if login.scopes.is_empty() { String::new() } else { format!(" · {}", login.scopes.join(" ")) };
        let line =
            format!("{target}{} · {} · {state}{scopes}", named(login.account.as_deref()), login.issuer);
        context.printer.data_line(&display::safe_line(&line))?;
    }
    Ok(Exit::Pass)
}

/// Forgets a login. Its tokens are taken back first where the authorization server offers that; whatever comes of it, the
/// login is forgotten here.
pub(super) async fn logout(args: &LogoutArgs, context: &Context) -> Outcome {
    let purse = Purse::new(&context.env);
    let (target, account) = (args.url.as_str(), args.account.as_deref());
    let held = purse.held(target, account);
    let client = held.as_ref().and_then(|held| held.client.clone().or_else(|| purse.client(&held.issuer)));
    let found = purse.remove(target, account).map_err(|fault| Failure::from_fault(&fault))?;
    let shown = display::safe_line(&net::shown(&args.url));
    let whom = named(account);
    if !found {
        let text = format!("there is no login at `{shown}`{whom}");
        return Err(
            Failure::usage("credentials.login", text).hint("`rehearsal login --list` shows what there is")
        );
    }
    context.printer.data_line(&format!("forgot the login at {shown}{whom}"))?;
    if let Some(held) = held {
        context.printer.talk(&told(taken_back(&held, client.as_ref(), context).await));
    }
    Ok(Exit::Pass)
}

async fn taken_back(held: &Held, client: Option<&Client>, context: &Context) -> Revoked {
    let Ok(target) = Url::parse(&held.target) else { return Revoked::Nowhere };
    let secrets = &context.secrets;
    secrets.register_jwt("access-token", held.tokens.access.expose_secret());
    held.tokens.refresh.iter().for_each(|token| secrets.register_jwt("refresh-token", token.expose_secret()));
    let grant = Grant::Code { visitor: Arc::new(Nobody), registered: None, document: None };
    let wallet = Arc::new(Memory::default());
    let means = Means { wallet, secrets: secrets.clone(), clock: context.clock.clone() };
    revoke(held, client, &Settings::new(target, grant), &means).await
}

fn told(revoked: Revoked) -> String {
    match revoked {
        Revoked::Done => "its tokens were revoked at the authorization server".to_owned(),
        Revoked::Nowhere => {
            "its tokens stay good until they end: the authorization server names no place to revoke them"
                .to_owned()
        }
        Revoked::Not(why) => {
            format!("its tokens were not revoked and stay good until they end: {}", display::safe_line(&why))
        }
    }
}

/// Waits on a loopback port for the answer of the authorization page.
struct Listener {
    redirect: String,
    arrived: Mutex<mpsc::Receiver<Url>>,
    browser: bool,
    printer: Printer,
}

#[derive(Clone)]
struct Desk {
    /// `http://127.0.0.1:PORT`.
    origin: Arc<str>,
    arrived: mpsc::Sender<Url>,
}

impl Listener {
    async fn bind(port: u16, browser: bool, printer: Printer) -> Outcome<Self> {
        let failed = |error: std::io::Error| {
            let text = format!("cannot listen on 127.0.0.1:{port}: {error}");
            Failure::new(Exit::LocalIo, "credentials.client", text)
                .hint("free the port, or choose another with `--port`")
        };
        let listener = TcpListener::bind(("127.0.0.1", port)).await.map_err(failed)?;
        let origin = format!("http://{}", listener.local_addr().map_err(failed)?);
        let (sender, receiver) = mpsc::channel(4);
        let desk = Desk { origin: origin.as_str().into(), arrived: sender };
        let app = axum::Router::new().fallback(take).with_state(desk);
        tokio::spawn(axum::serve(listener, app).into_future());
        let redirect = format!("{origin}/callback");
        Ok(Self { redirect, arrived: Mutex::new(receiver), browser, printer })
    }

    async fn wait(&self, page: &Url) -> Result<Url, Fault> {
        self.printer.tell(&format!(
            "Open this page and sign in:\n\n  {page}\n\nwaiting for its answer at {}; Ctrl-C gives up",
            self.redirect
        ));
        if self.browser {
            open(page, self.printer);
        }
        let state = |url: &Url| -> Option<String> {
            url.query_pairs().find(|(name, _)| name == "state").map(|(_, value)| value.into_owned())
        };
        let mut arrived = self.arrived.lock().await;
        // Any page in the person's browser can send something here. Only what knows our `state` ends the wait.
        let answer = async {
            while let Some(url) = arrived.recv().await {
                if state(&url) == state(page) {
                    return Ok(url);
                }
            }
            Err(gone())
        };
        tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err(gone()))
    }
}

fn gone() -> Fault {
    let text = format!("nobody has signed in within {} minutes", PATIENCE.as_secs() / 60);
    Fault::new(Side::Auth, "credentials.login", text)
}

impl Visitor for Listener {
    fn redirect(&self) -> &str {
        &self.redirect
    }

    fn visit<'a>(&'a self, page: &'a Url, _: &'a Trace) -> BoxFuture<'a, Result<Url, Fault>> {
        Box::pin(self.wait(page))
    }
}

/// Answers the person's browser; exactly one address is known here.
async fn take(State(desk): State<Desk>, request: Request) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let known = host.is_some_and(|host| desk.origin.strip_prefix("http://") == Some(host));
    let url = Url::parse(&format!("{}{}", desk.origin, request.uri())).ok();
    let Some(url) = url.filter(|url| known && url.path() == "/callback" && request.method() == "GET") else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let _ = desk.arrived.try_send(url);
    let safe = [
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (safe, "You may close this page; the terminal says how it went.").into_response()
}

/// Opens the page in the default browser; the address has been checked to be https or on this machine.
fn open(page: &Url, printer: Printer) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let quiet = std::process::Stdio::null;
    let started = std::process::Command::new(program)
        .arg(page.as_str())
        .stdin(quiet())
        .stdout(quiet())
        .stderr(quiet())
        .spawn();
    if let Err(error) = started {
        printer.tell(&format!("cannot start `{program}` ({error}); open the page yourself"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::args::{ColorChoice, Drawn, Global};
    use super::*;

    async fn status(request: reqwest::RequestBuilder) -> u16 {
        request.send().await.unwrap().status().as_u16()
    }

    #[tokio::test]
    async fn only_the_right_answer_at_the_right_address_ends_the_wait() {
        let global = Global {
            directory: None,
            color: ColorChoice::Never,
            progress: Drawn::Auto,
            quiet: true,
            verbose: false,
        };
        let printer = Printer::new(&global, &|_| None, "rehearsal");
        let listener = Listener::bind(0, false, printer).await.unwrap();
        let redirect = listener.redirect().to_owned();
        let page = Url::parse("https://as.example/authorize?state=right").unwrap();
        let http = reqwest::Client::new();
        let trace = Trace::default();
        let visiting = listener.visit(&page, &trace);
        let sending = async {
            assert_eq!(status(http.get(format!("{redirect}/more?state=right"))).await, 404);
            assert_eq!(status(http.post(format!("{redirect}?state=right"))).await, 404);
            let rebound = http.get(format!("{redirect}?state=right&code=evil"));
            assert_eq!(status(rebound.header("host", "evil.example")).await, 404);
            assert_eq!(status(http.get(format!("{redirect}?state=wrong&code=evil"))).await, 200);
            let page = http.get(format!("{redirect}?state=right&code=good")).send().await.unwrap();
            assert_eq!(page.headers()["cache-control"], "no-store");
            assert!(!page.text().await.unwrap().contains("good"));
        };
        let (answer, ()) = tokio::join!(visiting, sending);
        assert_eq!(answer.unwrap().as_str(), format!("{redirect}?state=right&code=good"));
    }
}
