//! Faults: an API server that stops, is slow, or answers badly. Nothing is deleted, it is said why, and all goes on by itself.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use plumb_cluster::{Cluster, ConnectOptions, KubeconfigSource, Observation, Reach};
use plumb_manifest::Gvk;
use plumb_plan::{Outcome, Redactor};
use plumb_plane::{Options, Part, Plane};
use plumb_world::Secret;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{App, config_map, observed, options};

/// The API server stops and comes back: what happened meanwhile is seen, and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_back_is_caught_up_with() {
    let mut plane = Plane::start(Options::default()).expect("a plane of its own");
    let cluster = Cluster::connect(options(plane.kubeconfig(), "outage")).await.expect("connected");
    cluster.prepare().await.expect("prepared");
    let mut app = App::new(&cluster, "default", "shop").await;
    let mut observations = cluster.observe();
    assert_eq!(app.sync(vec![config_map("a", "1"), config_map("b", "1")]).await.outcome, Outcome::Done);

    plane.kill_part(Part::ApiServer);
    let mut reach = cluster.reach();
    let down = tokio::time::timeout(Duration::from_secs(30), reach.wait_for(|reach| matches!(reach, Reach::Down(_))));
    down.await.expect("in time").expect("reach");
    let outcome = app.sync(vec![config_map("a", "2"), config_map("b", "1")]).await;
    assert_eq!(outcome.outcome, Outcome::Failed);
    assert!(outcome.class().is_some_and(|class| class.passes_by_itself()), "{outcome:#?}");

    plane.start_part(Part::ApiServer).expect("started");
    tokio::time::timeout(Duration::from_secs(60), reach.wait_for(|reach| *reach == Reach::Up)).await.expect("in time").expect("reach");
    plane.kubectl(&["-n", "default", "patch", "configmap", "b", "-p", r#"{"data":{"key":"9"}}"#]).expect("patched");
    observed(&mut observations, |observation| match observation {
        Observation::Deleted { .. } => panic!("{observation:?}"),
        Observation::Drifted { key, .. } => (&*key.name == "b").then_some(()),
        _ => None,
    })
    .await;
    assert_eq!(app.sync(vec![config_map("a", "2"), config_map("b", "1")]).await.outcome, Outcome::Done);

    // Stopped in its tracks: connections stand and nothing is answered.
    plane.pause_part(Part::ApiServer);
    let mut slow = options(plane.kubeconfig(), "outage");
    slow.request_timeout = Duration::from_secs(1);
    let connect = tokio::time::timeout(Duration::from_secs(20), Cluster::connect(slow)).await.expect("in time");
    plane.resume_part(Part::ApiServer);
    assert!(connect.is_err());
    assert_eq!(app.sync(vec![config_map("a", "3"), config_map("b", "1")]).await.outcome, Outcome::Done);
}

/// A server that says what a script says.
struct Scripted {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

/// What the script answers to one request for ConfigMaps.
#[derive(Clone)]
enum Reply {
    /// A status, headers and a body; then the connection closes.
    Plain(u16, &'static str, String),
    /// The begin of an answer, and then silence for good.
    Begin(String),
    /// The begin of an answer, and then the connection breaks.
    Broken(String),
}

impl Scripted {
    /// Answers requests for ConfigMaps from the script, its last reply for ever.
    async fn start(script: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = format!("http://{}", listener.local_addr().expect("address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(Mutex::new(VecDeque::from(script)));
        let log = asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, script.clone(), log.clone()));
            }
        });
        Self { address, asked }
    }

    async fn cluster(&self) -> Cluster {
        let text = json!({"apiVersion": "v1", "kind": "Config", "current-context": "a",
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
            "clusters": [{"name": "a", "cluster": {"server": self.address}}], "users": [{"name": "a", "user": {"token": "t"}}]});
        let source = KubeconfigSource::Text { origin: "a test".to_owned(), text: Secret::new(text.to_string()) };
        Cluster::connect(ConnectOptions::new(source, None, "scripted", Redactor::new([0; 32]))).await.expect("connected")
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("asked").clone()
    }
}

async fn serve(stream: TcpStream, script: Arc<Mutex<VecDeque<Reply>>>, asked: Arc<Mutex<Vec<String>>>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut first = String::new();
        if stream.read_line(&mut first).await.unwrap_or(0) == 0 {
            return;
        }
        let mut length = 0;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 || line == "\r\n" {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let _ = stream.read_exact(&mut vec![0; length]).await;
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let kinds = json!({"kind": "APIGroupDiscoveryList", "items": [{"metadata": {"name": ""}, "versions": [{"version": "v1", "resources": [
            {"resource": "configmaps", "scope": "Namespaced", "responseKind": {"group": "", "version": "v1", "kind": "ConfigMap"}}]}]}]});
        let reply = match path.as_str() {
            "/api/v1/namespaces/kube-system" => Reply::Plain(200, "", json!({"metadata": {"uid": "u"}}).to_string()),
            "/api" => Reply::Plain(200, "", kinds.to_string()),
            "/apis" => Reply::Plain(200, "", json!({"kind": "APIGroupDiscoveryList"}).to_string()),
            // What else a cluster is asked about is not there.
            other if !other.starts_with("/api/v1/configmaps") => Reply::Plain(404, "", status(404)),
            _ => {
                asked.lock().expect("asked").push(path);
                let mut script = script.lock().expect("script");
                if script.len() > 1 { script.pop_front().expect("reply") } else { script[0].clone() }
            }
        };
        let chunk = |body: &str| format!("{:x}\r\n{body}\r\n", body.len());
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        let (bytes, then) = match &reply {
            Reply::Plain(status, headers, body) => (
                format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()),
                false,
            ),
            Reply::Begin(body) | Reply::Broken(body) => (format!("{head}{}", chunk(body)), true),
        };
        if stream.write_all(bytes.as_bytes()).await.is_err() {
            return;
        }
        match reply {
            Reply::Begin(_) => std::future::pending().await,
            _ if then => return,
            _ => {}
        }
    }
}

fn object(name: &str, version: u32) -> Value {
    json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name, "namespace": "a", "uid": format!("uid-{name}"),
        "resourceVersion": version.to_string(), "labels": {"plumb.dev/installation": "scripted"}}})
}

fn event(kind: &str, object: Value) -> String {
    format!("{}\n", json!({"type": kind, "object": object}))
}

fn bookmark(version: u32) -> String {
    let annotations = json!({"k8s.io/initial-events-end": "true"});
    event(
        "BOOKMARK",
        json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"resourceVersion": version.to_string(), "annotations": annotations}}),
    )
}

fn status(code: u16) -> String {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": "Test", "message": "as scripted"}).to_string()
}

async fn follow(script: Vec<Reply>) -> (Scripted, Cluster, tokio::sync::mpsc::Receiver<Observation>) {
    let server = Scripted::start(script).await;
    let cluster = server.cluster().await;
    let observations = cluster.observe();
    cluster.watch([Gvk::new("v1", "ConfigMap")]);
    (server, cluster, observations)
}

fn name_of(observation: &Observation) -> Option<String> {
    match observation {
        Observation::Appeared { key, .. } => Some(format!("+{}", key.name)),
        Observation::Deleted { key, .. } => Some(format!("-{}", key.name)),
        _ => None,
    }
}

/// A list that breaks off before its end says nothing of what it did not get to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_broke_off_deletes_nothing() {
    let whole = format!("{}{}{}", event("ADDED", object("one", 1)), event("ADDED", object("two", 2)), bookmark(2));
    let expired = event("ERROR", json!({"kind": "Status", "code": 410, "message": "too old"}));
    let (server, cluster, mut observations) = follow(vec![
        Reply::Broken(format!("{whole}{expired}")),
        // The second list breaks off after its first object, and again in the middle of a line.
        Reply::Broken(event("ADDED", object("one", 1))),
        Reply::Broken(format!("{}{}", event("ADDED", object("one", 1)), r#"{"type":"ADDED","obj"#)),
        Reply::Begin(format!("{}{}{}", event("ADDED", object("two", 2)), event("ADDED", object("three", 3)), bookmark(5))),
    ])
    .await;
    let mut seen = Vec::new();
    observed(&mut observations, |observation| {
        seen.extend(name_of(observation));
        (seen.last().map(String::as_str) == Some("-one")).then_some(())
    })
    .await;
    assert_eq!(seen, ["+one", "+two", "+three", "-one"]);
    assert_eq!((cluster.index_size().objects, server.asked().len()), (2, 4));
}

/// A dropped watch goes on where it was; an expired one begins again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_is_resumed_and_begun_again() {
    let (server, _cluster, mut observations) = follow(vec![
        Reply::Broken(format!("{}{}", event("ADDED", object("one", 1)), bookmark(7))),
        Reply::Broken(event("ADDED", object("two", 9))),
        Reply::Plain(410, "", status(410)),
        Reply::Plain(429, "Retry-After: 0\r\n", status(429)),
        Reply::Plain(500, "", status(500)),
        Reply::Begin(format!("{}{}{}", event("ADDED", object("one", 1)), event("ADDED", object("three", 11)), bookmark(11))),
    ])
    .await;
    let mut seen = Vec::new();
    observed(&mut observations, |observation| {
        seen.extend(name_of(observation));
        (seen.last().map(String::as_str) == Some("-two")).then_some(())
    })
    .await;
    assert_eq!(seen, ["+one", "+two", "+three", "-two"]);
    let asked = server.asked();
    assert!(
        asked[0].contains("sendInitialEvents=true") && asked[1].ends_with("&resourceVersion=7") && asked[2].ends_with("&resourceVersion=9"),
        "{asked:?}"
    );
    assert!(asked[3..].iter().all(|path| path.contains("sendInitialEvents=true")), "{asked:?}");
    assert!(asked.iter().all(|path| path.contains("labelSelector=plumb.dev%2Finstallation%3Dscripted")), "{asked:?}");
}

/// A server without streaming lists is read in pages; a page that expires begins the list again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_read_where_lists_do_not_stream() {
    let page = |items: &[Value], next: &str, version: u32| {
        Reply::Plain(
            200,
            "",
            json!({"kind": "ConfigMapList", "items": items, "metadata": {"continue": next, "resourceVersion": version.to_string()}})
                .to_string(),
        )
    };
    let (server, cluster, mut observations) = follow(vec![
        Reply::Plain(422, "", status(422)),
        page(&[object("one", 1)], "more", 3),
        Reply::Plain(410, "", status(410)),
        page(&[object("one", 1)], "more", 4),
        page(&[object("two", 2)], "", 4),
        Reply::Begin(event("ADDED", object("three", 6))),
    ])
    .await;
    let mut seen = Vec::new();
    observed(&mut observations, |observation| {
        seen.extend(name_of(observation));
        (seen.last().map(String::as_str) == Some("+three")).then_some(())
    })
    .await;
    assert_eq!((seen, cluster.index_size().objects), (vec!["+one".to_owned(), "+two".to_owned(), "+three".to_owned()], 3));
    let asked = server.asked();
    assert!(asked[2].contains("continue=more") && asked[3].ends_with("continue=") && asked[5].ends_with("&resourceVersion=4"), "{asked:?}");
}

/// Lines that are no JSON, or no objects, end the watch and not the process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_is_told_and_survived() {
    let nonsense = [
        "not json\n".to_owned(),
        event("ADDED", json!([1])),
        event("ADDED", json!({"metadata": "x"})),
        "{\"type\":\"ADDED\"}\n".to_owned(),
    ];
    let mut script: Vec<Reply> = nonsense.into_iter().map(Reply::Broken).collect();
    script.push(Reply::Begin(format!("{}{}{}", event("FUTURE", object("x", 1)), event("ADDED", object("one", 1)), bookmark(2))));
    let (_server, cluster, mut observations) = follow(script).await;
    let mut troubles = 0;
    observed(&mut observations, |observation| {
        troubles += usize::from(matches!(observation, Observation::Trouble { message: Some(_), .. }));
        matches!(observation, Observation::Synced(_)).then_some(())
    })
    .await;
    assert!(troubles > 0);
    assert_eq!(cluster.index_size().objects, 1);
}
