//! Owns the commands that order something: reconcile, rollback, suspend, resume, approve, delete, and `apply` of a unit.

use plumb_server::api::{NewRequest, OrderKind, UnitRef};

use super::{Remote, refusal};
use crate::operator::args::{ApplyArgs, ApproveArgs, DeleteArgs, RequestArgs, RollbackArgs, SuspendArgs};
use crate::problem::{DONE, Done, Problem};

impl Remote<'_> {
    /// Fetches and syncs a unit now.
    pub(super) async fn reconcile(&self, args: &RequestArgs) -> Done {
        let request = NewRequest { reason: args.reason.clone(), ..NewRequest::new(OrderKind::Reconcile) };
        self.order(&self.find(&args.unit).await?, &request, !args.no_wait).await
    }

    /// Brings a unit back to an earlier state.
    pub(super) async fn rollback(&self, args: &RollbackArgs) -> Done {
        let request = NewRequest { reason: args.reason.clone(), to: args.to.clone(), ..NewRequest::new(OrderKind::Rollback) };
        self.order(&self.find(&args.unit).await?, &request, !args.no_wait).await
    }

    /// Pauses a unit.
    pub(super) async fn suspend(&self, args: &SuspendArgs) -> Done {
        let for_ms = args.duration.map(|duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
        let request = NewRequest { reason: args.reason.clone(), for_ms, ..NewRequest::new(OrderKind::Suspend) };
        self.order(&self.find(&args.unit).await?, &request, true).await
    }

    /// Lets a unit follow its source again.
    pub(super) async fn resume(&self, args: &RequestArgs) -> Done {
        let request = NewRequest { reason: args.reason.clone(), ..NewRequest::new(OrderKind::Resume) };
        self.order(&self.find(&args.unit).await?, &request, !args.no_wait).await
    }

    /// Lets a held plan run.
    pub(super) async fn approve(&self, args: &ApproveArgs) -> Done {
        let request = NewRequest { reason: args.reason.clone(), digest: args.plan.clone(), ..NewRequest::new(OrderKind::Approve) };
        self.order(&self.find(&args.unit).await?, &request, !args.no_wait).await
    }

    /// Deletes a unit's objects, or lets go of them.
    pub(super) async fn delete(&self, args: &DeleteArgs) -> Done {
        let unit = self.find(&args.unit).await?;
        if !args.yes && !self.confirmed(&unit, args.orphan).await? {
            self.printer.note("nothing is deleted");
            return Ok(DONE);
        }
        let request = NewRequest { orphan: args.orphan.then_some(true), ..NewRequest::new(OrderKind::Delete) };
        self.order(&unit, &request, !args.no_wait).await
    }

    async fn confirmed(&self, unit: &UnitRef, orphan: bool) -> Result<bool, Problem> {
        let count = self.unit(unit).await?.objects;
        let objects = if count == 1 { "1 object".to_owned() } else { format!("{count} objects") };
        let question = if orphan { format!("Let go of {objects} of {unit}?") } else { format!("Delete {objects} of {unit}?") };
        let answer = self.printer.ask(&question);
        answer.ok_or_else(|| {
            Problem::usage(format!("{unit} has {objects}, and there is nobody to ask")).hint("`--yes` deletes without asking.")
        })
    }

    /// Syncs a unit, or says what that would do.
    pub(super) async fn apply(&self, args: &ApplyArgs) -> Done {
        let unit = self.find_no_path(&args.path).await?;
        let local = [("--name", args.name.is_some()), ("--adopt", args.adopt), ("--approve", args.approve)];
        if let Some((flag, _)) = local.iter().find(|(_, given)| *given) {
            let problem = Problem::usage(format!("`{flag}` is for a folder, and {unit} is a unit of the running `plumb serve`"));
            return Err(problem.hint(format!("`plumb approve {unit}` lets what waits run, adoptions too.")));
        }
        let request = NewRequest { dry_run: args.dry_run, ..NewRequest::new(OrderKind::Sync) };
        self.order(&unit, &request, true).await
    }

    async fn order(&self, unit: &UnitRef, request: &NewRequest, wait: bool) -> Done {
        let view = self.client.request(unit, request).await.map_err(|error| refusal(&error))?;
        let view = if wait && !view.state.has_ended() { self.follow(view).await? } else { view };
        self.ended(unit, &view)
    }
}
