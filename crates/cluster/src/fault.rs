//! Owns dying on purpose: a testing aid that ends the process at one of its writes, as a kill would. Must cost nothing where it is not asked for.

use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

static INJECTED: OnceLock<Fault> = OnceLock::new();

/// When the process is to die: at its nth write to any cluster, the lease's own left out.
#[derive(Debug)]
pub struct Fault {
    moment: Moment,
    nth: u64,
    writes: AtomicU64,
}

/// Before or after a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Just before the request is sent.
    Before,
    /// When the answer is here, and before anything is done with it.
    After,
}

/// What a text that asks for a fault must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fault is written `exit-before-write:N` or `exit-after-write:N`, N from 1")]
pub struct BadFault;

impl FromStr for Fault {
    type Err = BadFault;

    fn from_str(text: &str) -> Result<Self, BadFault> {
        let (moment, nth) = text.split_once(':').ok_or(BadFault)?;
        let moment = match moment {
            "exit-before-write" => Moment::Before,
            "exit-after-write" => Moment::After,
            _ => return Err(BadFault),
        };
        let nth = nth.parse().ok().filter(|nth| *nth > 0).ok_or(BadFault)?;
        Ok(Self { moment, nth, writes: AtomicU64::new(0) })
    }
}

impl Fault {
    /// Lets this process die as told. Clusters that are connected already do not know of it; only the first call counts.
    pub fn inject(self) {
        let _ = INJECTED.set(self);
    }

    /// Returns the fault of this process, if there is one.
    pub(crate) fn injected() -> Option<&'static Self> {
        INJECTED.get()
    }

    /// Counts a write, and returns when in it to die if it is the one.
    pub(crate) fn strikes(&self) -> Option<Moment> {
        (self.writes.fetch_add(1, Ordering::Relaxed) + 1 == self.nth).then_some(self.moment)
    }
}

/// Ends the process where it stands: nothing is finished, flushed or given back.
pub(crate) fn die(what: &str) -> ! {
    tracing::error!("dies as told at a write of {what}");
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strikes_once_at_its_write() {
        let fault: Fault = "exit-after-write:2".parse().expect("fault");
        assert_eq!([(); 4].map(|()| fault.strikes()), [None, Some(Moment::After), None, None]);
        let fault: Fault = "exit-before-write:1".parse().expect("fault");
        assert_eq!([(); 2].map(|()| fault.strikes()), [Some(Moment::Before), None]);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "exit-before-write", "exit-before-write:", "exit-before-write:0", "exit-before-write:x", "stop:1"] {
            assert_eq!(text.parse::<Fault>().err(), Some(BadFault), "{text}");
        }
    }
}
