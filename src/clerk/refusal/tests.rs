use reqwest::header::HeaderValue;

use super::*;

fn refused(call: Call, status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Failure {
    let headers =
        headers.iter().map(|(name, value)| (name.parse().expect("is a name"), HeaderValue::from_static(value)));
    let key = SecretKey::new("sk_test_hunter2").expect("is a key");
    let status = StatusCode::from_u16(status).expect("is a status");
    refusal(call, status, &headers.collect(), body.as_bytes(), &key)
}

fn envelope(code: &str) -> String {
    format!(r#"{{"errors":[{{"message":"short","long_message":"Long.","code":"{code}"}}]}}"#)
}

#[test]
fn each_answer_means_one_thing() {
    use FailureKind::{Ambiguous, KeyRefused, Locked, NotFound, Refused, Throttled, TooLarge};
    for (status, code, on_write, on_read) in [
        (400, "request_body_invalid", Refused, Refused),
        (401, "clerk_key_invalid", KeyRefused, KeyRefused),
        (402, "payment_required", Refused, Refused),
        (403, "quota_exceeded", KeyRefused, KeyRefused),
        (404, "resource_not_found", NotFound, Refused),
        (408, "request_timeout", Ambiguous, Ambiguous),
        (409, "resource_locked", Locked, Locked),
        (409, "conflict", Refused, Refused),
        (413, "request_body_too_large", Refused, Refused),
        (422, "form_param_exceeds_allowed_size", TooLarge, TooLarge),
        (422, "form_param_unknown", Refused, Refused),
        (429, "too_many_requests", Throttled, Throttled),
        (500, "internal_clerk_error", Ambiguous, Ambiguous),
        (503, "service_unavailable", Ambiguous, Ambiguous),
        (599, "whatever", Ambiguous, Ambiguous),
        (999, "whatever", Ambiguous, Ambiguous),
    ] {
        let body = envelope(code);
        let write = refused(Call::Write, status, &[], &body);
        assert_eq!((write.kind, write.code.as_str(), write.status), (on_write, code, Some(status)));
        assert_eq!(write.message, "Long.");
        assert_eq!(refused(Call::Read, status, &[], &body).kind, on_read, "{status} {code}");
    }
}

#[test]
fn what_is_not_the_apis_json_is_told_in_a_sentence() {
    use FailureKind::{Ambiguous, Refused, Throttled};
    let page = format!("<html>{}</html>", "x".repeat(10_000));
    for (status, body, kind, code, said) in [
        (502, page.as_str(), Ambiguous, "http_502", "the server answered 502 (Bad Gateway) with something"),
        (500, "", Ambiguous, "http_500", "the server answered 500 (Internal Server Error)"),
        (404, page.as_str(), Refused, "http_404", "the server answered 404 (Not Found) with something"),
        (429, "slow down", Throttled, "too_many_requests", "the server answered 429 (Too Many Requests) with"),
        (302, r#"{"errors":[{"code":"clerk"}]}"#, Refused, "redirected", "the server answered 302 (Found); redirects"),
        (304, "", Refused, "redirected", "the server answered 304 (Not Modified); redirects"),
        (418, r#"{"errors":[]}"#, Refused, "http_418", "the server answered 418 (I'm a teapot)"),
        (422, r#"{"errors":{"code":1}}"#, Refused, "http_422", "the server answered 422"),
        (422, r#"{"errors":[{"code":7,"message":""}]}"#, Refused, "http_422", "the server answered 422"),
        (599, "\u{0}", Ambiguous, "http_599", "the server answered 599 (no name for it) with something"),
    ] {
        let failure = refused(Call::Write, status, &[], body);
        assert_eq!((failure.kind, failure.code.as_str()), (kind, code), "{status}");
        assert!(failure.message.starts_with(said) && failure.message.len() < 200, "{}", failure.message);
    }
}

#[test]
fn the_parameter_is_named_once() {
    let body = |message: &str| {
        format!(r#"{{"errors":[{{"message":"{message}","code":"c","meta":{{"param_name":"public_metadata"}}}}]}}"#)
    };
    assert_eq!(refused(Call::Write, 422, &[], &body("is unknown")).message, "is unknown (public_metadata)");
    let named = "public_metadata is no object";
    assert_eq!(refused(Call::Write, 422, &[], &body(named)).message, named);
}

#[test]
fn the_trace_id_comes_from_the_envelope_or_the_header() {
    let body = r#"{"errors":[],"clerk_trace_id":"abc"}"#;
    let header = [("x-clerk-trace-id", "def")];
    assert_eq!(refused(Call::Read, 500, &header, body).trace_id.as_deref(), Some("abc"));
    assert_eq!(refused(Call::Read, 500, &header, "").trace_id.as_deref(), Some("def"));
    assert_eq!(refused(Call::Read, 500, &[("x-clerk-trace-id", "")], "").trace_id, None);
}

#[test]
fn the_key_and_long_texts_stay_out() {
    // Cut only after the key is taken out, so that not half of it is left.
    let body = format!(
        r#"{{"errors":[{{"message":"{}sk_test_hunter2 is\u0020bad","code":"sk_test_hunter2"}}],"clerk_trace_id":"sk_test_\u0068unter2"}}"#,
        "x".repeat(489)
    );
    let failure = refused(Call::Read, 400, &[], &body);
    assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");
    assert_eq!(failure.message.chars().count(), 501);
    assert!(failure.message.ends_with("[secret key…"), "{}", failure.message);
}

#[test]
fn retry_after_is_seconds_or_a_date_by_the_servers_clock() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_000);
    let wait = |value: &'static str, date: Option<&'static str>| {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
        headers.extend(date.map(|date| (DATE, HeaderValue::from_static(date))));
        retry_after(&headers, now).map(|wait| wait.as_secs())
    };
    for (value, date, expected) in [
        ("7", None, Some(7)),
        (" 0 ", None, Some(0)),
        ("86400", None, Some(3600)),
        ("99999999999999999999999", None, Some(3600)),
        ("-1", None, None),
        ("1.5", None, None),
        ("", None, None),
        ("soon", None, None),
        // The date is the epoch's second 784111777.
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some("Sun, 06 Nov 1994 08:49:30 GMT"), Some(7)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some("Sun, 06 Nov 1994 09:00:00 GMT"), Some(0)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some("garbage"), Some(777)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", None, Some(777)),
        ("Sat, 06 Nov 2094 08:49:37 GMT", None, Some(3600)),
    ] {
        assert_eq!(wait(value, date), expected, "{value} {date:?}");
    }
}
