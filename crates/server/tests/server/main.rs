//! Owns the server's tests over real sockets: hostile notifications, and the local API with its client.

#![expect(clippy::disallowed_methods, reason = "tests own sockets")]

mod api;
mod hooks;
