//! Owns YAML: documents with positions, read as Go's libraries read them.
