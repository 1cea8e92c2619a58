//! Whatever may listen at the API's address: a clear error, the right exit code, no hang.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::world::{World, id};

/// What a server does with a request for a path.
type Answer = Arc<dyn Fn(&str, &mut TcpStream) + Send + Sync>;

/// Starts a server that takes one request a connection, and gives its address.
fn serve(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("has an address"));
    let answer: Answer = Arc::new(answer);
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let answer = Arc::clone(&answer);
            thread::spawn(move || {
                let mut request = vec![0; 65_536];
                let n = stream.read(&mut request).unwrap_or_default();
                let text = String::from_utf8_lossy(&request[..n]).into_owned();
                answer(text.split(' ').nth(1).unwrap_or_default(), &mut stream);
            });
        }
    });
    url
}

fn send(stream: &mut TcpStream, status: &str, kind: &str, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    // The other end may have had enough.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

const INSTANCE: &str = r#"{"object":"instance","id":"ins_x","environment_type":"development","allowed_origins":null}"#;

/// A server whose instance is fine, and whose lists of users are this.
fn with_users(status: &'static str, kind: &'static str, body: impl Into<Vec<u8>>) -> String {
    let body = body.into();
    serve(move |path, stream| match path {
        "/v1/instance" => send(stream, "200 OK", "application/json", INSTANCE.as_bytes()),
        _ => send(stream, status, kind, &body),
    })
}

fn world() -> World {
    let world = World::new().users(2).start();
    world.write("rows.csv", format!("user_id,public.role\n{},x\n{},y\n", id(0), id(1)));
    world
}

/// Plans and applies against an address, in bounded time; everything must end so.
fn ends(world: &World, url: &str, code: i32) -> String {
    let began = Instant::now();
    let mut said = String::new();
    for verb in ["plan", "apply"] {
        let args = [verb, "rows.csv", "--timeout", "500ms", "--max-attempts", "2", "--output", "json"];
        let ended = world.command(args).env("CLERK_API_URL", url).run().ended(code);
        assert!(ended.stderr.contains("error: ") || code < 2, "{ended:#?}");
        assert!(ended.stderr.len() < 3_000, "what it says is bounded: {}", ended.stderr.len());
        said = ended.stderr + &ended.stdout;
    }
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    said
}

#[test]
fn an_instance_that_answers_nonsense_ends_it_before_it_begins() {
    let world = world();
    let big = "x".repeat(3_000_000);
    let deep = "[".repeat(100_000);
    let bodies: [(&str, &str, &[u8]); 14] = [
        ("200 OK", "application/json", b""),
        ("200 OK", "application/json", b"nonsense"),
        ("200 OK", "application/json", b"[]"),
        ("200 OK", "application/json", b"{}"),
        ("200 OK", "application/json", br#"{"id":7}"#),
        ("200 OK", "application/json", br#"{"id":"\u001b[2J"}"#),
        ("200 OK", "application/json", b"\xff\xfe{}"),
        ("200 OK", "application/json", deep.as_bytes()),
        ("200 OK", "application/json", big.as_bytes()),
        ("200 OK", "text/html", b"<html><script>alert(1)</script>\x1b[2J</html>"),
        ("204 No Content", "application/json", b""),
        ("302 Found\r\nlocation: https://example.com/", "text/html", b""),
        ("418 \x1b[2JTeapot", "text/html", b"short and stout \x1b[2J"),
        ("500 Oh", "text/html", big.as_bytes()),
    ];
    // They mostly wait before they try again.
    thread::scope(|scope| {
        for (status, kind, body) in bodies {
            let (world, body) = (&world, body.to_vec());
            let url = serve(move |_, stream| send(stream, status, kind, &body));
            scope.spawn(move || ends(world, &url, 3));
        }
    });
    assert!(world.run_files().is_empty(), "nothing was begun");
}

#[test]
fn an_address_that_does_not_answer_ends_it_before_it_begins() {
    let world = world();
    let closed = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("has an address");
    // Half an answer, and then drops of it for ever.
    let drip = |_: &str, stream: &mut TcpStream| {
        let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{");
        while sent.is_ok() {
            thread::sleep(Duration::from_millis(50));
            sent = stream.write_all(b" ");
        }
    };
    let urls = [
        format!("http://{closed}"),
        serve(|_, _| {}),
        serve(|_, stream| drop(stream.write_all(b"\0\x01\x02 not http at all\r\n\r\n"))),
        serve(|_, _| thread::sleep(Duration::from_mins(1))),
        "https://127.0.0.1:1".to_owned(),
        serve(drip),
    ];
    thread::scope(|scope| {
        for url in &urls {
            scope.spawn(|| ends(&world, url, 3));
        }
    });
    assert!(world.run_files().is_empty());
}

#[test]
fn a_list_of_users_that_is_nonsense_aborts_the_run() {
    let world = world();
    let not_asked = r#"[{"id":"user_somebody_else","public_metadata":{}}]"#;
    let bodies: [(&str, &str, Vec<u8>); 14] = [
        ("200 OK", "application/json", b"".into()),
        ("200 OK", "application/json", b"{}".into()),
        ("200 OK", "application/json", b"null".into()),
        ("200 OK", "application/json", b"[1,2]".into()),
        ("200 OK", "application/json", br#"[{"id":null}]"#.into()),
        ("200 OK", "application/json", br#"[{"id":"../../x"}]"#.into()),
        ("200 OK", "application/json", not_asked.into()),
        ("200 OK", "application/json", b"[".repeat(200_000)),
        ("200 OK", "text/html", b"<html>\x1b[2Jlog in first</html>".into()),
        ("302 Found\r\nlocation: http://127.0.0.1:1/", "text/html", b"".into()),
        ("404 Not Found", "text/html", b"<html>no such page</html>".into()),
        ("405 No", "application/json", b"{}".into()),
        ("503 Busy", "text/html", b"<html>later</html>".into()),
        (
            "403 Forbidden",
            "application/json",
            br#"{"errors":[{"code":"\u001b[2J","message":"\u202eno\u0007"}]}"#.into(),
        ),
    ];
    thread::scope(|scope| {
        for (status, kind, body) in bodies {
            let world = &world;
            scope.spawn(move || {
                let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
                let said = ends(world, &with_users(status, kind, body), 3);
                assert!(said.contains(r#""state":"aborted""#), "{shown}: {said}");
            });
        }
    });
}

#[test]
fn users_that_lack_what_they_should_have_are_read_leniently() {
    let world = world();
    let users = format!(r#"[{{"id":"{}"}},{{"id":"{}","public_metadata":7,"email_addresses":"x"}}]"#, id(0), id(1));
    let url = with_users("200 OK", "application/json", users);
    let ended = world.command(["plan", "rows.csv"]).env("CLERK_API_URL", url).run();
    assert!(ended.code == Some(0) || ended.code == Some(1) || ended.code == Some(3), "{ended:#?}");
}

#[test]
fn an_answer_of_hundreds_of_megabytes_is_not_read_to_its_end() {
    let world = world();
    let flood = |path: &str, stream: &mut TcpStream| {
        if path == "/v1/instance" {
            return send(stream, "200 OK", "application/json", INSTANCE.as_bytes());
        }
        let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n[");
        let piece = vec![b' '; 1 << 20];
        while sent.is_ok() {
            sent = stream.write_all(&piece);
        }
    };
    let args = ["plan", "rows.csv", "--timeout", "10s", "--max-attempts", "1"];
    let began = Instant::now();
    let ended = world.command(args).env("CLERK_API_URL", serve(flood)).run().ended(1);
    assert!(world.rows().iter().all(|row| row.code == "answer_too_large"), "{ended:#?}");
    assert!(began.elapsed() < Duration::from_secs(9), "it did not wait for the timeout: {ended:#?}");
}

#[test]
fn a_write_that_is_answered_with_nonsense_is_settled_by_reading_again() {
    let world = world();
    let users = [(id(0), r#"{"role":"x"}"#), (id(1), "{}")];
    let url = serve(move |path, stream| match path {
        "/v1/instance" => send(stream, "200 OK", "application/json", INSTANCE.as_bytes()),
        path if path.starts_with("/v1/users?") => {
            let asked = users.iter().filter(|(id, _)| path.contains(id.as_str()));
            let told: Vec<String> =
                asked.map(|(id, public)| format!(r#"{{"id":"{id}","public_metadata":{public}}}"#)).collect();
            send(stream, "200 OK", "application/json", format!("[{}]", told.join(",")).as_bytes());
        }
        _ => send(stream, "200 OK", "text/html", b"<html>\x1b[2J</html>"),
    });
    let args = ["apply", "rows.csv", "--timeout", "1s", "--max-attempts", "2"];
    world.command(args).env("CLERK_API_URL", url).run().ended(1);
    let rows = world.rows();
    assert_eq!((rows[0].outcome.as_str(), rows[1].outcome.as_str()), ("unchanged", "failed"), "{rows:#?}");
    assert_eq!(rows[1].attempts, 2, "{rows:#?}");
}
