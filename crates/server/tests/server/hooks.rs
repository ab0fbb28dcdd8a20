//! Owns the proof that strangers can neither stop notifications nor fill memory: bodies of any length, slow senders, bursts, forged and
//! repeated signatures, addresses full of metacharacters.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use aws_lc_rs::hmac;
use plumb_server::{
    BODY_BUDGET_BYTES, HookSecret, Hooks, Limits, MAX_BODY_BYTES, MAX_PENDING, Metric, NoticeReceiver, Probe, Pushed, Serving, notices,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SECRET: &[u8] = b"a secret of the tests";
const PUSH: &str = r#"{"ref": "refs/heads/main", "repository": {"clone_url": "https://Git.example.com/team-a/shop.git", "ssh_url": "git@git.example.com:team-a/shop.git"}}"#;
/// What a test may wait for anything before it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

struct Ready;

impl Probe for Ready {
    fn ready(&self) -> Result<(), String> {
        Err("the root has not been read yet".to_owned())
    }

    fn metrics(&self) -> Vec<Metric> {
        vec![Metric::gauge("plumb_units", "Units known.", 3.0)]
    }
}

struct Server {
    serving: Serving,
    hooks: Hooks,
    pushed: NoticeReceiver,
    address: SocketAddr,
}

async fn server_with(limits: Limits, body_timeout: Duration) -> Server {
    let (sender, pushed) = notices();
    let hooks = Hooks::with_body_timeout(vec![HookSecret::from_bytes(SECRET).expect("secret")], Arc::new(sender), body_timeout);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let serving = Serving::http(listener, Some(hooks.clone()), Some(Arc::new(Ready)), limits).expect("serve");
    let address = serving.address().expect("address");
    Server { serving, hooks, pushed, address }
}

async fn server() -> Server {
    server_with(Limits::public(), PATIENCE).await
}

fn sign(content: &[u8]) -> String {
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), content);
    mac.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hub(body: &[u8]) -> String {
    format!("X-Hub-Signature-256: sha256={}\r\n", sign(body))
}

fn timed(seconds: u64, body: &[u8]) -> String {
    let signed = [format!("{seconds}.").as_bytes(), body].concat();
    format!("X-Plumb-Signature: t={seconds},v1={}\r\n", sign(&signed))
}

fn now_seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("clock").as_secs()
}

fn head(path: &str, headers: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: hooks\r\n{headers}Content-Length: {length}\r\n\r\n")
}

/// Reads one answer; its status and text. A connection that is closed without one has status 0.
async fn answer(stream: &mut TcpStream) -> (u16, String) {
    let mut bytes = Vec::new();
    let read = async {
        loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let lower = head.to_ascii_lowercase();
                let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok()).unwrap_or(0usize);
                if body.len() >= length {
                    return (head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0), body.to_owned());
                }
            }
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return (0, String::new()),
                Ok(count) => bytes.extend_from_slice(&chunk[..count]),
            }
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("an answer in time")
}

async fn post(server: &Server, path: &str, headers: &str, body: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(server.address).await.expect("connect");
    stream.write_all(head(path, headers, body.len()).as_bytes()).await.expect("write");
    stream.write_all(body).await.ok();
    answer(&mut stream).await.0
}

async fn get(server: &Server, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(server.address).await.expect("connect");
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: hooks\r\n\r\n").as_bytes()).await.expect("write");
    answer(&mut stream).await
}

async fn next(server: &mut Server) -> (String, Option<String>) {
    match tokio::time::timeout(PATIENCE, server.pushed.recv()).await.expect("a notice in time") {
        Some(Pushed::Repository(notice)) => (notice.repository.to_string(), notice.reference),
        other => panic!("{other:?}"),
    }
}

fn anonymous_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).expect("RssAnon");
    line.split_whitespace().nth(1).and_then(|figure| figure.parse().ok()).expect("figure")
}

#[tokio::test]
async fn a_signed_push_says_where_to_look() {
    let mut server = server().await;
    let shop = ("git.example.com/team-a/shop".to_owned(), Some("refs/heads/main".to_owned()));
    assert_eq!(post(&server, "/hooks/github", &hub(PUSH.as_bytes()), PUSH.as_bytes()).await, 202);
    assert_eq!(next(&mut server).await, shop);

    let form = form_urlencoded::Serializer::new(String::new()).append_pair("payload", PUSH).finish();
    let headers = format!("{}Content-Type: application/x-www-form-urlencoded\r\nX-GitHub-Event: push\r\n", hub(form.as_bytes()));
    assert_eq!(post(&server, "/hooks/github", &headers, form.as_bytes()).await, 202);
    assert_eq!(next(&mut server).await, shop);

    let generic = br#"{"url": "ssh://git@git.example.com:2222/team-a/shop.git", "ref": "refs/heads/main"}"#;
    for signature in [hub(generic), timed(now_seconds(), generic)] {
        assert_eq!(post(&server, "/hooks/generic", &signature, generic).await, 202);
        assert_eq!(next(&mut server).await, shop);
    }
    assert_eq!(server.hooks.counts().accepted, 4);

    let ping = format!("{}X-GitHub-Event: ping\r\n", hub(b"{}"));
    assert_eq!(post(&server, "/hooks/github", &ping, b"{}").await, 202);
    assert_eq!(server.hooks.counts().ignored, 1);
    assert_eq!(get(&server, "/hooks/github").await.0, 405);
    assert_eq!(get(&server, "/elsewhere").await.0, 404);
}

#[tokio::test]
async fn a_bad_signature_is_refused_before_anything_is_parsed() {
    let server = server().await;
    let body = PUSH.as_bytes();
    let nonsense = b"{ this is not JSON";
    let wrong = format!("X-Hub-Signature-256: sha256={}\r\n", "0".repeat(64));
    for (headers, body) in [
        (String::new(), body),
        (wrong.clone(), body),
        (wrong, nonsense.as_slice()),
        (hub(b"another body"), body),
        ("X-Hub-Signature-256: sha1=abc\r\n".to_owned(), body),
        (format!("X-Plumb-Signature: t=1,v1={}\r\n", "0".repeat(64)), body),
        (timed(now_seconds() - 301, body), body),
        (timed(now_seconds() + 400, body), body),
        // The timed signature counts where there is one: the other one may have been heard elsewhere.
        (format!("{}X-Plumb-Signature: nonsense\r\n", hub(body)), body),
    ] {
        assert_eq!(post(&server, "/hooks/generic", &headers, body).await, 401, "{headers}");
    }
    assert_eq!(post(&server, "/hooks/github", &timed(now_seconds(), body), body).await, 401, "GitHub signs no time");
    assert_eq!(post(&server, "/hooks/github", &hub(nonsense), nonsense).await, 400, "signed, and then parsed");
    assert_eq!(server.hooks.counts().unauthorized, 10);
}

#[tokio::test]
async fn a_repeated_notification_is_told_once() {
    let mut server = server().await;
    let body = br#"{"url": "https://h/a"}"#;
    let signature = timed(now_seconds(), body);
    for _ in 0..5 {
        assert_eq!(post(&server, "/hooks/generic", &signature, body).await, 202);
    }
    let counts = server.hooks.counts();
    assert_eq!((counts.accepted, counts.ignored), (1, 4));
    assert_eq!(next(&mut server).await, ("h/a".to_owned(), None));
}

#[tokio::test]
async fn five_gigabytes_are_refused_unread() {
    let server = server().await;
    let before = anonymous_kib();
    let announced = format!("POST /hooks/github HTTP/1.1\r\nHost: h\r\n{}Content-Length: 5368709120\r\n\r\n", hub(b"x"));
    let mut stream = TcpStream::connect(server.address).await.expect("connect");
    stream.write_all(announced.as_bytes()).await.expect("write");
    assert_eq!(answer(&mut stream).await.0, 413, "the announcement is enough");

    // Not announced: as many bytes as the server takes, which are about as many as it allows.
    let mut stream = TcpStream::connect(server.address).await.expect("connect");
    let chunked = format!("POST /hooks/github HTTP/1.1\r\nHost: h\r\n{}Transfer-Encoding: chunked\r\n\r\n", hub(b"x"));
    stream.write_all(chunked.as_bytes()).await.expect("write");
    let chunk = [b"10000\r\n".as_slice(), &[b'x'; 65536], b"\r\n"].concat();
    let mut sent = 0u64;
    while sent < 5 << 30 && stream.write_all(&chunk).await.is_ok() {
        sent += 65536;
    }
    assert!(sent < 64 << 20, "{sent} bytes were taken");
    assert_eq!(server.hooks.counts().too_large, 2);
    let grown = anonymous_kib().saturating_sub(before);
    assert!(grown < 48 << 10, "{grown} KiB more memory");
    // Not signed at all: no byte of the body is waited for.
    let mut stream = TcpStream::connect(server.address).await.expect("connect");
    stream.write_all(head("/hooks/github", "", 1000).as_bytes()).await.expect("write");
    assert_eq!(answer(&mut stream).await.0, 401);
}

#[tokio::test]
async fn all_bodies_together_stay_within_their_budget() {
    let server = server().await;
    let needed = BODY_BUDGET_BYTES / MAX_BODY_BYTES;
    let wrong = format!("X-Hub-Signature-256: sha256={}\r\n", "0".repeat(64));
    // Each sends all of a longest body but one byte, and waits.
    let mut open = Vec::new();
    for _ in 0..needed {
        let mut stream = TcpStream::connect(server.address).await.expect("connect");
        stream.write_all(head("/hooks/github", &wrong, MAX_BODY_BYTES).as_bytes()).await.expect("write");
        stream.write_all(&vec![b'x'; MAX_BODY_BYTES - 1]).await.expect("write");
        open.push(stream);
    }
    // What is left is not enough for one more; how soon the server has read the others is its own affair.
    let more = async {
        loop {
            if post(&server, "/hooks/github", &wrong, &[b'x'; 1000]).await == 503 {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, more).await.expect("turned away");
    for stream in &mut open {
        stream.write_all(b"x").await.expect("write");
        assert_eq!(answer(stream).await.0, 401);
    }
    assert_eq!(post(&server, "/hooks/github", &hub(PUSH.as_bytes()), PUSH.as_bytes()).await, 202, "there is room again");
}

#[tokio::test]
async fn slow_senders_are_ended_and_hold_nobody_up() {
    let limits = Limits { head_timeout: Duration::from_millis(300), ..Limits::public() };
    let mut server = server_with(limits, Duration::from_millis(300)).await;
    let mut slow = Vec::new();
    for nth in 0..40 {
        let mut stream = TcpStream::connect(server.address).await.expect("connect");
        let begun = match nth % 2 {
            0 => "POST /hooks/github HTTP/1.1\r\nHost: h\r\nX-Slow: ".to_owned(),
            _ => head("/hooks/github", &hub(b"0123456789"), 10) + "01234",
        };
        stream.write_all(begun.as_bytes()).await.expect("write");
        slow.push(stream);
    }
    assert_eq!(post(&server, "/hooks/github", &hub(PUSH.as_bytes()), PUSH.as_bytes()).await, 202);
    next(&mut server).await;
    for (nth, mut stream) in slow.into_iter().enumerate() {
        let (status, _) = answer(&mut stream).await;
        assert!(if nth % 2 == 0 { status == 0 || status == 408 } else { status == 408 }, "{nth}: {status}");
    }
    assert_eq!(server.hooks.counts().too_slow, 20);
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "the figure is for whoever runs it")]
async fn ten_thousand_at_once_are_one_look() {
    const SENDERS: usize = 20;
    const EACH: usize = 500;
    let mut server = server().await;
    let before = anonymous_kib();
    let began = Instant::now();
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let address = server.address;
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(address).await.expect("connect");
                let request = head("/hooks/github", &hub(PUSH.as_bytes()), PUSH.len()) + PUSH;
                for _ in 0..EACH {
                    stream.write_all(request.as_bytes()).await.expect("write");
                    assert_eq!(answer(&mut stream).await.0, 202);
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.expect("sender");
    }
    let took = began.elapsed();
    let grown = anonymous_kib().saturating_sub(before);
    println!("{} notifications in {took:?}, {grown} KiB more memory", SENDERS * EACH);
    assert_eq!(server.hooks.counts().accepted, (SENDERS * EACH) as u64);
    assert!(grown < 32 << 10, "{grown} KiB more memory");
    assert_eq!(next(&mut server).await.0, "git.example.com/team-a/shop");
    assert!(tokio::time::timeout(Duration::from_millis(1), server.pushed.recv()).await.is_err(), "nothing else waits");
}

#[tokio::test]
async fn a_flood_of_forgeries_is_turned_away_by_rate() {
    let server = server().await;
    let mut statuses = std::collections::BTreeMap::new();
    let wrong = format!("X-Hub-Signature-256: sha256={}\r\n", "0".repeat(64));
    let refused = async {
        loop {
            let status = post(&server, "/hooks/github", &wrong, b"{}").await;
            *statuses.entry(status).or_insert(0) += 1;
            if status == 429 {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.expect("turned away in time");
    assert!(statuses.keys().all(|status| [401, 429].contains(status)), "{statuses:?}");
    assert!(statuses[&401] >= 1000, "{statuses:?}");
}

#[tokio::test]
async fn addresses_are_never_patterns() {
    let mut server = server().await;
    for url in
        ["https://h/(a+)+$", "https://h/[", "https://h/.*", "https://h/\\\\d{1,99999}", "https://h/$(reboot)", "https://h/%2e%2e/%00"]
    {
        let body = format!(r#"{{"url": "{url}", "ref": "refs/heads/(.*"}}"#);
        assert_eq!(post(&server, "/hooks/generic", &hub(body.as_bytes()), body.as_bytes()).await, 202, "{url}");
        assert!(next(&mut server).await.0.starts_with("h/"));
    }
    for body in [r#"{"url": "nonsense"}"#, r#"{"url": 7}"#, r#"{}"#, "[]", "null", r#"{"url": "https://h/\u0000"}"#, "", "\u{1}"] {
        assert_eq!(post(&server, "/hooks/generic", &hub(body.as_bytes()), body.as_bytes()).await, 400, "{body}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(post(&server, "/hooks/generic", &hub(deep.as_bytes()), deep.as_bytes()).await, 400);
    let long = format!(r#"{{"url": "https://h/a", "ref": "{}"}}"#, "x".repeat(5000));
    assert_eq!(post(&server, "/hooks/generic", &hub(long.as_bytes()), long.as_bytes()).await, 202);
    assert_eq!(next(&mut server).await, ("h/a".to_owned(), None), "a ref that long is left out");
}

#[tokio::test]
async fn more_repositories_than_can_wait_are_all_of_them() {
    let mut server = server().await;
    let mut stream = TcpStream::connect(server.address).await.expect("connect");
    for nth in 0..=MAX_PENDING {
        let body = format!(r#"{{"url": "https://h/{nth}"}}"#);
        let request = head("/hooks/generic", &hub(body.as_bytes()), body.len()) + &body;
        stream.write_all(request.as_bytes()).await.expect("write");
        assert_eq!(answer(&mut stream).await.0, 202);
    }
    assert_eq!(server.pushed.recv().await, Some(Pushed::Everything));
}

#[tokio::test]
async fn a_remote_has_so_many_connections_and_no_more() {
    let server = server_with(Limits { connections_per_remote: 3, ..Limits::public() }, PATIENCE).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(server.address).await.expect("connect");
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").await.expect("write");
        assert_eq!(answer(&mut stream).await.0, 200);
        open.push(stream);
    }
    assert_eq!(get(&server, "/healthz").await.0, 0, "closed at once");
    drop(open);
    let again = async { while get(&server, "/healthz").await.0 != 200 {} };
    tokio::time::timeout(PATIENCE, again).await.expect("places are given back");
}

#[tokio::test]
async fn a_connection_lives_so_long_and_no_longer() {
    let server = server_with(Limits { lifetime: Some(Duration::from_millis(200)), ..Limits::public() }, PATIENCE).await;
    let mut stream = TcpStream::connect(server.address).await.expect("connect");
    let ended = async {
        loop {
            if stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").await.is_err() || answer(&mut stream).await.0 == 0 {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("it ends");
}

#[tokio::test]
async fn probes_say_how_the_process_does_and_it_stops_when_told() {
    let server = server().await;
    assert_eq!(get(&server, "/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(get(&server, "/readyz").await, (503, "the root has not been read yet\n".to_owned()));
    let (status, text) = get(&server, "/metrics").await;
    assert!(status == 200 && text.contains("plumb_units 3\n") && text.contains("plumb_hooks_total{result=\"accepted\"} 0\n"), "{text}");
    let idle = TcpStream::connect(server.address).await.expect("connect");
    tokio::time::timeout(PATIENCE, server.serving.stop()).await.expect("it stops");
    assert!(TcpStream::connect(server.address).await.is_err());
    drop(idle);
}
