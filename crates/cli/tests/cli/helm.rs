//! `plumb helm` against Helm's own tests of its command line, and the files it writes and refuses to write.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::serve::PLUMB;

/// Cases recorded with Helm 3.22 that come to something else, by their command line, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("install", "what a command line lacks is said in Plumb's own words"),
    ("install nodeps testdata/testcharts/chart-missing-deps", "Helm 4.3.1 says it in other words, and Plumb as it does"),
    ("install secrets testdata/testcharts/chart-with-secret --dry-run --hide-secret", "an option of `install` alone"),
    ("install secrets testdata/testcharts/chart-with-secret --hide-secret", "an option of `install` alone"),
    ("lint --quiet testdata/testcharts/chart-with-only-crds", "Helm 4.3.1 warns that `templates/` is not there, and so does Plumb"),
    ("lint testdata/testcharts/chart-with-deprecated-api", "Helm 4.3.1 warns as of its own Kubernetes, and so does Plumb"),
];

fn helm(folder: &Path, words: &[String]) -> Output {
    Command::new(PLUMB).arg("helm").args(words).current_dir(folder).env_clear().env("NO_COLOR", "1").output().unwrap()
}

/// Cuts a command line into words as a shell does, as far as the cases need it.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut is_open) = (Vec::new(), String::new(), None, false);
    for c in line.chars() {
        match (c, quote) {
            ('\'' | '"', None) => {
                quote = Some(c);
                is_open = true;
            }
            (c, Some(end)) if c == end => quote = None,
            (' ', None) => {
                if is_open || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                is_open = false;
            }
            (c, _) => word.push(c),
        }
    }
    if is_open || !word.is_empty() {
        words.push(word);
    }
    words
}

/// Lines with something on them: Helm 4 keeps the blank lines that Helm 3 cut off between documents.
fn lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.trim().is_empty()).collect()
}

/// Compares one case; the answer is what is wrong.
fn compare(folder: &Path, case: &Value) -> Option<String> {
    let mut words = words(case["cmd"].as_str().unwrap());
    let command = words[0].clone();
    if command == "install" {
        // What needs no cluster of it is what `template` does.
        "template".clone_into(&mut words[0]);
    }
    if command == "template" {
        // Helm's tests pretend to be built with an older Kubernetes.
        words.extend(["--kube-version", "1.20.0"].map(str::to_owned));
    }
    let output = helm(folder, &words);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let recorded = case["output"].as_str().unwrap_or_default();
    if case["wantError"] == true {
        let error = case["error"].as_str().unwrap().trim_start_matches("INSTALLATION FAILED: ");
        let error = error.split("\n\nUse --debug").next().unwrap_or_default();
        let is_said = err.contains(error) && output.status.code() == Some(1);
        return (!is_said).then(|| format!("{error:?} is not said: {err}"));
    }
    if !output.status.success() {
        return Some(format!("it fails: {err}"));
    }
    let same = match command.as_str() {
        "install" => true,
        "lint" => out == recorded,
        _ => lines(&out) == lines(recorded),
    };
    (!same).then(|| format!("Helm {recorded}\nPlumb {out}"))
}

#[test]
fn helms_own_command_lines_give_what_helm_gives() {
    let Some(corpus) = plumb_suite::corpus() else { return };
    let folder = corpus.join("helm/cmd");
    let cases = std::fs::read_to_string(folder.join("cases.jsonl")).unwrap();
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for case in cases.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let line = case["cmd"].as_str().unwrap();
        // Where dependencies come from is told elsewhere.
        if line.starts_with("dependency ") {
            continue;
        }
        compared += 1;
        let is_known = EXCEPTIONS.iter().any(|(known, _)| *known == line);
        match compare(&folder, &case) {
            Some(difference) if !is_known => wrong.push(format!("{line}: {difference}")),
            None if is_known => wrong.push(format!("{line}: no exception any more")),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{} of {compared} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > 0);
}

/// A folder with a chart in it.
fn chart(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\nicon: https://e.org/i.png\n")].iter().chain(files) {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn said(folder: &Path, line: &str) -> (Option<i32>, String, String) {
    let output = helm(folder, &words(line));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn documents_go_into_files() {
    let hook = "kind: Job\nmetadata: {name: h, annotations: {helm.sh/hook: test}}\n";
    let folder = chart(&[
        ("c/templates/a.yaml", "kind: A\n---\nkind: B\n"),
        ("c/templates/h.yaml", hook),
        ("c/crds/d.yaml", "kind: CustomResourceDefinition\n"),
    ]);
    let (code, out, err) = said(folder.path(), "template n c --output-dir out --release-name --include-crds --skip-tests");
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let wrote = "wrote out/c/crds/d.yaml\nwrote out/n/c/templates/a.yaml\nwrote out/n/c/templates/a.yaml\n\n";
    assert_eq!(out, wrote);
    let text = std::fs::read_to_string(folder.path().join("out/n/c/templates/a.yaml")).unwrap();
    assert_eq!(text, "---\n# Source: c/templates/a.yaml\nkind: A\n\n---\n# Source: c/templates/a.yaml\nkind: B\n\n");
    assert!(!folder.path().join("out/n/c/templates/h.yaml").exists());
}

#[test]
fn releases_are_named() {
    let folder = chart(&[("c/templates/a.yaml", "n: {{ .Release.Name }}\n")]);
    let named = |line: &str| said(folder.path(), line);
    assert!(named("template c").1.contains("n: release-name\n"));
    assert!(named("template c --name-template '{{ \"X-1\" | lower }}'").1.contains("n: x-1\n"));
    assert!(named("template c --generate-name").1.contains("n: release-name\n"));
    for (line, why) in [
        ("template a b c", "expected at most two arguments, unexpected arguments: c"),
        ("template n c -g", "cannot set --generate-name and also specify a name"),
        ("template n c --name-template x", "cannot set --name-template and also specify a name"),
        ("template c --name-template '{{'", "template: name-template:1: unclosed action"),
        ("template Bad_Name c", "release name check failed: release name \"Bad_Name\": invalid release name"),
    ] {
        let (code, out, err) = named(line);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{line}");
        assert!(err.contains(why), "{line}: {err}");
    }
}

#[test]
fn what_needs_a_cluster_or_a_program_is_refused() {
    let folder = chart(&[("c/templates/a.yaml", "a: 1\n")]);
    for (line, why) in [
        ("template c --validate", "asks no cluster"),
        ("template c --dry-run=server", "asks no cluster"),
        ("template c --dry-run=none", "invalid dry-run value (\"none\"). Must be \"server\" or \"client\""),
        ("template c --dry-run=x", "invalid dry-run value (\"x\"). Must be \"none\", \"server\", or \"client\""),
        ("template c --post-renderer x", "runs no program"),
        ("template c --labels owner=x", "system reserved label name"),
        ("template c -s templates/no.yaml", "could not find template templates/no.yaml in chart"),
        ("template c --kube-version x", "invalid kube version 'x'"),
    ] {
        let (code, out, err) = said(folder.path(), line);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{line}");
        assert!(err.contains(why), "{line}: {err}");
    }
    let (code, out, _) =
        said(folder.path(), "template c --skip-crds --atomic --disable-openapi-validation=false --timeout 5m --wait --dry-run=client");
    assert_eq!((code, out.as_str()), (Some(0), "---\n# Source: c/templates/a.yaml\na: 1\n"));
}

#[test]
fn what_is_no_yaml_is_printed_when_asked_for() {
    let folder = chart(&[("c/templates/a.yaml", "a: b: c\n"), ("c/templates/b.yaml", "ok: 1\n")]);
    let (code, out, err) = said(folder.path(), "template c");
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains("YAML parse error on c/templates/a.yaml") && err.contains("--debug"), "{err}");
    let (code, out, _) = said(folder.path(), "template c --debug");
    assert_eq!(code, Some(1));
    assert_eq!(out, "---\n# Source: c/templates/a.yaml\na: b: c\n\n---\n# Source: c/templates/b.yaml\nok: 1\n");
}

#[test]
fn values_that_do_not_fit_are_told() {
    let folder = chart(&[("c/values.yaml", "a: 1\nu: {v: {w: 1}}\n"), ("c/templates/a.yaml", "a: {{ .Values.u.v }}\n")]);
    let (code, out, err) = said(folder.path(), "template c --set a.b=1 --set u.v=2");
    assert_eq!((code, out.as_str()), (Some(0), "---\n# Source: c/templates/a.yaml\na: 2\n"));
    assert_eq!(err, "warning: skipped value for c.a: Not a table.\nwarning: cannot overwrite table with non table for c.u.v (map[w:1])\n");
}

#[test]
fn the_linter_weighs_what_it_finds() {
    let folder = chart(&[
        ("c/values.yaml", ""),
        ("c/templates/a.yaml", "kind: X\nmetadata: {name: a_b}\nv: {{ required \"no v\" .Values.v }}{{ fail \"no\" }}\n"),
    ]);
    let (code, out, _) = said(folder.path(), "lint c");
    assert_eq!(code, Some(0));
    assert!(
        out.starts_with("==> Linting c\n[WARNING] templates/a.yaml: object name does not conform")
            && out.ends_with("\n\n1 chart(s) linted, 0 chart(s) failed\n"),
        "{out}"
    );
    let (code, _, err) = said(folder.path(), "lint c nowhere --strict");
    assert_eq!((code, err.as_str()), (Some(1), "error: 2 chart(s) linted, 2 chart(s) failed\n"));
    let (_, out, _) = said(folder.path(), "lint nowhere");
    assert_eq!(
        out,
        "==> Linting nowhere\nError unable to check Chart.yaml file in chart: stat nowhere/Chart.yaml: no such file or directory\n\n"
    );
}

#[test]
fn charts_are_shown() {
    let folder = chart(&[("c/values.yaml", "a: 1 # one\n"), ("c/README.md", "# c\n"), ("c/crds/d.yaml", "kind: D\n")]);
    let shown = |what: &str| said(folder.path(), &format!("show {what} c")).1;
    let own = "apiVersion: v2\nicon: https://e.org/i.png\nname: c\nversion: 1.0.0\n\n";
    assert_eq!(shown("chart"), own);
    assert_eq!(shown("values"), "a: 1 # one\n\n");
    assert_eq!(shown("readme"), "# c\n\n");
    assert_eq!(shown("crds"), "---\nkind: D\n\n");
    assert_eq!(shown("all"), format!("{own}---\na: 1 # one\n\n---\n# c\n\n---\nkind: D\n\n"));
}
