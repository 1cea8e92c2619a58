//! Clerk's error envelope, with the codes and texts really seen.

use hyper::StatusCode;
use serde::Serialize;

/// One refusal.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    code: &'static str,
    message: String,
    long_message: String,
    param: Option<String>,
    /// Whole seconds for `Retry-After`.
    pub(super) retry_after: Option<u64>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    errors: [Entry<'a>; 1],
    clerk_trace_id: &'a str,
}

#[derive(Serialize)]
struct Entry<'a> {
    message: &'a str,
    long_message: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<Meta<'a>>,
}

#[derive(Serialize)]
struct Meta<'a> {
    param_name: &'a str,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: &str, long_message: impl Into<String>) -> Self {
        let (message, long_message) = (message.to_owned(), long_message.into());
        Self { status, code, message, long_message, param: None, retry_after: None }
    }

    fn param(code: &'static str, message: &str, long_message: impl Into<String>, param: &str) -> Self {
        let error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message, long_message);
        Self { param: Some(param.to_owned()), ..error }
    }

    /// The body of the answer.
    pub(super) fn body(&self, trace_id: &str) -> Vec<u8> {
        let meta = self.param.as_deref().map(|param_name| Meta { param_name });
        let entry = Entry { message: &self.message, long_message: &self.long_message, code: self.code, meta };
        let envelope = Envelope { errors: [entry], clerk_trace_id: trace_id };
        serde_json::to_vec(&envelope).expect("strings always serialise")
    }

    /// No `Authorization` header, or not a bearer.
    pub(super) fn authorization_format() -> Self {
        let long = "Invalid Authorization header format. Must be 'Bearer <YOUR_API_KEY>'";
        let message = "Invalid Authorization header format";
        Self::new(StatusCode::UNAUTHORIZED, "authorization_header_format_invalid", message, long)
    }

    /// A key nobody knows, or one that was revoked.
    pub(super) fn key_invalid() -> Self {
        let text = "The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct.";
        Self::new(StatusCode::UNAUTHORIZED, "clerk_key_invalid", text, text)
    }

    /// An API version that does not exist, or one that is given twice.
    pub(super) fn api_version(reason: &str) -> Self {
        let text = format!("Invalid Clerk API version: {reason}");
        Self::new(StatusCode::BAD_REQUEST, "api_version_invalid", "Invalid Clerk API version", text)
    }

    /// A body that is not the JSON it should be.
    pub(super) fn body_invalid() -> Self {
        let long = "The request body is invalid. Please consult the API documentation for more information.";
        Self::new(StatusCode::BAD_REQUEST, "request_body_invalid", "Request body invalid", long)
    }

    /// A body beyond what is read at all.
    pub(super) fn body_too_large(bytes: usize) -> Self {
        let long = format!("The request body exceeds the maximum allowed size of {bytes} bytes.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "request_body_too_large", "Request body too large", long)
    }

    /// A body that does not say it is JSON.
    pub(super) fn content_type(actual: &str) -> Self {
        let long = format!("Content-Type {actual} is not supported; expected application/json.");
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Self::new(status, "unsupported_content_type", "Unsupported Content-Type", long)
    }

    /// No such user.
    pub(super) fn user_not_found(id: &str) -> Self {
        Self::not_found(format!("No user was found with id {id}"))
    }

    /// No such organization.
    pub(super) fn organization_not_found() -> Self {
        Self::not_found("Given organization not found.")
    }

    /// Nothing here.
    pub(super) fn not_found(long_message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "resource_not_found", "not found", long_message)
    }

    /// A parameter this endpoint does not have.
    pub(super) fn unknown(param: &str) -> Self {
        let long = format!("{param} is not a valid parameter for this request.");
        Self::param("form_param_unknown", "is unknown", long, param)
    }

    /// A parameter this version of the API no longer takes.
    pub(super) fn deprecated(param: &str, instead: &str) -> Self {
        let long = format!("{param} is deprecated. {instead}");
        Self::param("form_param_deprecated", "is deprecated", long, param)
    }

    /// A parameter with a value that cannot be.
    pub(super) fn value_invalid(param: &str, long_message: impl Into<String>) -> Self {
        Self::param("form_param_value_invalid", "is invalid", long_message, param)
    }

    /// A parameter that cannot be read.
    pub(super) fn format_invalid(param: &str, long_message: impl Into<String>) -> Self {
        Self::param("form_param_format_invalid", "is invalid", long_message, param)
    }

    /// Two parameters that cannot stand together.
    pub(super) fn disallowed(param: &str, long_message: impl Into<String>) -> Self {
        Self::param("form_conditional_param_disallowed", "is not allowed", long_message, param)
    }

    /// A list beyond 100 values.
    pub(super) fn too_many_values(param: &str, most: usize) -> Self {
        let long = format!("{param} included more than the maximum of {most} values.");
        Self::param("form_param_array_size_exceeded", "has too many values", long, param)
    }

    /// A metadata field that would be too large.
    pub(super) fn too_large(param: &str, most: usize) -> Self {
        let text = format!("The given {param} exceeds the maximum allowed size of {most} bytes (8 KB).");
        Self::param("form_param_exceeds_allowed_size", &text, text.clone(), param)
    }

    /// An identifier that another user has.
    pub(super) fn identifier_exists(param: &str) -> Self {
        let long = format!("That {} is taken. Please try another.", param.replace('_', " "));
        Self::param("form_identifier_exists", "is taken", long, param)
    }

    /// A development instance that is full.
    pub(super) fn user_quota() -> Self {
        let long = "You have reached your limit of 100 users.";
        Self::new(StatusCode::FORBIDDEN, "user_quota_exceeded", "User quota exceeded", long)
    }

    /// Over a limit.
    pub(super) fn throttled(retry_after: Option<u64>) -> Self {
        let (short, long) = ("Too many requests", "Too many requests, retry later");
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", short, long);
        Self { retry_after, ..error }
    }

    /// Somebody else is at it.
    pub(super) fn locked() -> Self {
        let text = "This resource is currently being modified by another request. Please try again.";
        Self::new(StatusCode::CONFLICT, "resource_locked", "Resource locked", text)
    }

    /// Clerk's own fault.
    pub(super) fn internal() -> Self {
        let long = "There was an internal error on our servers. We've been notified and are working on fixing it.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_clerk_error", "Oops, an unexpected error occurred", long)
    }

    /// Down for a while.
    pub(super) fn unavailable() -> Self {
        let text = "Service unavailable";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", text, "The service is not available for now.")
    }

    /// Too slow inside.
    pub(super) fn timed_out() -> Self {
        let text = "Gateway timeout";
        Self::new(StatusCode::GATEWAY_TIMEOUT, "gateway_timeout", text, "The request took too long to be answered.")
    }
}
