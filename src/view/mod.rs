//! A viewer of run files for a browser on this machine: the history of a folder, the page of a run of any size, any two
//! runs compared, and a run in progress followed.
//!
//! It listens on 127.0.0.1 and reads only. Who may come in is `door`'s to say, how many at once `seats`', what there is
//! `rows`'. Pages are static or those of reports; whatever they show comes as JSON and reaches the document as text. A run
//! is addressed by a digest of the path at which the folder was found to hold it, so that nothing a page sends becomes a
//! path. Files are opened for each request and closed after it: a run that is being written is never kept from ending as
//! one file.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

mod compare;
mod door;
mod kitchen;
mod pages;
mod routes;
mod rows;
mod run;
mod seats;

use self::door::Door;
use self::kitchen::Kitchen;
use self::rows::Rows;
pub use self::seats::Limits;
use crate::ids::CaseKey;
use crate::report::archive::Kept;
use crate::report::html::served::{Laid, Served};
use crate::store::StoreError;
use crate::transcript::{Clock, Fault};

/// How long answers may take to end after the viewer was told to stop.
const CLOSING: Duration = Duration::from_secs(2);

/// What is shown, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of reports, or one with run files.
    pub folder: PathBuf,
    /// A run file to begin with; it may lie anywhere.
    pub first: Option<PathBuf>,
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// What connections may take.
    pub limits: Limits,
}

/// Who decides about a run and finds its transcripts: the same for a page as for the reports of the run.
pub trait Source: Send + Sync {
    /// The page of a run file.
    ///
    /// # Errors
    /// The file cannot be read.
    fn lay(&self, file: &Path, served: &Served) -> Result<Laid, Refused>;

    /// A trial of a run file; `None` where there is none that can be read.
    fn trial(&self, file: &Path, key: CaseKey) -> Option<Kept>;
}

/// Why a run is not shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// A stable code that `rehearsal explain` knows.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self {
            code: error.code().to_owned(),
            message: error.to_string(),
            hint: Some(error.hint().to_owned()),
        }
    }
}

/// Why the viewer does not open.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// Somebody else listens there.
    #[error("port {0} is taken")]
    PortTaken(u16),
    /// Listening failed.
    #[error("the viewer cannot listen on 127.0.0.1: {0}")]
    Listen(String),
    /// The machine gives no random bytes.
    #[error("the viewer has no secret: {}", .0.message)]
    NoSecret(Fault),
}

impl ViewError {
    /// The code that `rehearsal explain` knows.
    pub fn code(&self) -> &'static str {
        match self {
            Self::PortTaken(_) => "view.port-taken",
            Self::Listen(_) | Self::NoSecret(_) => "view.listen",
        }
    }
}

/// A viewer that answers. It stops when it is dropped.
#[derive(Debug)]
pub struct Viewer {
    door: Arc<Door>,
    first: Option<String>,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
}

impl Viewer {
    /// Starts on 127.0.0.1.
    ///
    /// # Errors
    /// The port is taken, or the machine gives no random bytes.
    pub async fn start(options: Options, source: Arc<dyn Source>, clock: Clock) -> Result<Self, ViewError> {
        let port = options.port;
        let listen = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::AddrInUse => ViewError::PortTaken(port),
            _ => ViewError::Listen(error.to_string()),
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(listen)?;
        let address: SocketAddr = listener.local_addr().map_err(listen)?;
        let door = Arc::new(Door::new(address.port()).map_err(ViewError::NoSecret)?);
        let first = options.first.as_deref().map(rows::id);
        let rows = Rows::new(options.folder, options.first, clock.clone());
        let kitchen = Arc::new(Kitchen::new(source, rows, clock));
        let stop = CancellationToken::new();
        let router = routes::router(&door, &kitchen);
        let serving = tokio::spawn(seats::serve(listener, router, options.limits, stop.clone()));
        Ok(Self { door, first, stop, serving })
    }

    /// The address to open. Whoever knows it sees every run; it is good until the viewer ends.
    pub fn url(&self) -> String {
        self.door.url(self.first.as_deref())
    }

    /// The same for a program that is started with it: other users of the machine can read what programs are started
    /// with, so this one is good for one visit.
    pub fn ticket(&self) -> String {
        self.door.ticket(self.first.as_deref())
    }

    /// Stops listening and lets answers end that are on their way, for a moment.
    pub async fn close(mut self) {
        self.stop.cancel();
        let _ = tokio::time::timeout(CLOSING, &mut self.serving).await;
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
