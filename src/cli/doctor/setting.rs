//! What is looked at: the suites, their targets, and how far one may look.

use std::collections::BTreeMap;
use std::path::PathBuf;

use url::Url;

use super::args::DoctorArgs;
use crate::cli::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::diag::{Diagnostic, Severity};
use crate::display;
use crate::llm::ModelSpec;
use crate::suite::read::{Loaded, Project, Request};
use crate::suite::{Suite, TargetSource, vars};

/// Most targets that are asked.
const MOST_TARGETS: usize = 6;

/// A suite file as it was read.
pub(super) struct Read {
    /// Its path.
    pub file: String,
    /// The suite, if it has no errors.
    pub suite: Option<Suite>,
    /// What is wrong with it, errors first.
    pub problems: Vec<Diagnostic>,
}

impl Read {
    /// The errors.
    pub(super) fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.problems.iter().filter(|found| found.severity == Severity::Error)
    }
}

/// A server to look at.
pub(super) enum Aim<'a> {
    /// By its address, as nobody.
    Url(Url),
    /// By its command, as nobody.
    Command(Vec<String>),
    /// The target of a suite, as the persona of its first case.
    Suite(&'a Suite),
}

/// What all probes look at.
pub(super) struct Setting<'a> {
    pub args: &'a DoctorArgs,
    pub context: &'a Context,
    /// The suites; none where a target is named.
    pub suites: Vec<Read>,
    /// Whether the folder has suites of its own.
    pub has_suites: bool,
    url: Option<Url>,
}

impl<'a> Setting<'a> {
    /// Reads the suites.
    pub(super) fn of(args: &'a DoctorArgs, context: &'a Context) -> Outcome<Self> {
        let project = Project::new(context.root.clone());
        let has_suites = context.root.join("suites").is_dir();
        let subject = args.subject.as_deref().unwrap_or_default();
        let is_url = subject.starts_with("http://") || subject.starts_with("https://");
        let url = match is_url {
            true => Some(Url::parse(subject).map_err(|error| {
                Failure::usage("target.bad-url", format!("`{subject}` is not a URL: {error}"))
            })?),
            false => None,
        };
        let names = match (is_url || !args.command.is_empty(), subject) {
            (true, _) => vec![],
            (false, "") => project.list(),
            (false, name) => vec![name.to_owned()],
        };
        let suites = names.iter().map(|name| read(&project, name)).collect();
        Ok(Self { args, context, suites, has_suites, url })
    }

    /// The suites without errors.
    pub(super) fn good(&self) -> impl Iterator<Item = &Suite> + Clone {
        self.suites.iter().filter_map(|read| read.suite.as_ref())
    }

    /// The servers, each once, and how many more there are.
    pub(super) fn aims(&self) -> (Vec<Aim<'_>>, usize) {
        if let Some(url) = &self.url {
            return (vec![Aim::Url(url.clone())], 0);
        }
        if !self.args.command.is_empty() {
            return (vec![Aim::Command(self.args.command.clone())], 0);
        }
        let mut seen: BTreeMap<String, &Suite> = BTreeMap::new();
        for suite in self.good() {
            seen.entry(format!("{:?}{:?}", suite.target.source, suite.target.transport)).or_insert(suite);
        }
        let more = seen.len().saturating_sub(MOST_TARGETS);
        (seen.into_values().take(MOST_TARGETS).map(Aim::Suite).collect(), more)
    }

    /// Every model of the suites, each once, with whether it judges.
    pub(super) fn models(&self) -> Vec<&ModelSpec> {
        let mut seen: BTreeMap<&str, &ModelSpec> = BTreeMap::new();
        for suite in self.good() {
            let judges = suite.judge.iter().flat_map(|judge| judge.value.models());
            for model in suite.models.iter().map(|model| &model.value).chain(judges) {
                seen.entry(model.name.as_str()).or_insert(model);
            }
        }
        seen.into_values().collect()
    }

    /// The value of a variable, if it says anything.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        (self.context.env)(name).filter(|value| !value.trim().is_empty())
    }

    /// Where runs are kept.
    pub(super) fn reports(&self) -> PathBuf {
        self.context.root.join(&self.args.out)
    }
}

impl Aim<'_> {
    /// The address, where it is known before anything is started.
    pub(super) fn url(&self, setting: &Setting<'_>) -> Option<Url> {
        match self {
            Self::Url(url) => Some(url.clone()),
            Self::Command(_) => None,
            Self::Suite(suite) => {
                let TargetSource::Url(template) = &suite.target.source else { return None };
                let values = suite
                    .env
                    .iter()
                    .filter_map(|name| Some((name.value.clone(), setting.variable(&name.value)?)));
                Url::parse(&vars::fill(template, &values.collect()).ok()?).ok()
            }
        }
    }
}

/// Whether an address is on this machine.
pub(super) fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

fn read(project: &Project, name: &str) -> Read {
    match project.find(name) {
        Err(found) => Read { file: name.to_owned(), suite: None, problems: vec![found] },
        Ok(path) => {
            let Loaded { suite, diagnostics, .. } = project.load(&path, &Request::default());
            let file = suite.as_ref().map_or_else(|| display::path(&path), |suite| suite.file.to_string());
            Read { file, suite, problems: diagnostics }
        }
    }
}
