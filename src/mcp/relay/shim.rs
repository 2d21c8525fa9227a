//! What an agent starts in place of a server over standard streams: the body of the hidden command `rehearsal relay`. It
//! connects to the relay, says the secret, and moves bytes until either side ends.

use std::io;

use tokio::io::{AsyncWriteExt, copy, stdin, stdout};
use tokio::net::TcpStream;

/// The variable that holds the address of the relay.
pub const ADDRESS: &str = "REHEARSAL_RELAY";
/// The variable that holds the secret.
pub const SECRET: &str = "REHEARSAL_RELAY_SECRET";

/// Moves bytes between our standard streams and the relay at an address.
///
/// # Errors
/// Nobody listens there, or the connection broke.
pub async fn run(address: &str, secret: &str) -> io::Result<()> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut from, mut to) = stream.into_split();
    to.write_all(format!("{secret}\n").as_bytes()).await?;
    let inward = async {
        copy(&mut stdin(), &mut to).await?;
        // The end of our input is the end of the server's.
        to.shutdown().await
    };
    let outward = async {
        let mut out = stdout();
        copy(&mut from, &mut out).await?;
        out.flush().await
    };
    tokio::pin!(outward);
    tokio::select! {
        ended = &mut outward => ended,
        ended = inward => {
            ended?;
            outward.await
        }
    }
}
