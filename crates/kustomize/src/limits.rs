//! Owns the named limits of a build, and counting against those that hold for all of it. `tests/kustomize/hostile.rs` reaches all but three of them:
//! `MAX_CHANGES`, `MAX_OUTPUT_BYTES` and `MAX_CHART_DEPTH`.
//!
//! Where the real kustomize would go on until memory or time are used up, a build here ends with an error that names its limit.

use std::cell::Cell;

/// How deep lists and maps may nest in a document, and in an object once it is changed. (Go's parsers stop at 10,000.)
pub const MAX_DEPTH: usize = 256;
/// How deep kustomizations may name each other.
pub const MAX_KUSTOMIZATION_DEPTH: usize = 100;
/// How many kustomizations may be built in all. One that is named twice counts twice: it is built for each who names it.
pub const MAX_KUSTOMIZATIONS: usize = 10_000;
/// How many objects may come together.
pub const MAX_OBJECTS: usize = 250_000;
/// How many bytes of files may be read. A file that is named twice counts twice.
pub const MAX_READ_BYTES: usize = 256 << 20;
/// How many nodes of YAML may be read, those of texts in objects included.
pub const MAX_NODES: usize = 16_000_000;
/// How many bytes of texts the steps may put together: names, labels, images, values of vars.
pub const MAX_MADE_BYTES: usize = 256 << 20;
/// How many changes of fields are kept, for their origins.
pub const MAX_CHANGES: usize = 16_000_000;
/// How many nodes `copy` of JSON patches and replacements may copy.
pub const MAX_COPIED_NODES: usize = 4_000_000;
/// How many looks steps may take at objects, and at items of the lists they merge.
pub const MAX_STEPS: usize = 500_000_000;
/// How many bytes may come of a build.
pub const MAX_OUTPUT_BYTES: usize = 512 << 20;
/// How many parts the path of a field may have.
pub const MAX_PATH_PARTS: usize = 128;
/// How deep lists may lie directly in lists on the way of a field spec.
pub const MAX_NESTED_LISTS: usize = 64;
/// How deep definitions of `crds` may refer to each other. What lies deeper is not looked at, as no field of an object is that deep.
pub const MAX_DEFINITION_DEPTH: usize = 32;
/// How deep charts may lie in charts.
pub const MAX_CHART_DEPTH: usize = 64;
/// How many mistakes, and how many warnings, are told of.
pub const MAX_MISTAKES: usize = 100;

/// What is counted over a whole build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Kustomizations,
    ReadBytes,
    Nodes,
    MadeBytes,
    Changes,
    CopiedNodes,
    Steps,
    OutputBytes,
}

impl Limit {
    const COUNT: usize = 8;

    fn most(self) -> usize {
        match self {
            Self::Kustomizations => MAX_KUSTOMIZATIONS,
            Self::ReadBytes => MAX_READ_BYTES,
            Self::Nodes => MAX_NODES,
            Self::MadeBytes => MAX_MADE_BYTES,
            Self::Changes => MAX_CHANGES,
            Self::CopiedNodes => MAX_COPIED_NODES,
            Self::Steps => MAX_STEPS,
            Self::OutputBytes => MAX_OUTPUT_BYTES,
        }
    }

    /// Returns what is told of reaching it.
    pub(crate) fn message(self) -> String {
        let most = self.most();
        match self {
            Self::Kustomizations => format!("a build may build {most} kustomizations, one as often as it is named"),
            Self::ReadBytes => format!("a build may read {} MiB of files, one as often as it is named", most >> 20),
            Self::Nodes => format!("a build may read {most} nodes of YAML"),
            Self::MadeBytes => format!("the steps of a build may put {} MiB of texts together", most >> 20),
            Self::Changes => format!("the steps of a build may make {most} changes"),
            Self::CopiedNodes => format!("JSON patches and replacements may copy {most} nodes in a build"),
            Self::Steps => format!("a build may take {most} steps"),
            Self::OutputBytes => format!("a build may come to {} MiB", most >> 20),
        }
    }
}

/// What a build has used of what it may. Whoever cannot fail when a limit is reached leaves out what is too much: the build fails at its next step.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    used: [Cell<usize>; Limit::COUNT],
    reached: Cell<Option<Limit>>,
}

impl Meter {
    /// Counts; returns whether it is still within the limit.
    pub(crate) fn take(&self, limit: Limit, amount: usize) -> bool {
        let Some(used) = self.used.get(limit as usize) else { return true };
        used.set(used.get().saturating_add(amount));
        let is_within = used.get() <= limit.most();
        if !is_within && self.reached.get().is_none() {
            self.reached.set(Some(limit));
        }
        is_within
    }

    /// Returns how much is left.
    pub(crate) fn left(&self, limit: Limit) -> usize {
        self.used.get(limit as usize).map_or(0, |used| limit.most().saturating_sub(used.get()))
    }

    /// Returns the first limit that was reached.
    pub(crate) fn reached(&self) -> Option<Limit> {
        self.reached.get()
    }
}
