//! An issuer, personas, and probers aimed at a flawed server.

use std::collections::BTreeMap;
use std::sync::Arc;

use rehearsal::auth::checks::{AuthCheck, Seen};
use rehearsal::auth::{
    Authority, Facts, Figure, IdentitySpec, Issuer, Minted, Persona, ProbeSetup, Prober, identity,
};
use rehearsal::diag::Origin;
use rehearsal::ids::{CaseKey, CaseName, ClientName, Digest, PersonaName, SuiteName};
use rehearsal::net::{Route, Tls, client_by};
use rehearsal::transcript::{CaseHeader, CaseKind, Clock, End, Recorder, Secrets, Transcript};
use serde_json::json;

use crate::flawed::Flawed;

/// An issuer and what it registered.
pub(crate) struct Bench {
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) secrets: Secrets,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        let secrets = Secrets::default();
        let issuer = Arc::new(Issuer::start(secrets.clone(), Clock::system()).await.unwrap());
        Self { issuer, secrets }
    }

    fn figure(&self, name: &str, spec: IdentitySpec, url: &str) -> Figure {
        let persona = Persona { name: PersonaName::from(name), description: String::new(), identity: spec };
        let authority = Authority {
            issuer: Some(Arc::clone(&self.issuer)),
            audience: url.to_owned(),
            env: Arc::new(|name| (name == "TOKEN").then(|| "a-token-of-nobody".to_owned())),
            secrets: self.secrets.clone(),
            clock: Clock::system(),
            route: rehearsal::net::Route::default(),
            wallet: Arc::new(rehearsal::auth::client::Memory::default()),
            old_servers: false,
        };
        Figure { identity: identity(&persona, &authority).unwrap(), persona }
    }

    /// A prober with one persona and no facts.
    pub(crate) fn prober(&self, url: &str, spec: IdentitySpec) -> Prober {
        self.aimed(url, [Some(self.figure("customer", spec, url)), None, None], Facts::default())
    }

    /// A prober that has and knows everything a suite can give it.
    pub(crate) async fn equipped(&self, server: &Flawed, facts: Facts) -> Prober {
        let url = server.url.as_str();
        let both = &["mcp:read", "mcp:admin"];
        let cast = [("alice", &both[..]), ("bob", &both[..]), ("carol", &both[..1])];
        let cast = cast.map(|(name, scopes)| Some(self.figure(name, minted(scopes), url)));
        let mut prober = self.aimed(url, cast, facts);
        if let Some(pem) = &server.authority {
            let tls = Tls { ca: Some(pem.as_str().into()), identity: None };
            let route = Route { tls, proxy: None };
            prober = prober.through(client_by(&route).unwrap(), &route);
        }
        let eras = prober.spoken(&prober.good().await.unwrap()).await;
        prober.knowing(eras).outward_at(Some(crate::flawed::ELSEWHERE.into()))
    }

    /// A prober of somebody without an issuer and without credentials.
    pub(crate) fn stranger(&self, url: &str) -> Prober {
        let setup = ProbeSetup { issuer: None, ..Self::setup(url, [None, None, None], Facts::default()) };
        Prober::new(setup, Recorder::new(Clock::system(), Secrets::default())).unwrap()
    }

    fn aimed(&self, url: &str, [control, other, weaker]: [Option<Figure>; 3], facts: Facts) -> Prober {
        let setup = ProbeSetup {
            issuer: Some(Arc::clone(&self.issuer)),
            ..Self::setup(url, [control, other, weaker], facts)
        };
        // Every check gets a record of its own; what is asked beside them is not kept.
        Prober::new(setup, Recorder::new(Clock::system(), Secrets::default())).unwrap()
    }

    fn setup(url: &str, [control, other, weaker]: [Option<Figure>; 3], facts: Facts) -> ProbeSetup {
        ProbeSetup {
            target: url::Url::parse(url).unwrap(),
            headers: BTreeMap::new(),
            issuer: None,
            control,
            other,
            weaker,
            facts,
            audience: url.to_owned(),
        }
    }

    /// The record of one check, without the secrets.
    pub(crate) async fn record(&self, check: &AuthCheck, prober: &Prober) -> Transcript {
        record(check, prober, &self.secrets).await
    }

    pub(crate) async fn judge(&self, check: &AuthCheck, prober: &Prober) -> Seen {
        check.judge(&self.record(check, prober).await)
    }
}

/// The record of one check; `secrets` are left out of it.
pub(crate) async fn record(check: &AuthCheck, prober: &Prober, secrets: &Secrets) -> Transcript {
    let log = Recorder::new(Clock::system(), secrets.clone());
    check.run(&prober.recording(log.clone())).await.unwrap();
    log.finish(header(check.id), End::Done)
}

pub(crate) fn minted(scopes: &[&str]) -> IdentitySpec {
    let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    IdentitySpec::Minted(Minted { scopes, ..Minted::default() })
}

/// What a suite would say of the flawed server.
pub(crate) fn facts(introspection: bool) -> Facts {
    Facts {
        harmless: serde_json::from_value(json!({"tool": "whoami"})).unwrap(),
        ..fewer_facts(introspection)
    }
}

/// The same but for the harmless call, which doubles what most checks send.
pub(crate) fn fewer_facts(introspection: bool) -> Facts {
    serde_json::from_value(json!({
        "guarded": {"tool": "purge"},
        "scopes": ["mcp:read"],
        "broader_scope": "mcp:admin",
        "guarded_requests": [
            {"method": "resources/read", "params": {"uri": "note://ledger"}},
            {"method": "prompts/get", "params": {"name": "audit"}},
            {"method": "completion/complete", "params": {
                "ref": {"type": "ref/prompt", "name": "audit"}, "argument": {"name": "who", "value": "w"}}},
        ],
        "browser_clients": true,
        "rotation": "0s",
        "introspection": introspection,
        "handle": {
            "create": {"tool": "open_cart"}, "at": "/structuredContent/cart",
            "use": {"tool": "read_cart", "argument": "cart"},
        },
        "object": {"call": {"tool": "get_note", "argument": "note"}, "id": "note-1000"},
        "uri": "notes://alice/diary",
        "ask": {
            "call": {"tool": "transfer", "args": {"to": "carol"}},
            "elsewhere": [{"tool": "transfer", "args": {"to": "dave"}}, {"tool": "close_account"}],
            "effect": {"tool": "transfers"},
        },
        "task": {"tool": "report"},
        "watch": {
            "uri": "notes://alice/plans", "change": {"tool": "touch_note", "args": {"name": "plans"}},
        },
        "complete": {
            "ref": {"type": "ref/resource", "uri": "notes://{user}/{name}"}, "argument": "name",
            "value": "d", "private": "diary",
        },
        "echo": {"tool": "echo", "argument": "text"},
        "upstream": {"tool": "quote"},
        "fetch": {"tool": "fetch", "argument": "url"},
    }))
    .unwrap()
}

fn header(case: &str) -> CaseHeader {
    CaseHeader {
        key: CaseKey { question: Digest::none(), model: Digest::none(), trial: 1 },
        suite: SuiteName::from("s"),
        case: CaseName::from(case),
        kind: CaseKind::Auth,
        model: None,
        persona: PersonaName::from("customer"),
        client: ClientName::from("reference"),
        trial: 1,
        tags: vec![],
        origin: Origin { file: "s.yaml".into(), line: 1, column: 1 },
    }
}
