//! What goes back over the wire: whole answers, and those that break off or never end.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use tokio::sync::mpsc;
use tokio::time::Sleep;

/// The connection, or over HTTP/2 the stream, is to be cut here.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cut {
    /// Without a word.
    #[error("the sandbox cuts this off")]
    Off,
    /// With the word that nothing was done; hyper looks for the reason among the sources.
    #[error("the sandbox refuses this stream")]
    Refused(#[source] h2::Error),
}

/// What a request ended in, before it is put on the wire.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
    pub(super) retry_after: Option<u64>,
    /// The API version to echo.
    pub(super) version: Option<&'static str>,
    pub(super) trace_id: Option<String>,
    pub(super) content_type: &'static str,
    pub(super) shape: Shape,
    /// Whether the connection goes away once what is under way on it is answered.
    pub(super) is_last: bool,
}

/// How the body goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// As it should.
    Whole,
    /// Half of it, then the connection is cut.
    Truncated,
    /// Half of it, then a space now and then for ever.
    Endless,
}

impl Reply {
    /// A JSON answer.
    pub(super) fn json(status: StatusCode, body: Vec<u8>) -> Self {
        let (content_type, shape) = ("application/json", Shape::Whole);
        let (retry_after, version, trace_id, is_last) = (None, None, None, false);
        Self { status, body, retry_after, version, trace_id, content_type, shape, is_last }
    }

    /// Puts it on the wire.
    pub(super) fn into_response(self) -> Response<Body> {
        let json = self.content_type == "application/json";
        let body = if json { escape_html(self.body) } else { self.body };
        let mut response = Response::new(Body::new(body, self.shape));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(version) = self.version {
            headers.insert("clerk-api-version", HeaderValue::from_static(version));
        }
        if let Some(value) = self.trace_id.and_then(|id| HeaderValue::try_from(id).ok()) {
            headers.insert("x-clerk-trace-id", value);
        }
        response
    }
}

/// Writes `<`, `>` and `&` as Clerk's servers do, which stand in JSON only within strings.
fn escape_html(text: Vec<u8>) -> Vec<u8> {
    if !text.iter().any(|byte| matches!(byte, b'<' | b'>' | b'&')) {
        return text;
    }
    let mut escaped = Vec::with_capacity(text.len() + 64);
    for byte in text {
        match byte {
            b'<' => escaped.extend_from_slice(b"\\u003c"),
            b'>' => escaped.extend_from_slice(b"\\u003e"),
            b'&' => escaped.extend_from_slice(b"\\u0026"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The body of an answer.
#[derive(Debug)]
pub(super) enum Body {
    /// All at once.
    Whole(Option<Bytes>),
    /// The first part of an announced length; then, after a moment to send it, the cut.
    Truncated { part: Option<Bytes>, announced: u64, pause: Pin<Box<Sleep>> },
    /// The first part, then drips.
    Endless { part: Option<Bytes>, pause: Pin<Box<Sleep>> },
    /// Piece by piece, as they are made.
    Pieces(mpsc::Receiver<Bytes>),
}

/// How long a part has to leave before the connection is cut.
const TO_LEAVE: Duration = Duration::from_millis(10);
/// How often an endless answer drips.
const DRIP: Duration = Duration::from_millis(200);

impl Body {
    fn new(body: Vec<u8>, shape: Shape) -> Self {
        let announced = body.len() as u64;
        let body = Bytes::from(body);
        let part = Some(body.slice(..body.len() / 2));
        match shape {
            Shape::Whole => Self::Whole(Some(body)),
            Shape::Truncated => Self::Truncated { part, announced, pause: Box::pin(tokio::time::sleep(TO_LEAVE)) },
            Shape::Endless => Self::Endless { part, pause: Box::pin(tokio::time::sleep(DRIP)) },
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Self::Whole(body) => {
                Poll::Ready(body.take().filter(|body| !body.is_empty()).map(|body| Ok(Frame::data(body))))
            }
            Self::Truncated { part, pause, .. } => match part.take() {
                Some(part) => Poll::Ready(Some(Ok(Frame::data(part)))),
                None => pause.as_mut().poll(cx).map(|()| Some(Err(Cut::Off))),
            },
            Self::Endless { part, pause } => match part.take() {
                Some(part) => Poll::Ready(Some(Ok(Frame::data(part)))),
                None => pause.as_mut().poll(cx).map(|()| {
                    *pause = Box::pin(tokio::time::sleep(DRIP));
                    Some(Ok(Frame::data(Bytes::from_static(b" "))))
                }),
            },
            Self::Pieces(pieces) => pieces.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece)))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64)),
            Self::Truncated { announced, .. } => SizeHint::with_exact(*announced),
            Self::Endless { .. } | Self::Pieces(_) => SizeHint::default(),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(body) if body.as_ref().is_none_or(Bytes::is_empty))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_escaped_as_the_api_does() {
        assert_eq!(escape_html(br#"{"a":"<b> & c"}"#.to_vec()), br#"{"a":"\u003cb\u003e \u0026 c"}"#);
    }
}
