//! Servers that are not honest, or not Git's: they answer by hand.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use plumb_plane::git::HttpOptions;
use plumb_source::{FetchClass, FetchError, Limits, classify};
use plumb_unit::GitRef;
use tempfile::TempDir;

use crate::{Stage, basic, branch, open, read, soon, source};

/// One request, as it came: the head's lines, and the body.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    head: Vec<String>,
    body: Vec<u8>,
}

impl Request {
    pub(crate) fn target(&self) -> &str {
        self.head[0].split(' ').nth(1).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.iter().find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
    }
}

/// A server that answers each request, one a connection, with what a function returns.
pub(crate) struct Server {
    pub(crate) address: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&Request) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let Some(request) = receive(&stream) else { continue };
                log.lock().unwrap().push(request.clone());
                // The client may hang up on an answer it does not like.
                let _ = stream.write_all(&answer(&request));
            }
        });
        Self { address, seen }
    }

    fn url(&self) -> String {
        format!("http://{}/team/shop.git", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }
}

fn receive(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let mut request = Request { head, body: Vec::new() };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    request.body = vec![0; length];
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}

pub(crate) fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Passes a request on to a real server, changed, and returns the answer.
fn forward(to: &str, request: &Request, keep: impl Fn(&str) -> bool) -> Vec<u8> {
    let host = to.trim_start_matches("http://").split('/').next().unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let replaced = ["host:", "connection:", "content-length:"];
    let own = |line: &&String| !replaced.iter().any(|name| line.to_lowercase().starts_with(name)) && keep(line);
    let mut head: Vec<_> = request.head.iter().filter(own).cloned().collect();
    head.extend([format!("Host: {host}"), "Connection: close".to_owned(), format!("Content-Length: {}", request.body.len())]);
    stream.write_all(format!("{}\r\n\r\n", head.join("\r\n")).as_bytes()).unwrap();
    stream.write_all(&request.body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

fn fetch(url: &str, limits: Limits) -> FetchError {
    let folder = TempDir::new().unwrap();
    let cache = open(folder.path(), limits);
    cache.fetch(&source(url, branch("main")), Some(&basic("ada", "s3cret")), &soon()).unwrap_err()
}

#[test]
fn every_status_has_its_meaning() {
    for (status, headers, class, is) in [
        ("401 Unauthorized", "", FetchClass::Denied, (|e| matches!(e, FetchError::Unauthorized { .. })) as fn(&FetchError) -> bool),
        ("403 Forbidden", "", FetchClass::Denied, |e| matches!(e, FetchError::Forbidden { .. })),
        ("404 Not Found", "", FetchClass::Denied, |e| matches!(e, FetchError::NotFound { .. })),
        ("410 Gone", "", FetchClass::Denied, |e| matches!(e, FetchError::NotFound { .. })),
        ("429 Too Many Requests", "", FetchClass::Unavailable, |e| matches!(e, FetchError::Unavailable { status: 429, .. })),
        ("500 Oops", "", FetchClass::Unavailable, |e| matches!(e, FetchError::Unavailable { status: 500, .. })),
        ("503 Busy", "", FetchClass::Unavailable, |e| matches!(e, FetchError::Unavailable { status: 503, .. })),
        ("418 Teapot", "", FetchClass::Refused, |e| matches!(e, FetchError::Protocol { .. })),
        ("204 No Content", "", FetchClass::Refused, |e| matches!(e, FetchError::Protocol { .. })),
        ("301 Moved", "Location: ftp://a/b\r\n", FetchClass::Refused, |e| matches!(e, FetchError::Protocol { .. })),
        ("301 Moved", "", FetchClass::Denied, |e| matches!(e, FetchError::Moved { .. })),
    ] {
        let (status, headers) = (status.to_owned(), headers.to_owned());
        let shown = status.clone();
        let server = Server::start(move |_| answer(&status, &headers, b"\x1b[31mno"));
        let error = fetch(&server.url(), Limits::default());
        assert!(is(&error), "{shown}: {error:?}");
        assert_eq!(classify(&error), class, "{shown}");
        assert!(!error.to_string().contains('\x1b'));
    }
}

#[test]
fn answers_that_are_not_gits() {
    let advertisement = "Content-Type: application/x-git-upload-pack-advertisement\r\n";
    for (headers, body) in [
        ("Content-Type: text/html\r\n", &b"<html>Please sign in</html>"[..]),
        (advertisement, b""),
        (advertisement, b"garbage"),
        (advertisement, b"ffff"),
        (advertisement, b"001e# service=git-upload-pack\n"),
        (advertisement, b"001e# service=git-receive-pack\n0000"),
        (advertisement, b"001e# service=git-upload-pack\n0000000eversion 9\n0000"),
        (advertisement, b"001e# service=git-upload-pack\n0000000eversion 2\n0000"),
        (advertisement, b"0000"),
    ] {
        let server = Server::start(move |_| answer("200 OK", headers, body));
        let error = fetch(&server.url(), Limits::default());
        assert!(
            matches!(error, FetchError::Protocol { .. } | FetchError::Unreachable { .. }),
            "{}: {error:?}",
            String::from_utf8_lossy(body)
        );
    }
    let server = Server::start(|_| b"nothing like HTTP\r\n\r\n".to_vec());
    assert!(matches!(fetch(&server.url(), Limits::default()), FetchError::Protocol { .. } | FetchError::Unreachable { .. }));
}

#[test]
fn endless_answers_end() {
    let limits = Limits { listing_bytes: 10_000, ..Limits::default() };
    let line = "0043f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0 refs/heads/aaaaaaaaaa\n";
    assert_eq!(line.len(), 0x43);
    let first = "0044f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0 HEAD\0shallow agent=x/y\n";
    assert_eq!(first.len(), 0x44);
    let body = format!("001e# service=git-upload-pack\n0000{first}{}", line.repeat(1000));
    let headers = "Content-Type: application/x-git-upload-pack-advertisement\r\n";
    let server = Server::start(move |_| answer("200 OK", headers, body.as_bytes()));
    let error = fetch(&server.url(), limits);
    assert!(matches!(error, FetchError::TooLarge { limit: 10_000, .. }), "{error:?}");
    assert_eq!(classify(&error), FetchClass::Refused);
}

#[test]
fn a_redirect_is_followed_without_the_credentials() {
    let stage = Stage::new();
    stage.push("a", "1");
    let upstream = stage.server.url("team/shop");
    let base = upstream.trim_end_matches("/team/shop.git").to_owned();
    let other = Server::start(move |request| forward(&base, request, |_| true));
    let there = format!("http://{}", other.address);
    let first = Server::start(move |request| answer("301 Moved", &format!("Location: {there}{}\r\n", request.target()), b""));
    let cache = open(&stage.folder.path().join("second"), Limits::default());
    let fetched = cache.fetch(&source(&first.url(), branch("main")), Some(&basic("ada", "s3cret")), &soon()).unwrap();
    assert_eq!(read(&fetched.snapshot, "a").as_deref(), Some("1"));
    assert!(first.seen().iter().all(|request| request.header("authorization").is_some()));
    assert!(other.seen().len() >= 3);
    assert!(other.seen().iter().all(|request| request.header("authorization").is_none()), "{:?}", other.seen());
}

#[test]
fn a_redirect_within_the_origin_keeps_the_credentials() {
    let stage = Stage::new();
    stage.push("a", "1");
    let upstream = stage.server.url("team/shop");
    let base = upstream.trim_end_matches("/team/shop.git").to_owned();
    let server = Server::start(move |request| match request.target().strip_prefix("/old") {
        Some(rest) => answer("302 Found", &format!("Location: /team{rest}\r\n"), b""),
        None => forward(&base, request, |_| true),
    });
    let url = server.url().replace("/team/", "/old/");
    let cache = open(&stage.folder.path().join("second"), Limits::default());
    cache.fetch(&source(&url, branch("main")), Some(&basic("ada", "s3cret")), &soon()).unwrap();
    assert!(server.seen().iter().all(|request| request.header("authorization").is_some()));
}

#[test]
fn redirects_that_are_not_followed() {
    let round = Server::start(|request| answer("302 Found", &format!("Location: {}\r\n", request.target()), b""));
    assert!(matches!(fetch(&round.url(), Limits::default()), FetchError::Protocol { .. }));
    // It leads to something that is not the same repository's list of refs.
    let page = Server::start(|_| answer("200 OK", "Content-Type: text/html\r\n", b"sign in"));
    let to = format!("Location: http://{}/login\r\n", page.address);
    let login = Server::start(move |_| answer("302 Found", &to, b""));
    let error = fetch(&login.url(), Limits::default());
    assert!(matches!(&error, FetchError::Moved { to, .. } if to.contains("/login")), "{error:?}");
}

#[test]
fn the_older_protocol_is_spoken_too() {
    let stage = Stage::new();
    let first = stage.push("a", "1");
    let upstream = stage.server.url("team/shop");
    let base = upstream.trim_end_matches("/team/shop.git").to_owned();
    let server = Server::start(move |request| forward(&base, request, |line| !line.to_lowercase().starts_with("git-protocol")));
    let cache = open(&stage.folder.path().join("second"), Limits::default());
    let fetch = |reference| cache.fetch(&source(&server.url(), reference), None, &soon()).map(|fetched| fetched.snapshot);
    assert_eq!(read(&fetch(branch("main")).unwrap(), "a").as_deref(), Some("1"));
    stage.push("a", "2");
    stage.push("a", "3");
    assert_eq!(read(&fetch(GitRef::Default).unwrap(), "a").as_deref(), Some("3"));
    assert_eq!(read(&fetch(GitRef::Commit(first)).unwrap(), "a").as_deref(), Some("1"));
    assert!(matches!(fetch(branch("none")).unwrap_err(), FetchError::NoSuchRef { .. }));
    let packs = server.seen().iter().filter(|request| request.head[0].starts_with("POST")).count();
    assert!(packs >= 2);
}

#[test]
fn a_download_over_the_limit_or_cut_short() {
    let stage = Stage::limited(HttpOptions::default(), Limits { pack_bytes: 20_000, ..Limits::default() });
    stage.push("a", &crate::noise(200_000));
    let error = stage.fetch(branch("main")).unwrap_err();
    assert!(matches!(error, FetchError::TooLarge { limit: 20_000, .. }), "{error:?}");

    let upstream = stage.server.url("team/shop");
    let base = upstream.trim_end_matches("/team/shop.git").to_owned();
    let cut = Server::start(move |request| {
        let mut answer = forward(&base, request, |_| true);
        if request.body.windows(5).any(|word| word == b"want ") {
            answer.truncate(answer.len() / 2);
        }
        answer
    });
    let cache = open(&stage.folder.path().join("second"), Limits::default());
    let error = cache.fetch(&source(&cut.url(), branch("main")), None, &soon()).unwrap_err();
    assert!(matches!(error, FetchError::Corrupt { .. } | FetchError::Unreachable { .. } | FetchError::Protocol { .. }), "{error:?}");

    let base = upstream.trim_end_matches("/team/shop.git").to_owned();
    let flipped = Server::start(move |request| {
        let mut answer = forward(&base, request, |_| true);
        if request.body.windows(5).any(|word| word == b"want ") {
            let at = answer.len() - 5000;
            answer[at] ^= 1;
        }
        answer
    });
    let error = cache.fetch(&source(&flipped.url(), branch("main")), None, &soon()).unwrap_err();
    assert!(matches!(error, FetchError::Corrupt { .. }), "{error:?}");
    // Nothing of it stays.
    assert_eq!(
        cache.fetch(&source(&upstream, branch("main")), None, &soon()).unwrap().snapshot.revision().commit,
        stage.repo.head().unwrap()
    );
}

/// Damages an answer in one of the ways that numbers choose.
fn damage(answer: &mut Vec<u8>, mut seed: u64) {
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below.max(1)
    };
    let at = next(answer.len());
    match next(5) {
        0 => answer[at] ^= 1 << next(8),
        1 => answer[at] = next(256) as u8,
        2 => answer.truncate(at),
        3 => {
            let to = at + next(answer.len() - at);
            let piece = answer[at..to].to_vec();
            answer.splice(at..at, piece);
        }
        _ => drop(answer.splice(at..(at + 4).min(answer.len()), *b"ffff")),
    }
}

/// No answer, however damaged, leads to anything but a failure that says what is wrong, or to the true content.
#[test]
fn damaged_answers() {
    let stage = Stage::new();
    stage.repo.write("dir/b", crate::noise(3000)).unwrap();
    stage.push("a", "1");
    stage.main();
    let upstream = stage.server.url("team/shop");
    let base = upstream.trim_end_matches("/team/shop.git").to_owned();
    let answers = Arc::new(Mutex::new(Vec::<Vec<u8>>::new()));
    let record = answers.clone();
    let recorder = Server::start(move |request| {
        let answer = forward(&base, request, |_| true);
        record.lock().unwrap().push(answer.clone());
        answer
    });
    let folder = TempDir::new().unwrap();
    open(folder.path(), Limits::default()).fetch(&source(&recorder.url(), branch("main")), None, &soon()).unwrap();
    let bodies: Vec<(String, Vec<u8>)> = answers
        .lock()
        .unwrap()
        .iter()
        .map(|answer| {
            let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
            let head = String::from_utf8(answer[..end].to_vec()).unwrap();
            let kind = head.lines().find(|line| line.to_lowercase().starts_with("content-type")).unwrap().to_owned();
            (format!("{kind}\r\n"), unchunk(&head, &answer[end + 4..]))
        })
        .collect();
    assert_eq!(bodies.len(), 3);

    let plan = Arc::new(Mutex::new((0_usize, 0_u64)));
    let planned = plan.clone();
    let server = Server::start(move |request| {
        let step = match request.head[0].starts_with("GET") {
            true => 0,
            false => 1 + usize::from(request.body.windows(5).any(|word| word == b"want ")),
        };
        let (damaged, seed) = *planned.lock().unwrap();
        let (headers, mut body) = bodies[step].clone();
        if step == damaged {
            damage(&mut body, seed);
        }
        answer("200 OK", &headers, &body)
    });
    let mut cache = open(&folder.path().join("0"), Limits::default());
    for seed in 0..400 {
        *plan.lock().unwrap() = (seed as usize % 3, seed * 7919);
        let options = plumb_source::FetchOptions { timeout: std::time::Duration::from_secs(20), ..soon() };
        match cache.fetch(&source(&server.url(), branch("main")), None, &options) {
            Ok(fetched) => {
                assert_eq!(read(&fetched.snapshot, "dir/b").unwrap(), crate::noise(3000), "{seed}");
                cache = open(&folder.path().join(format!("{}", seed + 1)), Limits::default());
            }
            Err(error @ (FetchError::Bug { .. } | FetchError::DeadlineExceeded { .. } | FetchError::Cache { .. })) => {
                panic!("{seed}: {error:?}")
            }
            Err(_) => {}
        }
    }
}

fn unchunk(head: &str, mut body: &[u8]) -> Vec<u8> {
    if !head.to_lowercase().contains("transfer-encoding: chunked") {
        return body.to_vec();
    }
    let mut whole = Vec::new();
    loop {
        let end = body.windows(2).position(|two| two == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&body[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return whole;
        }
        whole.extend_from_slice(&body[end + 2..end + 2 + size]);
        body = &body[end + 2 + size + 2..];
    }
}

#[test]
fn a_server_that_leaves_files_out() {
    let stage = Stage::new();
    let commit = stage.push("a", "1");
    crate::cached::git(&stage.server.path("team/shop"), &["config", "uploadpack.allowFilter", "true"]);
    let upstream = stage.server.url("team/shop");
    let base = upstream.trim_end_matches("/team/shop.git").to_owned();
    let server = Server::start(move |request| {
        let mut request = request.clone();
        let done = b"0009done\n";
        if let Some(at) = request.body.windows(done.len()).position(|word| word == done) {
            request.body.splice(at..at, b"0015filter blob:none\n".iter().copied());
        }
        forward(&base, &request, |_| true)
    });
    let cache = open(&stage.folder.path().join("second"), Limits::default());
    for _ in 0..2 {
        let error = cache.fetch(&source(&server.url(), branch("main")), None, &soon()).unwrap_err();
        assert!(matches!(&error, FetchError::Corrupt { why, .. } if why.contains("missing")), "{error:?}");
    }
    assert_eq!(stage.main().revision().commit, commit);
}

#[test]
fn a_server_that_hands_out_another_commit() {
    let stage = Stage::new();
    let good = stage.push("a", "1");
    let evil = stage.push("a", "2");
    let upstream = stage.server.url("team/shop");
    let base = upstream.trim_end_matches("/team/shop.git").to_owned();
    // It lists one id and sends the objects of another.
    let (shown, sent) = ("f".repeat(40), evil.clone());
    let server = Server::start(move |request| {
        let swap = |bytes: &[u8], from: &str, to: &str| String::from_utf8_lossy(bytes).replace(from, to).into_bytes();
        if request.body.windows(5).any(|word| word == b"want ") {
            let changed = Request { head: request.head.clone(), body: swap(&request.body, &shown, &sent) };
            return forward(&base, &changed, |_| true);
        }
        swap(&forward(&base, request, |_| true), &sent, &shown)
    });
    let cache = open(&stage.folder.path().join("second"), Limits::default());
    let error = cache.fetch(&source(&server.url(), branch("main")), None, &soon()).unwrap_err();
    assert!(matches!(error, FetchError::Corrupt { .. }), "{error:?}");
    assert_ne!(good, evil);
}
