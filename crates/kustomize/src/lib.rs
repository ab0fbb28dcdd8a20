//! Owns kustomizations: reading them, gathering their resources, generating, transforming and naming, as kustomize 5.8 does.
//! Must not do input or output: files come through [`plumb_world::World`].
//!
//! [`build`] takes a [`Request`] and gives a [`Built`]: the objects as text, byte for byte what `kustomize build` prints, or every mistake.

#![warn(missing_docs)]
#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on fails"))]

mod args;
mod build;
mod config;
mod decode;
pub mod explain;
mod fieldspec;
#[cfg(test)]
mod fixture;
mod generators;
mod hash;
mod iam;
mod id;
mod images;
mod json_patch;
mod kustomization;
pub mod limits;
mod load;
mod merge;
mod metadata;
mod objects;
mod patches;
mod path;
mod problem;
mod references;
mod replacements;
mod replicas;
mod repository;
mod resource;
mod resources;
mod run;
mod selector;
mod sort;
mod steps;
mod target;
mod transformers;
mod tree;
mod value_add;

pub use build::{Built, KUSTOMIZE_VERSION, Object, Options, Output, Reorder, Request, build, print};
pub use generators::helm::Charts;
pub use repository::remote;
