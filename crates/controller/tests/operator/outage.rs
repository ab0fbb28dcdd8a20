//! Sources that fail: nothing is deleted, the status says why, and it goes on by itself.

use std::collections::BTreeMap;

use plumb_controller::core::SyncWord;
use plumb_plan::HealthStatus;

use crate::Bench;

fn two_units() -> (Bench, BTreeMap<String, String>) {
    let mut bench = Bench::several();
    for unit in ["shop", "other"] {
        bench.declare(unit, "");
        for nth in 0..2 {
            bench.config_map(unit, &format!("{unit}-{nth}"), "1");
        }
    }
    bench.push("Add both");
    bench.start();
    bench.until_at_rest("shop");
    bench.until_at_rest("other");
    let uids = uids(&bench);
    (bench, uids)
}

fn uids(bench: &Bench) -> BTreeMap<String, String> {
    bench.versions().into_iter().map(|(name, (uid, _))| (name, uid)).collect()
}

/// Waits until the units say that a source is stale, and looks at everything else.
fn stale(bench: &Bench, uids: &BTreeMap<String, String>, why: &str) {
    let says = |unit: &str| bench.unit(unit).unwrap().status.stale.iter().any(|(.., failure)| failure.message.contains(why));
    bench.until(&format!("both say `{why}`"), || says("shop") && says("other"));
    stays(bench, uids);
}

fn stays(bench: &Bench, expected: &BTreeMap<String, String>) {
    for unit in ["shop", "other"] {
        let status = bench.unit(unit).unwrap().status;
        assert_eq!((status.sync, status.health, status.failure), (SyncWord::Synced, HealthStatus::Healthy, None), "{unit}");
    }
    assert_eq!(uids(bench), *expected);
}

/// Pushes without telling the operator: it has to find out by itself.
fn catches_up(bench: &Bench, uids_before: &BTreeMap<String, String>) {
    bench.config_map("shop", "shop-0", "2");
    bench.repo.commit("Change one").unwrap();
    bench.repo.force_push().unwrap();
    bench.until_at_rest("shop");
    bench.until_at_rest("other");
    assert_eq!(bench.value("shop-0").as_deref(), Some("2"));
    assert!(bench.unit("shop").unwrap().status.stale.is_empty());
    assert_eq!(uids(bench), *uids_before);
}

#[test]
fn a_git_server_that_is_down_changes_nothing() {
    let (mut bench, uids) = two_units();
    bench.git.stop();
    stale(&bench, &uids, "127.0.0.1");
    bench.git.start_again().unwrap();
    catches_up(&bench, &uids);
}

#[test]
fn a_restart_while_git_is_down_changes_nothing() {
    let (mut bench, uids) = two_units();
    bench.stop();
    bench.git.stop();
    std::fs::remove_dir_all(bench.folder.path().join("state")).unwrap();
    bench.start();
    bench.until("the units are known by their records", || bench.unit("shop").is_some() && bench.unit("other").is_some());
    let down = |bench: &Bench| bench.operator().sources().iter().any(|source| source.status.stale.is_some());
    bench.until("the source is said to be down", || down(&bench));
    let names: BTreeMap<_, _> = bench.versions().into_iter().map(|(name, (uid, _))| (name, uid)).collect();
    assert_eq!(names, uids);
    bench.git.start_again().unwrap();
    catches_up(&bench, &uids);
}

#[test]
fn an_emptied_repository_deletes_nothing() {
    let (bench, uids) = two_units();
    std::fs::remove_dir_all(bench.git.path("shop")).unwrap();
    stale(&bench, &uids, "shop.git");
    bench.git.create("shop").unwrap();
    stale(&bench, &uids, "is empty");
    catches_up(&bench, &uids);
}

#[test]
fn a_deleted_branch_deletes_nothing() {
    let (bench, uids) = two_units();
    bench.repo.git(&["push", "--quiet", "origin", "HEAD:refs/heads/another"]).unwrap();
    std::fs::remove_file(bench.git.path("shop").join("refs/heads/main")).unwrap();
    stale(&bench, &uids, "main");
    catches_up(&bench, &uids);
}

#[test]
fn a_root_folder_that_is_gone_deletes_nothing() {
    let (bench, uids) = two_units();
    bench.repo.git(&["mv", "units", "elsewhere"]).unwrap();
    bench.push("Move the declarations away");
    let says =
        |bench: &Bench| bench.operator().sources().iter().any(|source| source.status.problems.iter().any(|text| text.contains("units")));
    bench.until("the root says that its folder is gone", || says(&bench));
    let head = bench.repo.head().unwrap();
    bench.until("the commit was read", || {
        bench.operator().sources().iter().all(|source| source.status.revision.as_ref().is_none_or(|revision| revision.commit == head))
    });
    stays(&bench, &uids);
    bench.repo.git(&["mv", "elsewhere", "units"]).unwrap();
    catches_up(&bench, &uids);
}

#[test]
fn a_unit_folder_that_is_gone_deletes_nothing() {
    let (bench, uids) = two_units();
    bench.repo.git(&["mv", "apps/shop", "apps/elsewhere"]).unwrap();
    bench.push("Move the shop's folder away");
    bench.until("the error names the folder", || bench.failure("shop").contains("apps/shop"));
    bench.until_synced("other");
    assert_eq!(self::uids(&bench), uids);
    bench.repo.git(&["mv", "apps/elsewhere", "apps/shop"]).unwrap();
    catches_up(&bench, &uids);
}
