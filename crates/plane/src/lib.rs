//! A real Kubernetes control plane and real Git servers, for tests and the demo.
//!
//! [`Tools`] builds the Go programs of `testplane/` on first use. A [`Plane`] runs etcd, an
//! API server, its controllers and simulated nodes on loopback; [`Access`] is what one does
//! with it, and [`Plane::shared`] spares each test a plane of its own. [`git`] has servers
//! over HTTP and SSH and working copies to commit in, a [`Registry`] has charts. A [`FaultyProxy`] in front of the API
//! server does what a server does not do on demand, a [`Mutator`] is an admission webhook.
//! [`YamlOracle`] answers as Go's YAML library does. Everything here is synchronous and bounded in time, and whatever is
//! started ends with the value that stands for it, or with the process.
//!
//! ```no_run
//! use plumb_plane::{Options, Plane};
//!
//! let plane = Plane::start(Options::default())?;
//! let namespace = plane.namespace("shop")?;
//! namespace.kubectl(&["create", "deployment", "web", "--image=web:1"])?;
//! namespace.kubectl(&["rollout", "status", "deployment/web", "--timeout=30s"])?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![warn(missing_docs)]
#![expect(clippy::disallowed_methods, reason = "this crate runs programs and keeps their files")]

mod access;
mod child;
pub mod git;
mod mutator;
mod oracle;
mod plane;
mod proxy;
mod registry;
mod run;
mod state;
mod tools;

pub use access::{Access, Namespace};
pub use child::ask_to_end;
pub use mutator::Mutator;
pub use oracle::{OracleError, YamlOracle};
pub use plane::{Options, Part, Plane, StartError, process_exists};
pub use proxy::{Fault, FaultyProxy, ProxyError, Request};
pub use registry::{Push, Registry, RegistryError, RegistryOptions, RegistryRequest, pack};
pub use run::CommandError;
pub use tools::{HELM_VERSION, KUSTOMIZE_VERSION, Progress, Tools, ToolsError};
