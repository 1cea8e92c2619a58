//! The endpoints below `/__sandbox`: what was seen, what is held, and what is to go wrong. They need no key, count as
//! nothing, and are reached from this machine only.

use std::sync::Arc;

use hyper::body::Bytes;
use hyper::{Method, Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use tokio::sync::mpsc;

use super::answer::{Body, Reply};
use super::error::ApiError;
use super::fault::Fault;
use super::query::Params;
use super::rate::duration;
use super::state::State;
use super::truth::SeenBody;
use super::world::load;
use super::world::profile::{FIELDS, Metadata};
use crate::json::{self, Value};

/// How many users are written at a time, so that others get at the world in between.
const USERS_AT_A_TIME: usize = 500;

/// Answers a request for `path`, which is what stands behind `/__sandbox`.
pub(super) fn answer(
    state: &Arc<State>,
    method: &Method,
    path: &str,
    params: &Params,
    body: Result<Bytes, ApiError>,
) -> Response<Body> {
    let segments: Vec<_> = path.trim_start_matches('/').split('/').collect();
    let answered = match (method.as_str(), segments.as_slice()) {
        ("GET", ["world"]) => return world(state, params.first("full").is_some()),
        ("GET", ["truth"]) => Ok(truth(state, params)),
        ("POST", ["reset-truth"]) => {
            state.reset_truth();
            Ok(b"{}".to_vec())
        }
        ("GET", ["faults"]) => Ok(faults(state)),
        ("POST", ["faults"]) => parsed(body).and_then(|given| set_faults(state, given)),
        ("GET", ["users", id, "metadata"]) => foreign(state, id, |_| {}),
        ("POST", ["users", id, "metadata"]) => {
            parsed(body).and_then(|patch| foreign(state, id, |metadata| metadata.merge_fields(&patch)))
        }
        ("PUT", ["users", id, "metadata"]) => {
            parsed(body).and_then(|fields| foreign(state, id, |metadata| metadata.take_fields(&fields)))
        }
        ("DELETE", ["users", id]) => delete(state, id),
        _ => Err((StatusCode::NOT_FOUND, format!("{method} /__sandbox{path} is not known here"))),
    };
    match answered {
        Ok(body) => Reply::json(StatusCode::OK, body),
        Err((status, what)) => Reply::json(status, serde_json::json!({ "error": what }).to_string().into_bytes()),
    }
    .into_response()
}

type Answered = Result<Vec<u8>, (StatusCode, String)>;

fn parsed(body: Result<Bytes, ApiError>) -> Result<Value, (StatusCode, String)> {
    let wrong = |what: String| (StatusCode::BAD_REQUEST, what);
    let body = body.map_err(|_| wrong("the body is too large".to_owned()))?;
    let text = std::str::from_utf8(&body).map_err(|error| wrong(error.to_string()))?;
    json::parse(text).map_err(|error| wrong(error.to_string()))
}

#[derive(Serialize)]
struct OfUser<'a> {
    user_id: &'a str,
    bodies: Vec<SeenBody>,
}

fn truth(state: &State, params: &Params) -> Vec<u8> {
    let mut text = bytes(&state.truth());
    let mut add = |name: &str, value: &[u8]| {
        text.pop();
        text.extend_from_slice(format!(",\"{name}\":").as_bytes());
        text.extend_from_slice(value);
        text.push(b'}');
    };
    if let Some(user_id) = params.first("user_id") {
        let slot = state.world().slot(user_id);
        let bodies = slot.map_or_else(Vec::new, |slot| state.book().bodies(slot));
        add("user", &bytes(&OfUser { user_id, bodies }));
    }
    if params.first("order").is_some() {
        add("order", &bytes(&state.write_order()));
    }
    text
}

fn bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("maps with plain keys always serialise")
}

#[derive(Serialize)]
struct Settings<'a> {
    faults: &'a [Fault],
    latency_ms: u128,
    jitter_ms: u128,
}

fn faults(state: &State) -> Vec<u8> {
    let pace = state.pace();
    let (latency_ms, jitter_ms) = (pace.latency.as_millis(), pace.jitter.as_millis());
    drop(pace);
    bytes(&Settings { faults: state.faults().rules(), latency_ms, jitter_ms })
}

/// Takes a list of faults, or an object with `faults`, `latency` and `jitter`, each of which may be absent.
fn set_faults(state: &State, given: Value) -> Answered {
    let wrong = |what: String| (StatusCode::BAD_REQUEST, what);
    let Value::Object(mut members) = (if given.is_array() { serde_json::json!({ "faults": given }) } else { given })
    else {
        return Err(wrong("neither a list nor an object".to_owned()));
    };
    let rules = members.remove("faults").map(serde_json::from_value::<Vec<Fault>>).transpose();
    let rules = rules.map_err(|error| wrong(error.to_string()))?;
    let mut period = |name: &str| {
        let text = members.remove(name).map(|value| value.as_str().map(str::to_owned).unwrap_or_default());
        text.map(|text| duration(&text)).transpose().map_err(wrong)
    };
    let (latency, jitter) = (period("latency")?, period("jitter")?);
    if let Some(key) = members.keys().next() {
        return Err(wrong(format!("{key} is not known here")));
    }
    if let Some(rules) = rules {
        state.faults().replace(rules);
    }
    let mut pace = state.pace();
    pace.latency = latency.unwrap_or(pace.latency);
    pace.jitter = jitter.unwrap_or(pace.jitter);
    drop(pace);
    Ok(faults(state))
}

fn no_user(id: &str) -> (StatusCode, String) {
    (StatusCode::NOT_FOUND, format!("there is no user {id}"))
}

fn foreign(state: &State, id: &str, change: impl FnOnce(&mut Metadata)) -> Answered {
    let id = percent_decode_str(id).decode_utf8_lossy();
    let metadata = state.write_directly(&id, change).ok_or_else(|| no_user(&id))?;
    let fields = FIELDS.iter().zip(&metadata.0).map(|(name, text)| format!("\"{name}\":{text}"));
    Ok(format!("{{{}}}", fields.collect::<Vec<_>>().join(",")).into_bytes())
}

fn delete(state: &State, id: &str) -> Answered {
    let id = percent_decode_str(id).decode_utf8_lossy();
    let mut world = state.world();
    let deleted = world.slot(&id).is_some_and(|slot| world.delete(slot));
    if deleted { Ok(b"{}".to_vec()) } else { Err(no_user(&id)) }
}

/// All users, one a line, oldest first, written as they are read.
fn world(state: &Arc<State>, full: bool) -> Response<Body> {
    let slots: Vec<_> = state.world().by_creation(false, None).collect();
    let (sender, pieces) = mpsc::channel(4);
    let state = Arc::clone(state);
    tokio::spawn(async move {
        for slots in slots.chunks(USERS_AT_A_TIME) {
            let piece = lines(&state, slots, full);
            if sender.send(piece).await.is_err() {
                return;
            }
        }
    });
    let mut response = Response::new(Body::Pieces(pieces));
    let ndjson = hyper::header::HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, ndjson);
    response
}

fn lines(state: &State, slots: &[u32], full: bool) -> Bytes {
    let world = state.world();
    let slots = slots.iter().filter(|&&slot| world.exists(slot));
    slots.map(|&slot| load::line(&world, slot, full)).collect::<String>().into()
}
