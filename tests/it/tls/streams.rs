//! The sandbox's HTTP/2, seen from a client that nobody here wrote: what ends a stream, and what a connection.

use std::time::Duration;

use futures_util::future::join_all;
use metapatch::sandbox::{self, Config, Fault, FaultKind, On, Sandbox, user_id};
use reqwest::{Certificate, Client, RequestBuilder, Version};

use crate::sandbox::{unlimited, value};

const PATCH: &str = r#"{"public_metadata":{"written":true}}"#;

struct Stage {
    sandbox: Sandbox,
    client: Client,
}

impl Stage {
    async fn new(config: Config) -> Self {
        let sandbox = sandbox::start(Config { tls: true, ..config }).await.expect("starts");
        let authority = Certificate::from_pem(sandbox.ca_pem().expect("speaks TLS").as_bytes()).expect("is PEM");
        let builder = Client::builder().no_proxy().retry(reqwest::retry::never()).tls_certs_only([authority]);
        Self { sandbox, client: builder.build().expect("a client") }
    }

    async fn with(fault: Fault) -> Self {
        let latency = Duration::from_millis(100);
        Self::new(Config { faults: vec![fault], latency, ..unlimited() }).await
    }

    fn write(&self, n: u64) -> RequestBuilder {
        let url = format!("{}/v1/users/{}/metadata", self.sandbox.url(), user_id(1, n));
        self.client.patch(url).bearer_auth("sk_test_x").header("content-type", "application/json").body(PATCH)
    }

    async fn warm_up(&self) {
        let url = format!("{}/v1/users/count", self.sandbox.url());
        let answer = self.client.get(url).bearer_auth("sk_test_x").send().await.expect("an answer");
        assert_eq!((answer.status().as_u16(), answer.version()), (200, Version::HTTP_2));
    }

    fn written(&self, n: u64) -> bool {
        self.sandbox.metadata(&user_id(1, n)).expect("is there")["public_metadata"]["written"] == true
    }
}

#[tokio::test]
async fn a_client_may_choose_its_protocol_and_both_are_counted() {
    let stage = Stage::new(unlimited()).await;
    stage.warm_up().await;
    let pem = stage.sandbox.ca_pem().expect("speaks TLS");
    let authority = Certificate::from_pem(pem.as_bytes()).expect("is PEM");
    let old = Client::builder().no_proxy().http1_only().tls_certs_only([authority]).build().expect("a client");
    let url = stage.sandbox.url().replace("127.0.0.1", "localhost");
    for _ in 0..2 {
        let answer = old.get(format!("{url}/v1/users")).bearer_auth("sk_test_x").send().await.expect("an answer");
        assert_eq!(answer.version(), Version::HTTP_11);
        answer.bytes().await.expect("a body");
    }
    let truth = stage.sandbox.truth();
    assert_eq!((truth.protocols["h2"], truth.protocols["http/1.1"], truth.connections), (1, 2, 2));
}

#[tokio::test]
async fn a_cut_ends_its_stream_alone() {
    for (kind, applied) in
        [(FaultKind::CutBefore, false), (FaultKind::CutAfter, true), (FaultKind::RefusedStream, false)]
    {
        let stage = Stage::with(Fault::new(kind).user(&user_id(1, 3))).await;
        stage.warm_up().await;
        let answers = join_all((1..6).map(|n| stage.write(n).send())).await;
        for (n, answer) in (1..).zip(&answers) {
            assert_eq!((answer.is_ok(), stage.written(n)), (n != 3, n != 3 || applied), "{kind:?} {n}");
        }
        assert_eq!(stage.sandbox.truth().connections, 1, "{kind:?}");
        assert_eq!(stage.sandbox.truth().requests["patch_user_metadata"][&0], 1);
    }
}

#[tokio::test]
async fn answers_break_off_drip_on_and_come_late_over_streams_as_well() {
    let stage = Stage::with(Fault::new(FaultKind::Truncated).next(1)).await;
    let answer = stage.write(3).send().await.expect("the head arrives");
    assert!(answer.bytes().await.is_err() && stage.written(3));
    stage.sandbox.set_faults(vec![Fault::new(FaultKind::Endless).next(1)]);
    let mut answer = stage.write(4).send().await.expect("the head arrives");
    for _ in 0..3 {
        assert!(answer.chunk().await.expect("goes on").is_some());
    }
    stage.sandbox.set_faults(vec![Fault { delay_ms: Some(60_000), ..Fault::new(FaultKind::Slow) }]);
    let late = stage.write(5).timeout(Duration::from_millis(300)).send().await.expect_err("is late");
    assert!(late.is_timeout() && stage.written(5));
    assert_eq!(stage.sandbox.truth().connections, 1);
}

#[tokio::test]
async fn a_connection_that_goes_away_answers_what_is_under_way() {
    let stage = Stage::with(Fault::new(FaultKind::Goaway).user(&user_id(1, 3))).await;
    stage.warm_up().await;
    let answers = join_all((1..6).map(|n| stage.write(n).send())).await;
    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|answer| answer.status() == 200)));
    stage.warm_up().await;
    assert_eq!(stage.sandbox.truth().connections, 2);
}

#[tokio::test]
async fn a_connection_that_goes_away_at_once_takes_everything_along() {
    // The others are under way for longer, so that they are caught.
    let slow = Fault { delay_ms: Some(5_000), ..Fault::new(FaultKind::Slow).on(On::Write) };
    let stage = Stage::with(Fault::new(FaultKind::GoawayCut)).await;
    stage.sandbox.set_faults(vec![Fault::new(FaultKind::GoawayCut).user(&user_id(1, 3)), slow]);
    stage.sandbox.merge_metadata(&user_id(1, 4), &value(r#"{"public_metadata":{"written":false}}"#));
    stage.write(3).send().await.expect_err("is cut");
    stage.warm_up().await;
    let answers = join_all((1..6).map(|n| stage.write(n).send())).await;
    for (n, answer) in (1..).zip(&answers) {
        assert!(answer.is_err() && stage.written(n), "{n}");
    }
    stage.warm_up().await;
    assert_eq!(stage.sandbox.truth().connections, 3);
}
