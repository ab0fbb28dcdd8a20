//! Owns the tree that kustomizations work on: objects as they were read, opened level by level where something changes them, so that what nobody
//! touches costs nothing and keeps its place in its file.
//!
//! It has the semantics of kyaml's `RNode` (tags, styles and nulls of go-yaml v3), because which of them a step keeps decides what is written in the end.

mod node;
mod scalar;
mod text;
mod texts;
mod view;
mod write;

pub(crate) use node::{Field, Node};
pub(crate) use scalar::{Meaning, Scalar, Tag, is_yaml11_text};
pub(crate) use text::node_text;
pub(crate) use texts::{Origin, Stamp, Texts};
pub(crate) use view::{Key, Kind, View};
pub(crate) use write::{check_yaml, write_json, write_yaml, write_yaml_in_parts};
