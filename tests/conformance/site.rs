//! A site on loopback that answers as a function says, and keeps what it was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use serde_json::Value;

/// A request as the site saw it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// The query of a GET, the form of a POST.
    pub(crate) form: BTreeMap<String, String>,
    /// The body, where it is JSON.
    pub(crate) json: Value,
    pub(crate) headers: HeaderMap,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        self.form.get(name).map_or("", String::as_str)
    }

    /// The scopes of a form, sorted.
    pub(crate) fn scopes(&self) -> Vec<&str> {
        let mut scopes: Vec<&str> = self.get("scope").split_whitespace().collect();
        scopes.sort_unstable();
        scopes
    }

    pub(crate) fn rpc(&self) -> &str {
        self.json["method"].as_str().unwrap_or_default()
    }
}

type Script = Arc<dyn Fn(&Asked) -> Response<Body> + Send + Sync>;
type Kept = Arc<Mutex<Vec<Asked>>>;

/// See the module.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) origin: String,
    kept: Kept,
}

impl Site {
    /// Starts a site; the script is made for its origin.
    pub(crate) async fn start<S>(make: impl FnOnce(String) -> S) -> Self
    where
        S: Fn(&Asked) -> Response<Body> + Send + Sync + 'static,
    {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let kept = Kept::default();
        let state = (Arc::new(make(origin.clone())) as Script, Arc::clone(&kept));
        let app = Router::new().fallback(serve).with_state(state);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { origin, kept }
    }

    /// The requests to a path, in order.
    pub(crate) fn asked(&self, path: &str) -> Vec<Asked> {
        self.kept.lock().unwrap().iter().filter(|asked| asked.path == path).cloned().collect()
    }

    pub(crate) fn at(&self, path: &str) -> url::Url {
        format!("{}{path}", self.origin).parse().unwrap()
    }
}

async fn serve(
    State((script, kept)): State<(Script, Kept)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let encoded = if method == Method::GET { uri.query().unwrap_or_default().as_bytes() } else { &body };
    let asked = Asked {
        form: url::form_urlencoded::parse(encoded).into_owned().collect(),
        json: serde_json::from_slice(&body).unwrap_or(Value::Null),
        path: uri.path().to_owned(),
        method,
        headers,
    };
    kept.lock().unwrap().push(asked.clone());
    script(&asked)
}
