//! Owns the transcripts of the command line: what is typed, what is printed where, and the exit code. Needs no cluster and no operator.
//!
//! Each command runs with a cleared environment in a folder of its own. `INSTA_UPDATE=always cargo test -p plumb` records transcripts anew.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A folder with files, as somebody would have it, and the commands run in it.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        for (path, text) in files {
            let path = place.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plumb"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", "/nobody")
            .env("XDG_RUNTIME_DIR", "/nobody/run")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Returns what somebody would see: the command, its exit code, both streams.
    pub(crate) fn transcript(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let stream = |name: &str, bytes: &[u8]| {
            let text = String::from_utf8(bytes.to_vec()).unwrap().replace(self.path().to_str().unwrap(), "[folder]");
            assert!(!text.contains('\x1b'), "an escape sequence without a terminal: {text:?}");
            if text.is_empty() { String::new() } else { format!("--- {name}\n{text}") }
        };
        let code = output.status.code().unwrap();
        format!(
            "$ plumb {}\nexit code {code}\n{}{}",
            arguments.join(" "),
            stream("stdout", &output.stdout),
            stream("stderr", &output.stderr)
        )
    }
}

const WEB: &str = "\
# The web server.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
spec:
  replicas: 2 # two are enough
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: example.com/web:1}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  ports: [{port: 80}]
";

fn shop() -> Place {
    Place::new(&[
        ("deploy/web.yaml", WEB),
        ("deploy/settings.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {answer: \"yes\"}\n"),
    ])
}

fn broken() -> Place {
    Place::new(&[
        ("deploy/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  greeting: a: b\n"),
        (
            "deploy/b.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: twice, namespace: shop}\n---\napiVersion: v1\nkind: Secret\nmetadata: {}\n",
        ),
        ("deploy/c.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: twice, namespace: shop}\n---\nkind: Service\n"),
    ])
}

#[test]
fn render_prints_manifests_as_they_were_written() {
    insta::assert_snapshot!(shop().transcript(&["render", "deploy", "-n", "shop"]));
}

#[test]
fn render_gives_programs_objects_with_their_origin() {
    insta::assert_snapshot!(shop().transcript(&["render", "deploy/settings.yaml", "-n", "shop", "-o", "json"]));
    insta::assert_snapshot!(shop().transcript(&["render", "deploy/settings.yaml", "-n", "shop", "-o", "yaml"]));
    insta::assert_snapshot!(shop().transcript(&["render", "deploy", "-n", "shop", "-o", "name"]));
}

#[test]
fn render_names_every_error_at_once() {
    insta::assert_snapshot!(broken().transcript(&["render", "deploy", "-n", "shop"]));
}

#[test]
fn render_says_how_to_give_a_namespace() {
    insta::assert_snapshot!(shop().transcript(&["render", "deploy"]));
}

#[test]
fn render_says_which_kinds_it_cannot_know() {
    let widgets = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: a}\n---\napiVersion: example.com/v1\nkind: Widget\nmetadata: {name: b}\n";
    let mistyped = "apiVersion: apps/v1\nkind: Deployement\nmetadata: {name: web}\n";
    let place = Place::new(&[("deploy/a.yaml", widgets), ("deploy/b.yaml", mistyped)]);
    insta::assert_snapshot!(place.transcript(&["render", "deploy", "-n", "shop"]));
}

#[test]
fn render_from_elsewhere_is_the_same() {
    let place = shop();
    let output = |argument: &str| String::from_utf8(place.run(&["render", argument, "-n", "shop", "-o", "name"]).stdout).unwrap();
    let absolute = place.path().join("deploy");
    let expected = output("deploy");
    assert_eq!(expected.lines().count(), 3);
    assert_eq!(
        [output("./deploy/"), output(absolute.to_str().unwrap()), output("deploy/../deploy")],
        [expected.clone(), expected.clone(), expected]
    );
}

#[test]
fn what_is_not_there_is_said() {
    insta::assert_snapshot!(shop().transcript(&["render", "./elsewhere"]));
    insta::assert_snapshot!(shop().transcript(&["render", "elsewhere"]));
}

#[test]
fn usage_errors_end_with_two() {
    let place = shop();
    for arguments in [
        &["explode"][..],
        &["diff", "deploy"],
        &["get", "pods"],
        &["suspend", "web", "--for", "soon"],
        &["status", "a/b/c"],
        &["status", "a/b", "-n", "c"],
        &["render", "deploy", "-n", "Not_One"],
        &["serve"],
        &["serve", "--root", "https://git.example.com/shop.git"],
        &["serve", "--root", "https://git.example.com/shop.git", "--clusters", "a,a"],
        &["serve", "--root", "https://git.example.com/shop.git", "--clusters", "a", "--poll", "10ms"],
        &["serve", "--root", "https://git.example.com/shop.git//x@", "--clusters", "a"],
        &["serve", "--root", "https://git.example.com/shop.git", "--clusters", "a", "--hook-secret", "file"],
    ] {
        assert_eq!(place.run(arguments).status.code(), Some(2), "{arguments:?}");
    }
    insta::assert_snapshot!(place.transcript(&["suspend", "web", "--for", "soon"]));
    insta::assert_snapshot!(place.transcript(&["status", "a/b", "-n", "c"]));
    insta::assert_snapshot!(place.transcript(&["serve", "--root", "https://git.example.com/shop.git"]));
}

#[test]
fn without_an_operator_it_is_said_how_to_start_one() {
    let place = shop();
    for arguments in [
        &["get", "units"][..],
        &["status"],
        &["tree", "web"],
        &["events", "web"],
        &["history", "web"],
        &["rollback", "web"],
        &["reconcile", "web"],
        &["suspend", "web"],
        &["resume", "web"],
        &["approve", "web"],
        &["delete", "web", "--yes"],
    ] {
        let output = place.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    insta::assert_snapshot!(place.transcript(&["status", "web"]));
    insta::assert_snapshot!(place.transcript(&["get", "units", "--socket", "plumb.sock"]));
}

#[test]
fn a_cluster_that_cannot_be_reached_is_two_for_diff_and_one_for_apply() {
    let place = shop();
    let kubeconfig = "apiVersion: v1\nkind: Config\ncurrent-context: none\ncontexts: [{name: none, context: {cluster: none, user: none}}]\n\
                      clusters: [{name: none, cluster: {server: \"http://127.0.0.1:1\"}}]\nusers: [{name: none, user: {}}]\n";
    fs::write(place.path().join("kubeconfig"), kubeconfig).unwrap();
    let code =
        |arguments: &[&str]| place.command(arguments).args(["-n", "shop", "--kubeconfig", "kubeconfig"]).output().unwrap().status.code();
    assert_eq!(code(&["diff", "deploy", "--live"]), Some(2));
    assert_eq!(code(&["apply", "deploy"]), Some(1));
}

#[test]
fn errors_of_the_build_come_before_any_cluster() {
    let place = broken();
    assert_eq!(place.run(&["apply", "deploy", "-n", "shop"]).status.code(), Some(1));
    assert_eq!(place.run(&["diff", "deploy", "--live", "-n", "shop"]).status.code(), Some(2));
    let output = place.run(&["apply", "deploy", "-n", "shop", "--kubeconfig", "nowhere"]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("deploy/a.yaml:6:"));
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let long: String =
        (0..5_000).map(|at| format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{at}, namespace: a}}\n")).collect();
    let place = Place::new(&[("long.yaml", &long)]);
    let mut child = place.command(&["render", "long.yaml"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn control_characters_of_a_file_do_not_reach_the_terminal() {
    let place = Place::new(&[]);
    let mut file = fs::File::create(place.path().join("evil.yaml")).unwrap();
    file.write_all(b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"\\x1b]0;owned\\x07\"}\n").unwrap();
    let output = place.run(&["render", "evil.yaml", "-n", "a"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!output.stderr.contains(&0x1b) && !output.stderr.contains(&0x07));
}

#[test]
fn the_help_is_complete() {
    let place = shop();
    let mut text = place.transcript(&["--help"]);
    for command in [
        "render",
        "apply",
        "diff",
        "get",
        "status",
        "tree",
        "events",
        "history",
        "rollback",
        "reconcile",
        "suspend",
        "resume",
        "approve",
        "delete",
        "explain",
        "serve",
    ] {
        text.push('\n');
        text.push_str(&place.transcript(&[command, "--help"]));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_chart_is_rendered_without_helm() {
    let template =
        "a: {{ .Values.x }}\nb: {{ .Release.Name }} {{ .Release.Namespace }}\n{{- if .Values.fail }}{{ fail \"no\" }}{{ end }}\n";
    let chart = [
        ("chart/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n"),
        ("chart/values.yaml", "x: 1\n"),
        ("chart/templates/a.yaml", template),
        ("more.yaml", "x: 2\n"),
        ("bad.yaml", "x: [\n"),
        ("fail.yaml", "fail: true\n"),
    ];
    let place = Place::new(&chart);
    let transcripts = [
        place.transcript(&["helm", "template", "rel", "chart", "-n", "ns", "-f", "more.yaml"]),
        place.transcript(&["helm", "template", "chart", "-f", "bad.yaml"]),
        place.transcript(&["helm", "template", "rel", "chart", "-f", "fail.yaml"]),
        place.transcript(&["helm", "template", "rel", "chart", "--set", "x={a,1}", "--set-json", "x=1"]),
        place.transcript(&["helm", "template", "rel", "chart", "--set", "x", "--set-file", "y=nowhere"]),
        place.transcript(&["helm", "template", "rel", "nowhere"]),
        place.transcript(&["helm", "template", "rel", "chart", "--kube-version", "new"]),
        place.transcript(&["helm", "template", "rel", "chart", "-o", "json"]),
    ];
    insta::assert_snapshot!(transcripts.join("\n"));
}

#[test]
fn fields_of_a_chart_are_explained() {
    let template = "kind: Shop\nmetadata:\n  name: shop\nspec:\n  image: {{ .Values.image.name }}:{{ .Values.image.tag | default \"latest\" }}\n  {{- if .Values.many }}\n  replicas: {{ .Values.replicas }}\n  {{- end }}\n";
    let chart = [
        ("chart/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n"),
        ("chart/values.yaml", "image: {name: nginx}\nmany: false\nreplicas: 1\n"),
        ("chart/templates/shop.yaml", template),
        ("prod.yaml", "image:\n  name: caddy\n  nmae: caddy\n"),
    ];
    let place = Place::new(&chart);
    let transcripts = [
        place.transcript(&["explain", "chart", "shop/shop"]),
        place.transcript(&["explain", "chart", "shop/shop", "spec.image", "-f", "prod.yaml"]),
        place.transcript(&["explain", "chart", "shop/shop", "spec.replicas", "--set", "many=true,replicas=3", "-o", "json"]),
        place.transcript(&["explain", "chart", "shop/shop", "spec.replicas"]),
        place.transcript(&["explain", "chart", "shop/shop", "spec.imgae"]),
        place.transcript(&["explain", "chart", "shop/sohp"]),
        place.transcript(&["explain", "chart", "shop/shop", "--set", "image=null"]),
    ];
    insta::assert_snapshot!(transcripts.join("\n"));
}
