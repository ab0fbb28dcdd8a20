//! Owns what Go's standard library and Masterminds' semver do, exactly: numbers and quotes as text ([`strconv`]), formats ([`fmt`]), Base64 ([`base64`]), time and
//! durations ([`time`]), regular expressions ([`regexp`]), versions and constraints ([`semver`]), paths with
//! slashes ([`path`]).
//! Must not know YAML, Kubernetes or templates, and must not do input or output.
//!
//! ```
//! use plumb_go::strconv;
//! assert_eq!(strconv::parse_int("0755", 0), Ok(493));
//! assert_eq!(strconv::format_float_g32(1_000_000.0), "1e+06");
//! ```

#![warn(missing_docs)]
#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on fails"))]

pub mod base64;
pub mod fmt;
pub mod path;
pub mod regexp;
pub mod semver;
pub mod strconv;
pub mod time;
mod unicode;
pub mod url;
