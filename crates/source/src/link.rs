//! Owns what all connections of one fetch share: the runtime that drives them, the deadline, the interrupt flag, the count
//! of bytes received, and the first failure. Must not know any protocol.
//!
//! Git's wire protocol is read by synchronous code. So each wait of a connection runs a private single-threaded runtime
//! on the calling thread, in slices short enough that an interrupt is seen soon. Nothing moves between two waits, and
//! nothing has to: a server that is not read from is held back by TCP.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::egress::Egress;
use crate::error::{FetchError, quote};
use crate::limits::POLL;

/// A wait that is longer is as good as one without end, and would overflow the clock.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long one of a host's addresses may take to answer before the next is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// When a fetch must end, and who may end it sooner.
#[derive(Clone, Debug)]
pub(crate) struct Patience {
    pub(crate) deadline: Instant,
    pub(crate) timeout: Duration,
    pub(crate) interrupt: Arc<AtomicBool>,
}

impl Patience {
    pub(crate) fn new(timeout: Duration, interrupt: Arc<AtomicBool>) -> Self {
        let timeout = timeout.min(LONGEST);
        Self { deadline: Instant::now() + timeout, timeout, interrupt }
    }

    /// Returns the failure when it is time to end.
    pub(crate) fn over(&self, url: &str) -> Option<FetchError> {
        if self.interrupt.load(Ordering::Relaxed) {
            return Some(FetchError::Interrupted { url: url.to_owned() });
        }
        let late = Instant::now() >= self.deadline;
        late.then(|| FetchError::DeadlineExceeded { url: url.to_owned(), seconds: self.timeout.as_secs() })
    }

    /// Returns how long the next wait may be.
    pub(crate) fn slice(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now()).min(POLL)
    }
}

/// The state that all connections of one fetch share.
pub(crate) struct Link {
    runtime: Cell<Option<Runtime>>,
    handle: tokio::runtime::Handle,
    pub(crate) patience: Patience,
    pub(crate) url: String,
    /// What should answer there, with its article.
    pub(crate) expected: &'static str,
    egress: Egress,
    received: Cell<u64>,
    budget: Cell<(&'static str, u64)>,
    failure: RefCell<Option<FetchError>>,
}

impl Link {
    pub(crate) fn new(
        url: &str,
        expected: &'static str,
        egress: Egress,
        patience: Patience,
        budget: (&'static str, u64),
    ) -> Result<Rc<Self>, FetchError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(|error| FetchError::Cache { path: "the fetch's runtime".to_owned(), why: error.to_string() })?;
        Ok(Rc::new(Self {
            handle: runtime.handle().clone(),
            runtime: Cell::new(Some(runtime)),
            patience,
            url: url.to_owned(),
            expected,
            egress,
            received: Cell::new(0),
            budget: Cell::new(budget),
            failure: RefCell::new(None),
        }))
    }

    /// Lets a background part of a connection run whenever something is waited for.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(future);
    }

    /// Waits for a future until it is time to end.
    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> io::Result<T> {
        let Some(runtime) = self.runtime.take() else {
            return Err(io::Error::other("a wait within a wait"));
        };
        let outcome = runtime.block_on(async {
            let mut future = std::pin::pin!(future);
            loop {
                if let Some(over) = self.patience.over(&self.url) {
                    return Err(over);
                }
                if let Ok(value) = tokio::time::timeout(self.patience.slice(), &mut future).await {
                    return Ok(value);
                }
            }
        });
        self.runtime.set(Some(runtime));
        outcome.map_err(|over| self.fail(over))
    }

    /// Remembers a failure, unless there is one, and returns an error to carry through code that knows only those of `io`.
    pub(crate) fn fail(&self, error: FetchError) -> io::Error {
        let text = error.to_string();
        self.failure.borrow_mut().get_or_insert(error);
        io::Error::other(text)
    }

    /// Takes the first failure.
    pub(crate) fn failure(&self) -> Option<FetchError> {
        self.failure.borrow_mut().take()
    }

    /// Starts counting anew against another limit.
    pub(crate) fn allow(&self, what: &'static str, limit: u64) {
        self.received.set(0);
        self.budget.set((what, limit));
    }

    /// Counts received bytes.
    pub(crate) fn count(&self, bytes: usize) -> io::Result<()> {
        let total = self.received.get().saturating_add(bytes as u64);
        self.received.set(total);
        let (what, limit) = self.budget.get();
        if total > limit {
            return Err(self.fail(FetchError::TooLarge { url: self.url.clone(), what, limit }));
        }
        Ok(())
    }

    /// Opens a TCP connection. What a host's name stands for is looked at once, and that very address is connected to.
    pub(crate) fn connect(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let stream = self.wait(async {
            let mut last = io::Error::other("the host has no address");
            for address in tokio::net::lookup_host((host, port)).await? {
                if let Some(why) = self.egress.objection(address.ip()) {
                    let host = format!("{host}, which is {},", address.ip());
                    return Err(self.fail(FetchError::Egress { url: self.url.clone(), host, why }));
                }
                match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
                    Ok(Ok(stream)) => return Ok(stream),
                    Ok(Err(error)) => last = error,
                    Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, "no answer"),
                }
            }
            Err(last)
        })?;
        let stream = stream.map_err(|error| self.unreachable(&error))?;
        stream.set_nodelay(true).map_err(|error| self.unreachable(&error))?;
        Ok(stream)
    }

    /// Returns the failure of a connection that could not be made, or broke.
    pub(crate) fn unreachable(&self, error: &(dyn std::error::Error + 'static)) -> io::Error {
        self.fail(FetchError::Unreachable { url: self.url.clone(), why: crate::error::chain(error) })
    }

    /// Returns the failure of a server that does not speak as is expected.
    pub(crate) fn protocol(&self, why: &str) -> io::Error {
        self.fail(FetchError::Protocol { url: self.url.clone(), expected: self.expected, why: quote(why) })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Dropping it would wait for a name lookup that hangs.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
