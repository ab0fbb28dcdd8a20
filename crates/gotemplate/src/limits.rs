//! Owns the named limits of a render: what a chart may use before it is stopped with an error that names the limit.

/// Limits of one render.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Templates inside templates. Go allows 100,000, which no chart needs and which takes gigabytes of stack.
    pub depth: usize,
    /// How often one name may be nested in `include`: Helm's own limit.
    pub include_depth: usize,
    /// Bytes that one template may write.
    pub output_bytes: usize,
    /// Bytes that a render may keep.
    pub heap_bytes: usize,
    /// Calls and rounds of `range` in one render: the measure of time.
    pub steps: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 10_000, include_depth: 1_000, output_bytes: 64 << 20, heap_bytes: 1 << 30, steps: 200_000_000 }
    }
}
