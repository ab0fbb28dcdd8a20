//! Units that render charts: hooks in Helm's order, installations told from upgrades, recorded randomness, look-ups, over restarts and rollbacks.

use std::os::unix::fs::PermissionsExt;

use plumb_controller::core::{Ended, Order};
use plumb_store::SyncOutcome;

use crate::Bench;

const UNIT: &str = "  build:
  - helm:
      chart: .
      values:
      - {file: env/prod.yaml}
      - inline: {inline: from-the-unit}
      - {setString: \"set=1\"}
";

const CONFIG: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data:
  chart: {{ .Values.chart }}
  env: {{ .Values.env }}
  inline: {{ .Values.inline }}
  set: {{ .Values.set | quote }}
  upgrade: {{ .Release.IsUpgrade | quote }}
  revision: {{ .Release.Revision | quote }}
  now: {{ now | date \"2006-01-02T15:04:05\" | quote }}
  known: {{ lookup \"v1\" \"Namespace\" \"\" \"kube-system\" | dig \"metadata\" \"name\" \"nothing\" }}
  jobs: {{ .Capabilities.APIVersions.Has \"batch/v1/Job\" | quote }}
---
apiVersion: v1
kind: Secret
metadata: {name: web}
stringData: {password: {{ randAlphaNum 24 }}}
";

fn hook(name: &str, moments: &str, weight: i32, more: &str) -> String {
    format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {name}\n  annotations:\n    helm.sh/hook: {moments}\n    helm.sh/hook-weight: \"{weight}\"\n{more}\
         spec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: a, image: registry.example.com/a:1}}]}}}}}}\n"
    )
}

fn chart(bench: &Bench, files: &[(&str, String)]) {
    let fixed = [
        ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n"),
        ("values.yaml", "chart: from-the-chart\nenv: from-the-chart\ninline: from-the-chart\n"),
        ("env/prod.yaml", "env: from-git\ninline: from-git\n"),
        ("templates/web.yaml", CONFIG),
    ];
    for (name, text) in fixed {
        bench.repo.write(&format!("apps/shop/{name}"), text).unwrap();
    }
    for (name, text) in files {
        bench.repo.write(&format!("apps/shop/{name}"), text).unwrap();
    }
}

fn data(bench: &Bench, key: &str) -> Option<String> {
    Some(bench.live("configmap/web")?["data"][key].as_str()?.to_owned())
}

/// When objects were created, in the order of their names here.
fn created(bench: &Bench, objects: &[&str]) -> Vec<String> {
    objects.iter().map(|object| bench.live(object).unwrap()["metadata"]["creationTimestamp"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_chart_is_installed_and_upgraded_with_its_hooks_and_keeps_its_passwords() {
    let mut bench = Bench::new();
    bench.declare("shop", UNIT);
    let kept = "    helm.sh/hook-delete-policy: before-hook-creation\n";
    let gone = "    helm.sh/hook-delete-policy: hook-succeeded\n";
    let hooks = [
        ("templates/first.yaml", hook("first", "pre-install", -5, kept)),
        ("templates/second.yaml", hook("second", "pre-install,pre-upgrade", 5, kept)),
        ("templates/seed.yaml", hook("seed", "post-install", 0, gone)),
        ("templates/migrate.yaml", hook("migrate", "pre-upgrade", 0, kept)),
        ("templates/undo.yaml", hook("undo", "pre-rollback", 0, kept)),
        ("templates/backup.yaml", hook("backup", "pre-delete", 0, kept)),
        ("templates/test.yaml", hook("test", "test", 0, kept)),
    ];
    chart(&bench, &hooks);
    // A root that declares nothing at all is no evidence that a unit was taken out of it.
    let other =
        "apiVersion: plumb.dev/v1alpha1\nkind: Unit\nmetadata: {name: other, namespace: team}\nspec: {source: {path: apps/other}}\n";
    bench.repo.write("units/other.yaml", other).unwrap();
    bench.repo.write("apps/other/none.txt", "nothing").unwrap();
    bench.push("Add the chart");
    // Passwords are among what a rollback needs.
    let key = bench.folder.path().join("history.key");
    std::fs::write(&key, "0123456789abcdef".repeat(2)).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    bench.history_key = Some(key);
    bench.start();
    bench.until_synced("shop");
    let all = ["chart", "env", "inline", "set", "upgrade", "revision", "known", "jobs"].map(|key| data(&bench, key).unwrap());
    assert_eq!(all, ["from-the-chart", "from-git", "from-the-unit", "1", "false", "1", "kube-system", "true"]);
    let order = created(&bench, &["job/first", "job/second", "configmap/web"]);
    assert!(order.is_sorted(), "{order:?}");
    assert!(bench.live("job/first").unwrap()["status"]["succeeded"] == 1, "it was waited for");
    for never in ["job/seed", "job/migrate", "job/undo", "job/test"] {
        assert_eq!(bench.live(never), None, "{never}");
    }
    let password = |bench: &Bench| bench.live("secret/web").unwrap()["data"]["password"].clone();
    let (first_password, now) = (password(&bench), data(&bench, "now"));
    let whole = bench.live("configmap/web").unwrap()["data"].clone();
    let version = bench.live("configmap/web").unwrap()["metadata"]["resourceVersion"].clone();
    let second = bench.live("job/second").unwrap()["metadata"]["uid"].clone();

    // A restart, and a commit that the chart does not read, change nothing.
    bench.kill();
    bench.start();
    bench.until_synced("shop");
    bench.repo.write("README.md", "words").unwrap();
    bench.push("Say something");
    bench.until_at_rest("shop");
    bench.order("shop", Order::Reconcile);
    assert_eq!(bench.live("configmap/web").unwrap()["data"], whole);
    assert_eq!(bench.live("configmap/web").unwrap()["metadata"]["resourceVersion"], version);
    assert_eq!(bench.live("job/second").unwrap()["metadata"]["uid"], second, "no hook ran again");

    // Drift is put right without hooks, and a hook's Job that somebody deletes is nobody's loss.
    bench.plane.kubectl(&["-n", &bench.namespace, "delete", "job/first"]).unwrap();
    bench.plane.kubectl(&["-n", &bench.namespace, "patch", "configmap/web", "--type=merge", "-p", r#"{"data":{"env":"mine"}}"#]).unwrap();
    bench.until("the drift is put right", || data(&bench, "env").as_deref() == Some("from-git"));
    bench.until_synced("shop");
    assert_eq!((bench.live("job/first"), bench.live("job/migrate")), (None, None));

    // An edit that moves the call: an upgrade with the same password and another time.
    let edited = CONFIG.replace("data:\n", "data:\n  # one line more\n  more: \"1\"\n");
    bench.repo.write("apps/shop/templates/web.yaml", edited).unwrap();
    bench.push("Edit the chart");
    bench.until("the edit is applied", || data(&bench, "more").is_some());
    bench.until_synced("shop");
    assert_eq!((data(&bench, "upgrade").as_deref(), data(&bench, "revision").as_deref()), (Some("true"), Some("2")));
    assert_eq!(password(&bench), first_password);
    assert_ne!(data(&bench, "now"), now);
    assert!(bench.live("job/migrate").is_some());
    assert_ne!(bench.live("job/second").unwrap()["metadata"]["uid"], second, "it ran again");
    assert_eq!(bench.live("job/first"), None, "it is for installations");

    // Back, with Git away: the very bytes, and the hook for it.
    let good = bench.history("shop").into_iter().rev().find(|sync| sync.outcome == SyncOutcome::Succeeded).unwrap();
    assert!(good.offline_rollback, "{:?}", good.offline_rollback_reason);
    bench.git.stop();
    let order = Order::SyncAt { revisions: good.revisions.clone(), record: Some(good.id.to_string().as_str().into()) };
    let ended = bench.order("shop", order);
    assert!(matches!(&*ended, Ended::Done { withheld: None }), "{ended:?}");
    assert_eq!((data(&bench, "more"), data(&bench, "now")), (None, now));
    assert_eq!(password(&bench), first_password);
    assert!(bench.live("job/undo").is_some());

    // The end, with Git back and the unit taken out of it: a last hook, then everything goes once somebody approves.
    bench.git.start_again().unwrap();
    bench.order("shop", Order::Resume);
    bench.until_synced("shop");
    bench.repo.remove("units/shop.yaml").unwrap();
    bench.push("Drop the shop");
    bench.until("the removal waits for approval", || bench.approval("shop").is_some());
    assert_eq!(bench.live("job/backup"), None, "nothing runs before that");
    let (digest, _) = bench.approval("shop").unwrap();
    bench.order("shop", Order::Approve { digest });
    bench.until("the objects are gone", || bench.live("configmap/web").is_none());
    assert!(bench.live("job/backup").is_none_or(|job| job["status"]["succeeded"] == 1), "it was waited for");
    let phases = |sync: &plumb_store::SyncSummary| bench.block_on(bench.operator().store().sync(sync.id)).unwrap().phases;
    bench.until("the history tells of the hook", || {
        bench.history("shop").iter().any(|sync| phases(sync).iter().any(|phase| phase.name == "pre-delete"))
    });
}

#[test]
fn a_hook_that_fails_stops_the_rest_and_the_next_commit_goes_on() {
    let mut bench = Bench::new();
    bench.declare("shop", &format!("{UNIT}  policy: {{timeout: 30s}}\n"));
    let broken = hook("check", "pre-install,pre-upgrade", 0, "").replace("kind: Job", "kind: Pod").replace("batch/v1", "v1");
    // A Pod without containers is refused: the hook fails at once.
    let broken = broken.replace(
        "spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: registry.example.com/a:1}]}}}",
        "spec: {containers: []}",
    );
    chart(&bench, &[("templates/check.yaml", broken)]);
    bench.push("Add a chart whose check cannot run");
    bench.start();
    bench.until("the hook's failure is told", || bench.failure("shop").contains("check"));
    assert_eq!(bench.live("configmap/web"), None, "nothing comes after a hook that failed");

    chart(&bench, &[("templates/check.yaml", hook("check", "pre-install,pre-upgrade", 0, ""))]);
    bench.push("Mend it");
    bench.until_synced("shop");
    assert_eq!(data(&bench, "upgrade").as_deref(), Some("false"), "it is still the installation");
    assert!(bench.live("job/check").is_some());
}

#[test]
fn certificates_and_passwords_stay_when_the_state_folder_is_lost() {
    let mut bench = Bench::new();
    bench.declare("shop", UNIT);
    let tls = "{{- $ca := genCA \"shop-ca\" 365 }}\n{{- $cert := genSignedCert \"shop\" nil (list \"shop.example.com\") 365 $ca }}\napiVersion: v1\nkind: Secret\nmetadata: {name: tls}\ntype: kubernetes.io/tls\nstringData:\n  ca.crt: {{ $ca.Cert | quote }}\n  tls.crt: {{ $cert.Cert | quote }}\n  tls.key: {{ $cert.Key | quote }}\n";
    chart(&bench, &[("templates/tls.yaml", tls.to_owned())]);
    bench.push("Add the chart");
    bench.start();
    bench.until_synced("shop");
    let secrets = |bench: &Bench| ["secret/tls", "secret/web"].map(|secret| bench.live(secret).unwrap()["data"].clone());
    let before = secrets(&bench);
    bench.stop();
    std::fs::remove_dir_all(bench.folder.path().join("state")).unwrap();
    bench.start();
    bench.until_synced("shop");
    bench.repo.write("apps/shop/env/prod.yaml", "env: again\ninline: again\n").unwrap();
    bench.push("Change a value");
    bench.until("the value is applied", || data(&bench, "env").as_deref() == Some("again"));
    assert_eq!(secrets(&bench), before);
    // They lie in a Secret of the operator's own, and go with the unit.
    let selector = format!("plumb.dev/answers={}", bench.installation);
    let answers =
        || bench.plane.json(&["-n", "plumb-system", "get", "secrets", "-l", &selector]).unwrap()["items"].as_array().unwrap().len();
    assert_eq!(answers(), 1);
}
