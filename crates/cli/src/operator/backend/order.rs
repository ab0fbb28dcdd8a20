//! Owns what an order of the API means to the loop: which revision, which digest, which recorded sync. Must not carry anything out.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use plumb_controller::UnitState;
use plumb_controller::core::{Gate, Order as CoreOrder};
use plumb_manifest::Digest;
use plumb_server::api::{ApiError, ErrorCode, Order};
use plumb_store::{MAX_ROWS, Store, StoreError, SyncId, SyncOutcome, SyncSummary, Which};
use plumb_unit::{OnDelete, Revisions};

/// Shortest beginning of a commit or digest that is taken for one.
const SHORTEST_PREFIX: usize = 4;

/// Returns what the loop is told for an order.
pub(super) async fn order(store: &Store, state: &UnitState, order: &Order, now_ms: u64) -> Result<CoreOrder, ApiError> {
    Ok(match order {
        Order::Reconcile | Order::Sync { revision: None, dry_run: false } => CoreOrder::Reconcile,
        Order::Sync { revision: None, dry_run: true } => CoreOrder::DryRun { revisions: None },
        Order::Sync { revision: Some(revision), dry_run } => match (at_commit(store, state, revision).await?, dry_run) {
            (CoreOrder::SyncAt { revisions, .. }, true) => CoreOrder::DryRun { revisions: Some(revisions) },
            (order, _) => order,
        },
        Order::Suspend { for_ms } => CoreOrder::Suspend { until: for_ms.map(|ms| now_ms.saturating_add(ms)) },
        Order::Resume => CoreOrder::Resume,
        Order::Approve { digest } => CoreOrder::Approve { digest: approval(state, digest.as_deref())? },
        Order::Rollback { to: Some(to) } => {
            let syncs = store.history(&state.key, MAX_ROWS).await?;
            back_to(pick(state, &syncs, to)?)?
        }
        Order::Rollback { to: None } => previous(store, state).await?,
        Order::Delete { orphan } => delete(state, *orphan)?,
    })
}

/// Returns the order to go to the commit with these first digits: the one that is wanted anyway, or one that was synced before. Sources hold
/// only their newest commits, so an older one is built from its record.
async fn at_commit(store: &Store, state: &UnitState, commit: &str) -> Result<CoreOrder, ApiError> {
    if fits(&state.status.wanted, &prefix(state, commit)?).is_some() {
        return Ok(CoreOrder::SyncAt { revisions: state.status.wanted.clone(), record: None });
    }
    let syncs = store.history(&state.key, MAX_ROWS).await?;
    back_to(of_commit(state, &syncs, commit)?)
}

/// Returns the digest that an approval is for: what waits now, which has to begin as the one given.
fn approval(state: &UnitState, given: Option<&str>) -> Result<Digest, ApiError> {
    let unit = &state.key;
    let conflict = |message: String| ApiError::new(ErrorCode::Conflict, message).hint(format!("`plumb status {unit}` shows what waits."));
    let gate = state.status.gates.iter().find_map(|gate| if let Gate::Approval { digest, .. } = gate { Some(*digest) } else { None });
    let waits = gate.or_else(|| state.status.withheld.as_ref().map(|withheld| withheld.digest));
    match (waits, given) {
        (None, _) => Err(conflict(format!("nothing of {unit} waits for approval"))),
        (Some(waits), None) => Ok(waits),
        (Some(waits), Some(given)) => {
            let text = given.to_ascii_lowercase();
            if text.len() >= SHORTEST_PREFIX && waits.to_string().starts_with(&text) {
                return Ok(waits);
            }
            Err(conflict(format!("`{given}` is not what waits for approval of {unit}: that is {waits} now")))
        }
    }
}

/// Returns the recorded sync that a name means: a sync's id, or the first digits of a commit.
fn pick<'a>(state: &UnitState, syncs: &'a [SyncSummary], to: &str) -> Result<&'a SyncSummary, ApiError> {
    let named = to.parse::<SyncId>().ok().and_then(|id| syncs.iter().find(|sync| sync.id == id));
    named.map_or_else(|| of_commit(state, syncs, to), Ok)
}

/// Returns the best recorded sync of a commit: one that succeeded before others, one that can be built again before others, the newest.
fn of_commit<'a>(state: &UnitState, syncs: &'a [SyncSummary], commit: &str) -> Result<&'a SyncSummary, ApiError> {
    let unit = &state.key;
    let prefix = prefix(state, commit)?;
    let fitting: Vec<(&str, &SyncSummary)> = syncs.iter().filter_map(|sync| Some((fits(&sync.revisions, &prefix)?, sync))).collect();
    let commits: BTreeSet<&str> = fitting.iter().map(|(commit, _)| *commit).collect();
    if commits.len() > 1 {
        return Err(ApiError::new(ErrorCode::Invalid, format!("`{commit}` fits several commits of {unit}; give more of it")));
    }
    let better = |sync: &SyncSummary| (sync.outcome != SyncOutcome::Succeeded, !sync.offline_rollback, Reverse(sync.id));
    fitting.into_iter().map(|(_, sync)| sync).min_by_key(|sync| better(sync)).ok_or_else(|| unknown(state, commit))
}

fn fits<'a>(revisions: &'a Revisions, prefix: &str) -> Option<&'a str> {
    revisions.values().map(|revision| revision.commit.as_str()).find(|commit| commit.starts_with(prefix))
}

fn prefix(state: &UnitState, commit: &str) -> Result<String, ApiError> {
    let prefix = commit.to_ascii_lowercase();
    let is_one = prefix.len() >= SHORTEST_PREFIX && prefix.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_one.then_some(prefix).ok_or_else(|| unknown(state, commit))
}

fn unknown(state: &UnitState, to: &str) -> ApiError {
    let unit = &state.key;
    ApiError::new(ErrorCode::NotFound, format!("no recorded sync of {unit} fits `{to}`"))
        .hint(format!("`plumb history {unit}` lists them."))
}

/// Returns the order that goes back to a recorded sync: from its record, or from its sources when the record is not kept.
fn back_to(sync: &SyncSummary) -> Result<CoreOrder, ApiError> {
    let record: Option<Arc<str>> = sync.offline_rollback.then(|| sync.id.to_string().into());
    if record.is_none() && sync.revisions.is_empty() {
        let why = sync.offline_rollback_reason.as_deref().unwrap_or("it names no revision");
        return Err(ApiError::new(ErrorCode::Conflict, format!("sync `{}` cannot be built again: {why}", sync.id)));
    }
    Ok(CoreOrder::SyncAt { revisions: sync.revisions.clone(), record })
}

/// Returns the order that goes back to the last good state of another build.
async fn previous(store: &Store, state: &UnitState) -> Result<CoreOrder, ApiError> {
    match store.recorded_request(&state.key, &Which::Previous).await {
        Ok(build) => Ok(CoreOrder::SyncAt { revisions: build.revisions, record: Some(build.sync.to_string().into()) }),
        Err(StoreError::NotRebuildable { sync, .. }) => {
            let syncs = store.history(&state.key, MAX_ROWS).await?;
            back_to(pick(state, &syncs, &sync)?)
        }
        Err(StoreError::NoSuchBuild { .. }) => {
            let unit = &state.key;
            let error = ApiError::new(
                ErrorCode::NotFound,
                format!("{unit} has no earlier state in the history that was synced from another build"),
            );
            Err(error.hint(format!("`plumb history {unit}` lists what there is.")))
        }
        Err(error) => Err(error.into()),
    }
}

fn delete(state: &UnitState, orphan: Option<bool>) -> Result<CoreOrder, ApiError> {
    let orphans = state.unit.as_ref().is_some_and(|unit| unit.policy.on_delete == OnDelete::Orphan);
    let (asked, wanted) = match orphan {
        Some(orphan) if orphan != orphans => {
            if orphan {
                ("leave the objects of a unit whose policy deletes them", "orphan")
            } else {
                ("delete the objects of a unit whose policy leaves them", "delete")
            }
        }
        _ => return Ok(CoreOrder::Delete),
    };
    Err(ApiError::unsupported(asked).hint(format!("Declare `policy.onDelete: {wanted}` for {} first.", state.key)))
}

#[cfg(test)]
mod tests {
    use plumb_controller::core::Withheld;
    use plumb_store::{Options, Trigger};
    use plumb_unit::Unit;

    use super::super::view::fixtures::{revisions, state};
    use super::*;

    fn sync(number: u64, commit: &str, outcome: SyncOutcome, offline: bool) -> SyncSummary {
        SyncSummary {
            id: SyncId::new(1_790_000_000_000 + number),
            unit: state().key,
            revisions: revisions(commit),
            commit: None,
            trigger: Trigger::Commit,
            outcome,
            error: None,
            started_ms: 0,
            ended_ms: 0,
            objects_changed: 0,
            objects_failed: 0,
            drifted: 0,
            offline_rollback: offline,
            offline_rollback_reason: (!offline).then(|| "it holds a secret".to_owned()),
        }
    }

    async fn store(folder: &tempfile::TempDir) -> Store {
        Store::open(folder.path().join("history.sqlite"), Options::standard()).await
    }

    #[tokio::test]
    async fn orders_without_history_are_taken_word_for_word() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let here = revisions("4f0c1a2b9d");
        for (asked, expect) in [
            (Order::Reconcile, CoreOrder::Reconcile),
            (Order::Sync { revision: None, dry_run: false }, CoreOrder::Reconcile),
            (Order::Sync { revision: None, dry_run: true }, CoreOrder::DryRun { revisions: None }),
            (Order::Sync { revision: Some("4F0C".into()), dry_run: true }, CoreOrder::DryRun { revisions: Some(here.clone()) }),
            (Order::Sync { revision: Some("4f0c1a".into()), dry_run: false }, CoreOrder::SyncAt { revisions: here, record: None }),
            (Order::Suspend { for_ms: None }, CoreOrder::Suspend { until: None }),
            (Order::Suspend { for_ms: Some(5) }, CoreOrder::Suspend { until: Some(105) }),
            (Order::Suspend { for_ms: Some(u64::MAX) }, CoreOrder::Suspend { until: Some(u64::MAX) }),
            (Order::Resume, CoreOrder::Resume),
            (Order::Delete { orphan: None }, CoreOrder::Delete),
            (Order::Delete { orphan: Some(false) }, CoreOrder::Delete),
        ] {
            assert_eq!(order(&store, &state(), &asked, 100).await, Ok(expect), "{asked:?}");
        }
        for (asked, code) in [
            (Order::Sync { revision: Some("beef".into()), dry_run: false }, ErrorCode::NotFound),
            (Order::Sync { revision: Some("4f0".into()), dry_run: false }, ErrorCode::NotFound),
            (Order::Rollback { to: None }, ErrorCode::NotFound),
            (Order::Rollback { to: Some("main".into()) }, ErrorCode::NotFound),
            (Order::Approve { digest: None }, ErrorCode::Conflict),
            (Order::Delete { orphan: Some(true) }, ErrorCode::Unsupported),
        ] {
            let refused = order(&store, &state(), &asked, 100).await.map_err(|error| (error.code, error.hints.len()));
            assert_eq!(refused, Err((code, 1)), "{asked:?}");
        }
    }

    #[test]
    fn an_approval_is_for_what_waits_now() {
        let mut state = state();
        let digest = Digest([0xab; 16]);
        state.status.withheld = Some(Withheld { digest, deletes: 3, holds: Vec::new() });
        for given in [None, Some("abab"), Some("ABABAB")] {
            assert_eq!(approval(&state, given), Ok(digest), "{given:?}");
        }
        for given in ["", "aba", "abac", "cdcdcdcd"] {
            assert!(approval(&state, Some(given)).is_err(), "{given}");
        }
        let newer = Digest([0xcd; 16]);
        state.status.gates = vec![Gate::Lease, Gate::Approval { digest: newer, reasons: Vec::new() }];
        assert_eq!(approval(&state, None), Ok(newer));
        assert!(approval(&state, Some("abab")).is_err());
    }

    #[test]
    fn a_sync_is_named_by_its_id_or_by_a_commit() {
        use SyncOutcome::{Failed, Succeeded};
        let syncs = [
            sync(4, "aaaa00", Failed, true),
            sync(3, "aaaa00", Succeeded, false),
            sync(2, "aaaa00", Succeeded, true),
            sync(1, "aabb00", Succeeded, true),
        ];
        let state = state();
        let picked = |to: &str| pick(&state, &syncs, to).map(|sync| sync.id);
        assert_eq!(picked(&syncs[0].id.to_string()), Ok(syncs[0].id));
        assert_eq!(picked("AAAA"), Ok(syncs[2].id));
        assert_eq!(picked("aabb00"), Ok(syncs[3].id));
        assert!(picked("aa").is_err() && picked("cccc").is_err() && picked("").is_err());
        let near = [sync(2, "aaaa00", Succeeded, true), sync(1, "aaaa11", Succeeded, true)];
        assert_eq!(pick(&state, &near, "aaaa").map_err(|error| error.code).map(|sync| sync.id), Err(ErrorCode::Invalid));
    }

    #[test]
    fn a_rollback_uses_the_record_where_there_is_one() {
        let kept = sync(1, "aaaa00", SyncOutcome::Succeeded, true);
        let record = Some(kept.id.to_string().into());
        assert_eq!(back_to(&kept), Ok(CoreOrder::SyncAt { revisions: revisions("aaaa00"), record }));
        let mut not_kept = sync(1, "aaaa00", SyncOutcome::Succeeded, false);
        assert_eq!(back_to(&not_kept), Ok(CoreOrder::SyncAt { revisions: revisions("aaaa00"), record: None }));
        not_kept.revisions.clear();
        assert_eq!(back_to(&not_kept).map_err(|error| error.code), Err(ErrorCode::Conflict));
    }

    #[test]
    fn a_deletion_goes_with_the_units_policy_or_not_at_all() {
        let mut state = state();
        assert!(delete(&state, Some(true)).is_err());
        state.unit = state.unit.map(|unit| {
            Arc::new(Unit { policy: plumb_unit::Policy { on_delete: OnDelete::Orphan, ..unit.policy.clone() }, ..(*unit).clone() })
        });
        assert_eq!(delete(&state, Some(true)), Ok(CoreOrder::Delete));
        assert_eq!(delete(&state, None), Ok(CoreOrder::Delete));
        assert!(delete(&state, Some(false)).is_err());
    }
}
