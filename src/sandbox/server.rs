//! Taking connections, and leading the requests on them to their answers.

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body as _, Bytes, Incoming};
use hyper::{Request, Response};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_rustls::TlsAcceptor;

use super::answer::{Body, Cut};
use super::connection::{self, Door, Farewell};
use super::control;
use super::error::ApiError;
use super::query::Params;
use super::rate::Rate;
use super::route::Route;
use super::state::State;
use super::visit::{Call, Ending, is_user_write, respond};

/// The largest body that is read.
const MOST_BYTES: usize = 1 << 20;

/// Serves until it is aborted, which also cuts all connections.
pub(super) async fn run(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>) {
    let mut tasks = JoinSet::new();
    if let Some(rate) = state.config.other_traffic {
        tasks.spawn(other_traffic(Arc::clone(&state), rate));
    }
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Without it answers wait for more to send, which only costs time.
                    let _ = stream.set_nodelay(true);
                    tasks.spawn(connection::serve(stream, tls.clone(), Arc::clone(&state)));
                }
                // Out of file descriptors, most likely: others must close theirs first.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
        }
    }
}

/// Sends requests of a live application, evenly.
async fn other_traffic(state: Arc<State>, rate: Rate) {
    let mut ticks = tokio::time::interval((rate.period / rate.count).max(Duration::from_micros(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        ticks.tick().await;
        state.count_other();
    }
}

/// Answers a request, or says that it is to be cut; the door is that of its connection.
pub(super) async fn handle(state: Arc<State>, door: Door, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
    let (head, body) = request.into_parts();
    let params = Params::parse(head.uri.query());
    let path = head.uri.path();
    if let Some(path) = path.strip_prefix("/__sandbox") {
        let body = read(body).await?;
        return Ok(control::answer(&state, &head.method, path, &params, body));
    }
    // What is not below /v1 is not of the API; its answer is that of an unknown path.
    let route = Route::new(&head.method, path.strip_prefix("/v1").unwrap_or("/no-such-thing"));
    let _presence = Presence::enter(&state, &route);
    let body = read(body).await?;
    let way = state.pace().draw();
    pause(way / 2).await;
    let call = Call { route, params, body, method: head.method, version: head.version, headers: head.headers };
    match respond(&state, &call) {
        Ending::Cut(cut) => {
            pause(way / 2).await;
            Err(cut)
        }
        Ending::Gone => {
            pause(way / 2).await;
            door.send_replace(Some(Farewell::AtOnce));
            // It goes with its connection.
            pending().await
        }
        Ending::Reply(reply, late) => {
            if reply.is_last {
                door.send_replace(Some(Farewell::AfterAnswers));
            }
            pause(way / 2 + late).await;
            Ok(reply.into_response())
        }
    }
}

async fn pause(duration: Duration) {
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}

/// Reads a body whole; the inner error is what Clerk says to one that is too large.
async fn read(mut body: Incoming) -> Result<Result<Bytes, ApiError>, Cut> {
    let mut first = Bytes::new();
    let mut all = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(data) = frame.map_err(|_| Cut::Off)?.into_data() else { continue };
        if first.len() + all.len() + data.len() > MOST_BYTES {
            return Ok(Err(ApiError::body_too_large(MOST_BYTES)));
        }
        if first.is_empty() {
            first = data;
        } else {
            all.extend_from_slice(&data);
        }
    }
    Ok(Ok(if all.is_empty() { first } else { [first.as_ref(), &all].concat().into() }))
}

/// A request that is under way, however it ends.
struct Presence {
    state: Arc<State>,
    written: Option<u32>,
}

impl Presence {
    fn enter(state: &Arc<State>, route: &Route) -> Self {
        let id = route.user_id().filter(|_| is_user_write(route.kind));
        let written = id.and_then(|id| state.world().slot(id));
        let mut book = state.book();
        book.enter();
        if let Some(user) = written {
            book.enter_write(user);
        }
        drop(book);
        Self { state: Arc::clone(state), written }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut book = self.state.book();
        book.leave();
        if let Some(user) = self.written {
            book.leave_write(user);
        }
    }
}
