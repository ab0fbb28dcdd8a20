//! A history file that is missing, locked, deleted or full: said, and nothing else stops.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use sqlx::{ConnectOptions, Connection};

use crate::serve::Serve;
use crate::world::{APP, Site, World};

fn file(site: &Site) -> PathBuf {
    site.folder.join("serve/history.sqlite")
}

fn one_unit() -> (World, Site, String) {
    let world = World::new();
    let site = world.site();
    world.declare(&site, APP, "");
    let commit = change(&world, "1");
    (world, site, commit)
}

fn change(world: &World, value: &str) -> String {
    world.config_map(APP, "text", value);
    world.push(&format!("Make it {value}"))
}

/// Returns what `GET /v1` says of the history.
fn state(serve: &Serve) -> Value {
    serve.get("/v1").unwrap()["history"].clone()
}

/// Returns what `plumb history` lists; none when it fails.
fn history(serve: &Serve) -> Option<Vec<Value>> {
    let output = serve.plumb(&["history", "team/app", "-o", "json"]);
    output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn a_history_that_is_deleted_is_begun_anew() {
    let (world, site, first) = one_unit();
    let mut serve = Serve::start(&site);
    serve.until_synced(APP, &first);
    serve.until("the sync is recorded", |serve| history(serve).is_some_and(|syncs| syncs.len() == 1));
    let before = world.live().of(&site);

    // While it runs: what comes next is recorded in a new file.
    std::fs::remove_file(file(&site)).unwrap();
    let second = change(&world, "2");
    serve.until_synced(APP, &second);
    serve.until("the next one is recorded", |serve| history(serve).is_some_and(|syncs| syncs.len() == 1));
    assert!(serve.log().contains("the history was deleted or replaced; a new one is begun"), "{}", serve.log());
    assert_eq!(state(&serve)["state"], "ready");
    serve.terminate();

    // While it is down: nothing that runs changes.
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", file(&site).display()));
    }
    let between = world.live().of(&site);
    let mut serve = Serve::start(&site);
    serve.until_synced(APP, &second);
    assert_eq!(world.live().of(&site), between);
    assert_eq!(before["ConfigMap/text"]["metadata"]["uid"], between["ConfigMap/text"]["metadata"]["uid"]);
    let third = change(&world, "3");
    serve.until_synced(APP, &third);
    serve.until("and is recorded", |serve| history(serve).is_some_and(|syncs| !syncs.is_empty()));
}

#[test]
fn a_locked_history_stops_nothing_and_is_caught_up_with() {
    let (world, site, first) = one_unit();
    let mut serve = Serve::start(&site);
    serve.until_synced(APP, &first);
    serve.until("the sync is recorded", |serve| history(serve).is_some_and(|syncs| syncs.len() == 1));
    serve.terminate();

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut other = runtime.block_on(sqlx::sqlite::SqliteConnectOptions::new().filename(file(&site)).connect()).unwrap();
    runtime.block_on(sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut other)).unwrap();
    let second = change(&world, "2");
    let mut serve = Serve::start(&site);
    serve.until_synced(APP, &second);
    serve.until("it says so", |serve| state(serve)["code"] == "locked");
    assert!(serve.log().contains("the history is not written; what runs goes on"), "{}", serve.log());
    assert_eq!(world.live().of(&site)["ConfigMap/text"]["data"]["value"], "2");

    runtime.block_on(sqlx::raw_sql("ROLLBACK").execute(&mut other)).unwrap();
    runtime.block_on(other.close()).unwrap();
    serve.until("it catches up", |serve| state(serve)["state"] == "ready");
    serve.until("nothing is lost", |serve| history(serve).is_some_and(|syncs| syncs.len() == 2));
    assert!(serve.log().contains("the history is written again"), "{}", serve.log());
}

/// A limit of file sizes in place of a full disk: to SQLite both are a write that fails. The log and the repositories fit in.
#[test]
fn a_full_disk_stops_nothing() {
    let (world, site, first) = one_unit();
    let serve = Serve::command(&site, "serve");
    let mut limited = Command::new("sh");
    // Blocks of 512 bytes. Ignored, the signal becomes an error of the write.
    limited.args(["-c", "trap '' XFSZ; ulimit -f 40; exec \"$@\"", "sh"]).arg(serve.get_program()).args(serve.get_args()).env_clear();
    limited.env("HOME", &site.folder);
    let mut serve = Serve::spawn(limited, &site, "serve");
    serve.until_synced(APP, &first);
    serve.until("it says so", |serve| state(serve)["state"] == "unavailable");
    assert!(serve.log().contains("the history is not written; what runs goes on"), "{}", serve.log());
    let second = change(&world, "2");
    serve.until_synced(APP, &second);
    assert_eq!(world.live().of(&site)["ConfigMap/text"]["data"]["value"], "2");
    let failed = serve.plumb(&["history", "team/app"]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(!failed.stderr.is_empty());
    serve.terminate();

    let mut serve = Serve::start(&site);
    let third = change(&world, "3");
    serve.until_synced(APP, &third);
    serve.until("with room it is written again", |serve| history(serve).is_some_and(|syncs| !syncs.is_empty()));
}
