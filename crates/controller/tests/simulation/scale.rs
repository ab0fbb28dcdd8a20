//! Seeded random faults.
