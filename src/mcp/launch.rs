//! A server that the harness starts and then speaks to over HTTP: start it, wait until it listens, end it.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::Program;
use super::process::guard::Guard;
use super::process::{Process, Streams, Vitals};
use crate::net;
use crate::transcript::{Fault, Side};

/// The longest pause between two looks at the port.
const LOOK: Duration = Duration::from_millis(100);

/// What to start and where it will listen.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program.
    pub program: Program,
    /// The MCP endpoint it will serve.
    pub url: url::Url,
    /// How long it may take until its port accepts connections.
    pub ready: Duration,
}

/// A started server. Dropping it kills its process group.
pub struct Launched {
    process: Process,
}

impl Launch {
    /// Starts the program and waits until its port accepts connections.
    pub async fn start(&self, guard: Option<&Guard>) -> Result<Launched, Fault> {
        let (host, port) = address(&self.url)?;
        let address = (host.as_str(), port);
        let shown = net::shown(&self.url);
        if accepts(address).await {
            let message =
                format!("something already listens at `{shown}`; stop it, or let the port be chosen freely");
            return Err(Fault::new(Side::Server, "target.not-ready", message));
        }
        let process = Process::start(&self.program, &[], Streams::Drained, guard)?;
        let deadline = Instant::now() + self.ready;
        let mut pause = Duration::from_millis(5);
        loop {
            if process.vitals().exited().is_some() {
                process.vitals().last_breath().await;
                return Err(process.vitals().death());
            }
            if accepts(address).await {
                return Ok(Launched { process });
            }
            if Instant::now() >= deadline {
                break;
            }
            // Its death ends the pause early.
            let _ = timeout(pause, process.vitals().wait()).await;
            pause = (pause * 2).min(LOOK);
        }
        let words = process.vitals().stderr().last_words();
        process.stop().await;
        let ready = crate::units::Period(self.ready);
        let message = format!(
            "the server did not listen at `{shown}` within {ready}; check its port or raise `target.ready.timeout`{words}"
        );
        Err(Fault::new(Side::Server, "target.not-ready", message))
    }
}

impl Launched {
    /// What can be known of the process.
    pub fn vitals(&self) -> &Vitals {
        self.process.vitals()
    }

    /// The process group's id.
    pub fn group(&self) -> i32 {
        self.process.group()
    }

    /// Ends the process and its group: TERM, then KILL.
    pub async fn stop(&self) {
        self.process.stop_at_once().await;
    }
}

/// A port on 127.0.0.1 that was free a moment ago.
pub fn pick_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn address(url: &url::Url) -> Result<(String, u16), Fault> {
    let host = url.host_str().map(|host| host.trim_matches(['[', ']']).to_owned());
    host.zip(url.port_or_known_default()).ok_or_else(|| {
        let message = format!("`{}` names no host and port to listen at", net::shown(url));
        Fault::new(Side::Server, "target.unreachable", message)
    })
}

async fn accepts(address: (&str, u16)) -> bool {
    // A connection attempt that hangs is as good as a refused one.
    matches!(timeout(Duration::from_secs(1), TcpStream::connect(address)).await, Ok(Ok(_)))
}
