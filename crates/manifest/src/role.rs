//! Owns what part an object plays in its set: kept and pruned, there before all others, or run at moments of a sync.

use std::collections::BTreeSet;
use std::sync::Arc;

/// What part an object plays in its set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Applied, kept as it is, and pruned.
    #[default]
    Object,
    /// The same, and there before anything else: what hooks and templates already need (a chart's `crds/`, the unit's own namespace).
    Base,
    /// Runs at moments of a sync; neither kept as it is nor missed when it is gone.
    Hook(Arc<Hook>),
}

/// When a hook runs and what becomes of it: Helm's annotations `helm.sh/hook`, `helm.sh/hook-weight` and `helm.sh/hook-delete-policy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// When.
    pub moments: BTreeSet<Moment>,
    /// Lower ones first.
    pub weight: i64,
    /// When what it left is deleted.
    pub delete: HookDelete,
}

/// When what a hook left is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HookDelete {
    /// Before it runs again: what Helm does where a chart says nothing.
    pub before: bool,
    /// When all hooks of the moment went well.
    pub succeeded: bool,
    /// When it failed.
    pub failed: bool,
}

/// A moment of a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moment {
    /// Before the first sync.
    PreInstall,
    /// After the first sync.
    PostInstall,
    /// Before every other one.
    PreUpgrade,
    /// After every other one.
    PostUpgrade,
    /// Before a return to what was built earlier.
    PreRollback,
    /// After it.
    PostRollback,
    /// Before the objects are deleted.
    PreDelete,
    /// After that.
    PostDelete,
}

impl Moment {
    /// Returns the moment as Helm writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::PreInstall => "pre-install",
            Self::PostInstall => "post-install",
            Self::PreUpgrade => "pre-upgrade",
            Self::PostUpgrade => "post-upgrade",
            Self::PreRollback => "pre-rollback",
            Self::PostRollback => "post-rollback",
            Self::PreDelete => "pre-delete",
            Self::PostDelete => "post-delete",
        }
    }

    /// Reads what [`Moment::word`] returns; nothing for other words, Helm's `test` among them.
    pub fn parse(word: &str) -> Option<Self> {
        const ALL: [Moment; 8] = [
            Moment::PreInstall,
            Moment::PostInstall,
            Moment::PreUpgrade,
            Moment::PostUpgrade,
            Moment::PreRollback,
            Moment::PostRollback,
            Moment::PreDelete,
            Moment::PostDelete,
        ];
        ALL.into_iter().find(|moment| moment.word() == word)
    }
}
