//! Owns `plumb helm`'s commands that fetch: from a real registry and a real chart repository. What Helm prints for the same was
//! looked at when these were recorded; where Plumb says more, that is on stderr.

use std::fs;

use plumb_plane::{Push, Registry, RegistryOptions, pack};

use crate::transcripts::Place;

/// A folder to work in, and where charts come from.
struct Stage {
    place: Place,
    registry: Registry,
}

fn chart(name: &str, version: &str) -> Vec<u8> {
    let about = format!("apiVersion: v2\nname: {name}\nversion: {version}\n");
    let template = format!("kind: ConfigMap\napiVersion: v1\nmetadata: {{name: {name}-{{{{ .Chart.Version }}}}}}\n");
    pack(&[
        (&format!("{name}/Chart.yaml"), &about),
        (&format!("{name}/values.yaml"), "a: 1\n"),
        (&format!("{name}/templates/a.yaml"), &template),
    ])
}

impl Stage {
    fn new(files: &[(&str, &str)]) -> Self {
        let place = Place::new(files);
        let registry = Registry::start(&place.path().join(".served"), RegistryOptions::default()).unwrap();
        for version in ["1.0.0", "1.2.0", "2.0.0-rc.1"] {
            let archive = chart("bar", version);
            registry.push(&Push { name: "charts/bar", tag: version, archive: &archive, layer_type: None }).unwrap();
        }
        let mut index = "apiVersion: v1\nentries:\n  foo:\n".to_owned();
        for version in ["0.1.0", "0.2.0"] {
            let file = format!("foo-{version}.tgz");
            fs::write(registry.folder().join(&file), chart("foo", version)).unwrap();
            index += &format!("  - {{name: foo, version: {version}, urls: [{file}]}}\n");
        }
        fs::write(registry.folder().join("index.yaml"), index).unwrap();
        Self { place, registry }
    }

    /// Puts the registry's address where `HOST` stands.
    fn here(&self, text: &str) -> String {
        text.replace("HOST", &self.registry.host())
    }

    fn transcript(&self, arguments: &str) -> String {
        let arguments = self.here(arguments);
        let arguments: Vec<&str> = arguments.split(' ').collect();
        self.place.transcript(&arguments).replace(&self.registry.host(), "[host]")
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.place.path().join(path)).unwrap()
    }

    /// Returns the files below a folder.
    fn files(&self, folder: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.place.path().join(folder)];
        while let Some(at) = folders.pop() {
            for entry in fs::read_dir(&at).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(self.place.path()).unwrap().display().to_string());
                }
            }
        }
        found.sort();
        found
    }
}

const UMBRELLA: &str = "\
apiVersion: v2
name: umbrella
version: 1.0.0
dependencies:
- {name: foo, version: 0.x, repository: \"http://HOST/charts\"}
- {name: bar, version: ^1, repository: \"oci://HOST/charts\", alias: other, condition: other.enabled}
- {name: near, version: \">=0\", repository: \"file://../near\"}
";

fn umbrella() -> Stage {
    let stage = Stage::new(&[
        ("near/Chart.yaml", "apiVersion: v2\nname: near\nversion: 0.3.0\n"),
        ("near/templates/a.yaml", "kind: ConfigMap\napiVersion: v1\nmetadata: {name: near}\n"),
        ("near/secret.txt", "not for others"),
        ("near/.helmignore", "secret.txt\n"),
        ("umbrella/values.yaml", "other: {enabled: true}\n"),
    ]);
    fs::write(stage.place.path().join("umbrella/Chart.yaml"), stage.here(UMBRELLA)).unwrap();
    stage
}

#[test]
fn dependencies_are_listed_fetched_locked_and_fetched_again() {
    let stage = umbrella();
    let mut text = vec![
        stage.transcript("helm dependency list umbrella"),
        stage.transcript("helm dependency update umbrella --plain-http"),
        stage.transcript("helm dependency list umbrella"),
    ];
    assert_eq!(
        stage.files("umbrella/charts"),
        ["umbrella/charts/bar-1.2.0.tgz", "umbrella/charts/foo-0.2.0.tgz", "umbrella/charts/near-0.3.0.tgz"]
    );
    let lock = stage.read("umbrella/Chart.lock").replace(&stage.registry.host(), "[host]");
    let plain: Vec<&str> =
        lock.lines().map(|line| line.split_once("sha256:").or(line.split_once("\"2")).map_or(line, |(start, _)| start)).collect();
    text.push(format!("--- Chart.lock\n{}\n", plain.join("\n")));

    // The same again leaves the lock as it is; a build brings back what is missing and takes out what is outdated.
    let before = stage.read("umbrella/Chart.lock");
    stage.transcript("helm dep up umbrella --plain-http");
    assert_eq!(stage.read("umbrella/Chart.lock"), before);
    fs::remove_file(stage.place.path().join("umbrella/charts/bar-1.2.0.tgz")).unwrap();
    fs::write(stage.place.path().join("umbrella/charts/foo-0.1.0.tgz"), chart("foo", "0.1.0")).unwrap();
    fs::write(stage.place.path().join("umbrella/charts/stray.tgz"), "no chart").unwrap();
    text.push(stage.transcript("helm dependency list umbrella"));
    text.push(stage.transcript("helm dependency build umbrella --plain-http"));
    assert_eq!(
        stage.files("umbrella/charts"),
        ["umbrella/charts/bar-1.2.0.tgz", "umbrella/charts/foo-0.2.0.tgz", "umbrella/charts/near-0.3.0.tgz", "umbrella/charts/stray.tgz"]
    );
    fs::remove_file(stage.place.path().join("umbrella/charts/stray.tgz")).unwrap();
    text.push(stage.transcript("helm template rel umbrella"));

    fs::write(stage.place.path().join("umbrella/Chart.yaml"), stage.here(UMBRELLA).replace("0.x", "0.1.x")).unwrap();
    text.push(stage.transcript("helm dependency build umbrella --plain-http"));
    fs::remove_dir_all(stage.place.path().join("umbrella/charts")).unwrap();
    text.push(stage.transcript("helm template rel umbrella --dependency-update --plain-http"));
    text.push(stage.transcript("helm template rel umbrella --dependency-update --plain-http"));
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn dependencies_that_cannot_be_had() {
    let stage = umbrella();
    let chart = stage.place.path().join("umbrella/Chart.yaml");
    let with = |dependency: &str| {
        let text = format!("apiVersion: v2\nname: umbrella\nversion: 1.0.0\ndependencies:\n- {}\n", stage.here(dependency));
        fs::write(&chart, text).unwrap();
        stage.transcript("helm dependency update umbrella --plain-http")
    };
    let text = [
        with("{name: foo, version: 9.x, repository: \"http://HOST/charts\"}"),
        with("{name: fob, version: 0.x, repository: \"http://HOST/charts\"}"),
        with("{name: bar, version: ^9, repository: \"oci://HOST/charts\"}"),
        with("{name: foo, version: 0.x, repository: \"http://HOST/nothing\"}"),
        with("{name: foo, version: 0.x, repository: \"@ours\"}"),
        with("{name: foo, version: 0.x, repository: stable}"),
        with("{name: foo, version: new, repository: \"http://HOST/charts\"}"),
        with("{name: near, version: ^9, repository: \"file://../near\"}"),
        with("{name: near, version: 0.x, repository: \"file://../nowhere\"}"),
        with("{name: ../../foo, version: 0.x, repository: \"oci://HOST/charts\"}"),
        with("{name: ../foo, version: 0.x, repository: \"http://HOST/charts\"}"),
    ];
    insta::assert_snapshot!(text.join("\n"));
    assert!(!stage.place.path().join("umbrella/Chart.lock").exists());
    assert!(!stage.place.path().join("umbrella/charts").exists());
}

#[test]
fn charts_are_pulled_and_unpacked() {
    let stage = Stage::new(&[("into/x", "")]);
    let text = [
        "helm pull oci://HOST/charts/bar --plain-http",
        "helm pull oci://HOST/charts/bar --plain-http --devel -d into",
        "helm pull oci://HOST/charts/bar:1.0.0 --plain-http --untar",
        "helm pull oci://HOST/charts/bar:1.0.0 --plain-http --untar",
        "helm pull oci://HOST/charts/bar:1.0.0 --plain-http --version 1.2.0",
        "helm pull foo --repo http://HOST/charts --version ~0.1 --untar --untardir deep -d into",
        "helm pull http://HOST/charts/foo-0.1.0.tgz",
        "helm pull http://HOST/charts/foo-0.1.0.tgz -d nowhere",
        "helm pull foo --repo http://HOST/charts --version ^9",
        "helm pull oci://HOST/charts/none --plain-http",
        "helm pull oci://HOST/charts/bar",
        "helm pull ours/foo",
        "helm pull foo",
        "helm pull foo --repo http://HOST/charts --prov",
    ];
    let transcripts: Vec<String> = text.iter().map(|arguments| stage.transcript(arguments)).collect();
    insta::assert_snapshot!(transcripts.join("\n"));
    assert_eq!(
        stage.files(".").into_iter().filter(|file| !file.contains(".served")).collect::<Vec<_>>(),
        [
            "bar-1.2.0.tgz",
            "bar/Chart.yaml",
            "bar/templates/a.yaml",
            "bar/values.yaml",
            "foo-0.1.0.tgz",
            "into/bar-2.0.0-rc.1.tgz",
            "into/deep/foo/Chart.yaml",
            "into/deep/foo/templates/a.yaml",
            "into/deep/foo/values.yaml",
            "into/x",
        ]
    );
}

#[test]
fn a_chart_from_elsewhere_is_rendered() {
    let stage = Stage::new(&[]);
    let text = [
        "helm template rel oci://HOST/charts/bar --plain-http --version ^1",
        "helm template rel foo --repo http://HOST/charts",
        "helm template rel http://HOST/charts/foo-0.1.0.tgz",
        "helm template rel foo --repo http://HOST/charts --version 7",
    ];
    let transcripts: Vec<String> = text.iter().map(|arguments| stage.transcript(arguments)).collect();
    insta::assert_snapshot!(transcripts.join("\n"));
}
