//! What the client makes of a stream or a connection that ends, frame by frame.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use metapatch::change::Body;
use metapatch::clerk::{ApiUrl, Authorities, Client, ClientConfig, SecretKey, Trust};
use metapatch::identity::IdentityKind;
use metapatch::patch::Mode;
use metapatch::retry::{Failure, FailureKind};
use metapatch::sandbox::{self, Config, user_id};
use metapatch::target::{Batch, Target as _};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::server::TlsStream;

use crate::sandbox::unlimited;

/// What an HTTP/2 client says first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// `:status: 200` as a header block.
const STATUS_200: &[u8] = &[0x88];

/// Kinds of frames.
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

/// Codes that end a stream or a connection.
const NO_ERROR: u32 = 0;
const INTERNAL_ERROR: u32 = 2;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("is short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &code.to_be_bytes())
}

fn go_away(last: u32, code: u32) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[last.to_be_bytes(), code.to_be_bytes()].concat())
}

/// What a server says to a request on a stream, before it closes the connection.
type Last = fn(u32) -> Vec<u8>;

async fn converse(mut wire: TlsStream<TcpStream>, last: Last) -> std::io::Result<()> {
    wire.read_exact(&mut [0; PREFACE.len()]).await?;
    wire.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
    loop {
        let mut head = [0; 9];
        wire.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        wire.read_exact(&mut vec![0; length as usize]).await?;
        if head[3] == HEADERS {
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            wire.write_all(&last(stream)).await?;
            // What was said gets a moment to be heard.
            tokio::time::sleep(Duration::from_millis(50)).await;
            return wire.shutdown().await;
        }
    }
}

/// A server that speaks HTTP/2 as far as it takes to end it, and the folder with its certificate.
async fn server(last: Last) -> (String, tempfile::TempDir) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("is made");
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("ca.pem"), made.cert.pem()).expect("is written");
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().expect("are known").with_no_client_auth();
    let mut config = config.with_single_cert(vec![made.cert.der().clone()], key).expect("belong together");
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("https://{}", listener.local_addr().expect("is bound"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let wire = acceptor.accept(stream).await.expect("speaks TLS");
            // The client may hang up first.
            let _ = converse(wire, last).await;
        }
    });
    (url, folder)
}

fn client(url: &str, ca_file: &Path) -> Client {
    let config = ClientConfig {
        api_url: ApiUrl::parse(url, Trust::Named).expect("is an address"),
        key: SecretKey::new("sk_test_wire").expect("is a key"),
        authorities: Some(Authorities::read(ca_file).expect("is PEM")),
        timeout: Duration::from_secs(20),
    };
    Client::new(config).expect("can be set up")
}

async fn failed_write(last: Last) -> Failure {
    let (url, folder) = server(last).await;
    let body = Body { mode: Mode::Merge, json: json!({"public_metadata": {"a": 1}}) };
    client(&url, &folder.path().join("ca.pem")).write("user_1", &body).await.expect_err("is cut")
}

#[tokio::test]
async fn only_what_the_server_says_it_did_not_take_counts_as_not_sent() {
    use FailureKind::{Ambiguous, NotSent};
    let cases: [(&str, Last, FailureKind); 11] = [
        ("refused", |stream| reset(stream, REFUSED_STREAM), NotSent),
        ("behind the last stream of a peaceful end", |_| go_away(0, NO_ERROR), NotSent),
        ("reset", |stream| reset(stream, INTERNAL_ERROR), Ambiguous),
        ("cancelled", |stream| reset(stream, CANCEL), Ambiguous),
        ("reset for no reason", |stream| reset(stream, NO_ERROR), Ambiguous),
        ("behind the last stream of an error", |_| go_away(0, INTERNAL_ERROR), Ambiguous),
        ("taken, then gone in peace", |stream| go_away(stream, NO_ERROR), Ambiguous),
        ("taken, then gone for an error", |stream| go_away(stream, INTERNAL_ERROR), Ambiguous),
        ("perhaps taken", |_| go_away(0x7fff_ffff, NO_ERROR), Ambiguous),
        ("cut without a word", |_| Vec::new(), Ambiguous),
        (
            "refused after the answer began",
            |stream| [frame(HEADERS, 4, stream, STATUS_200), reset(stream, REFUSED_STREAM)].concat(),
            Ambiguous,
        ),
    ];
    for (name, last, kind) in cases {
        let failure = failed_write(last).await;
        let code = if kind == NotSent { "not_processed" } else { "connection_lost" };
        assert_eq!((failure.kind, failure.code.as_str()), (kind, code), "{name}: {}", failure.message);
        assert!(failure.message.contains("127.0.0.1:") && !failure.message.contains('\n'), "{}", failure.message);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_wait_for_room_do_not_keep_back_the_one_that_has_it() {
    let sandbox = sandbox::start(Config { tls: true, ..unlimited() }).await.expect("starts");
    let ids: Vec<_> = (0..100).map(|n| user_id(1, n)).collect();
    let full = json!({"filler": "x".repeat(8_000)});
    let full = json!({"public_metadata": full, "private_metadata": full, "unsafe_metadata": full});
    assert!(ids.iter().all(|id| sandbox.set_metadata(id, &full)));
    let client = client(sandbox.url(), sandbox.ca_file().expect("speaks TLS"));
    let batch = Batch::of(IdentityKind::UserId, ids);
    client.instance().await.expect("is answered");
    let answers = join_all((0..40).map(|_| client.read(&batch))).await;
    for answer in answers {
        assert_eq!(answer.expect("is answered").len(), 100);
    }
    assert_eq!(sandbox.truth().connections, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_hundred_requests_have_a_connection_and_none_waits_for_another() {
    let latency = Duration::from_secs(1);
    let sandbox = sandbox::start(Config { tls: true, users: 250, latency, ..unlimited() }).await.expect("starts");
    let client = client(sandbox.url(), sandbox.ca_file().expect("speaks TLS"));
    client.instance().await.expect("is answered");
    let body = Body { mode: Mode::Merge, json: json!({"public_metadata": {"a": 1}}) };
    let ids: Vec<_> = (0..250).map(|n| user_id(1, n)).collect();
    let answers = join_all(ids.iter().map(|id| client.write(id, &body))).await;
    assert!(answers.iter().all(Result::is_ok));
    let truth = sandbox.truth();
    assert_eq!((truth.connections, truth.max_in_flight), (3, 250), "{truth:?}");
}
