//! Who visits the authorization page.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use reqwest::header::LOCATION;
use url::Url;

use super::fault;
use super::trace::{Came, Trace};
use crate::net;
use crate::net::fence::{Fence, Reach};
use crate::transcript::Fault;

/// Most pages on the way to consent.
const PAGES: usize = 5;

/// How long one page may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes the address of an authorization page and comes back with the address it was sent to.
pub trait Visitor: Send + Sync {
    /// Where the authorization server sends the visitor back.
    fn redirect(&self) -> &str;

    /// Visits the page. What comes back begins with [`Visitor::redirect`]; it is not checked yet. Pages that this program
    /// fetches itself are recorded in `trace`.
    fn visit<'a>(&'a self, page: &'a Url, trace: &'a Trace) -> BoxFuture<'a, Result<Url, Fault>>;
}

/// Nobody: for runs that must never wait for a person.
#[derive(Debug)]
pub struct Nobody;

impl Visitor for Nobody {
    fn redirect(&self) -> &'static str {
        "http://127.0.0.1/callback"
    }

    fn visit<'a>(&'a self, _: &'a Url, _: &'a Trace) -> BoxFuture<'a, Result<Url, Fault>> {
        let text = "the target wants a person to sign in, and nobody is here; sign in beforehand with `rehearsal login URL`, or give the persona credentials of a machine";
        Box::pin(std::future::ready(Err(fault("credentials.login", text))))
    }
}

/// Follows redirects until it is sent back, for authorization servers on this machine that consent without asking.
/// It visits nothing beyond loopback.
#[derive(Debug)]
pub struct Consenting {
    redirect: String,
    fence: Arc<Fence>,
    http: reqwest::Client,
}

impl Consenting {
    /// A visitor with an address to be sent back to, where nobody needs to listen.
    pub fn new() -> Result<Self, Fault> {
        let fence = Fence::new(Reach::Loopback);
        let http =
            fence.client(&net::Route::default()).map_err(|error| fault("credentials.client", error))?;
        Ok(Self { redirect: "http://127.0.0.1:33418/callback".to_owned(), fence, http })
    }

    async fn follow(&self, page: &Url, trace: &Trace) -> Result<Url, Fault> {
        let mut page = page.clone();
        for _ in 0..PAGES {
            if Reach::seen(&page) != Some(Reach::Loopback) || self.fence.admit(&page).is_err() {
                let text =
                    format!("`{}` is not on this machine; consent there is a person's", net::shown(&page));
                return Err(fault("credentials.login", text));
            }
            let response = self.fetch(&page, trace).await?;
            let to = response.headers().get(LOCATION).and_then(|to| page.join(to.to_str().ok()?).ok());
            let status = response.status();
            match to.filter(|_| status.is_redirection()) {
                Some(to) if self.is_back(&to) => return Ok(to),
                Some(to) => page = to,
                None => {
                    let text = format!(
                        "the authorization page answered HTTP {} and does not consent by itself",
                        status.as_u16()
                    );
                    return Err(fault("credentials.login", text));
                }
            }
        }
        Err(fault("credentials.unreachable", "the authorization page redirects without end"))
    }

    /// One page; of its answer the head alone matters, and is recorded.
    async fn fetch(&self, page: &Url, trace: &Trace) -> Result<reqwest::Response, Fault> {
        let unreachable = |text: &str| fault("credentials.unreachable", text).retryable();
        let request = self.http.get(page.clone()).build();
        let request = request.map_err(|error| unreachable(&net::describe(&error)))?;
        let awaited = trace.leaves(&request);
        let answer = match tokio::time::timeout(PATIENCE, self.http.execute(request)).await {
            Ok(answer) => answer.map_err(|error| net::describe(&error)),
            Err(_) => Err("the authorization page does not answer".to_owned()),
        };
        let head = answer.as_ref().ok().map(|answer| (answer.status().as_u16(), answer.headers().clone()));
        awaited.came(&Came { head, ..Came::default() }, answer.as_ref().err().map(String::as_str));
        answer.map_err(|why| unreachable(&why))
    }

    fn is_back(&self, to: &Url) -> bool {
        let mut bare = to.clone();
        bare.set_query(None);
        bare.set_fragment(None);
        bare.as_str() == self.redirect
    }
}

impl Visitor for Consenting {
    fn redirect(&self) -> &str {
        &self.redirect
    }

    fn visit<'a>(&'a self, page: &'a Url, trace: &'a Trace) -> BoxFuture<'a, Result<Url, Fault>> {
        Box::pin(self.follow(page, trace))
    }
}
