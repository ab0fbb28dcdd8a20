//! Owns that many callers who want the same thing at the same time share one fetch. Must not fetch.
//!
//! A fetch answers for whoever asked before it began: one who asks later may know of a push that it did not see.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, PoisonError};

use crate::error::FetchError;
use crate::link::Patience;

/// A moment in the life of one cache. A fetch that began after it has seen every push that happened before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(u64);

struct Key<T> {
    running: bool,
    last: Option<(Tick, Result<T, FetchError>)>,
}

/// The fetches under way and the last result of each key.
pub(crate) struct Flights<K, T> {
    keys: Mutex<(u64, HashMap<K, Key<T>>)>,
    landed: Condvar,
}

impl<K, T> Default for Flights<K, T> {
    fn default() -> Self {
        Self { keys: Mutex::new((0, HashMap::new())), landed: Condvar::new() }
    }
}

impl<K: std::hash::Hash + Eq + Clone, T: Clone> Flights<K, T> {
    /// Returns the present moment.
    pub(crate) fn tick(&self) -> Tick {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.0 += 1;
        Tick(keys.0)
    }

    /// Returns the result of a fetch that began after `since`: a past one, another caller's, or one's own. Whether it was
    /// one's own is the second value.
    pub(crate) fn share(
        &self,
        key: &K,
        since: Tick,
        patience: &Patience,
        url: &str,
        fetch: impl FnOnce() -> Result<T, FetchError>,
    ) -> (Result<T, FetchError>, bool) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let began = loop {
            let (moment, keys_now) = &mut *keys;
            let entry = keys_now.entry(key.clone()).or_insert(Key { running: false, last: None });
            if let Some((_, result)) = entry.last.as_ref().filter(|(began, _)| *began > since) {
                return (result.clone(), false);
            }
            if !entry.running {
                entry.running = true;
                *moment += 1;
                break Tick(*moment);
            }
            if let Some(over) = patience.over(url) {
                return (Err(over), false);
            }
            keys = self.landed.wait_timeout(keys, patience.slice()).unwrap_or_else(PoisonError::into_inner).0;
        };
        drop(keys);
        let landing = Landing { flights: self, key, outcome: None };
        let result = fetch();
        landing.with(began, &result);
        (result, true)
    }

    /// Forgets what is known of a key.
    pub(crate) fn forget(&self, key: &K) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.1.get(key).is_some_and(|entry| !entry.running) {
            keys.1.remove(key);
        }
    }
}

/// Lets the next one begin, also when a fetch has panicked.
struct Landing<'a, K: std::hash::Hash + Eq + Clone, T: Clone> {
    flights: &'a Flights<K, T>,
    key: &'a K,
    outcome: Option<(Tick, Result<T, FetchError>)>,
}

impl<K: std::hash::Hash + Eq + Clone, T: Clone> Landing<'_, K, T> {
    fn with(mut self, began: Tick, result: &Result<T, FetchError>) {
        // An interrupt was meant for one caller; the others go on.
        if !matches!(result, Err(FetchError::Interrupted { .. })) {
            self.outcome = Some((began, result.clone()));
        }
    }
}

impl<K: std::hash::Hash + Eq + Clone, T: Clone> Drop for Landing<'_, K, T> {
    fn drop(&mut self) {
        let mut keys = self.flights.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let replaced = keys.1.get_mut(self.key).and_then(|entry| {
            entry.running = false;
            self.outcome.take().and_then(|outcome| entry.last.replace(outcome))
        });
        drop(keys);
        // Dropping a snapshot asks its repository; that must not happen under this lock.
        drop(replaced);
        self.flights.landed.notify_all();
    }
}
