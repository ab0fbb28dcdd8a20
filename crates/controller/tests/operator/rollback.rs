//! Orders of people: suspend, go back, resume; also with Git away.

use plumb_controller::core::{Ended, Gate, Order};
use plumb_store::SyncOutcome;

use crate::Bench;

#[test]
fn a_rollback_works_with_git_away_and_holds_until_resumed() {
    let mut bench = Bench::several();
    bench.declare("shop", "");
    bench.config_map("shop", "text", "1");
    bench.config_map("shop", "dropped", "1");
    bench.push("One");
    bench.start();
    bench.until_at_rest("shop");
    let good = bench.history("shop").into_iter().find(|sync| sync.outcome == SyncOutcome::Succeeded).unwrap();
    assert!(good.offline_rollback, "{:?}", good.offline_rollback_reason);
    bench.config_map("shop", "text", "2");
    bench.repo.remove("apps/shop/dropped.yaml").unwrap();
    bench.config_map("shop", "new", "1");
    bench.push("Two");
    bench.until_at_rest("shop");
    bench.until("what Git dropped is gone", || bench.value("dropped").is_none());

    bench.git.stop();
    let order = Order::SyncAt { revisions: good.revisions.clone(), record: Some(good.id.to_string().as_str().into()) };
    let ended = bench.order("shop", order);
    assert!(matches!(&*ended, Ended::Done { withheld: None }), "{ended:?}");
    assert_eq!((bench.value("text").as_deref(), bench.value("dropped").as_deref()), (Some("1"), Some("1")));
    bench.until("what the old state lacks is gone", || bench.value("new").is_none());
    assert!(bench.gates("shop").iter().any(|gate| matches!(gate, Gate::Pinned(_))));

    bench.git.start_again().unwrap();
    bench.config_map("shop", "text", "3");
    bench.push("Three");
    let head = bench.repo.head().unwrap();
    bench.until("the commit is read", || {
        bench.operator().sources().iter().any(|source| source.status.revision.as_ref().is_some_and(|revision| revision.commit == head))
    });
    bench
        .plane
        .kubectl(&["-n", &bench.namespace, "patch", "configmap/text", "--type=merge", "-p", r#"{"data":{"value":"by hand"}}"#])
        .unwrap();
    bench.until("drift is put right at the old state", || bench.value("text").as_deref() == Some("1"));
    bench.order("shop", Order::Resume);
    bench.until_synced("shop");
    assert_eq!((bench.value("text").as_deref(), bench.value("new").as_deref()), (Some("3"), Some("1")));
    bench.until("what Git dropped is gone again", || bench.value("dropped").is_none());
    assert_eq!(bench.gates("shop"), []);
}

#[test]
fn a_suspended_unit_is_left_alone_over_restarts_until_it_is_resumed() {
    let mut bench = Bench::several();
    bench.declare("shop", "");
    bench.declare("other", "");
    bench.config_map("shop", "text", "1");
    bench.config_map("other", "theirs", "1");
    bench.push("One");
    bench.start();
    bench.until_at_rest("shop");
    bench.until_at_rest("other");
    bench.order("shop", Order::Suspend { until: None });
    let suspended =
        |bench: &Bench| bench.gates("shop").iter().any(|gate| matches!(gate, Gate::Suspended(suspend) if &*suspend.by == "ada"));
    assert!(suspended(&bench));
    let ended = bench.order("shop", Order::Reconcile);
    assert!(matches!(&*ended, Ended::Refused(why) if why.contains("suspended by ada")), "{ended:?}");
    // Written beside the inventory: until then a crash would forget it.
    let record = |bench: &Bench| {
        bench
            .plane
            .json(&["-n", "plumb-system", "get", "configmaps", "-l", &format!("plumb.dev/inventory={}", bench.installation)])
            .unwrap()
            .to_string()
    };
    bench.until("the suspension is kept", || record(&bench).contains("suspend"));

    bench.kill();
    bench.config_map("shop", "text", "2");
    bench.config_map("other", "theirs", "2");
    bench.push("Two");
    bench.start();
    bench.until_synced("other");
    bench.until("it is suspended still", || suspended(&bench));
    bench
        .plane
        .kubectl(&["-n", &bench.namespace, "patch", "configmap/text", "--type=merge", "-p", r#"{"data":{"value":"by hand"}}"#])
        .unwrap();
    bench.until("the drift is seen", || bench.unit("shop").unwrap().status.drift.is_some());
    assert_eq!(bench.value("text").as_deref(), Some("by hand"));
    bench.order("shop", Order::Resume);
    bench.until_synced("shop");
    assert_eq!(bench.value("text").as_deref(), Some("2"));
}

#[test]
fn a_dry_run_tells_and_does_nothing() {
    let mut bench = Bench::several();
    bench.declare("shop", "  policy: {sync: manual}\n");
    bench.config_map("shop", "text", "1");
    bench.push("One");
    bench.start();
    bench.until("it waits for somebody", || bench.gates("shop").contains(&Gate::Manual));
    let ended = bench.order("shop", Order::DryRun { revisions: None });
    assert!(matches!(&*ended, Ended::Planned(head) if head.changes == 1 && head.deletes == 0), "{ended:?}");
    assert!(bench.value("text").is_none());
    let ended = bench.order("shop", Order::Reconcile);
    assert!(matches!(&*ended, Ended::Done { withheld: None }), "{ended:?}");
    assert_eq!(bench.value("text").as_deref(), Some("1"));
}

#[test]
fn a_rollback_works_after_a_restart_with_git_away() {
    let mut bench = Bench::several();
    bench.declare("shop", "");
    bench.config_map("shop", "text", "1");
    bench.config_map("shop", "keep", "1");
    bench.push("One");
    bench.start();
    bench.until_at_rest("shop");
    let good = bench.history("shop").into_iter().find(|sync| sync.outcome == SyncOutcome::Succeeded).unwrap();
    bench.config_map("shop", "text", "2");
    bench.config_map("shop", "new", "1");
    bench.push("Two");
    bench.until_at_rest("shop");
    let before = bench.versions();

    bench.git.stop();
    bench.kill();
    bench.start();
    bench.until("the unit is known again, with the note that its source is stale", || {
        bench.unit("shop").is_some_and(|unit| unit.unit.is_some() && !unit.status.stale.is_empty())
    });
    bench.until_synced("shop");
    assert_eq!(bench.versions(), before, "nothing was written");

    let order = Order::SyncAt { revisions: good.revisions.clone(), record: Some(good.id.to_string().as_str().into()) };
    let ended = bench.order("shop", order);
    assert!(matches!(&*ended, Ended::Done { .. }), "{ended:?}");
    assert_eq!(bench.value("text").as_deref(), Some("1"));
    assert_eq!(bench.value("new").as_deref(), Some("1"), "what this process has not read itself deletes nothing");

    bench.git.start_again().unwrap();
    bench.order("shop", Order::Resume);
    bench.until("Git is followed again", || bench.value("text").as_deref() == Some("2"));
    bench.until_synced("shop");
    bench.repo.remove("apps/shop/new.yaml").unwrap();
    bench.push("Three");
    bench.until("deletions are carried out again", || bench.value("new").is_none());
}
