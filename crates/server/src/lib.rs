//! Owns the doors of a running `plumb serve`: push notifications and probes over HTTP, and the local API over a Unix socket with its client.
//! Must not decide anything: a notification only says where to look, and the API hands each question and request to a [`Backend`].
//!
//! ```no_run
//! # use std::sync::Arc;
//! # async fn example(backend: impl plumb_server::Backend) -> Result<(), Box<dyn std::error::Error>> {
//! use plumb_server::{Api, HookSecret, Hooks, Limits, Serving, notices};
//!
//! let (sender, mut pushed) = notices();
//! let hooks = Hooks::new(vec![HookSecret::from_bytes(b"a long random text")?], Arc::new(sender));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let http = Serving::http(listener, Some(hooks), None, Limits::public())?;
//! let local = Api::bind("/run/plumb/plumb.sock".as_ref(), backend)?;
//! while let Some(notice) = pushed.recv().await {
//!     println!("{notice:?}");
//! }
//! http.stop().await;
//! local.stop().await;
//! # Ok(())
//! # }
//! ```

#![warn(missing_docs)]
#![expect(clippy::disallowed_methods, reason = "an edge: it owns sockets, and signatures have a clock")]

pub mod api;
pub mod client;
mod hooks;
mod listen;
mod notice;
mod probes;
mod rate;
mod repo_url;
mod signature;
mod socket;

pub use api::{ApiError, Backend, Caller};
pub use hooks::{BODY_BUDGET_BYTES, BODY_TIMEOUT, HookCounts, Hooks, MAX_BODY_BYTES};
pub use listen::{Limits, Serving};
pub use notice::{MAX_PENDING, Notice, NoticeReceiver, NoticeSender, Notices, Pushed, notices};
pub use probes::{Metric, MetricKind, Probe};
pub use repo_url::{MAX_URL_BYTES, RepoUrl};
pub use signature::{HookSecret, MIN_SECRET_BYTES, REPLAY_WINDOW, SecretError};
pub use socket::{Api, SocketError};
