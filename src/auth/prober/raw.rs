//! Requests that HTTP libraries refuse to send: doubled headers, odd spaces, line breaks where none belong.
//!
//! They are written byte by byte as HTTP/1.1 and go to the target alone, past no proxy, under the same deadline and the
//! same cap as every other request, and into the same record.

use std::net::IpAddr;

use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;

use super::reply::{Reading, read};
use super::{Credentials, DEADLINE, KEPT, Opened, Prober};
use crate::net;
use crate::transcript::{Body, HttpSide};

/// A request of which every byte counts.
#[derive(Clone, Debug)]
pub struct Raw<'a> {
    /// What it is for; examinations find it by this.
    pub label: &'a str,
    /// What the first line asks for. `None`: the path and the query of the MCP endpoint.
    pub target: Option<String>,
    /// The lines of the head behind the first, without their ends. `Host`, the length and the end of the connection are
    /// added; `Host` only if no line is one.
    pub head: Vec<Vec<u8>>,
    /// The body.
    pub body: String,
    /// Another address of the machine that the target's name leads to.
    pub at: Option<IpAddr>,
}

impl Raw<'_> {
    /// One more line of the head.
    #[must_use]
    pub fn line(mut self, line: impl AsRef<[u8]>) -> Self {
        self.head.push(line.as_ref().to_vec());
        self
    }

    /// The same as somebody.
    #[must_use]
    pub fn by(self, who: &Credentials) -> Self {
        let lines = who.headers.iter().map(|(name, value)| format!("{name}: {}", value.expose_secret()));
        lines.fold(self, Raw::line)
    }

    fn names(&self, name: &str) -> bool {
        let begin = format!("{name}:");
        self.head.iter().any(|line| {
            line.get(..begin.len()).is_some_and(|line| line.eq_ignore_ascii_case(begin.as_bytes()))
        })
    }

    /// The request on the wire.
    fn bytes(&self, url: &Url) -> Vec<u8> {
        let path = || url[url::Position::BeforePath..url::Position::AfterQuery].to_owned();
        let target = self.target.clone().unwrap_or_else(path);
        let mut bytes = format!("POST {target} HTTP/1.1\r\n").into_bytes();
        if !self.names("host") {
            let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
            bytes.extend_from_slice(format!("host: {host}\r\n").as_bytes());
        }
        for line in &self.head {
            bytes.extend_from_slice(line);
            bytes.extend_from_slice(b"\r\n");
        }
        let agent = net::USER_AGENT;
        let length = self.body.len();
        let end = format!("user-agent: {agent}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
        bytes.extend_from_slice(end.as_bytes());
        bytes.extend_from_slice(self.body.as_bytes());
        bytes
    }

    /// The request as it is recorded.
    fn side(&self, url: &Url) -> HttpSide {
        let headers = self.head.iter().map(|line| {
            let line = String::from_utf8_lossy(line);
            match line.split_once(':') {
                Some((name, value)) => (name.to_owned(), value.strip_prefix(' ').unwrap_or(value).to_owned()),
                None => (line.into_owned(), String::new()),
            }
        });
        let mut start = match &self.target {
            Some(target) => format!("POST {target}"),
            None => format!("POST {url}"),
        };
        if let Some(ip) = self.at {
            start.push_str(&format!(" (at {ip})"));
        }
        HttpSide { start, headers: headers.collect(), body: Body::Text(self.body.clone()) }
    }
}

impl Prober {
    /// Whether raw requests reach the target: no proxy stands before it.
    pub fn is_direct(&self) -> bool {
        self.route.is_direct(self.target())
    }

    /// A request in a session, to be changed before it is sent; by nobody as yet.
    pub fn rough<'a>(&self, label: &'a str, session: &Opened, asked: (&str, Value)) -> Raw<'a> {
        let (mut headers, body) = self.written(session, asked);
        headers.extend(self.setup.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        let head = headers.iter().map(|(name, value)| format!("{name}: {value}").into_bytes()).collect();
        Raw { label, target: None, head, body: body.to_string(), at: None }
    }

    /// Sends a request byte by byte and records it with its answer.
    pub async fn raw(&self, raw: Raw<'_>) -> Result<HttpSide, String> {
        let url = self.target().clone();
        let bytes = raw.bytes(&url);
        let sent = || async {
            match self.is_direct() {
                true => tokio::time::timeout(DEADLINE, self.converse_raw(&url, raw.at, &bytes))
                    .await
                    .unwrap_or_else(|_| Err("no answer within 5s".to_owned())),
                false => Err("not sent: a proxy stands before the target".to_owned()),
            }
        };
        self.recorded(raw.label, raw.side(&url), sent).await
    }

    async fn converse_raw(&self, url: &Url, at: Option<IpAddr>, bytes: &[u8]) -> Result<HttpSide, String> {
        let mut connection = self.dialer.dial(url, at).await?;
        // A server may answer and hang up before it has read everything.
        let _ = connection.write_all(bytes).await;
        let _ = connection.flush().await;
        let mut came = Vec::new();
        loop {
            let mut part = vec![0; 8 * 1024];
            let count = connection.read(&mut part).await.unwrap_or(0);
            came.extend_from_slice(&part[..count]);
            match read(&came, count == 0 || came.len() > 4 * KEPT) {
                Reading::Unfinished => {}
                Reading::Whole(side) => return Ok(side),
                Reading::Unreadable(why) => return Err(why),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_written_as_it_was_meant() {
        let raw = Raw { label: "x", target: None, head: vec![], body: "{}".to_owned(), at: None };
        let url = Url::parse("http://127.0.0.1:81/mcp?a=b#c").unwrap();
        let agent = net::USER_AGENT;
        let text = |raw: &Raw<'_>| String::from_utf8_lossy(&raw.bytes(&url)).into_owned();
        let odd = raw.clone().line("authorization: Bearer a").line(b"authorization:\r\n Bearer\tb\0");
        assert_eq!(
            text(&odd),
            format!(
                "POST /mcp?a=b HTTP/1.1\r\nhost: 127.0.0.1:81\r\nauthorization: Bearer a\r\nauthorization:\r\n \
                 Bearer\tb\0\r\nuser-agent: {agent}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}"
            )
        );
        let foreign =
            Raw { target: Some("http://evil.example/mcp".to_owned()), ..raw }.line("Host: b.example");
        assert!(text(&foreign).starts_with("POST http://evil.example/mcp HTTP/1.1\r\nHost: b.example\r\n"));
        assert_eq!(foreign.side(&url).headers, [("Host".to_owned(), "b.example".to_owned())]);
        assert_eq!(foreign.side(&url).start, "POST http://evil.example/mcp");
    }
}
