//! One connection: which protocol it speaks, and how it ends.
//!
//! hyper ends a request without another byte when the service or a body returns an error: over HTTP/1.1 it closes the
//! connection, over HTTP/2 it resets that one stream. That is how answers are cut here. A whole HTTP/2 connection ends
//! by a [`Farewell`].

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::server::handle;
use super::state::State;
use super::tls::H2;

/// How many requests one HTTP/2 connection carries at once; what comes on top waits with its sender.
const STREAMS: u32 = 100;

/// How long setting up TLS may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long what was said has to leave before the connection is cut.
const TO_LEAVE: Duration = Duration::from_millis(20);

/// How a connection ends before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Farewell {
    /// The client is told to go; what is under way is answered.
    AfterAnswers,
    /// The client is told to go, and then everything that is under way is cut.
    AtOnce,
}

/// What requests end their connection with.
pub(super) type Door = Arc<watch::Sender<Option<Farewell>>>;

/// Talks to one client until either side has enough.
pub(super) async fn serve(stream: TcpStream, tls: Option<TlsAcceptor>, state: Arc<State>) {
    let Some(tls) = tls else {
        state.book().connected();
        return http1(stream, state).await;
    };
    let Ok(Ok(stream)) = timeout(HANDSHAKE, tls.accept(stream)).await else { return };
    state.book().connected();
    if stream.get_ref().1.alpn_protocol() == Some(H2) { http2(stream, state).await } else { http1(stream, state).await }
}

async fn http1(stream: impl AsyncRead + AsyncWrite + Unpin, state: Arc<State>) {
    let (door, farewell) = door();
    let service = service_fn(move |request| handle(Arc::clone(&state), Arc::clone(&door), request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    see_off(connection, farewell, http1::Connection::graceful_shutdown).await;
}

async fn http2(stream: impl AsyncRead + AsyncWrite + Unpin, state: Arc<State>) {
    let (door, farewell) = door();
    let service = service_fn(move |request| handle(Arc::clone(&state), Arc::clone(&door), request));
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.max_concurrent_streams(STREAMS);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    see_off(connection, farewell, http2::Connection::graceful_shutdown).await;
}

fn door() -> (Door, watch::Receiver<Option<Farewell>>) {
    let (door, farewell) = watch::channel(None);
    (Arc::new(door), farewell)
}

/// Serves a connection to its end. It ends in an error whenever the sandbox or the client cuts it.
async fn see_off<C: Future>(
    connection: C,
    mut farewell: watch::Receiver<Option<Farewell>>,
    tell: impl Fn(Pin<&mut C>),
) {
    let mut connection = pin!(connection);
    let farewell = tokio::select! {
        _ = connection.as_mut() => return,
        farewell = farewell.wait_for(Option::is_some) => farewell.ok().and_then(|farewell| *farewell),
    };
    tell(connection.as_mut());
    if farewell == Some(Farewell::AtOnce) {
        let _ = timeout(TO_LEAVE, connection).await;
    } else {
        connection.await;
    }
}
