//! How hard providers are asked, for a person who watches.

use std::sync::Arc;
use std::time::Duration;

use super::{ModelSpec, Pace, locked};

/// How hard one provider is asked at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strain {
    /// Which: the dialect, and the host where the suite names one.
    pub provider: String,
    /// Requests under way.
    pub under_way: usize,
    /// Requests that may be under way at once.
    pub at_once: usize,
    /// How long nothing is sent because the provider wants a pause.
    pub pause: Duration,
    /// How often it said that it is too much.
    pub refusals: u64,
}

/// A provider, and the models it serves.
#[derive(Debug)]
pub(super) struct Provider {
    name: String,
    paces: Vec<Arc<Pace>>,
}

/// Enters the pace of a model with its provider: models that share seats have one.
pub(super) fn enter(providers: &mut Vec<Provider>, spec: &ModelSpec, pace: &Arc<Pace>) {
    let same = |provider: &&mut Provider| {
        provider.paces.first().is_some_and(|known| Arc::ptr_eq(&known.width, &pace.width))
    };
    match providers.iter_mut().find(same) {
        Some(provider) => provider.paces.push(Arc::clone(pace)),
        None => providers.push(Provider { name: name(spec), paces: vec![Arc::clone(pace)] }),
    }
}

fn name(spec: &ModelSpec) -> String {
    let url = spec.base_url.as_deref().and_then(|url| url::Url::parse(url).ok());
    match url.as_ref().and_then(url::Url::host_str) {
        Some(host) => format!("{} at {host}", spec.dialect),
        None => spec.dialect.clone(),
    }
}

impl Provider {
    pub(super) fn strain(&self, now: Duration) -> Strain {
        let pauses = self.paces.iter().map(|pace| locked(&pace.rates).paused.saturating_sub(now));
        let width = self.paces.first().map(|pace| &pace.width);
        Strain {
            provider: self.name.clone(),
            under_way: width.map_or(0, |width| width.taken()),
            at_once: width.map_or(0, |width| width.limit()),
            pause: pauses.max().unwrap_or_default(),
            refusals: width.map_or(0, |width| width.refusals()),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::super::Paces;
    use super::*;
    use crate::llm::ModelLimits;
    use crate::net::asked::Asked;
    use crate::transcript::{Clock, Recorder, Secrets};

    #[test]
    fn what_a_provider_bears_is_told_with_its_pause_and_its_refusals() {
        let clock = Clock::manual(jiff::Timestamp::UNIX_EPOCH, || Duration::ZERO);
        let (paces, log) = (Paces::default(), Recorder::new(clock, Secrets::default()));
        assert_eq!(paces.strains(Duration::ZERO), []);
        let limits = ModelLimits { concurrency: Some(3), ..ModelLimits::default() };
        let spec = |id: &str| ModelSpec { limits, ..ModelSpec::new(id, "openai") };
        let (a, b) = (paces.of(&spec("a")), paces.of(&spec("b")));
        let first = a.turn(1, &log).now_or_never().unwrap();
        let second = b.turn(1, &log).now_or_never().unwrap();
        b.heard(Asked::For(Duration::from_secs(20)), &log);
        let strain = Strain {
            provider: "openai".to_owned(),
            under_way: 2,
            at_once: 3,
            pause: Duration::from_secs(12),
            refusals: 0,
        };
        assert_eq!(paces.strains(Duration::from_secs(8)), [strain]);
        first.failed(true);
        second.answered(None, Duration::ZERO);
        let after = paces.strains(Duration::from_secs(30)).remove(0);
        assert_eq!((after.under_way, after.pause, after.refusals), (0, Duration::ZERO, 1));
        let url = Some("http://127.0.0.1:9/v1".to_owned());
        paces.of(&ModelSpec { base_url: url, ..spec("a") });
        assert_eq!(paces.strains(Duration::ZERO)[1].provider, "openai at 127.0.0.1");
    }
}
