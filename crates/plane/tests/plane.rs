//! Starts real planes and real Git servers and does with them what tests do.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails by panicking, and these look at real files")]

use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, thread};

use plumb_plane::git::{HttpOptions, HttpServer, Notify, Repo, SshServer};
use plumb_plane::{CommandError, Fault, FaultyProxy, Mutator, Options, Part, Plane, Tools, YamlOracle, process_exists};
use serde_json::json;

/// Waits for what a machine does in its own time, and gives up.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn workloads_become_ready() {
    let namespace = Plane::shared().unwrap().namespace("rollout").unwrap();
    namespace.apply(DATABASE).unwrap();
    namespace.kubectl(&["create", "deployment", "web", "--image=web:1", "--replicas=3"]).unwrap();
    namespace.kubectl(&["create", "job", "once", "--image=once:1"]).unwrap();
    namespace.kubectl(&["rollout", "status", "deployment/web", "--timeout=30s"]).unwrap();
    namespace.kubectl(&["wait", "--for=condition=complete", "job/once", "--timeout=30s"]).unwrap();
    let pods = namespace.json(&["get", "pods", "-l", "app=web"]).unwrap();
    assert_eq!(pods["items"].as_array().unwrap().len(), 3);
    namespace.kubectl(&["rollout", "status", "statefulset/database", "--timeout=30s"]).unwrap();

    let claim = namespace.json(&["get", "pvc", "data-database-0"]).unwrap();
    let volume = claim["spec"]["volumeName"].as_str().unwrap().to_owned();
    namespace.kubectl(&["delete", "statefulset/database"]).unwrap();
    namespace.kubectl(&["delete", "pvc", "data-database-0"]).unwrap();
    eventually("the end of the claim's volume", || namespace.kubectl(&["get", "pv", &volume]).is_err());
}

const DATABASE: &str = "
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: database}
spec:
  selector: {matchLabels: {app: database}}
  template:
    metadata: {labels: {app: database}}
    spec: {containers: [{name: database, image: 'database:1'}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
";

#[test]
fn a_proxy_does_what_it_is_told_and_nothing_else() {
    let plane = Plane::shared().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let proxy = FaultyProxy::start(plane, folder.path()).unwrap();
    let kubeconfig = proxy.kubeconfig().display().to_string();
    let get = |what: &str| plane.kubectl(&["--kubeconfig", &kubeconfig, "get", "--raw", what]);
    let (namespaces, version) = ("/api/v1/namespaces", "/version");
    assert_eq!(get(version).unwrap(), plane.kubectl(&["get", "--raw", version]).unwrap());

    proxy.strike(&[Fault::status("^/api/", 500).methods(&["GET"]).times(1)]).unwrap();
    assert!(get(namespaces).unwrap_err().stderr().contains("injected by a test"));
    get(namespaces).unwrap();
    proxy.strike(&[Fault::truncate("^/api/", 100)]).unwrap();
    assert!(get(namespaces).unwrap_err().stderr().contains("unexpected EOF"));
    get(version).unwrap();
    proxy.strike(&[Fault::hangup("^/version")]).unwrap();
    assert!(get(version).unwrap_err().stderr().contains("EOF"));
    proxy.strike(&[Fault::expired("watch=true")]).unwrap();
    assert!(get(&format!("{namespaces}?watch=true")).unwrap().contains(r#""reason":"Expired""#));
    proxy.strike(&[Fault::delay("^/version", Duration::from_millis(300))]).unwrap();
    let begun = Instant::now();
    get(version).unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(300));
    proxy.strike(&[]).unwrap();

    proxy.refuse(true).unwrap();
    assert!(get(version).unwrap_err().stderr().contains("refused"));
    proxy.refuse(false).unwrap();
    get(version).unwrap();
    proxy.limit(2).unwrap();
    let seen = proxy.requests().unwrap().len();
    let begun = Instant::now();
    // kubectl waits as it is told to and asks again.
    (0..4).for_each(|_| drop(get(version).unwrap()));
    let requests = proxy.requests().unwrap().split_off(seen);
    assert_eq!(requests.iter().filter(|request| request.status == 200).count(), 4);
    assert!(requests.iter().any(|request| request.status == 429 && request.fault) && begun.elapsed() >= Duration::from_millis(900));
    assert!(proxy.strike(&[Fault::status("(", 500)]).is_err());
}

#[test]
fn a_webhook_changes_what_it_is_asked_about() {
    let plane = Plane::shared().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mutator = Mutator::start(plane, folder.path()).unwrap();
    let namespace = plane.namespace("mutated").unwrap();
    let name = namespace.name().to_owned();
    let url = mutator.url(&json!([{"op": "add", "path": "/data", "value": {"by": "webhook"}}]));
    let configuration = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration", "metadata": {"name": name},
        "webhooks": [{"name": "mutated.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "clientConfig": {"url": url, "caBundle": mutator.authority()},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}]}]});
    namespace.apply(&configuration.to_string()).unwrap();
    eventually("the webhook is called", || {
        namespace
            .kubectl(&["create", "configmap", "text", "--from-literal=by=hand", "--dry-run=server", "-o", "json"])
            .unwrap()
            .contains("webhook")
    });
    plane.kubectl(&["delete", "mutatingwebhookconfiguration", &name]).unwrap();
}

#[test]
fn users_have_the_rights_they_were_given() {
    let plane = Plane::shared().unwrap();
    let namespace = plane.namespace("rights").unwrap();
    namespace.kubectl(&["create", "rolebinding", "viewers", "--clusterrole=view", "--group=viewers"]).unwrap();
    namespace.kubectl(&["create", "serviceaccount", "deployer"]).unwrap();
    let deployer = format!("--serviceaccount={}:deployer", namespace.name());
    namespace.kubectl(&["create", "rolebinding", "deployer", "--clusterrole=edit", &deployer]).unwrap();

    let viewer = plane.kubeconfig_for("vera", &["viewers"]).unwrap();
    let account = plane.kubeconfig_for_service_account(namespace.name(), "deployer").unwrap();
    let as_user = |file: &Path, arguments: &[&str]| namespace.kubectl(&[&["--kubeconfig", file.to_str().unwrap()], arguments].concat());
    as_user(&viewer, &["get", "configmaps"]).unwrap();
    let refused = as_user(&viewer, &["create", "configmap", "mine"]).unwrap_err();
    assert!(refused.stderr().contains(r#"User "vera" cannot create resource "configmaps""#), "{refused}");
    as_user(&account, &["create", "configmap", "mine"]).unwrap();
}

#[test]
fn nothing_is_left_of_a_plane_that_was_broken_in_every_way() {
    let mut plane = Plane::start(Options { audit: true, ..Options::default() }).unwrap();
    let directory = plane.directory().to_owned();
    plane.kubectl(&["create", "configmap", "kept"]).unwrap();

    plane.stop_part(Part::ApiServer);
    let refused = plane.kubectl(&["get", "configmap", "kept"]).unwrap_err();
    assert!(refused.stderr().contains("refused"), "{refused}");
    plane.start_part(Part::ApiServer).unwrap();
    plane.kubectl(&["get", "configmap", "kept"]).unwrap();

    plane.pause_part(Part::ApiServer);
    let silent = plane.kubectl(&["get", "configmap", "kept", "--request-timeout=1s"]).unwrap_err();
    assert!(matches!(silent, CommandError::Failed { .. }), "{silent}");
    plane.resume_part(Part::ApiServer);
    plane.kubectl(&["get", "configmap", "kept"]).unwrap();

    plane.kill_part(Part::Etcd);
    plane.restart().unwrap();
    plane.kubectl(&["get", "configmap", "kept"]).unwrap();
    let created = plane.audit().unwrap().into_iter().filter(|event| event["verb"] == "create" && event["objectRef"]["name"] == "kept");
    assert_eq!(created.count(), 1);

    plane.pause_part(Part::Scheduler);
    let processes = plane.process_ids();
    assert_eq!(processes.len(), 5);
    drop(plane);
    for (part, id) in processes {
        assert!(!process_exists(id), "{part} is left");
    }
    assert!(!directory.exists());
}

#[test]
fn pushes_are_served_logged_and_announced() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let notify = Notify { url: format!("http://{}/hook", receiver.local_addr().unwrap()), secret: "hush".to_owned() };
    let announced = thread::spawn(move || read_request(&receiver));
    let options = HttpOptions { notify: Some(notify), ..HttpOptions::default() };
    let mut server = HttpServer::start(&folder.path().join("served"), options).unwrap();
    let repo = Repo::create(&folder.path().join("work"), &server.create("team/shop").unwrap()).unwrap();

    repo.write("deploy/web.yaml", "kind: Deployment\n").unwrap();
    // More than Git sends in one piece.
    repo.write("noise", (0_u32..700_000).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect::<Vec<_>>()).unwrap();
    let first = repo.commit_as("Add web", "Grace <grace@example.com>").unwrap();
    repo.push().unwrap();
    let event = announced.join().unwrap();
    assert!(event.contains("X-Hub-Signature-256: sha256="), "{event}");
    assert!(event.contains(&first) && event.contains("refs/heads/main") && event.contains("team/shop.git"), "{event}");

    server.forget_requests().unwrap();
    let other = Repo::create(&folder.path().join("other"), &server.remote("team/shop")).unwrap();
    assert_eq!(other.head().unwrap(), first);
    assert_eq!(fs::read_to_string(other.directory().join("deploy/web.yaml")).unwrap(), "kind: Deployment\n");
    let commands: Vec<_> =
        server.requests().unwrap().into_iter().map(|request| (request.repository, request.command, request.protocol)).collect();
    let request = |command: &str| ("team/shop.git".to_owned(), command.to_owned(), "version=2".to_owned());
    assert_eq!(commands, [request("refs"), request("ls-refs"), request("fetch")]);

    repo.remove("deploy/web.yaml").unwrap();
    repo.commit("Remove web").unwrap();
    repo.revert("HEAD").unwrap();
    server.stop();
    repo.push().unwrap_err();
    server.start_again().unwrap();
    repo.push().unwrap();
    repo.git(&["reset", "--quiet", "--hard", &first]).unwrap();
    repo.push().unwrap_err();
    repo.force_push().unwrap();
    other.git(&["fetch", "--quiet"]).unwrap();
    assert_eq!(other.git(&["rev-parse", "origin/main"]).unwrap(), first);
}

/// Takes one HTTP request and returns it whole.
fn read_request(receiver: &std::net::TcpListener) -> String {
    use std::io::{Read, Write};
    let (mut stream, _) = receiver.accept().unwrap();
    let mut received = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let count = stream.read(&mut chunk).unwrap();
        received.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&received);
        let length = text.lines().find_map(|line| line.strip_prefix("Content-Length: ")).and_then(|length| length.parse().ok());
        if count == 0 || text.split_once("\r\n\r\n").is_some_and(|(_, body)| Some(body.len()) >= length) {
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
            return text.into_owned();
        }
    }
}

#[test]
fn credentials_and_authority_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let options = HttpOptions { basic: Some(("ada".to_owned(), "right".to_owned())), tls: true, ..HttpOptions::default() };
    let mut server = HttpServer::start(&folder.path().join("served"), options).unwrap();
    let remote = server.create("shop").unwrap();
    let repo = Repo::create(&folder.path().join("work"), &remote).unwrap();
    repo.commit("Nothing yet").unwrap();
    repo.push().unwrap();

    let clone = |url: String, environment: &[(String, String)]| {
        let remote = plumb_plane::git::Remote { url, environment: environment.to_vec() };
        Repo::create(&folder.path().join("refused"), &remote).unwrap_err().to_string()
    };
    assert!(clone(remote.url.clone(), &[]).contains("certificate"));
    assert!(clone(remote.url.replace("right", "wrong"), &remote.environment).contains("Authentication failed"));
    assert!(server.requests().unwrap().iter().any(|request| request.status == 401));

    server.reconfigure(HttpOptions { token: Some("t0ken".to_owned()), tls: true, ..HttpOptions::default() }).unwrap();
    repo.git(&["fetch"]).unwrap_err();
    let bearer = "http.extraHeader=Authorization: Bearer t0ken";
    repo.git(&["-c", bearer, "fetch", &server.url("shop")]).unwrap();
}

#[test]
fn ssh_serves_whom_it_knows() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = SshServer::start(&folder.path().join("served")).unwrap();
    let remote = server.create("shop").unwrap();
    let repo = Repo::create(&folder.path().join("work"), &remote).unwrap();
    let first = repo.commit("Nothing yet").unwrap();
    repo.push().unwrap();
    server.stop();
    repo.git(&["fetch"]).unwrap_err();
    server.start_again().unwrap();
    let again = Repo::create(&folder.path().join("again"), &remote).unwrap();
    assert_eq!(again.head().unwrap(), first);

    fs::write(server.known_hosts(), "").unwrap();
    let refused = repo.git(&["fetch"]).unwrap_err().to_string();
    assert!(refused.contains("Host key verification failed"), "{refused}");
}

/// Runs twice: as the test, and as the process that the test kills.
#[test]
fn nothing_is_left_of_a_process_that_was_killed() {
    const VICTIM: &str = "PLUMB_TEST_VICTIM";
    if std::env::var_os(VICTIM).is_some() {
        let mut plane = Plane::start(Options::default()).unwrap();
        plane.pause_part(Part::ControllerManager);
        let ids: Vec<_> = plane.process_ids().into_values().collect();
        fs::write(plane.directory().with_extension("ids.new"), serde_json::to_vec(&(plane.directory(), ids)).unwrap()).unwrap();
        thread::sleep(Duration::from_secs(300));
    }

    let folder = tempfile::tempdir().unwrap();
    let mut victim = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "nothing_is_left_of_a_process_that_was_killed"])
        .env(VICTIM, "1")
        .env("TMPDIR", folder.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut told = None;
    eventually("the start of a plane", || {
        let files = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        told = files.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "new"));
        told.is_some()
    });
    let (directory, ids): (std::path::PathBuf, Vec<u32>) = serde_json::from_slice(&fs::read(told.unwrap()).unwrap()).unwrap();
    assert_eq!(ids.len(), 5);
    victim.kill().unwrap();
    victim.wait().unwrap();
    eventually("the end of the plane", || ids.iter().all(|id| !process_exists(*id)));
    assert!(!directory.exists());
}

#[test]
fn a_program_is_built_once_and_found_again() {
    let cache = tempfile::tempdir().unwrap();
    let lines = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let tools = || {
        let lines = std::sync::Arc::clone(&lines);
        Tools::locate().unwrap().with_cache(cache.path()).with_progress(move |step| lines.lock().unwrap().push(step.line.to_owned()))
    };
    // Each with a memory of its own, as two processes have.
    let (first, second) = (tools(), tools());
    let other = thread::spawn(move || second.oracle().unwrap());
    let path = first.oracle().unwrap();
    assert_eq!(path, other.join().unwrap());
    let said = lines.lock().unwrap().len();
    assert_eq!(path, tools().oracle().unwrap());
    assert_eq!(lines.lock().unwrap().len(), said);
    let programs = fs::read_dir(cache.path().join("tools")).unwrap().filter(|entry| entry.as_ref().unwrap().metadata().unwrap().len() > 0);
    assert_eq!(programs.count(), 1);
}

/// Runs twice: as the test, and as a process on a machine that has no Go.
#[test]
fn a_machine_without_go_is_told_what_to_install() {
    const WITHOUT: &str = "PLUMB_TEST_WITHOUT_GO";
    if std::env::var_os(WITHOUT).is_some() {
        let refused = Tools::locate().unwrap().oracle().unwrap_err();
        assert_eq!(refused.to_string(), "`go` is not on the PATH: install Go 1.26 or newer");
        return;
    }
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_machine_without_go_is_told_what_to_install"])
        .env(WITHOUT, "1")
        .env("PATH", "/nonexistent")
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn yaml_is_read_as_go_reads_it() {
    let mut oracle = YamlOracle::start(&Tools::locate().unwrap()).unwrap();
    assert_eq!(oracle.to_json(b"on: 010\n").unwrap().unwrap(), r#"{"true":8}"#);
    assert!(oracle.to_json(b"a: [").unwrap().unwrap_err().starts_with("yaml: line 1"));
    assert_eq!(oracle.to_json(b"").unwrap().unwrap(), "null");
}
