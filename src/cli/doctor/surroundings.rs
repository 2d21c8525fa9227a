//! What the machine allows and says: open files, proxies, CI.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rustix::process::{Resource, getrlimit};
use url::Url;

use super::line::Line;
use super::setting::Setting;
use crate::net;

/// Open files that a trial may need: connections, pipes of a server, its transcript.
const PER_TRIAL: u64 = 8;
/// Open files of the program itself.
const OWN: u64 = 64;

/// Looks at the machine.
pub(super) fn look<'a>(setting: &'a Setting<'a>) -> BoxFuture<'a, Vec<Line>> {
    async move {
        std::iter::once(files(setting.args.concurrency, getrlimit(Resource::Nofile).current))
            .chain(told(&proxies(setting)))
            .collect()
    }
    .boxed()
}

/// Whether so many trials may have their files open at once. `None` stands for no limit.
pub(super) fn files(concurrency: u16, limit: Option<u64>) -> Line {
    let wanted = OWN + u64::from(concurrency) * PER_TRIAL;
    match limit {
        None => Line::new("open files", "", "no limit"),
        Some(limit) if limit >= wanted => Line::new(
            "open files",
            "",
            format!("{limit} allowed; {concurrency} trials at once take up to {wanted}"),
        ),
        Some(limit) => Line::new(
            "open files",
            "",
            format!("{limit} allowed, and {concurrency} trials at once may take {wanted}"),
        )
        .warning(format!("`ulimit -n {wanted}`, or fewer at once with `--concurrency`")),
    }
}

/// Proxies of the environment that requests to models and targets would take.
fn proxies(setting: &Setting<'_>) -> Vec<(&'static str, String)> {
    [
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
        "all_proxy",
        "NO_PROXY",
        "no_proxy",
    ]
    .into_iter()
    .filter_map(|name| Some((name, setting.variable(name)?)))
    .collect()
}

/// The proxies without their credentials.
pub(super) fn told(set: &[(&str, String)]) -> Option<Line> {
    let shown = |(name, value): &(&str, String)| {
        let value = match Url::parse(value) {
            Ok(url) if url.has_host() => net::shown(&url),
            _ if name.to_lowercase() == "no_proxy" => value.clone(),
            _ => "no URL, and ignored".to_owned(),
        };
        format!("{name}={value}")
    };
    let set: Vec<String> = set.iter().map(shown).collect();
    (!set.is_empty())
        .then(|| Line::new("proxy", "", format!("{}; never for this machine itself", set.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Exit;

    #[test]
    fn open_files_are_held_against_the_trials_at_once() {
        for (concurrency, limit, fine) in [
            (8, Some(1024), true),
            (8, None, true),
            (500, Some(1024), false),
            (8, Some(128), true),
            (9, Some(128), false),
        ] {
            let line = files(concurrency, limit);
            assert_eq!(line.hint.is_empty(), fine, "{line:?}");
            assert_eq!(line.exit(), Exit::Pass);
        }
    }
}
