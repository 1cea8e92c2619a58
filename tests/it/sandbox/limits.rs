//! The limits of the instance and of each user.

use std::time::Duration;

use metapatch::sandbox::{Config, Quota, Rate, Window, user_id};

use super::{Stage, unlimited};

const SHORT: Rate = Rate::new(5, Duration::from_millis(300));

#[tokio::test]
async fn the_instance_is_limited_in_both_kinds_of_window() {
    for window in [Window::Sliding, Window::Fixed] {
        let stage = Stage::new(Config { limit: Quota::Fixed(SHORT), window, ..unlimited() }).await;
        let mut throttled = None;
        for _ in 0..11 {
            let got = stage.get("/v1/users/count").await;
            if got.status == 429 {
                throttled = Some(got);
            }
        }
        let got = throttled.expect("eleven requests do not fit into two windows of five");
        assert_eq!((got.code(), got.header("retry-after")), ("too_many_requests", Some("1")));
        assert!(!got.headers.keys().any(|name| name.as_str().starts_with("x-ratelimit")));
        // The window passes.
        tokio::time::sleep(SHORT.period).await;
        assert_eq!(stage.get("/v1/users/count").await.status, 200);
        let truth = stage.sandbox.truth();
        assert!(truth.throttled > 0 && truth.windows.max_sliding > 5, "{:?}", truth.windows);
        assert_eq!((truth.windows.limit, truth.windows.period_ms), (Some(5), 300));
    }
}

#[tokio::test]
async fn keys_have_limits_of_their_own_by_kind() {
    let stage = Stage::new(Config { user_limit: None, ..Config::default() }).await;
    for _ in 0..100 {
        assert_eq!(stage.get("/v1/users/count").await.status, 200);
    }
    let got = stage.get("/v1/users/count").await;
    assert_eq!(got.status, 429);
    let seconds: u64 = got.header("retry-after").and_then(|text| text.parse().ok()).expect("is a whole number");
    assert!((1..=10).contains(&seconds));
    let live = stage.client.get(format!("{}/v1/users/count", stage.sandbox.url())).bearer_auth("sk_live_x");
    assert_eq!(live.send().await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn each_user_is_limited_in_writes_only() {
    let limit = Rate::new(10, Duration::from_mins(1));
    let stage = Stage::new(Config { user_limit: Some(limit), ..unlimited() }).await;
    for _ in 0..10 {
        assert_eq!(stage.merge(3, r#"{"public_metadata":{"a":1}}"#).await.status, 200);
    }
    assert_eq!(stage.merge(3, r#"{"public_metadata":{"a":1}}"#).await.status, 429);
    assert_eq!(stage.merge(4, r#"{"public_metadata":{"a":1}}"#).await.status, 200);
    assert_eq!(stage.get(&format!("/v1/users/{}", user_id(1, 3))).await.status, 200);
    let writes = stage.sandbox.truth().writes;
    assert_eq!((writes.applied, writes.users, writes.max_per_user, writes.max_per_user_in_window), (11, 2, 10, 11));
}

#[tokio::test]
async fn other_traffic_takes_from_the_same_budget() {
    let other_traffic = Some(Rate::new(1_000, Duration::from_secs(1)));
    let limit = Quota::Fixed(Rate::new(20, Duration::from_mins(1)));
    let stage = Stage::new(Config { limit, other_traffic, ..unlimited() }).await;
    stage.get("/v1/users/count").await;
    while stage.sandbox.truth().other_traffic.throttled == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(stage.get("/v1/users/count").await.status, 429);
    let other = stage.sandbox.truth().other_traffic;
    assert!(other.sent - other.throttled == 19);
}
