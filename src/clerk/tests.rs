//! The client against a server that says exactly what it is told to.

use std::io::Write as _;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::identity::IdentityKind;
use crate::path::Field;

const KEY: &str = "sk_test_hunter2";

/// What the server does with one request.
#[derive(Debug, Clone)]
enum Act {
    /// Sends these bytes and closes the connection.
    Say(Vec<u8>),
    /// Sends these bytes and waits for the next request on the same connection.
    SayAndStay(Vec<u8>),
    /// Sends these bytes, and then nothing for longer than any timeout.
    SayAndStall(Vec<u8>),
}

/// A server on this machine that acts out a script, one act for each request, the last one again and again.
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(script: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("is bound"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn(serve(listener, script, Arc::clone(&seen)));
        Self { url, seen }
    }

    async fn saying(answer: impl Into<Vec<u8>>) -> Self {
        Self::start(vec![Act::Say(answer.into())]).await
    }

    fn client(&self) -> Client {
        client(&self.url)
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("is whole").clone()
    }
}

async fn serve(listener: TcpListener, script: Vec<Act>, seen: Arc<Mutex<Vec<String>>>) {
    loop {
        let Ok((connection, _)) = listener.accept().await else { return };
        tokio::spawn(converse(connection, script.clone(), Arc::clone(&seen)));
    }
}

async fn converse(mut connection: TcpStream, script: Vec<Act>, seen: Arc<Mutex<Vec<String>>>) {
    while let Some(request) = receive(&mut connection).await {
        let n = {
            let mut seen = seen.lock().expect("is whole");
            seen.push(request);
            seen.len() - 1
        };
        match &script[n.min(script.len() - 1)] {
            Act::Say(bytes) => {
                // The client may hang up on an answer that is too long for it.
                let _ = connection.write_all(bytes).await;
                return;
            }
            Act::SayAndStay(bytes) => connection.write_all(bytes).await.expect("is open"),
            Act::SayAndStall(bytes) => {
                connection.write_all(bytes).await.expect("is open");
                // What was said gets a moment to arrive before time is turned on.
                for _ in 0..1000 {
                    tokio::task::yield_now().await;
                }
                tokio::time::pause();
                tokio::time::advance(Duration::from_secs(31)).await;
            }
        }
    }
}

async fn receive(connection: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    let mut part = [0; 4096];
    loop {
        let n = connection.read(&mut part).await.ok().filter(|n| *n > 0)?;
        request.extend_from_slice(&part[..n]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return Some(text);
        }
    }
}

fn client(url: &str) -> Client {
    let api_url = ApiUrl::parse(url, Trust::Named).expect("is an address");
    let key = SecretKey::new(KEY).expect("is a key");
    Client::new(ClientConfig { api_url, key, authorities: None, timeout: Duration::from_secs(30) })
        .expect("can be set up")
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn ok(body: &str) -> Vec<u8> {
    answer("200 OK", "content-type: application/json\r\n", body)
}

fn user_ids(ids: &[&str]) -> Batch {
    Batch::of(IdentityKind::UserId, ids.iter().map(|id| (*id).to_owned()).collect())
}

fn body(mode: Mode) -> Body {
    Body { mode, json: json::parse(r#"{"public_metadata":{"role":"ed\"itor","n":1.0}}"#).expect("is JSON") }
}

async fn failed_read(answer: impl Into<Vec<u8>>) -> Failure {
    Server::saying(answer).await.client().read(&user_ids(&["user_1"])).await.expect_err("is no success")
}

async fn failed_write(answer: impl Into<Vec<u8>>) -> Failure {
    Server::saying(answer).await.client().write("user_1", &body(Mode::Merge)).await.expect_err("is no success")
}

#[tokio::test]
async fn a_read_is_one_get_with_all_that_the_api_wants_to_know() {
    let server = Server::saying(ok(r#"[{"id":"user_2","public_metadata":{"a":1.0}}]"#)).await;
    let users = server.client().read(&user_ids(&["user_1", "user_2"])).await.expect("is answered");
    assert_eq!(
        (users.len(), users[0].id.as_str(), users[0].metadata[0].as_deref()),
        (1, "user_2", Some(r#"{"a":1.0}"#))
    );
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    assert!(seen[0].starts_with("GET /v1/users?user_id=user_1&user_id=user_2&limit=2 HTTP/1.1\r\n"), "{}", seen[0]);
    for header in [
        "authorization: Bearer sk_test_hunter2",
        "clerk-api-version: 2026-05-12",
        concat!("user-agent: metapatch/", env!("CARGO_PKG_VERSION")),
        "accept: application/json",
        "accept-encoding: gzip",
    ] {
        assert!(seen[0].contains(&format!("\r\n{header}\r\n")), "{header}: {}", seen[0]);
    }
}

#[tokio::test]
async fn a_read_of_nobody_sends_nothing_for_it_would_list_everybody() {
    let server = Server::saying(ok("[]")).await;
    assert_eq!(server.client().read(&user_ids(&[])).await, Ok(Vec::new()));
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_write_goes_to_the_users_metadata_only() {
    for (mode, method) in [(Mode::Merge, "PATCH"), (Mode::Replace, "PUT")] {
        let server = Server::saying(ok(r#"{"id":"user_1","public_metadata":{"role":"editor"}}"#)).await;
        let user = server.client().write("user_1", &body(mode)).await.expect("is answered");
        assert_eq!(user.id, "user_1");
        let seen = server.seen().remove(0);
        assert!(seen.starts_with(&format!("{method} /v1/users/user_1/metadata HTTP/1.1\r\n")), "{seen}");
        assert!(seen.contains("\r\ncontent-type: application/json\r\n"), "{seen}");
        assert!(seen.ends_with("\r\n\r\n{\"public_metadata\":{\"n\":1.0,\"role\":\"ed\\\"itor\"}}"), "{seen}");
    }
}

#[tokio::test]
async fn an_id_that_could_change_the_address_is_never_sent() {
    let server = Server::saying(ok(r#"{"id":"x"}"#)).await;
    let client = server.client();
    for id in ["", "..", "../organizations/org_1", "user_1/../user_2", "user_1?x=1", "user_1#", "%2e%2e", "a b", "-x"] {
        let failure = client.write(id, &body(Mode::Merge)).await.expect_err("is refused");
        assert_eq!((failure.kind, failure.code.as_str()), (FailureKind::Refused, "unsafe_id"), "{id}");
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn an_echo_of_another_user_is_no_success() {
    for text in [r#"{"id":"user_2"}"#, "[]", "{}", "", "{\"id\":\"user_1\"", r#"[{"id":"user_1"}]"#] {
        let headers = "x-clerk-trace-id: abc\r\n";
        let failure = failed_write(answer("200 OK", headers, text)).await;
        assert_eq!((failure.kind, failure.code.as_str()), (FailureKind::Ambiguous, "unexpected_answer"), "{text}");
        assert_eq!((failure.status, failure.trace_id.as_deref()), (Some(200), Some("abc")), "{text}");
    }
}

#[tokio::test]
async fn a_list_in_an_envelope_is_no_list() {
    let failure = failed_read(ok(r#"{"data":[{"id":"user_1"}],"total_count":1}"#)).await;
    assert_eq!((failure.kind, failure.code.as_str()), (FailureKind::Ambiguous, "unexpected_answer"));
}

#[tokio::test]
async fn one_unreadable_field_leaves_the_rest_of_a_chunked_page_as_it_is() {
    let deep = format!("{}{}", "[".repeat(3000), "]".repeat(3000));
    let mut page =
        format!(r#"[{{"id":"user_1","public_metadata":{deep}}},{{"id":"user_2","public_metadata":""#).into_bytes();
    page.extend_from_slice(b"\xff\"},{\"id\":\"user_3\",\"public_metadata\":{\"b\":2}}]");
    let mut wire = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for chunk in page.chunks(100) {
        wire.extend(format!("{:x}\r\n", chunk.len()).bytes().chain(chunk.iter().copied()).chain(*b"\r\n"));
    }
    wire.extend_from_slice(b"0\r\n\r\n");
    let users = Server::saying(wire).await.client().read(&user_ids(&["user_1"])).await.expect("is a page");
    let readable: Vec<_> = users.iter().map(|user| user.fields([Field::Public]).is_ok()).collect();
    assert_eq!(readable, [false, false, true]);
}

#[tokio::test]
async fn the_apis_own_words_are_kept() {
    let text = r#"{"errors":[{"message":"not found","long_message":"No user was found with id user_1","code":"resource_not_found"}],"clerk_trace_id":"0123"}"#;
    let failure = failed_write(answer("404 Not Found", "", text)).await;
    let expected = Failure {
        kind: FailureKind::NotFound,
        status: Some(404),
        code: "resource_not_found".to_owned(),
        message: "No user was found with id user_1".to_owned(),
        trace_id: Some("0123".to_owned()),
        retry_after: None,
    };
    assert_eq!(failure, expected);
    let failure = failed_read(answer("429 Too Many Requests", "retry-after: 7\r\n", "")).await;
    assert_eq!((failure.kind, failure.retry_after), (FailureKind::Throttled, Some(Duration::from_secs(7))));
    let failure = failed_read(answer("502 Bad Gateway", "content-type: text/html\r\n", &"<p>".repeat(100_000))).await;
    assert_eq!((failure.kind, failure.code.as_str()), (FailureKind::Ambiguous, "http_502"));
    assert_eq!(failure.message, "the server answered 502 (Bad Gateway) with something that is not the API's JSON");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::saying(ok("[]")).await;
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let failure = failed_read(answer(status, &format!("location: {}/v1/users\r\n", elsewhere.url), "")).await;
        assert_eq!((failure.kind, failure.code.as_str()), (FailureKind::Refused, "redirected"), "{status}");
    }
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn a_cut_connection_is_ambiguous_and_nothing_is_sent_again() {
    for wire in [
        &b""[..],
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\":\"user_1\"",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"id",
        b"220 mail.example.com ESMTP\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope",
    ] {
        let server = Server::saying(wire).await;
        let failure = server.client().write("user_1", &body(Mode::Merge)).await.expect_err("is cut");
        let shown = String::from_utf8_lossy(wire);
        assert_eq!((failure.kind, failure.code.as_str()), (FailureKind::Ambiguous, "connection_lost"), "{shown}");
        assert!(failure.message.starts_with("lost the connection to 127.0.0.1:"), "{}", failure.message);
        assert!(!failure.message.contains("/users") && !failure.message.contains('\n'), "{}", failure.message);
        assert_eq!(server.seen().len(), 1, "{shown}");
    }
}

#[tokio::test]
async fn a_reused_connection_that_is_cut_is_ambiguous_too() {
    let user = ok(r#"{"id":"user_1"}"#);
    let server = Server::start(vec![Act::SayAndStay(user.clone()), Act::Say(Vec::new()), Act::Say(user)]).await;
    let client = server.client();
    client.write("user_1", &body(Mode::Merge)).await.expect("is answered");
    let failure = client.write("user_1", &body(Mode::Merge)).await.expect_err("is cut");
    assert_eq!((failure.kind, server.seen().len()), (FailureKind::Ambiguous, 2));
    client.write("user_1", &body(Mode::Merge)).await.expect("a new connection is made");
}

#[tokio::test]
async fn a_slow_answer_is_a_timeout_wherever_it_stalls() {
    for said in [&b""[..], b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"] {
        let server = Server::start(vec![Act::SayAndStall(said.to_vec())]).await;
        let failure = server.client().write("user_1", &body(Mode::Merge)).await.expect_err("is too slow");
        assert_eq!((failure.kind, failure.code.as_str()), (FailureKind::Ambiguous, "timeout"), "{failure:?}");
        assert!(failure.message.ends_with(" within 30s"), "{}", failure.message);
        tokio::time::resume();
    }
}

#[tokio::test]
async fn where_no_connection_comes_about_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("is bound");
    drop(listener);
    let failure = client(&format!("http://{address}")).read(&user_ids(&["user_1"])).await.expect_err("nobody listens");
    assert_eq!((failure.kind, failure.code.as_str()), (FailureKind::NotSent, "not_connected"));
    assert_eq!(failure.message, format!("cannot connect to {address}: connection refused"));
    // Whoever does not speak TLS gets no key.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("https://{}", listener.local_addr().expect("is bound"));
    tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.expect("somebody connects");
        let _ = connection.read(&mut [0; 4096]).await;
        let _ = connection.write_all(&ok("[]")).await;
    });
    let failure = client(&url).read(&user_ids(&["user_1"])).await.expect_err("is no TLS");
    assert_eq!((failure.kind, failure.code.as_str()), (FailureKind::NotSent, "not_connected"), "{failure:?}");
}

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&vec![b' '; MAX_ANSWER + 1]).expect("writes to memory");
    let packed = packed.finish().expect("writes to memory");
    let headers = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", packed.len());
    let bomb = [headers.into_bytes(), packed].concat();
    let announced = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", MAX_ANSWER + 1);
    for wire in [bomb, announced.into_bytes()] {
        let failure = failed_read(wire.clone()).await;
        assert_eq!((failure.kind, failure.code.as_str()), (FailureKind::Refused, "answer_too_large"));
        assert_eq!(failed_write(wire).await.kind, FailureKind::Ambiguous, "the write may have landed");
    }
}

#[tokio::test]
async fn many_reads_at_once_all_get_their_turn() {
    let server = Server::saying(ok(r#"[{"id":"user_1"}]"#)).await;
    let client = server.client();
    let ids: Vec<_> = (0..100).map(|n| format!("user_{n}")).collect();
    let batch = user_ids(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    let answers = join_all((0..100).map(|_| client.read(&batch))).await;
    assert!(answers.iter().all(Result::is_ok));
}

#[tokio::test]
async fn the_instance_is_told_where_the_api_knows_it() {
    let known = Server::saying(ok(r#"{"object":"instance","id":"ins_1","environment_type":"development"}"#)).await;
    let info = InstanceInfo { id: "ins_1".to_owned(), environment_type: "development".to_owned() };
    assert_eq!(known.client().instance().await, Ok(Some(info)));
    assert!(known.seen()[0].starts_with("GET /v1/instance HTTP/1.1\r\n"));
    let unknown = Server::saying(answer("404 Not Found", "", "{}")).await;
    assert_eq!(unknown.client().instance().await, Ok(None));
    let garbled = Server::saying(ok(r#"{"id":7}"#)).await;
    assert_eq!(garbled.client().instance().await.expect_err("is none").code, "unexpected_answer");
    let refused = Server::saying(answer("401 Unauthorized", "", "{}")).await;
    assert_eq!(refused.client().instance().await.expect_err("is refused").kind, FailureKind::KeyRefused);
}

#[tokio::test]
async fn another_version_is_noticed_once() {
    let same = Server::saying(answer("200 OK", "Clerk-API-Version: 2026-05-12\r\n", "[]")).await.client();
    same.read(&user_ids(&["user_1"])).await.expect("is answered");
    assert!(same.take_notices().is_empty());
    let other = Server::saying(answer("200 OK", "Clerk-API-Version: 2025-11-10\r\n", "[]")).await.client();
    for _ in 0..2 {
        other.read(&user_ids(&["user_1"])).await.expect("is answered");
    }
    assert_eq!(other.take_notices(), ["the API answers in version `2025-11-10`, not 2026-05-12, which was asked for"]);
    assert!(other.take_notices().is_empty());
}

#[tokio::test]
async fn the_key_is_shown_nowhere_even_if_the_server_sends_it_back() {
    let headers = format!("x-clerk-trace-id: {KEY}\r\nclerk-api-version: {KEY}\r\n");
    let text = format!(
        r#"{{"errors":[{{"message":"{KEY}","code":"{KEY}","meta":{{"param_name":"{KEY}"}}}}],"clerk_trace_id":"{KEY}"}}"#
    );
    for (status, text) in [("401 Unauthorized", text.as_str()), ("200 OK", KEY), (KEY, KEY), ("500 x", KEY)] {
        let server = Server::saying(answer(status, &headers, text)).await;
        let client = server.client();
        let read = client.read(&user_ids(&["user_1"])).await;
        let write = client.write("user_1", &body(Mode::Merge)).await;
        let instance = client.instance().await;
        let shown = format!("{read:?} {write:?} {instance:?} {client:?} {:?}", client.take_notices());
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(read.is_err() && write.is_err() && instance.is_err());
    }
}
