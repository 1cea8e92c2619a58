//! The way of one request through the sandbox: key, version, limits, faults, endpoint.

use std::time::Duration;

use hyper::body::Bytes;
use hyper::{HeaderMap, Method, StatusCode, Version};

use super::answer::{Cut, Reply, Shape};
use super::api::{self, Ask};
use super::error::ApiError;
use super::fault::{Fault, FaultKind};
use super::gate;
use super::limit::Entity;
use super::query::Params;
use super::route::{Kind, Route};
use super::state::State;
use super::world::World;

/// A request that has arrived whole.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) route: Route,
    pub(super) params: Params,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
    pub(super) body: Result<Bytes, ApiError>,
}

/// What becomes of a request.
#[derive(Debug)]
pub(super) enum Ending {
    /// An answer, so much later than others.
    Reply(Reply, Duration),
    /// Nothing: the connection is cut, or over HTTP/2 the stream.
    Cut(Cut),
    /// Nothing: the connection is cut with all that is under way on it.
    Gone,
}

/// Why a request gets no further.
enum Stop {
    Refused(ApiError),
    Html,
    Cut(Cut),
    Gone,
}

impl From<ApiError> for Stop {
    fn from(error: ApiError) -> Self {
        Self::Refused(error)
    }
}

const HTML: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
                    <center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n";

/// Leads a request through, and writes down how it ended.
pub(super) fn respond(state: &State, call: &Call) -> Ending {
    let mut visit = Visit { state, call, version: None, fault: None };
    let outcome = visit.pass();
    let ending = visit.ending(outcome);
    let status = match &ending {
        Ending::Reply(reply, _) => reply.status.as_u16(),
        Ending::Cut(_) | Ending::Gone => 0,
    };
    visit.write_down(status);
    ending
}

struct Visit<'a> {
    state: &'a State,
    call: &'a Call,
    version: Option<&'static str>,
    fault: Option<Fault>,
}

impl Visit<'_> {
    fn pass(&mut self) -> Result<Vec<u8>, Stop> {
        let (state, call) = (self.state, self.call);
        let key = state.with_revoked(|revoked| gate::key(&call.headers, &state.config.keys, revoked))?;
        self.version = Some(gate::version(&call.headers, &call.params, state.config.default_version)?);
        state.count(key)?;
        self.fault = state.faults().meet(call.route.kind, call.route.user_id());
        self.before(key)?;
        self.count_write()?;
        let body = self.answer(key)?;
        self.after()?;
        Ok(body)
    }

    fn fault_kind(&self) -> Option<FaultKind> {
        self.fault.as_ref().map(|fault| fault.kind)
    }

    /// The faults that keep a request from its endpoint.
    fn before(&self, key: &str) -> Result<(), Stop> {
        let Some(fault) = &self.fault else { return Ok(()) };
        Err(match fault.kind {
            FaultKind::Throttled => ApiError::throttled(Some(fault.retry_after.unwrap_or(1))).into(),
            FaultKind::ThrottledBare => ApiError::throttled(None).into(),
            FaultKind::Locked => ApiError::locked().into(),
            FaultKind::Internal => ApiError::internal().into(),
            FaultKind::Unavailable => ApiError::unavailable().into(),
            FaultKind::BadGateway => Stop::Html,
            FaultKind::CutBefore => Stop::Cut(Cut::Off),
            FaultKind::RefusedStream => Stop::Cut(Cut::Refused(h2::Reason::REFUSED_STREAM.into())),
            FaultKind::Revoked => {
                self.state.revoke(key);
                ApiError::key_invalid().into()
            }
            _ => return Ok(()),
        })
    }

    /// The faults that come once the write was applied.
    fn after(&self) -> Result<(), Stop> {
        match self.fault_kind() {
            Some(FaultKind::InternalAfter) => Err(ApiError::internal().into()),
            Some(FaultKind::GatewayTimeout) => Err(ApiError::timed_out().into()),
            Some(FaultKind::CutAfter) => Err(Stop::Cut(Cut::Off)),
            Some(FaultKind::GoawayCut) => Err(Stop::Gone),
            _ => Ok(()),
        }
    }

    fn count_write(&self) -> Result<(), ApiError> {
        let entity = written(&self.state.world(), &self.call.route);
        entity.map_or(Ok(()), |entity| self.state.count_write(entity))
    }

    fn answer(&self, key: &str) -> Result<Vec<u8>, ApiError> {
        let (state, call) = (self.state, self.call);
        let ask = Ask {
            config: &state.config,
            route: &call.route,
            params: &call.params,
            headers: &call.headers,
            body: call.body.as_ref().map_err(Clone::clone)?,
            version: self.version.unwrap_or(state.config.default_version),
            key,
            noop: self.fault_kind() == Some(FaultKind::Noop),
            surplus: self.fault_kind() == Some(FaultKind::Surplus),
        };
        let mut world = state.world();
        if let Some((fault, slot)) = self.fault.as_ref().zip(call.route.user_id().and_then(|id| world.slot(id))) {
            let count = state.faults().fired.get(&fault.kind).copied().unwrap_or_default();
            fault.interfere(&mut world, slot, count);
        }
        let before = call.route.user_id().and_then(|id| world.slot(id));
        let body = api::answer(&mut world, &mut state.faults(), &ask)?;
        drop(world);
        if let Some(slot) = before.filter(|_| is_user_write(call.route.kind) && !ask.noop) {
            state.book().applied(slot);
        }
        Ok(body)
    }

    fn ending(&self, outcome: Result<Vec<u8>, Stop>) -> Ending {
        let trace_id = self.state.trace_id();
        let mut reply = match outcome {
            Ok(body) => Reply::json(StatusCode::OK, body),
            Err(Stop::Refused(error)) => {
                let retry_after = error.retry_after;
                Reply { retry_after, ..Reply::json(error.status, error.body(&trace_id)) }
            }
            Err(Stop::Html) => {
                let reply = Reply::json(StatusCode::BAD_GATEWAY, HTML.as_bytes().to_vec());
                return Ending::Reply(Reply { content_type: "text/html", ..reply }, Duration::ZERO);
            }
            Err(Stop::Cut(cut)) => return Ending::Cut(cut),
            Err(Stop::Gone) => return Ending::Gone,
        };
        reply.version = self.version;
        reply.trace_id = Some(trace_id);
        let mut late = Duration::ZERO;
        match self.fault_kind() {
            Some(FaultKind::Truncated) => reply.shape = Shape::Truncated,
            Some(FaultKind::Endless) => reply.shape = Shape::Endless,
            Some(FaultKind::Goaway) => reply.is_last = true,
            Some(FaultKind::Slow) => {
                let delay = self.fault.as_ref().and_then(|fault| fault.delay_ms);
                late = Duration::from_millis(delay.unwrap_or(60_000));
            }
            _ => {}
        }
        Ending::Reply(reply, late)
    }

    fn write_down(&self, status: u16) {
        let (kind, method) = (self.call.route.kind, self.call.method.as_str());
        let slot = self.call.route.user_id().filter(|_| is_user_write(kind));
        let slot = slot.and_then(|id| self.state.world().slot(id));
        let mut book = self.state.book();
        book.end(kind, method, self.call.version, status);
        if let (Some(slot), Ok(body)) = (slot, &self.call.body) {
            book.keep_body(slot, method, status, body);
        }
    }
}

/// Whether an endpoint writes the metadata of a user.
pub(super) fn is_user_write(kind: Kind) -> bool {
    matches!(kind, Kind::PatchUserMetadata | Kind::PutUserMetadata)
}

/// What a request writes, as far as it has a limit of its own.
fn written(world: &World, route: &Route) -> Option<Entity> {
    use Kind::{PatchOrganization, PatchOrganizationMetadata, PutOrganizationMetadata};
    match route.kind {
        Kind::PatchUser | Kind::PatchUserMetadata | Kind::PutUserMetadata => world.slot(&route.id).map(Entity::User),
        PatchOrganization | PatchOrganizationMetadata | PutOrganizationMetadata => {
            world.organizations.number(&route.id).map(Entity::Organization)
        }
        Kind::PatchMembershipMetadata => {
            Some(Entity::Membership(world.organizations.number(&route.id)?, world.slot(&route.member)?))
        }
        _ => None,
    }
}
