//! Connections: how many there are at once, and how long one may take to say what it wants.
//!
//! A connection waits until its request has come whole, works until its answer is made, and waits again. Waiting ends after
//! a while, however slowly bytes drip in. Where all seats are taken, whoever has waited longest gives up its own: nobody who
//! only holds connections open keeps the user out.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// Most bytes of a request's head.
const HEAD: usize = 32 * 1024;
/// How long nothing is accepted after that failed, such as for want of open files.
const BREATH: Duration = Duration::from_millis(50);
/// In the place of the moment since which a seat waits: it works.
const AT_WORK: u64 = u64::MAX;

/// What connections may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most connections at once.
    pub connections: usize,
    /// Longest wait for the whole head of a request, from the beginning of the connection or from the answer before.
    pub head: Duration,
}

impl Default for Limits {
    /// 64 connections (a browser opens six), 20 seconds.
    fn default() -> Self {
        Self { connections: 64, head: Duration::from_secs(20) }
    }
}

/// The seats that are taken.
#[derive(Default)]
struct Room {
    seats: Mutex<Vec<Arc<Seat>>>,
    /// Counts what happens, so that moments have an order.
    turn: AtomicU64,
}

/// A connection.
struct Seat {
    /// The moment since which it waits, or [`AT_WORK`].
    since: AtomicU64,
    /// Told to leave.
    leave: CancellationToken,
}

impl Room {
    fn moment(&self) -> u64 {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }

    /// A seat, if need be that of whoever has waited longest; `None` where everybody works.
    fn take(&self, most: usize) -> Option<Arc<Seat>> {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        if seats.len() >= most {
            let since = |seat: &Arc<Seat>| seat.since.load(Ordering::Relaxed);
            let (at, first) = seats.iter().map(since).enumerate().min_by_key(|(_, since)| *since)?;
            if first == AT_WORK {
                return None;
            }
            seats.swap_remove(at).leave.cancel();
        }
        let seat = Seat { since: AtomicU64::new(self.moment()), leave: CancellationToken::new() };
        let seat = Arc::new(seat);
        seats.push(Arc::clone(&seat));
        Some(seat)
    }

    fn leave(&self, seat: &Arc<Seat>) {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner).retain(|one| !Arc::ptr_eq(one, seat));
    }
}

/// Answers until it is told to stop, and then until every answer on its way has ended.
pub(super) async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let room = Arc::new(Room::default());
    let talks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        let Some(seat) = room.take(limits.connections) else { continue };
        let (room, router, stop) = (Arc::clone(&room), router.clone(), stop.clone());
        talks.spawn(async move {
            tokio::select! {
                () = seat.leave.cancelled() => {}
                () = talk(stream, (router, limits.head), (&room, &seat), stop) => {}
            }
            room.leave(&seat);
        });
    }
    drop(listener);
    talks.close();
    talks.wait().await;
}

/// One connection to its end.
async fn talk(
    stream: TcpStream,
    (router, head): (Router, Duration),
    (room, seat): (&Arc<Room>, &Arc<Seat>),
    stop: CancellationToken,
) {
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let router = router.clone();
        async move {
            seat.since.store(AT_WORK, Ordering::Relaxed);
            let answer = router.oneshot(Request::from(request)).await;
            seat.since.store(room.moment(), Ordering::Relaxed);
            answer as Result<_, Infallible>
        }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(head)
            .max_buf_size(HEAD)
            .serve_connection(TokioIo::new(stream), service)
    );
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::Semaphore;

    use super::*;

    /// Long enough for anything that shall happen.
    const LONG: Duration = Duration::from_secs(20);
    const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    /// A server that counts what is asked of `/held`, and answers it with a permit for each.
    struct Server {
        address: SocketAddr,
        arrived: Arc<Semaphore>,
        gate: Arc<Semaphore>,
        stop: CancellationToken,
    }

    async fn server(connections: usize, head: Duration) -> Server {
        let (arrived, gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (came, held) = (Arc::clone(&arrived), Arc::clone(&gate));
        let router = Router::new().route("/", get(|| async { "fine" })).route(
            "/held",
            get(move || async move {
                came.add_permits(1);
                held.acquire().await.unwrap().forget();
                "at last"
            }),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(serve(listener, router, Limits { connections, head }, stop.clone()));
        Server { address, arrived, gate, stop }
    }

    async fn connect(address: SocketAddr) -> TcpStream {
        TcpStream::connect(address).await.unwrap()
    }

    /// What comes until the connection is closed; a reset closes it as well.
    async fn rest(stream: &mut TcpStream) -> String {
        let mut all = vec![];
        let _ = tokio::time::timeout(LONG, stream.read_to_end(&mut all)).await.expect("it stays open");
        String::from_utf8(all).unwrap()
    }

    /// One answer, with the connection left open.
    async fn answer(stream: &mut TcpStream, end: &str) -> String {
        let mut all = String::new();
        while !all.ends_with(end) {
            let mut part = [0; 512];
            let read = tokio::time::timeout(LONG, stream.read(&mut part)).await.unwrap().unwrap();
            assert!(read > 0, "closed after {all:?}");
            all.push_str(std::str::from_utf8(&part[..read]).unwrap());
        }
        all
    }

    #[tokio::test]
    async fn a_head_that_never_ends_is_cut_off_however_it_drips() {
        let Server { address, .. } = server(4, Duration::from_millis(60)).await;
        let (mut read, mut write) = connect(address).await.into_split();
        let drip = async {
            write.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
            while write.write_all(b"y").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let mut said = vec![];
        tokio::select! {
            () = drip => {}
            _ = read.read_to_end(&mut said) => {}
            () = tokio::time::sleep(LONG) => panic!("it drips on"),
        }
        assert!(!String::from_utf8(said).unwrap().contains("fine"));
        // One who says nothing at all is no better off.
        assert_eq!(rest(&mut connect(address).await).await, "");
    }

    #[tokio::test]
    async fn a_connection_is_kept_for_the_next_request_and_not_for_ever() {
        let Server { address, .. } = server(4, Duration::from_millis(80)).await;
        let mut stream = connect(address).await;
        for _ in 0..2 {
            stream.write_all(ASK).await.unwrap();
            assert!(answer(&mut stream, "fine").await.starts_with("HTTP/1.1 200"));
        }
        assert_eq!(rest(&mut stream).await, "", "it idles and is closed");
    }

    #[tokio::test]
    async fn an_answer_may_take_longer_than_a_question() {
        let Server { address, gate, .. } = server(4, Duration::from_millis(30)).await;
        let mut stream = connect(address).await;
        stream.write_all(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_millis(80)).await;
        gate.add_permits(1);
        assert!(answer(&mut stream, "at last").await.contains("200 OK"));
    }

    #[tokio::test]
    async fn a_thousand_open_sockets_keep_nobody_out() {
        let Server { address, .. } = server(8, LONG * 2).await;
        // Half of them, because both ends are open files of this test.
        let mut idle = vec![];
        for at in 0..400 {
            let mut stream = connect(address).await;
            if at % 2 == 0 {
                stream.write_all(b"GET / HT").await.unwrap();
            }
            idle.push(stream);
        }
        let mut user = connect(address).await;
        user.write_all(ASK).await.unwrap();
        assert!(answer(&mut user, "fine").await.starts_with("HTTP/1.1 200"));
        // Those who waited longest have left.
        for stream in &mut idle[..390] {
            assert_eq!(rest(stream).await, "");
        }
    }

    #[tokio::test]
    async fn who_is_being_answered_keeps_the_seat() {
        let Server { address, arrived, gate, stop } = server(2, LONG * 2).await;
        let mut held = vec![];
        for _ in 0..2 {
            let mut stream = connect(address).await;
            stream.write_all(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            held.push(stream);
        }
        drop(tokio::time::timeout(LONG, arrived.acquire_many(2)).await.expect("both are at work"));
        let mut late = connect(address).await;
        let _ = late.write_all(ASK).await;
        assert_eq!(rest(&mut late).await, "", "there is no seat");
        gate.add_permits(2);
        // Told to stop, it ends what it began.
        stop.cancel();
        for stream in &mut held {
            assert!(rest(stream).await.ends_with("at last"));
        }
    }
}
