//! Owns what Go's standard library does, exactly: numbers as text ([`strconv`]), Base64 ([`base64`]).
//! Must not know YAML, Kubernetes or templates, and must not do input or output.
//!
//! ```
//! use plumb_go::strconv;
//! assert_eq!(strconv::parse_int("0755", 0), Ok(493));
//! assert_eq!(strconv::format_float_g32(1_000_000.0), "1e+06");
//! ```

#![warn(missing_docs)]

pub mod base64;
pub mod strconv;
