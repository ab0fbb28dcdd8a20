//! Owns the tests of the linter's rules; whole charts are compared with the real Helm elsewhere.

use super::*;
