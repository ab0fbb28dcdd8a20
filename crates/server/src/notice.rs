//! Owns what a push notification becomes: one line that says where to look. Many lines about one repository are one line.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::RepoUrl;

/// How many different repositories may wait to be looked at before all of them are.
pub const MAX_PENDING: usize = 1000;

/// Somebody with a right to say so says that a repository has news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The repository.
    pub repository: RepoUrl,
    /// The ref as it was sent (`refs/heads/main`); none when several were pushed, or none was named.
    pub reference: Option<String>,
}

/// What is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// This repository.
    Repository(Notice),
    /// All of them: too many waited.
    Everything,
}

/// Takes notices. Must return at once: it is called while a request is answered.
pub trait Notices: Send + Sync + 'static {
    /// Says that a repository has news.
    fn pushed(&self, notice: Notice);
}

/// The giving end of the standard queue.
#[derive(Clone)]
pub struct NoticeSender(Arc<Sending>);

/// The taking end of the standard queue.
pub struct NoticeReceiver(Arc<Shared>);

/// All senders are one; the last one dropped says so.
struct Sending(Arc<Shared>);

struct Shared {
    pending: Mutex<Pending>,
    news: Notify,
}

#[derive(Default)]
struct Pending {
    repositories: BTreeMap<RepoUrl, Option<String>>,
    everything: bool,
    senders_gone: bool,
}

/// Returns a queue in which notices about one repository are one notice, and which never grows beyond [`MAX_PENDING`].
pub fn notices() -> (NoticeSender, NoticeReceiver) {
    let shared = Arc::new(Shared { pending: Mutex::default(), news: Notify::new() });
    (NoticeSender(Arc::new(Sending(shared.clone()))), NoticeReceiver(shared))
}

impl Shared {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notices for NoticeSender {
    fn pushed(&self, notice: Notice) {
        let mut pending = self.0.0.pending();
        let no_room = pending.everything || pending.repositories.len() >= MAX_PENDING;
        match pending.repositories.get_mut(&notice.repository) {
            Some(reference) if *reference != notice.reference => *reference = None,
            Some(_) => {}
            None if no_room => {
                pending.everything = true;
                pending.repositories.clear();
            }
            None => {
                pending.repositories.insert(notice.repository, notice.reference);
            }
        }
        drop(pending);
        self.0.0.news.notify_one();
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.pending().senders_gone = true;
        self.0.news.notify_one();
    }
}

impl NoticeReceiver {
    /// Returns what is to be looked at next; none when nobody can give notices any more.
    pub async fn recv(&mut self) -> Option<Pushed> {
        loop {
            {
                let mut pending = self.0.pending();
                if std::mem::take(&mut pending.everything) {
                    return Some(Pushed::Everything);
                }
                if let Some((repository, reference)) = pending.repositories.pop_first() {
                    return Some(Pushed::Repository(Notice { repository, reference }));
                }
                if pending.senders_gone {
                    return None;
                }
            }
            self.0.news.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(url: &str, reference: &str) -> Notice {
        Notice { repository: RepoUrl::parse(url).expect(url), reference: Some(reference.to_owned()) }
    }

    #[tokio::test]
    async fn many_about_one_are_one() {
        let (sender, mut receiver) = notices();
        (0..1000).for_each(|_| sender.pushed(notice("https://h/a", "refs/heads/main")));
        sender.pushed(notice("https://h/b", "refs/heads/main"));
        sender.pushed(notice("https://h/b", "refs/heads/other"));
        assert_eq!(receiver.recv().await, Some(Pushed::Repository(notice("https://h/a", "refs/heads/main"))));
        let both = Notice { reference: None, ..notice("https://h/b", "") };
        assert_eq!(receiver.recv().await, Some(Pushed::Repository(both)));
        let other = sender.clone();
        drop(sender);
        other.pushed(notice("https://h/c", "x"));
        drop(other);
        assert!(receiver.recv().await.is_some());
        assert_eq!(receiver.recv().await, None);
    }

    #[tokio::test]
    async fn too_many_are_all() {
        let (sender, mut receiver) = notices();
        (0..=MAX_PENDING).for_each(|nth| sender.pushed(notice(&format!("https://h/{nth}"), "x")));
        sender.pushed(notice("https://h/a", "x"));
        assert_eq!(receiver.recv().await, Some(Pushed::Everything));
        drop(sender);
        assert_eq!(receiver.recv().await, None);
    }
}
