//! `examples/shop`: it comes to what the real kustomize and helm make of it, and each of ten ways to break it is found by one command whose output names
//! the file and the line. The transcripts are docs/breakages.md; `UPDATE=1 cargo test -p plumb --test cli shop` writes it anew.
//!
//! `shop/*.yaml` are what `kustomize build --enable-helm examples/shop/overlays/NAME` of kustomize 5.8.1 with helm 4.3.1 printed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::transcripts::Place;

/// The file that transcripts are kept in.
const PAGE: &str = "docs/breakages.md";

/// One way to break the shop.
struct Breakage {
    name: &'static str,
    /// What happens without looking closer.
    about: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
    command: &'static [&'static str],
    /// The file and line at fault, as they have to be named.
    place: &'static str,
    /// What else has to be said.
    says: &'static str,
}

const BUILD: &[&str] = &["kustomize", "build", "--enable-helm", "overlays/prod"];
const CPU: &str = "spec.template.spec.containers[name=web].resources.requests.cpu";

const BREAKAGES: [Breakage; 10] = [
    Breakage {
        name: "A lost `nindent`",
        about: "The chart's text is no YAML any more; Helm names a line of the text that nobody has.",
        file: "base/charts/shop/templates/deployment.yaml",
        from: "{{- include \"shop.selector\" . | nindent 6 }}",
        to: "{{- include \"shop.selector\" . }}",
        command: BUILD,
        place: "templates/deployment.yaml:12:11",
        says: "`nindent 6` would put the lines below the key",
    },
    Breakage {
        name: "A misspelt key of the values",
        about: "Nobody reads it: the build is fine, and the cache has the chart's 64 MB.",
        file: "base/values.yaml",
        from: "maxMemory",
        to: "maxMemroy",
        command: &["explain", "overlays/prod", "deploy/shop-cache", "spec.template.spec.containers[name=cache].args[1]"],
        place: "base/values.yaml:5:3",
        says: "Did you mean `cache.maxMemory`?",
    },
    Breakage {
        name: "`\"false\"` in quotes",
        about: "It is a text, and every text but the empty one is true: the ingress is there all the same.",
        file: "base/kustomization.yaml",
        from: "enabled: true",
        to: "enabled: \"false\"",
        command: &["explain", "overlays/prod", "ing/shop", "spec.rules[0].host"],
        place: "base/kustomization.yaml:9:16",
        says: "counts as true",
    },
    Breakage {
        name: "A null over a map",
        about: "`service:` with nothing behind it takes the chart's whole `service` away.",
        file: "base/values.yaml",
        from: "cache:",
        to: "service:\ncache:",
        command: BUILD,
        place: "base/values.yaml:4:9",
        says: "the value is taken away here",
    },
    Breakage {
        name: "A patch whose target was renamed",
        about: "A target that matches nothing is no error to kustomize: the pods start without their limits.",
        file: "overlays/prod/kustomization.yaml",
        from: "web.yaml\n  target:\n    kind: Deployment\n    name: shop",
        to: "web.yaml\n  target:\n    kind: Deployment\n    name: shops",
        command: BUILD,
        place: "overlays/prod/kustomization.yaml:30:5",
        says: "Did you mean the name `shop`?",
    },
    Breakage {
        name: "A replacement with a wrong path",
        about: "Kustomize says that it cannot find the field, and not what there is.",
        file: "overlays/prod/kustomization.yaml",
        from: "[name=SHOP_HOST].value",
        to: "[name=SHOP_HOSTS].value",
        command: BUILD,
        place: "overlays/prod/kustomization.yaml:47:7",
        says: "did you mean `SHOP_HOST`?",
    },
    Breakage {
        name: "A wrong name of an image",
        about: "An image that nobody has is no error to kustomize: the old tag is deployed.",
        file: "overlays/prod/kustomization.yaml",
        from: "ghcr.io/example/shop",
        to: "example/shop",
        command: BUILD,
        place: "overlays/prod/kustomization.yaml:15:3",
        says: "Did you mean `ghcr.io/example/shop`?",
    },
    Breakage {
        name: "Patches in the wrong order",
        about: "Somebody's experiment stands behind the patch that sets the real request; the last one wins.",
        file: "overlays/prod/kustomization.yaml",
        from: "\nreplacements:",
        to: "- target: {kind: Deployment, name: shop}\n  patch: |-\n    - op: replace\n      path: /spec/template/spec/containers/0/resources/requests/cpu\n      value: 50m\n\nreplacements:",
        command: &["explain", "overlays/prod", "deploy/shop", CPU],
        place: "overlays/prod/kustomization.yaml:38:7",
        says: "overlays/prod/web.yaml:11:27",
    },
    Breakage {
        name: "A value of the subchart without the subchart's name before it",
        about: "The shop's own chart gets it and reads nothing of the kind.",
        file: "base/values.yaml",
        from: "cache:\n  maxMemory",
        to: "maxMemory",
        command: &["explain", "overlays/prod", "deploy/shop-cache", "spec.template.spec.containers[name=cache].args[1]"],
        place: "base/values.yaml:4:1",
        says: "Did you mean `cache.maxMemory`?",
    },
    Breakage {
        name: "A reference to a generated ConfigMap that lost its link",
        about: "The ConfigMap gets a hash behind its name; what does not name it exactly does not get that, and the pods never start.",
        file: "base/charts/shop/templates/deployment.yaml",
        from: "name: shop-features",
        to: "name: shop-feature",
        command: BUILD,
        place: "base/charts/shop/templates/deployment.yaml:33:19",
        says: "Did you mean `shop-features`?",
    },
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Adds the files of a folder with their paths in it.
fn files(folder: &Path, prefix: &str, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            files(&entry.path(), &format!("{path}/"), found);
        } else {
            found.push((path, fs::read_to_string(entry.path()).unwrap()));
        }
    }
}

/// Returns a copy of the shop, with one text in one file replaced.
fn shop(change: Option<(&str, &str, &str)>) -> Place {
    let mut found = Vec::new();
    files(&repository().join("examples/shop"), "", &mut found);
    if let Some((file, from, to)) = change {
        let (_, text) = found.iter_mut().find(|(path, _)| path == file).unwrap();
        assert!(text.contains(from), "{file} has no {from:?}");
        *text = text.replacen(from, to, 1);
    }
    let files: Vec<(&str, &str)> = found.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    Place::new(&files)
}

#[test]
fn the_shop_comes_to_what_kustomize_and_helm_make_of_it() {
    let expected = [("prod", include_str!("shop/prod.yaml")), ("staging", include_str!("shop/staging.yaml"))];
    for (overlay, expected) in expected {
        let made = shop(None).transcript(&["kustomize", "build", "--enable-helm", &format!("overlays/{overlay}")]);
        let text = made.split_once("--- stdout\n").unwrap().1;
        assert_eq!(text, expected, "{overlay}: kustomize says something else, or something is said on stderr");
    }
}

#[test]
fn fields_of_the_shop_are_explained() {
    let place = shop(None);
    let text = [
        place.transcript(&["explain", "overlays/prod", "deploy/shop"]),
        place.transcript(&["explain", "overlays/prod", "deploy/prod-shop", "spec.template.spec.containers[name=web].env"]),
        place.transcript(&["explain", "overlays/prod", "deploy/shop", "spec.template.spec.containers[0].image"]),
        place.transcript(&["explain", "overlays/prod", "cm/shop-features", "metadata.name", "-o", "json"]),
        place.transcript(&["explain", "overlays/prod", "deploy/shop", CPU, "-o", "json"]),
        place.transcript(&["explain", "overlays/prod", "deploy/shop", "spec.replica"]),
        place.transcript(&["explain", "overlays/prod", "deploy/shap"]),
        place.transcript(&["explain", "overlays/prod", "deploy/shop", "--set", "replicas=2"]),
    ];
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn values_of_generated_secrets_are_not_shown() {
    let place = Place::new(&[
        ("kustomization.yaml", "secretGenerator:\n- name: key\n  literals: [password=hunter2]\n  files: [token]\n"),
        ("token", "opensesame\n"),
    ]);
    for arguments in [
        &["explain", ".", "secret/key"][..],
        &["explain", ".", "secret/key", "data.password"],
        &["explain", ".", "secret/key", "-o", "json"],
    ] {
        let text = place.transcript(arguments);
        assert!(text.contains("exit code 0") && text.contains("kustomization.yaml"), "{text}");
        for secret in ["hunter2", "aHVudGVyMg", "opensesame", "b3BlbnNlc2FtZ"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[test]
fn the_tour_leads_through_three_of_them() {
    let place = Place::new(&[]);
    let text = place.transcript(&["tour"]);
    assert!(text.starts_with("$ plumb tour\nexit code 0\n") && !text.contains("--- stderr"), "{text}");
    for said in ["deployment.yaml:12:11", "Did you mean `cache.maxMemory`?", "no object matches the target", "The fix: "] {
        assert!(text.contains(said), "{said}\n{text}");
    }
    assert_eq!(place.transcript(&["tour", "--list"]).matches("\n").count(), 6);
    assert!(place.transcript(&["tour", "4"]).contains("exit code 2"));
}

#[test]
fn each_breakage_is_found_by_one_command() {
    let mut page = String::from(
        "# Ten ways to break a kustomization over a chart\n\n\
         `examples/shop` is broken in ten ways; each is found by one command. The page is written by a test (`crates/cli/tests/cli/shop.rs`) that fails\n\
         where the output does not name the file and the line. `plumb tour` walks through three of them.\n",
    );
    for Breakage { name, about, file, from, to, command, place, says } in &BREAKAGES {
        let transcript = shop(Some((file, from, to))).transcript(command);
        let unfolded: String = transcript.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(unfolded.contains(place), "{name}: {place} is not named\n{transcript}");
        assert!(unfolded.contains(says), "{name}: {says:?} is not said\n{transcript}");
        let shown = shown(&transcript);
        page.push_str(&format!("\n## {name}\n\n{about}\n\n```diff\n# {file}\n{}```\n\n```\n{shown}```\n", difference(file, from, to)));
    }
    let path = repository().join(PAGE);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == page, "{PAGE} is not what the commands print now: UPDATE=1 writes it anew");
}

/// The lines that a change takes out and puts in.
fn difference(file: &str, from: &str, to: &str) -> String {
    let before = fs::read_to_string(repository().join("examples/shop").join(file)).unwrap();
    let after = before.replacen(from, to, 1);
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let start = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let end = old[start..].iter().rev().zip(new[start..].iter().rev()).take_while(|(old, new)| old == new).count();
    let lines = |lines: &[&str], sign: char| lines.iter().map(|line| format!("{sign}{line}\n")).collect::<String>();
    format!("{}{}", lines(&old[start..old.len() - end], '-'), lines(&new[start..new.len() - end], '+'))
}

/// A transcript for people: the command, and what it says. Of a build that is fine but for warnings the manifests are left out.
fn shown(transcript: &str) -> String {
    let (head, rest) = transcript.split_once('\n').unwrap();
    let (out, err) = match rest.split_once("--- stderr\n") {
        Some((out, err)) => (out, err),
        None => (rest, ""),
    };
    let out = out.split_once("--- stdout\n").map_or("", |(_, out)| out);
    let out = if out.starts_with("apiVersion") { "…\n" } else { out };
    format!("{head}\n{err}{out}")
}
