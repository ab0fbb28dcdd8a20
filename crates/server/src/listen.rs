//! Owns taking connections and ending them: how many at once, how long a head may take, how long a connection may live.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::hooks::{self, Hooks};
use crate::probes::{self, Probe};
use crate::rate::Remote;

/// How long an open connection is given to end by itself when the server stops.
const GRACE: Duration = Duration::from_secs(2);
/// How long to wait when the system has no more descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What one connection's buffer may hold: the longest head.
const MAX_HEAD_BYTES: usize = 16 << 10;
const MAX_HEADERS: usize = 64;

/// What one listener allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; more wait to be accepted.
    pub connections: usize,
    /// Connections at once from one remote; more are closed at once.
    pub connections_per_remote: usize,
    /// How long a request's head may take, and how long a connection may be idle.
    pub head_timeout: Duration,
    /// How long a connection may live; none for ever.
    pub lifetime: Option<Duration>,
}

impl Limits {
    /// Returns the limits of a listener that strangers reach.
    pub fn public() -> Self {
        Self { connections: 256, connections_per_remote: 64, head_timeout: Duration::from_secs(5), lifetime: Some(Duration::from_secs(60)) }
    }

    /// Returns the limits of the local socket: streams live as long as somebody reads them.
    pub fn local() -> Self {
        Self { connections: 128, connections_per_remote: 128, head_timeout: Duration::from_secs(5), lifetime: None }
    }
}

/// A listener at work. Dropping it stops it without waiting.
pub struct Serving {
    address: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl Serving {
    /// Serves push notifications (`/hooks/github`, `/hooks/generic`) and probes (`/healthz`, `/readyz`, `/metrics`) on a listener;
    /// two calls put them on two.
    pub fn http(listener: TcpListener, hooks: Option<Hooks>, probe: Option<Arc<dyn Probe>>, limits: Limits) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let counts = hooks.clone();
        let mut router = Router::new();
        if let Some(hooks) = hooks {
            router = router.merge(hooks::routes(hooks));
        }
        if let Some(probe) = probe {
            router = router.merge(probes::routes(probe, counts));
        }
        Ok(Self::start(Tcp(listener), router, limits, Some(address)))
    }

    pub(crate) fn start<A: Accept>(listener: A, router: Router, limits: Limits, address: Option<SocketAddr>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept_all(listener, router, limits, stopped));
        Self { address, stop, task: Some(task) }
    }

    /// Returns the address that is listened on; none for a socket file.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Takes no more connections, and waits a moment for the open ones to end.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Some(task) = self.task.take() {
            // The task ends by itself; it is only waited for.
            task.await.ok();
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

/// A listener of either sort.
pub(crate) trait Accept: Send + Sync + 'static {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// What is told of the other side to each of its requests.
    type Peer: Clone + Send + Sync + 'static;

    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, Self::Peer)>> + Send;

    /// Returns whose share of connections it counts against.
    fn remote(peer: &Self::Peer) -> Option<Remote>;
}

struct Tcp(TcpListener);

impl Accept for Tcp {
    type Stream = tokio::net::TcpStream;
    type Peer = Remote;

    async fn accept(&self) -> io::Result<(Self::Stream, Remote)> {
        let (stream, address) = self.0.accept().await?;
        Ok((stream, Remote::of(address.ip())))
    }

    fn remote(peer: &Remote) -> Option<Remote> {
        Some(*peer)
    }
}

/// How many connections each remote has open.
#[derive(Clone, Default)]
struct Open(Arc<Mutex<BTreeMap<Remote, usize>>>);

/// One open connection's place in its remote's share.
struct Place(Open, Remote);

impl Open {
    fn enter(&self, remote: Remote, limit: usize) -> Option<Place> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(remote).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(Place(self.clone(), remote))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.1);
            }
        }
    }
}

async fn accept_all<A: Accept>(listener: A, router: Router, limits: Limits, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let open = Open::default();
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let (place, accepted) = tokio::select! {
            _ = stop.wait_for(|stopped| *stopped) => break,
            both = async { (places.clone().acquire_owned().await, listener.accept().await) } => both,
        };
        let Ok(place) = place else { break };
        let (stream, peer) = match accepted {
            Ok(connection) => connection,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let share = match A::remote(&peer) {
            Some(remote) => match open.enter(remote, limits.connections_per_remote) {
                Some(share) => Some(share),
                None => continue,
            },
            None => None,
        };
        let (router, stop) = (router.clone(), stop.clone());
        connections.spawn(async move {
            serve(stream, Connection { router, peer }, limits, stop).await;
            drop((place, share));
        });
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    // Those that have not ended by then are dropped with the set.
    tokio::time::timeout(GRACE, all_ended).await.ok();
}

async fn serve<S, P>(stream: S, service: Connection<P>, limits: Limits, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    P: Clone + Send + Sync + 'static,
{
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.head_timeout).max_buf_size(MAX_HEAD_BYTES).max_headers(MAX_HEADERS);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let over = async {
        match limits.lifetime {
            Some(lifetime) => tokio::time::sleep(lifetime).await,
            None => std::future::pending().await,
        }
    };
    // How a connection ends is the other side's business; a request's own failure has been answered.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = over => {}
        _ = stop.wait_for(|stopped| *stopped) => {}
    }
    connection.as_mut().graceful_shutdown();
    tokio::time::timeout(GRACE, connection).await.ok();
}

/// One connection's requests, each told who is on the other side.
struct Connection<P> {
    router: Router,
    peer: P,
}

impl<P: Clone + Send + Sync + 'static> hyper::service::Service<Request<Incoming>> for Connection<P> {
    type Response = Response;
    type Error = Infallible;
    type Future = axum::routing::future::RouteFuture<Infallible>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(self.peer.clone());
        tower_service::Service::call(&mut self.router.clone(), request)
    }
}
