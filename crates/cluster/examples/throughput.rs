//! Measures syncs of many small units against a raw client that makes the same writes, in one run on one control plane.
//!
//! `cargo run --release -p plumb-cluster --example throughput -- [UNITS] [FOREIGN-CONFIGMAPS]`
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a program that measures and prints")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use kube::client::Body;
use plumb_cluster::{Adopt, Cluster, ConnectOptions, Inventories, InventoryRecord, KubeconfigSource, SyncOptions, unfenced};
use plumb_manifest::{Gvk, Manifest, ObjectKey};
use plumb_plan::{Alone, BuildFacts, GroupSums, Intent, Outcome, PlanInput, Redactor, Rules, SyncScope, plan, stamp};
use plumb_plane::{Options, Plane};
use plumb_schema::Schema;
use plumb_unit::{Evidence, NodeKey, Policy};
use plumb_world::{FileId, Span};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const NAMESPACES: usize = 10;
const RAW_CONNECTIONS: usize = 32;
const UNITS_AT_ONCE: usize = 48;

type Failed = Box<dyn std::error::Error + Send + Sync>;

fn objects(prefix: &str, at: usize) -> Vec<Value> {
    let (name, namespace) = (format!("{prefix}-{at}"), format!("load-{}", at % NAMESPACES));
    let metadata = json!({"name": name, "namespace": namespace, "labels": {"app": name}});
    vec![
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": {"app": name}, "ports": [{"port": 80, "name": "http"}]}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"replicas": 0, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"serviceAccountName": name, "containers": [{"name": "main",
            "image": "registry.example.com/app:1", "ports": [{"containerPort": 80}], "resources": {"limits": {"memory": "64Mi"}}}]}}}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": {"rules": [{"host": format!("{name}.example.com"),
            "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": name, "port": {"name": "http"}}}}]}}]}}),
    ]
}

fn path(object: &Value) -> Option<String> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let (namespace, name) = (text("/metadata/namespace")?, text("/metadata/name")?);
    let base = match text("/kind")? {
        "ServiceAccount" => format!("/api/v1/namespaces/{namespace}/serviceaccounts"),
        "Service" => format!("/api/v1/namespaces/{namespace}/services"),
        "Deployment" => format!("/apis/apps/v1/namespaces/{namespace}/deployments"),
        _ => format!("/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses"),
    };
    Some(format!("{base}/{name}?fieldManager=raw&force=true"))
}

fn rss_anon_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

async fn raw(kubeconfig: &std::path::Path, units: usize) -> Result<Duration, Failed> {
    let config = kube::Config::from_custom_kubeconfig(kube::config::Kubeconfig::read_from(kubeconfig)?, &Default::default()).await?;
    let client = kube::Client::try_from(config)?;
    let unit = NodeKey::unit("raw", "a", "b");
    let bodies: Vec<(String, String)> = (0..units)
        .flat_map(|at| objects("raw", at))
        .filter_map(|mut object| {
            stamp(&mut object, &unit, plumb_manifest::Digest::of(b"x"));
            Some((path(&object)?, object.to_string()))
        })
        .collect();
    let begun = Instant::now();
    let writes = futures::stream::iter(bodies).map(|(path, body)| {
        let client = client.clone();
        async move {
            let request =
                http::Request::patch(path).header("content-type", "application/apply-patch+yaml").body(Body::from(body.into_bytes()))?;
            let response = client.send(request).await?;
            let status = response.status();
            response.into_body().collect_bytes().await?;
            if status.is_success() { Ok(()) } else { Err(Failed::from(format!("raw write: {status}"))) }
        }
    });
    let failed: Vec<Failed> = writes.buffer_unordered(RAW_CONNECTIONS).filter_map(|done| async { done.err() }).collect().await;
    if let Some(error) = failed.into_iter().next() {
        return Err(error);
    }
    Ok(begun.elapsed())
}

async fn synced(kubeconfig: &std::path::Path, units: usize) -> Result<(Duration, u64, u64), Failed> {
    let options = ConnectOptions::new(KubeconfigSource::File(kubeconfig.to_owned()), None, "load", Redactor::new([1; 32]));
    let cluster = Cluster::connect(options).await?;
    cluster.prepare().await?;
    let inventories = Arc::new(Inventories::new(&cluster));
    inventories.load().await?;
    let mut observations = cluster.observe();
    tokio::spawn(async move { while observations.recv().await.is_some() {} });
    let before = cluster.requests();
    let (schema, mut policy) = (Schema::builtin(), Policy::standard());
    policy.wait = false;
    let begun = Instant::now();
    let syncs = futures::stream::iter(0..units).map(|at| {
        let (cluster, inventories, schema, policy) = (cluster.clone(), inventories.clone(), schema.clone(), policy.clone());
        async move {
            let task = tokio::spawn(async move { one(&cluster, &inventories, &schema, &policy, at).await });
            task.await?
        }
    });
    let failed: Vec<Failed> = syncs.buffer_unordered(UNITS_AT_ONCE).filter_map(|done| async { done.err() }).collect().await;
    if let Some(error) = failed.into_iter().next() {
        return Err(error);
    }
    let took = begun.elapsed();
    let size = cluster.index_size();
    println!("index: {} objects, {} bytes settled; requests: {:?}", size.objects, size.settled_bytes, cluster.requests());
    Ok((took, cluster.requests().writes - before.writes, cluster.requests().reads - before.reads))
}

async fn one(cluster: &Cluster, inventories: &Inventories, schema: &Schema, policy: &Policy, at: usize) -> Result<(), Failed> {
    let unit = NodeKey::unit("load", "team", &format!("app-{at}"));
    let span = Span { file: FileId(0), start: 0, end: 0 };
    let manifests: Vec<Arc<Manifest>> = objects("app", at)
        .iter()
        .filter_map(|object| {
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
            let gvk = Gvk::new(text("/apiVersion")?, text("/kind")?);
            let key = ObjectKey::new(&gvk.group, &gvk.kind, text("/metadata/namespace"), text("/metadata/name")?);
            Some(Arc::new(Manifest::new(key, gvk, object, span)))
        })
        .collect();
    let acting = cluster.acting_as(None)?;
    let (record, rules) = (InventoryRecord::empty(unit.clone()), Rules::default());
    let facts = acting.facts(&unit, &manifests, &record.inventory, &rules, schema).await?;
    let build = BuildFacts { evidence: vec![Evidence { source: "x".to_owned(), commit: "1".to_owned() }], ..BuildFacts::default() };
    let plan = plan(&PlanInput {
        unit: &unit,
        intent: Intent::Sync,
        manifests: &manifests,
        live: &facts,
        others: &Alone,
        inventory: &record.inventory,
        policy,
        schema,
        build: &build,
        group: GroupSums::default(),
        approvals: &Default::default(),
        scope: &SyncScope::Whole,
        occasion: None,
    });
    let options = SyncOptions {
        fence: unfenced(),
        cancel: CancellationToken::new(),
        concurrency: 16,
        adopt: Adopt::Nothing,
        rules,
        dry_run: false,
        record,
        gates_when_done: None,
    };
    let outcome = acting.sync(&plan, inventories, &options, &|_| ()).await;
    if outcome.outcome == Outcome::Done { Ok(()) } else { Err(format!("{:?}", outcome.failures).into()) }
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let mut arguments = std::env::args().skip(1).filter_map(|argument| argument.parse::<usize>().ok());
    let (units, foreign) = (arguments.next().unwrap_or(1000), arguments.next().unwrap_or(0));
    let plane = Plane::start(Options::default())?;
    for at in 0..NAMESPACES {
        plane.kubectl(&["create", "namespace", &format!("load-{at}")])?;
    }
    if foreign > 0 {
        let config =
            kube::Config::from_custom_kubeconfig(kube::config::Kubeconfig::read_from(plane.kubeconfig())?, &Default::default()).await?;
        let client = kube::Client::try_from(config)?;
        let maps = futures::stream::iter(0..foreign).map(|at| {
            let client = client.clone();
            async move {
                let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("foreign-{at}")}, "data": {"x": "y".repeat(200)}});
                let request = http::Request::post("/api/v1/namespaces/default/configmaps").header("content-type", "application/json");
                client.send(request.body(Body::from(body.to_string().into_bytes()))?).await?.into_body().collect_bytes().await?;
                Ok::<(), Failed>(())
            }
        });
        maps.buffer_unordered(RAW_CONNECTIONS).filter_map(|done| async { done.err() }).collect::<Vec<_>>().await;
    }
    let (sender, mut stop) = tokio::sync::oneshot::channel::<()>();
    let peak = tokio::spawn(async move {
        let mut peak = 0;
        while stop.try_recv().is_err() {
            peak = peak.max(rss_anon_kib());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        peak
    });
    let start = rss_anon_kib();
    let (took, writes, reads) = synced(plane.kubeconfig(), units).await?;
    let _ = sender.send(());
    let peak = peak.await?;
    let plain = raw(plane.kubeconfig(), units).await?;
    let ratio = took.as_secs_f64() / plain.as_secs_f64();
    println!(
        "synced {units} units in {took:.2?}: {writes} writes, {reads} reads; raw {} writes in {plain:.2?}; ratio {ratio:.2}",
        units * 4
    );
    println!("anonymous memory: {start} KiB before, {peak} KiB at most, {foreign} foreign ConfigMaps");
    Ok(())
}
