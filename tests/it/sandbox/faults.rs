//! What goes wrong on demand, seen from a client.

use std::time::{Duration, Instant};

use metapatch::sandbox::{Config, Fault, FaultKind, On, user_id};
use reqwest::Method;

use super::{Got, Stage, metadata_path, unlimited, value};

const PATCH: &str = r#"{"public_metadata":{"written":true}}"#;

async fn stage(fault: Fault) -> Stage {
    Stage::new(Config { faults: vec![fault], ..unlimited() }).await
}

fn written(stage: &Stage, n: u64) -> bool {
    stage.sandbox.metadata(&user_id(1, n)).expect("is there")["public_metadata"]["written"] == true
}

async fn met(kind: FaultKind) -> (Stage, Got) {
    let stage = stage(Fault::new(kind).next(1)).await;
    let got = stage.merge(3, PATCH).await;
    (stage, got)
}

#[tokio::test]
async fn refusals_have_their_codes_and_change_nothing() {
    for (kind, status, code) in [
        (FaultKind::Throttled, 429, "too_many_requests"),
        (FaultKind::ThrottledBare, 429, "too_many_requests"),
        (FaultKind::Locked, 409, "resource_locked"),
        (FaultKind::Internal, 500, "internal_clerk_error"),
        (FaultKind::Unavailable, 503, "service_unavailable"),
    ] {
        let (stage, got) = met(kind).await;
        assert_eq!((got.status, got.code()), (status, code));
        assert_eq!(got.header("retry-after").is_some(), kind == FaultKind::Throttled);
        assert!(!written(&stage, 3));
        assert_eq!(stage.merge(3, PATCH).await.status, 200);
        assert!(written(&stage, 3));
    }
}

#[tokio::test]
async fn some_failures_come_after_the_write() {
    for (kind, status) in [(FaultKind::InternalAfter, 500), (FaultKind::GatewayTimeout, 504)] {
        let (stage, got) = met(kind).await;
        assert_eq!(got.status, status);
        assert!(written(&stage, 3));
    }
}

#[tokio::test]
async fn a_proxy_answers_in_html() {
    let stage = stage(Fault::new(FaultKind::BadGateway)).await;
    let response = stage.send(Method::PATCH, &metadata_path(3), Some(PATCH)).await.expect("an answer");
    assert_eq!(response.status(), 502);
    assert_eq!(response.headers()["content-type"], "text/html");
    assert!(response.text().await.expect("a body").starts_with("<html>"));
    assert!(!written(&stage, 3));
}

#[tokio::test]
async fn connections_are_cut_before_and_after_the_write() {
    for (kind, applied) in [(FaultKind::CutBefore, false), (FaultKind::CutAfter, true)] {
        let stage = stage(Fault::new(kind).on(On::Write)).await;
        assert!(stage.send(Method::PATCH, &metadata_path(3), Some(PATCH)).await.is_err());
        assert_eq!(written(&stage, 3), applied);
        let truth = stage.sandbox.truth();
        assert_eq!(truth.requests["patch_user_metadata"][&0], 1);
        assert_eq!(stage.get("/v1/users/count").await.status, 200);
    }
}

#[tokio::test]
async fn a_truncated_answer_breaks_off_in_the_body() {
    let stage = stage(Fault::new(FaultKind::Truncated)).await;
    let response = stage.send(Method::PATCH, &metadata_path(3), Some(PATCH)).await.expect("the head arrives");
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.is_err());
    assert!(written(&stage, 3));
}

#[tokio::test]
async fn an_endless_answer_drips_on() {
    let stage = stage(Fault::new(FaultKind::Endless)).await;
    let mut response = stage.send(Method::PATCH, &metadata_path(3), Some(PATCH)).await.expect("the head arrives");
    for _ in 0..3 {
        assert!(response.chunk().await.expect("goes on").is_some());
    }
    assert!(written(&stage, 3));
}

#[tokio::test]
async fn a_slow_answer_is_late_but_the_write_is_not() {
    let stage = stage(Fault { delay_ms: Some(60_000), ..Fault::new(FaultKind::Slow) }).await;
    let request = stage.client.patch(format!("{}{}", stage.sandbox.url(), metadata_path(3))).bearer_auth("sk_test_x");
    let request = request.header("content-type", "application/json").timeout(Duration::from_millis(200));
    assert!(request.body(PATCH).send().await.expect_err("is late").is_timeout());
    assert!(written(&stage, 3));
}

#[tokio::test]
async fn latency_is_simulated() {
    let stage = Stage::new(Config { latency: Duration::from_millis(60), ..unlimited() }).await;
    let start = Instant::now();
    assert_eq!(stage.get("/v1/users/count").await.status, 200);
    assert!(start.elapsed() >= Duration::from_millis(60));
}

#[tokio::test]
async fn a_write_may_do_nothing() {
    let (stage, got) = met(FaultKind::Noop).await;
    assert_eq!(got.status, 200);
    assert!(got.body["public_metadata"].get("written").is_none() && !written(&stage, 3));
    assert_eq!(stage.sandbox.truth().writes.applied, 0);
}

#[tokio::test]
async fn others_get_there_first() {
    let (_, got) = met(FaultKind::Deleted).await;
    assert_eq!((got.status, got.code()), (404, "resource_not_found"));
    let (_, got) = met(FaultKind::Concurrent).await;
    assert_eq!(
        (&got.body["public_metadata"]["written"], &got.body["public_metadata"]["sandbox_writer"]),
        (&true.into(), &1.into())
    );
    let id = user_id(1, 3);
    let own = Some(value(r#"{"public_metadata":{"role":"owner"}}"#));
    let after_read = Fault { patch: own, ..Fault::new(FaultKind::Concurrent).on(On::Read).user(&id) };
    let stage = stage(after_read).await;
    let got = stage.get(&format!("/v1/users?user_id={id}")).await;
    assert_ne!(got.body[0]["public_metadata"]["role"], "owner");
    assert_eq!(stage.sandbox.metadata(&id).expect("is there")["public_metadata"]["role"], "owner");
    stage.sandbox.set_faults(vec![Fault::new(FaultKind::Deleted).on(On::Read).user(&id)]);
    let path = format!("/v1/users/{id}");
    assert_eq!((stage.get(&path).await.status, stage.get(&path).await.status), (200, 404));
}

#[tokio::test]
async fn a_key_is_revoked_in_midway() {
    let stage = stage(Fault::new(FaultKind::Revoked).after(2)).await;
    for status in [200, 200, 401, 401] {
        assert_eq!(stage.merge(3, PATCH).await.status, status);
    }
    stage.sandbox.set_faults(Vec::new());
    assert_eq!(stage.get("/v1/users").await.code(), "clerk_key_invalid");
}

#[tokio::test]
async fn one_user_is_unreadable_and_the_others_are_not() {
    let id = user_id(1, 3);
    for (kind, sign) in [(FaultKind::UnreadableDeep, "[[[[[[[["), (FaultKind::UnreadableSurrogate, "\\ud800")] {
        let stage = stage(Fault::new(kind).user(&id)).await;
        let response = stage.send(Method::GET, "/v1/users?limit=100", None).await.expect("an answer");
        let text = response.text().await.expect("a body");
        assert!(text.contains(sign));
        assert!(metapatch::json::parse(&text).is_err());
        assert_eq!(stage.get(&format!("/v1/users/{}", user_id(1, 4))).await.status, 200);
        assert_eq!(stage.send(Method::PATCH, &metadata_path(3), Some(PATCH)).await.expect("an answer").status(), 200);
        assert!(written(&stage, 3));
    }
}

#[tokio::test]
async fn a_filter_is_ignored() {
    let stage = stage(Fault::new(FaultKind::Surplus).next(1)).await;
    let path = format!("/v1/users?limit=100&user_id={}", user_id(1, 3));
    assert_eq!((stage.get(&path).await.ids().len(), stage.get(&path).await.ids().len()), (100, 1));
}
