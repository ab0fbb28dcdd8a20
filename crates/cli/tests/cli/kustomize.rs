//! `plumb kustomize build` as somebody types it: folders, repositories and files of other addresses, and what is said of mistakes.

use std::fs;

use plumb_plane::git::{HttpOptions, HttpServer, Repo};
use plumb_plane::{Registry, RegistryOptions};

use crate::transcripts::Place;

const CONFIG: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata: {color: blue}\n";

/// A folder with a kustomization over one in the folder beside it.
fn place() -> Place {
    Place::new(&[
        ("base/kustomization.yaml", "resources: [shop.yaml]\n"),
        ("base/shop.yaml", CONFIG),
        ("eu/kustomization.yaml", "namePrefix: eu-\nresources: [../base]\n"),
    ])
}

#[test]
fn a_folder_is_built() {
    insta::assert_snapshot!(place().transcript(&["kustomize", "build", "eu"]));
}

#[test]
fn objects_go_to_files_of_a_folder_that_is_there() {
    let place = place();
    fs::create_dir(place.path().join("out")).unwrap();
    insta::assert_snapshot!(place.transcript(&["kustomize", "build", "eu", "-o", "out"]));
    let names: Vec<_> = fs::read_dir(place.path().join("out")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["v1_configmap_eu-shop.yaml"]);
}

#[test]
fn what_is_wrong_is_told_all_at_once_and_where() {
    let place = Place::new(&[
        ("kustomization.yaml", "namePrefx: eu-\nresources: [gone.yaml, shop.yaml]\npatches: [{path: no.yaml}]\n"),
        ("shop.yaml", "kind: ConfigMap\nmetadata: {name: a\n"),
    ]);
    insta::assert_snapshot!(place.transcript(&["kustomize", "build"]));
    insta::assert_snapshot!(place.transcript(&["kustomize", "build", "shop.yaml"]));
    insta::assert_snapshot!(place.transcript(&["kustomize", "build", "nowhere"]));
    insta::assert_snapshot!(place.transcript(&["kustomize", "build", "--enable-exec"]));
}

#[test]
fn bases_and_files_of_other_addresses_are_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let git = HttpServer::start(&folder.path().join("git"), HttpOptions::default()).unwrap();
    let repo = Repo::create(&folder.path().join("work"), &git.create("shop").unwrap()).unwrap();
    repo.write("base/kustomization.yaml", "resources: [shop.yaml]\nnameSuffix: -one\n").unwrap();
    repo.write("base/shop.yaml", CONFIG).unwrap();
    repo.commit("one").unwrap();
    repo.git(&["tag", "v1"]).unwrap();
    repo.write("base/kustomization.yaml", "resources: [shop.yaml]\nnameSuffix: -two\n").unwrap();
    repo.commit("two").unwrap();
    repo.push().unwrap();
    repo.git(&["push", "origin", "v1"]).unwrap();
    let web = Registry::start(&folder.path().join("web"), RegistryOptions::default()).unwrap();
    fs::write(web.folder().join("more.yaml"), CONFIG.replace("shop", "more")).unwrap();

    let url = git.url("shop");
    let files = web.repository();
    let tidy = |text: String| text.replace(&url, "http://[git]/shop").replace(&files, "http://[web]");
    let build = |resources: &[String]| {
        let list: String = resources.iter().map(|path| format!("- {path}\n")).collect();
        tidy(Place::new(&[("kustomization.yaml", &format!("resources:\n{list}"))]).transcript(&["kustomize", "build"]))
    };
    insta::assert_snapshot!(build(&[format!("{url}//base?ref=v1"), format!("{url}//base?ref=main"), format!("{files}/more.yaml")]));
    insta::assert_snapshot!(build(&[format!("{url}//base?ref=none"), format!("{url}//none"), format!("{files}/none.yaml")]));
    insta::assert_snapshot!(tidy(place().transcript(&["kustomize", "build", &format!("{url}//base")])));
}
