//! The control endpoints: what was seen, what is held, what is to go wrong.

use std::io::Write as _;

use metapatch::json::Value;
use metapatch::sandbox::{Config, user_id};
use reqwest::Method;

use super::{Stage, metadata_path, unlimited, value};

#[tokio::test]
async fn the_truth_is_told() {
    let stage = Stage::new(unlimited()).await;
    stage.get("/v1/users?limit=5").await;
    stage.merge(3, r#"{"public_metadata":{"a":1}}"#).await;
    stage.merge(2, r#"{"public_metadata":{"a":1}}"#).await;
    stage.merge(3, r#"{"public_metadata":1}"#).await;
    let (id, other) = (user_id(1, 3), user_id(1, 2));
    let truth = stage.get(&format!("/__sandbox/truth?user_id={id}&order=1")).await.body;
    assert_eq!((&truth["total"], &truth["gets"], &truth["patches"]), (&4.into(), &1.into(), &3.into()));
    assert_eq!(truth["requests"]["patch_user_metadata"], value(r#"{"200":2,"422":1}"#));
    assert_eq!((&truth["writes"]["applied"], &truth["writes"]["users"]), (&2.into(), &2.into()));
    assert_eq!(truth["order"], Value::from(vec![id.clone(), other]));
    let bodies = r#"[{"method":"PATCH","status":200,"body":{"public_metadata":{"a":1}}},
                     {"method":"PATCH","status":422,"body":{"public_metadata":1}}]"#;
    assert_eq!(truth["user"]["bodies"], value(bodies));
    stage.ask(Method::POST, "/__sandbox/reset-truth", "").await;
    assert_eq!(stage.get("/__sandbox/truth").await.body["total"], 0);
}

#[tokio::test]
async fn faults_are_replaced_while_it_runs() {
    let stage = Stage::new(unlimited()).await;
    let rules = r#"{"faults":[{"kind":"503","rate":1.0,"next":1},{"kind":"noop","on":"write"}],"latency":"1ms"}"#;
    let got = stage.ask(Method::POST, "/__sandbox/faults", rules).await;
    assert_eq!((got.status, &got.body["latency_ms"]), (200, &1.into()));
    assert_eq!(stage.get("/v1/users").await.status, 503);
    assert_eq!(stage.get("/v1/users").await.status, 200);
    assert_eq!(stage.get("/__sandbox/truth").await.body["faults"], value(r#"{"503":1}"#));
    assert_eq!(stage.ask(Method::POST, "/__sandbox/faults", "[]").await.body["faults"], value("[]"));
    for wrong in [r#"[{"kind":"nope"}]"#, r#"{"latency":"x"}"#, r#"{"fault":[]}"#, "1", "{"] {
        assert_eq!(stage.ask(Method::POST, "/__sandbox/faults", wrong).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn others_write_and_delete_uncounted() {
    let stage = Stage::new(unlimited()).await;
    let id = user_id(1, 3);
    let path = format!("/__sandbox/users/{id}");
    let metadata = format!("{path}/metadata");
    stage.ask(Method::PUT, &metadata, r#"{"public_metadata":{"a":1}}"#).await;
    let got = stage.ask(Method::POST, &metadata, r#"{"public_metadata":{"b":2}}"#).await;
    assert_eq!(got.body["public_metadata"], value(r#"{"a":1,"b":2}"#));
    assert_eq!(stage.get(&metadata).await.body, got.body);
    assert_eq!(stage.sandbox.truth().total, 0);
    for status in [200, 404] {
        let answer = stage.send(Method::DELETE, &path, None).await.expect("an answer");
        assert_eq!(answer.status(), status);
    }
    assert_eq!(stage.get(&format!("/v1/users/{id}")).await.status, 404);
    assert_eq!(stage.get("/__sandbox/nope").await.status, 404);
}

#[tokio::test]
async fn a_dump_is_a_world_again() {
    let stage = Stage::new(Config { users: 1_234, ..unlimited() }).await;
    stage.merge(3, r#"{"public_metadata":{"a":1}}"#).await;
    let short = stage_text(&stage, "").await;
    let first = value(short.lines().next().expect("has lines"));
    let keys: Vec<_> = first.as_object().expect("is an object").keys().map(String::as_str).collect();
    assert_eq!(keys, ["external_id", "id", "private_metadata", "public_metadata", "unsafe_metadata"]);
    assert_eq!(short.lines().count(), 1_234);

    let full = stage_text(&stage, "?full=1").await;
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(full.as_bytes()).expect("is written");
    let again = Stage::new(Config { world: Some(file.path().to_owned()), ..unlimited() }).await;
    assert!(stage_text(&again, "?full=1").await == full);
    assert_eq!(again.get("/v1/users?limit=1").await.body, stage.get("/v1/users?limit=1").await.body);
    assert_eq!(
        again.ask(Method::PATCH, &metadata_path(3), r#"{"public_metadata":{"b":1}}"#).await.body["public_metadata"]["a"],
        1
    );
}

async fn stage_text(stage: &Stage, query: &str) -> String {
    let path = format!("/__sandbox/world{query}");
    stage.send(Method::GET, &path, None).await.expect("an answer").text().await.expect("a body")
}

#[tokio::test]
async fn a_broken_world_is_refused_with_its_line() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(b"{}\n{\"nope\":1}\n").expect("is written");
    let config = Config { world: Some(file.path().to_owned()), ..unlimited() };
    let told = metapatch::sandbox::start(config).await.expect_err("is broken").to_string();
    assert!(told.ends_with("line 2: a user has no nope"), "{told}");
}

#[tokio::test]
async fn it_stops_when_it_is_dropped() {
    let stage = Stage::new(unlimited()).await;
    let (url, client) = (stage.sandbox.url().to_owned(), stage.client.clone());
    stage.sandbox.stop().await;
    assert!(client.get(url).send().await.is_err());
}
