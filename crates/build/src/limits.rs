//! Owns the limits of a build: how much one unit may read and make. Each has a test that reaches it.

/// A file must be smaller than this: 10 MB. The API server takes objects of 1.5 MB, and a file is read as a whole.
pub const MAX_FILE_BYTES: usize = 10_000_000;

/// How many bytes the files of one unit may have together.
pub const MAX_TOTAL_BYTES: usize = 64_000_000;

/// How many files one unit may have.
pub const MAX_FILES: usize = 20_000;

/// How deep the folders of one unit may nest.
pub const MAX_FOLDER_DEPTH: usize = 32;

/// How many objects one unit may have.
pub const MAX_OBJECTS: usize = 20_000;

/// How many bytes one object may have as JSON: what the API server takes in one request.
pub const MAX_OBJECT_BYTES: usize = 3_000_000;

/// How deep lists of lists of objects may nest.
pub const MAX_LIST_DEPTH: usize = 4;

/// How many errors, and how many warnings, are reported; the rest is counted.
pub const MAX_DIAGNOSTICS: usize = 500;

/// How many errors and warnings are collected at all; behind them a unit or root is wrong enough.
pub const MAX_COLLECTED: usize = 10_000;
