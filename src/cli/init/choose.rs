//! Which server is meant: the one that the command line names, or the one that the usual files list.

use std::io::{BufRead, IsTerminal};

use super::find::{self, Found, Listed};
use crate::cli::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::display;
use crate::generate::configs::Server;

/// What the command line says of the server.
pub(in crate::cli) struct Named<'a> {
    /// A URL or a file.
    pub(in crate::cli) target: Option<&'a str>,
    /// A command.
    pub(in crate::cli) command: &'a [String],
    /// The name in a file.
    pub(in crate::cli) server: Option<&'a str>,
}

/// A server that was chosen.
pub(in crate::cli) struct Choice {
    /// It.
    pub(in crate::cli) server: Server,
    /// Where it is listed, if it is.
    pub(in crate::cli) file: Option<String>,
    /// The file as a suite names it, if it may.
    pub(in crate::cli) inside: Option<String>,
}

/// Finds the server that is meant.
pub(in crate::cli) fn choose(named: &Named<'_>, context: &Context) -> Outcome<Choice> {
    let alone = |server: Server| Choice { server, file: None, inside: None };
    match (named.target, named.command) {
        (_, [_, ..]) => Ok(alone(Server::started(named.command))),
        (Some("demo"), _) => {
            let words = ["rehearsal", "demo-server"].map(str::to_owned);
            Ok(alone(Server { name: "bookshop-demo".to_owned(), ..Server::started(&words) }))
        }
        (Some(target), _) if target.contains("://") => Ok(alone(Server::at(&url(target)?))),
        (Some(file), _) => {
            let found = find::of(file, context);
            if found.listed.is_empty() {
                let why =
                    found.notes.first().map_or_else(|| format!("there is no file `{file}`"), Clone::clone);
                return Err(Failure::usage("usage.no-server", why).hint(
                    "give a URL, a file that lists servers (`.mcp.json`), or `-- COMMAND ARGS` for a server over standard streams",
                ));
            }
            among(found.listed, named.server, context)
        }
        (None, _) => {
            let found = find::usual(context);
            if found.listed.is_empty() {
                Err(nothing(&found, context))
            } else {
                among(found.listed, named.server, context)
            }
        }
    }
}

/// An address of a server.
fn url(target: &str) -> Outcome<String> {
    let wrong = |why: &str| {
        let target = display::excerpt(target, 80);
        Failure::usage("target.bad-url", format!("`{target}` cannot be used: {why}"))
            .hint("give the URL of the MCP endpoint, such as http://127.0.0.1:8000/mcp")
    };
    match url::Url::parse(target) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url.to_string()),
        Ok(url) => Err(wrong(&format!("`{}` is not http or https", url.scheme()))),
        Err(error) => Err(wrong(&error.to_string())),
    }
}

fn nothing(found: &Found, context: &Context) -> Failure {
    let printer = context.printer;
    printer.tell(&format!("looked for servers in {}", find::places()));
    for text in found.notes.iter().chain(&found.hints) {
        printer.tell(&format!("  {}", printer.commands(text)));
    }
    Failure::usage("usage.no-server", "no file here lists an MCP server").hint(
        "`rehearsal init URL`, `rehearsal init -- COMMAND ARGS`, or without a server of your own `rehearsal init demo` or `rehearsal eval bookshop`",
    )
}

/// The one of this name, the only one, or the one that a person chooses.
fn among(listed: Vec<Listed>, name: Option<&str>, context: &Context) -> Outcome<Choice> {
    let chosen = |one: Listed| Choice { server: one.server, file: Some(one.file), inside: one.inside };
    if let Some(name) = name {
        let known: Vec<String> = listed.iter().map(|one| one.server.name.clone()).collect();
        let found = listed.into_iter().find(|one| one.server.name == name);
        return found.map(chosen).ok_or_else(|| {
            let message = format!("no server is called `{}`", display::excerpt(name, 60));
            let hint = crate::diag::suggest::hint(name, known.iter().map(String::as_str));
            Failure::usage("usage.which-server", message).hint(hint)
        });
    }
    if listed.len() == 1 {
        return listed
            .into_iter()
            .next()
            .map(chosen)
            .ok_or_else(|| Failure::usage("usage.no-server", "no server"));
    }
    let printer = context.printer;
    for (number, one) in listed.iter().enumerate() {
        let about = context.secrets.redact(&one.server.about()).into_owned();
        let about = if crate::suite::secret::looks_secret(&about) {
            "(holds a secret)".to_owned()
        } else {
            first_word(&about)
        };
        printer.tell(&display::excerpt(
            &format!("  {}  {} ({about}), {}", number + 1, one.server.name, one.file),
            120,
        ));
    }
    let many = || {
        Failure::usage("usage.which-server", format!("{} servers are listed", listed.len()))
            .hint("say which one with `--server NAME`")
    };
    if !(printer.live() && std::io::stdin().is_terminal()) {
        return Err(many());
    }
    printer.tell(&format!("which one? 1 to {}:", listed.len()));
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    let number =
        read.ok().and_then(|_| line.trim().parse::<usize>().ok()).and_then(|number| number.checked_sub(1));
    match number.and_then(|number| listed.get(number)) {
        Some(one) => Ok(chosen(one.clone())),
        None => Err(many()),
    }
}

/// What a list shows of a server: arguments may hold anything.
fn first_word(about: &str) -> String {
    match about.split_once("://") {
        Some((scheme, rest)) => {
            let host = rest.split(['/', '?']).next().unwrap_or_default();
            format!("{scheme}://{}", host.rsplit('@').next().unwrap_or_default())
        }
        None => about.split(' ').next().unwrap_or_default().to_owned(),
    }
}
