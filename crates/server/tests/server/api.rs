//! Owns the local API's tests: a backend of the tests' own behind a real socket, asked by the client and by hand.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use plumb_plan::HealthStatus;
use plumb_server::api::{
    Activity, ActivityState, ApiError, Backend, Caller, ErrorCode, HealthView, Info, MAX_REQUEST_BYTES, NewRequest, ObjectEvent, Order,
    OrderKind, Progress, RequestState, RequestView, StreamEvent, SyncState, TargetView, Tree, UnitFilter, UnitRef, UnitView,
};
use plumb_server::client::{Client, ClientError};
use plumb_server::{Api, SocketError};
use plumb_store::{PlanSummary, SyncDetail, SyncId, SyncOutcome, SyncSummary, Trigger};
use plumb_unit::{NodeKey, Revisions};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{Notify, mpsc};

const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Loop {
    requests: Mutex<BTreeMap<String, RequestView>>,
    orders: Mutex<Vec<(Caller, Order)>>,
    ended: Notify,
}

#[derive(Clone, Default)]
struct Fake(Arc<Loop>);

fn view(namespace: &str, name: &str) -> UnitView {
    UnitView {
        namespace: namespace.into(),
        name: name.into(),
        target: TargetView { cluster: String::new(), namespace: Some("shop".into()) },
        sync: SyncState::OutOfSync,
        health: HealthView { status: HealthStatus::Progressing, message: "1 of 2 ready".into() },
        synced: None,
        wanted: Revisions::new(),
        commit: None,
        activity: Activity { state: ActivityState::Working, what: Some("apply".into()), until_ms: None },
        why: None,
        gates: Vec::new(),
        failure: None,
        problems: Vec::new(),
        stale: Vec::new(),
        drift: None,
        objects: 2,
        declared_at: "units/shop.yaml:1:1".into(),
    }
}

fn summary(unit: &UnitRef) -> SyncSummary {
    SyncSummary {
        id: "01234567890".parse().expect("id"),
        unit: NodeKey::unit("home", &unit.namespace, &unit.name),
        revisions: Revisions::new(),
        commit: None,
        trigger: Trigger::Start,
        outcome: SyncOutcome::Succeeded,
        error: None,
        started_ms: 1,
        ended_ms: 2,
        objects_changed: 0,
        objects_failed: 0,
        drifted: 0,
        offline_rollback: false,
        offline_rollback_reason: None,
    }
}

fn known(unit: &UnitRef) -> Result<(), ApiError> {
    if unit.name == "shop" { Ok(()) } else { Err(ApiError::no_unit(&unit.namespace, &unit.name)) }
}

impl Fake {
    fn find(&self, id: &str) -> Result<RequestView, ApiError> {
        self.0.requests.lock().expect("lock").get(id).cloned().ok_or_else(|| ApiError::no_request(id))
    }

    fn end(&self, id: &str, state: RequestState) {
        self.0.requests.lock().expect("lock").get_mut(id).expect("request").state = state;
        self.0.ended.notify_waiters();
    }
}

impl Backend for Fake {
    async fn info(&self) -> Result<Info, ApiError> {
        Ok(Info { version: "0.1.0".into(), installation: "home".into(), started_ms: 7, history: Value::Null, problems: Vec::new() })
    }

    async fn units(&self, filter: &UnitFilter) -> Result<Vec<UnitView>, ApiError> {
        let all = [("a", "shop"), ("b", "shop")];
        Ok(all.iter().filter(|(namespace, name)| filter.matches(namespace, name)).map(|(namespace, name)| view(namespace, name)).collect())
    }

    async fn unit(&self, unit: &UnitRef) -> Result<UnitView, ApiError> {
        known(unit).map(|()| view(&unit.namespace, &unit.name))
    }

    async fn tree(&self, unit: &UnitRef) -> Result<Tree, ApiError> {
        known(unit).map(|()| Tree { objects: Vec::new(), truncated: false })
    }

    async fn object_events(&self, unit: &UnitRef) -> Result<Vec<ObjectEvent>, ApiError> {
        known(unit).map(|()| Vec::new())
    }

    async fn history(&self, unit: &UnitRef, limit: usize) -> Result<Vec<SyncSummary>, ApiError> {
        known(unit).map(|()| vec![summary(unit); limit])
    }

    async fn sync(&self, unit: &UnitRef, sync: SyncId) -> Result<SyncDetail, ApiError> {
        let summary = SyncSummary { id: sync, ..summary(unit) };
        Ok(SyncDetail { summary, plan: PlanSummary::default(), objects: Vec::new(), drift: Vec::new(), phases: Vec::new() })
    }

    async fn request(&self, caller: &Caller, unit: &UnitRef, order: Order, reason: Option<String>) -> Result<RequestView, ApiError> {
        known(unit)?;
        if let Order::Delete { .. } = order {
            return Err(ApiError::new(ErrorCode::Refused, "not that one").hint("Ask ada."));
        }
        self.0.orders.lock().expect("lock").push((caller.clone(), order));
        let mut requests = self.0.requests.lock().expect("lock");
        let request = RequestView {
            id: format!("r{}", requests.len()),
            namespace: unit.namespace.clone(),
            name: unit.name.clone(),
            kind: OrderKind::Reconcile,
            by: caller.name.clone(),
            reason,
            created_ms: 1,
            state: RequestState::Accepted,
            message: None,
            withheld: Vec::new(),
            withheld_digest: None,
            plan: None,
            sync: None,
        };
        requests.insert(request.id.clone(), request.clone());
        Ok(request)
    }

    async fn request_state(&self, id: &str, wait: Duration) -> Result<RequestView, ApiError> {
        let ended = self.0.ended.notified();
        let now = self.find(id)?;
        if !now.state.has_ended() {
            // Whether it ended or the time passed, the answer is how it is then.
            tokio::time::timeout(wait, ended).await.ok();
        }
        self.find(id)
    }

    async fn cancel(&self, _: &Caller, id: &str) -> Result<RequestView, ApiError> {
        self.find(id)?;
        self.end(id, RequestState::Cancelled);
        self.find(id)
    }

    async fn request_progress(&self, id: &str) -> Result<mpsc::Receiver<Progress>, ApiError> {
        let request = self.find(id)?;
        let (sender, receiver) = mpsc::channel(4);
        tokio::spawn(async move {
            for stage in ["build", "plan", "apply"] {
                sender.send(Progress::Stage { stage: stage.into() }).await.expect("somebody reads");
            }
            sender.send(Progress::Ended { request }).await.expect("somebody reads");
        });
        Ok(receiver)
    }

    async fn stream(&self, filter: &UnitFilter) -> Result<mpsc::Receiver<StreamEvent>, ApiError> {
        let (sender, receiver) = mpsc::channel(1);
        let units = self.units(filter).await?;
        let this = self.clone();
        tokio::spawn(async move {
            for unit in units {
                sender.send(StreamEvent::Unit { unit: Box::new(unit) }).await.expect("somebody reads");
            }
            sender.closed().await;
            this.0.ended.notify_one();
        });
        Ok(receiver)
    }
}

struct Server {
    api: Api,
    fake: Fake,
    client: Client,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

fn server() -> Server {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("run/plumb.sock");
    let fake = Fake::default();
    Server { api: Api::bind(&path, fake.clone()).expect("bind"), fake, client: Client::new(&path), path, _folder: folder }
}

fn shop() -> UnitRef {
    UnitRef { namespace: "a".into(), name: "shop".into() }
}

fn other() -> UnitRef {
    UnitRef { namespace: "a".into(), name: "sh op/ä?".into() }
}

/// Asks by hand, as curl would.
async fn raw(server: &Server, method: &str, path: &str, body: &str) -> (u16, Value) {
    let mut stream = UnixStream::connect(&server.path).await.expect("connect");
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("write");
    // A body that is too long is refused before it has been taken.
    stream.write_all(body.as_bytes()).await.ok();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok();
    let answer = String::from_utf8(answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    (head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("status"), serde_json::from_str(body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn every_question_reaches_the_backend_and_comes_back() {
    let server = server();
    let client = &server.client;
    assert_eq!(client.info().await.expect("info").installation, "home");
    assert_eq!(client.units(&UnitFilter::default()).await.expect("units"), [view("a", "shop"), view("b", "shop")]);
    let in_b = UnitFilter { namespace: Some("b".into()), name: None };
    assert_eq!(client.units(&in_b).await.expect("units"), [view("b", "shop")]);
    assert_eq!(client.unit(&shop()).await.expect("unit"), view("a", "shop"));
    assert_eq!(client.tree(&shop()).await.expect("tree").objects, []);
    assert_eq!(client.object_events(&shop()).await.expect("events"), []);
    assert_eq!(client.history(&shop(), 3).await.expect("history"), vec![summary(&shop()); 3]);
    let id: SyncId = "1m7y2n8wn00".parse().expect("id");
    assert_eq!(client.sync(&shop(), id).await.expect("sync").summary.id, id);
    assert!(matches!(client.manifests(&shop()).await, Err(ClientError::Api(error)) if error.code == ErrorCode::Unsupported));
    assert!(matches!(client.diff(&shop()).await, Err(ClientError::Api(error)) if error.code == ErrorCode::Unsupported));
    let missing = client.unit(&UnitRef { namespace: "a".into(), name: "gone".into() }).await;
    assert!(matches!(missing, Err(ClientError::Api(error)) if error == ApiError::no_unit("a", "gone")));
    assert!(matches!(client.unit(&other()).await, Err(ClientError::Api(error)) if error.code == ErrorCode::Invalid));
}

#[tokio::test]
async fn the_json_of_a_unit_is_what_is_documented() {
    let server = server();
    let (status, unit) = raw(&server, "GET", "/v1/units/a/shop", "").await;
    assert_eq!(status, 200);
    assert_eq!(
        unit,
        json!({
            "namespace": "a", "name": "shop", "target": {"cluster": "", "namespace": "shop"}, "sync": "outOfSync",
            "health": {"status": "Progressing", "message": "1 of 2 ready"}, "wanted": {},
            "activity": {"state": "working", "what": "apply"}, "gates": [], "objects": 2, "declaredAt": "units/shop.yaml:1:1",
        })
    );
    let (status, error) = raw(&server, "GET", "/v1/units/a/gone", "").await;
    let hints = ["`plumb get units` lists them."];
    assert_eq!((status, error), (404, json!({"error": {"code": "notFound", "message": "there is no unit `a/gone`", "hints": hints}})));
}

#[tokio::test]
async fn an_order_is_taken_with_who_gave_it_and_waited_for() {
    let server = server();
    let order = NewRequest { for_ms: Some(5), reason: Some("night shift".into()), ..NewRequest::new(OrderKind::Suspend) };
    let taken = server.client.request(&shop(), &order).await.expect("taken");
    assert_eq!((taken.state, taken.reason.as_deref()), (RequestState::Accepted, Some("night shift")));
    let (caller, order) = server.fake.0.orders.lock().expect("lock")[0].clone();
    assert_eq!(order, Order::Suspend { for_ms: Some(5) });
    let own = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&server.path).expect("socket"));
    assert_eq!((caller.uid, caller.name.clone()), (own, taken.by));

    let early = server.client.request_state(&taken.id, Duration::from_millis(10)).await.expect("state");
    assert_eq!(early.state, RequestState::Accepted, "the time passed");
    let waiting = tokio::spawn({
        let (client, id) = (server.client.clone(), taken.id.clone());
        async move { client.wait(&id).await }
    });
    let ended = async {
        while !waiting.is_finished() {
            server.fake.end(&taken.id, RequestState::Done);
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("in time");
    assert_eq!(waiting.await.expect("task").expect("ended").state, RequestState::Done);

    let second = server.client.request(&shop(), &NewRequest::new(OrderKind::Reconcile)).await.expect("taken");
    assert_eq!(server.client.cancel(&second.id).await.expect("cancelled").state, RequestState::Cancelled);
    let refused = server.client.request(&shop(), &NewRequest::new(OrderKind::Delete)).await;
    assert!(matches!(refused, Err(ClientError::Api(error)) if error.code == ErrorCode::Refused && error.hints == ["Ask ada."]));
    assert!(matches!(server.client.wait("nope").await, Err(ClientError::Api(error)) if error.code == ErrorCode::NotFound));
}

#[tokio::test]
async fn progress_comes_line_by_line_and_ends() {
    let server = server();
    let taken = server.client.request(&shop(), &NewRequest::new(OrderKind::Reconcile)).await.expect("taken");
    let mut lines = server.client.progress(&taken.id).await.expect("progress");
    let mut seen = Vec::new();
    while let Some(line) = lines.next().await.expect("line") {
        seen.push(line);
    }
    let stages = ["build", "plan", "apply"].map(|stage| Progress::Stage { stage: stage.into() });
    assert_eq!(seen, [&stages[..], &[Progress::Ended { request: taken }]].concat());
    assert!(matches!(server.client.progress("nope").await, Err(ClientError::Api(error)) if error.code == ErrorCode::NotFound));
}

#[tokio::test]
async fn a_reader_that_goes_away_is_noticed() {
    let server = server();
    let mut lines = server.client.stream(&UnitFilter::default()).await.expect("stream");
    for namespace in ["a", "b"] {
        let line = lines.next().await.expect("line");
        assert_eq!(line, Some(StreamEvent::Unit { unit: Box::new(view(namespace, "shop")) }));
    }
    drop(lines);
    tokio::time::timeout(PATIENCE, server.fake.0.ended.notified()).await.expect("the sender saw it");
}

#[tokio::test]
async fn what_is_not_understood_is_refused() {
    let server = server();
    for (method, path, body, expect) in [
        ("POST", "/v1/units/a/shop/requests", r#"{"kind": "explode"}"#, 400),
        ("POST", "/v1/units/a/shop/requests", r#"{"kind": "resume", "forMs": 5}"#, 400),
        ("POST", "/v1/units/a/shop/requests", r#"{"kind": "resume", "nonsense": 5}"#, 400),
        ("POST", "/v1/units/a/shop/requests", "{", 400),
        ("POST", "/v1/units/a/shop/requests", &format!("{{\"reason\": \"{}\"}}", "x".repeat(MAX_REQUEST_BYTES)), 400),
        ("GET", "/v1/units?nonsense=1", "", 400),
        ("GET", "/v1/units/a/shop/history?limit=-1", "", 400),
        ("GET", "/v1/units/a/shop/history/nonsense", "", 400),
        ("GET", "/v1/requests/r0?waitMs=x", "", 400),
        ("GET", "/v2/units", "", 404),
        ("DELETE", "/v1/units/a/shop", "", 501),
    ] {
        let (status, answer) = raw(&server, method, path, body).await;
        assert_eq!(status, expect, "{method} {path} {answer}");
        assert!(answer["error"]["message"].is_string(), "{method} {path} {answer}");
    }
}

#[tokio::test]
async fn nobody_there_is_said_plainly_and_a_second_server_is_refused() {
    let server = server();
    assert!(matches!(Api::bind(&server.path, Fake::default()), Err(SocketError::InUse { .. })));
    assert_eq!(server.client.info().await.expect("still there").version, "0.1.0");
    let (client, path) = (server.client.clone(), server.path.clone());
    tokio::time::timeout(PATIENCE, server.api.stop()).await.expect("it stops");
    assert!(!path.exists());
    let error = client.info().await.expect_err("nobody there");
    assert!(matches!(error, ClientError::NotRunning { .. }) && error.to_string().contains("plumb.sock"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_ask_at_once() {
    let server = server();
    let tasks: Vec<_> = (0..200)
        .map(|_| {
            let client = server.client.clone();
            tokio::spawn(async move { client.units(&UnitFilter::default()).await.map(|units| units.len()) })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.expect("task").expect("units"), 2);
    }
}
