//! Owns how one kind is listed, followed, resumed and begun again.
//! Must not take a list that broke off, or a right that was revoked, for a deletion.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use plumb_manifest::Gvk;
use plumb_plan::INSTALLATION_LABEL;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::Cluster;
use crate::cluster::WeakCluster;
use crate::error::{Class, ClusterError, Refusal, classify};
use crate::lines::{Lines, Page, WatchLine, head};
use crate::rate::{backoff, fraction};
use crate::resource::{Resource, segment};
use crate::seen::Seen;
use crate::wire::{ActAs, Call, Reach};

/// Objects in one page of a list.
const PAGE: usize = 500;
/// How long the server is asked to keep a watch open, before up to a quarter is added.
const WATCH_SECONDS: u64 = 480;
/// The server sends a bookmark about every minute; a stream that is silent for longer than this is dead.
const SILENCE: Duration = Duration::from_secs(150);
/// How often a kind that may not be read, or is not served, is tried again.
const DENIED_RETRY: Duration = Duration::from_secs(20);
/// The same of a kind that settled values rest on.
const PREMISE_RETRY: Duration = Duration::from_secs(300);
/// How often a list that expires under its reader is begun again before the watch backs off.
const LIST_ATTEMPTS: u32 = 3;

/// Asks for objects without what is in them.
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
/// The same of lists.
pub(crate) const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// What of a kind is followed, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The objects that carry the installation's stamp, for the index.
    Stamped,
    /// All objects, as settled values rest on them: of definitions only what they say of themselves, of webhooks all.
    Premise,
}

/// One kind being followed.
pub(crate) struct Watcher {
    cluster: WeakCluster,
    gvk: Gvk,
    subject: Subject,
    reread: Arc<Notify>,
    /// Where to go on; none: from the start.
    resume: Option<String>,
}

/// How a stream ended.
enum Ended {
    /// As agreed, or by a lost connection: to be resumed.
    Broke(Option<ClusterError>),
    /// The version to resume at is too old.
    Expired,
    /// The server does not know streaming lists.
    NoStreamingList,
}

impl Watcher {
    pub(crate) fn new(cluster: &Cluster, gvk: &Gvk, subject: Subject, reread: &Arc<Notify>) -> Self {
        Self { cluster: cluster.weak(), gvk: gvk.clone(), subject, reread: reread.clone(), resume: None }
    }

    /// Follows the kind until told to stop, or the cluster is gone.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.follow() => {}
        }
    }

    async fn follow(&mut self) {
        let mut attempt = 0;
        let mut streaming = true;
        while let Some(cluster) = self.cluster.upgrade() {
            let before = self.resume.clone();
            let ended = self.once(&cluster, streaming).await;
            let moved = self.resume.is_some() && self.resume != before;
            attempt = if moved { 0 } else { attempt + 1 };
            let unknown = matches!(ended, Err(ClusterError::UnknownKind(_)));
            let wait = match ended {
                Ok(Ended::NoStreamingList) => {
                    streaming = false;
                    continue;
                }
                Ok(Ended::Expired) => {
                    self.resume = None;
                    backoff(attempt.min(4)).mul_f64(fraction())
                }
                Ok(Ended::Broke(None)) => backoff(attempt).mul_f64(fraction()),
                Ok(Ended::Broke(Some(error))) | Err(error) => self.trouble(&cluster, &error, attempt),
            };
            let mut reach = cluster.reach();
            let was_down = matches!(*reach.borrow_and_update(), Reach::Down(_));
            let discovery = cluster.discovery().clone();
            drop(cluster);
            let up_again = async {
                let _ = reach.wait_for(|reach| *reach == Reach::Up).await.map(drop);
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.reread.notified() => self.resume = None,
                // Somebody found out that it is served now.
                () = discovery.wait_for(&self.gvk), if unknown => {}
                // The server answers somebody again: no need to wait on.
                () = up_again, if was_down => tokio::time::sleep(backoff(0).mul_f64(fraction())).await,
            }
        }
    }

    /// Says what is wrong, and returns how long to wait.
    fn trouble(&mut self, cluster: &Cluster, error: &ClusterError, attempt: u32) -> Duration {
        let kind = if self.gvk.group.is_empty() { self.gvk.kind.to_string() } else { format!("{}.{}", self.gvk.kind, self.gvk.group) };
        let class = classify(error);
        let message = match class {
            Class::Denied => format!("cannot list {kind}: forbidden: {error}"),
            _ => format!("cannot watch {kind}: {error}"),
        };
        // A connection that broke once is not worth a word.
        if class != Class::Unreachable || attempt > 1 {
            match self.subject {
                Subject::Stamped => cluster.index().trouble(&self.gvk, &message),
                Subject::Premise => cluster.premises().trouble(cluster, &self.gvk, &message),
            }
        }
        match (class, error) {
            (Class::Denied | Class::NotFound | Class::Setup, _) => {
                self.resume = None;
                match self.subject {
                    Subject::Stamped => DENIED_RETRY.mul_f64(0.5 + fraction() * 0.5).min(backoff(attempt + 2)),
                    // Nothing waits for it.
                    Subject::Premise => PREMISE_RETRY.mul_f64(0.5 + fraction() * 0.5),
                }
            }
            (_, ClusterError::Api(refusal)) => refusal.retry_after.unwrap_or_default().max(backoff(attempt)),
            _ => backoff(attempt),
        }
    }

    async fn once(&mut self, cluster: &Cluster, streaming: bool) -> Result<Ended, ClusterError> {
        let resource = cluster.resource(&self.gvk).await?;
        let selector = match self.subject {
            Subject::Stamped => format!("labelSelector={}&", segment(&format!("{INSTALLATION_LABEL}={}", cluster.installation()))),
            Subject::Premise => String::new(),
        };
        let base = format!("{}?{selector}", resource.collection(None));
        if self.resume.is_none() && !streaming {
            self.list(cluster, &resource, &base).await?;
        }
        let seconds = WATCH_SECONDS + (WATCH_SECONDS as f64 / 4.0 * fraction()) as u64;
        let watch = format!("{base}watch=true&allowWatchBookmarks=true&timeoutSeconds={seconds}");
        match self.resume.clone() {
            Some(version) => self.stream(cluster, &resource, format!("{watch}&resourceVersion={}", segment(&version)), None).await,
            None => {
                let path = format!("{watch}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
                self.stream(cluster, &resource, path, Some(Seen::default())).await
            }
        }
    }

    /// Returns the form in which objects are asked for: of definitions, which may be very large, nothing but their metadata.
    fn accept(&self, metadata: &'static str) -> Option<&'static str> {
        (self.subject == Subject::Premise && *self.gvk.kind == *"CustomResourceDefinition").then_some(metadata)
    }

    /// Reads the whole list in pages, for servers without streaming lists.
    async fn list(&mut self, cluster: &Cluster, resource: &Resource, base: &str) -> Result<(), ClusterError> {
        let (what, own) = (format!("the list of {}", self.gvk), ActAs::default());
        let mut attempt = 0;
        'again: loop {
            let (mut seen, mut next) = (Seen::default(), String::new());
            loop {
                let mut call = Call::get(format!("{base}limit={PAGE}&continue={}", segment(&next)), &what, &own);
                call.repeat = false;
                call.accept = self.accept(METADATA_LIST);
                let body = match cluster.wire().fetch(&call).await {
                    Err(error) if classify(&error) == Class::Expired && attempt < LIST_ATTEMPTS => {
                        attempt += 1;
                        continue 'again;
                    }
                    other => other?,
                };
                let unreadable = |error: serde_json::Error| ClusterError::Unreadable { what: what.clone(), reason: error.to_string() };
                let page: Page<'_> = serde_json::from_slice(&body).map_err(unreadable)?;
                for item in page.items.into_iter().flatten() {
                    self.take(cluster, resource, false, item.get().as_bytes(), Some(&mut seen)).map_err(unreadable)?;
                }
                next = page.metadata.next;
                if next.is_empty() {
                    self.finish(cluster, &seen, &page.metadata.version).await?;
                    self.resume = Some(page.metadata.version);
                    return Ok(());
                }
            }
        }
    }

    /// Takes one object of a list or watch.
    fn take(
        &self,
        cluster: &Cluster,
        resource: &Resource,
        deleted: bool,
        object: &[u8],
        seen: Option<&mut Seen>,
    ) -> Result<String, serde_json::Error> {
        let head = head(object)?;
        let key = resource.key(Some(&head.meta.namespace), &head.meta.name);
        if let Some(seen) = seen {
            if deleted {
                seen.remove(&key);
            } else {
                seen.insert(&key);
            }
        }
        match self.subject {
            Subject::Stamped => cluster.index().event(&self.gvk, &key, deleted, object)?,
            Subject::Premise => cluster.premises().event(&self.gvk, &head, deleted, object)?,
        }
        Ok(head.meta.version.into_owned())
    }

    /// Ends a list of a version: what it lacks is gone, if this is still the same cluster.
    async fn finish(&self, cluster: &Cluster, seen: &Seen, version: &str) -> Result<(), ClusterError> {
        if self.subject == Subject::Premise {
            cluster.verify_after_outage().await?;
            cluster.premises().complete(cluster, &self.gvk, seen);
            return Ok(());
        }
        if cluster.index().lacks(&self.gvk, seen) {
            cluster.verify().await?;
            cluster.index().absent(&self.gvk, seen, version);
        }
        cluster.index().synced(&self.gvk);
        cluster.premises().used(cluster, &self.gvk);
        Ok(())
    }

    /// Follows a watch to its end. With `seen`, it begins with all that is there.
    async fn stream(
        &mut self,
        cluster: &Cluster,
        resource: &Resource,
        path: String,
        mut seen: Option<Seen>,
    ) -> Result<Ended, ClusterError> {
        let (what, own) = (format!("the watch of {}", self.gvk), ActAs::default());
        let mut call = Call::get(path, &what, &own);
        call.repeat = false;
        call.accept = self.accept(METADATA);
        let mut body = match cluster.wire().stream(&call).await {
            Ok(response) => response.into_body(),
            Err(error) => {
                return match (&error, classify(&error)) {
                    (_, Class::Expired) => Ok(Ended::Expired),
                    (ClusterError::Api(refusal), Class::Invalid) if seen.is_some() && matches!(refusal.code, 400 | 422) => {
                        Ok(Ended::NoStreamingList)
                    }
                    _ => Err(error),
                };
            }
        };
        if seen.is_none() {
            match self.subject {
                Subject::Stamped => cluster.index().synced_again(&self.gvk),
                Subject::Premise => cluster.premises().well(cluster, &self.gvk),
            }
        }
        let mut lines = Lines::default();
        loop {
            let frame = tokio::select! {
                () = self.reread.notified() => {
                    self.resume = None;
                    return Ok(Ended::Broke(None));
                }
                frame = tokio::time::timeout(SILENCE, body.frame()) => frame,
            };
            let data = match frame {
                Err(_) => return Ok(Ended::Broke(Some(cluster.wire().unreachable("the watch fell silent".to_owned())))),
                Ok(None) => return Ok(Ended::Broke(None)),
                Ok(Some(Err(error))) => return Ok(Ended::Broke(Some(cluster.wire().away(&error)))),
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => data,
                    Err(_) => continue,
                },
            };
            let mut turn = Turn::default();
            let fed = lines.feed(&data, |line| self.line(cluster, resource, line, seen.as_mut(), &mut turn));
            if fed.is_err() {
                turn.failed = Some(ClusterError::Unreadable {
                    what: what.clone(),
                    reason: "a line of it is longer than any object may be".to_owned(),
                });
            }
            if let (Some(version), Some(all)) = (&turn.complete_at, &seen) {
                self.finish(cluster, all, version).await?;
                seen = None;
            }
            if let Some(version) = turn.version {
                // Before the list is complete there is nothing to go on from.
                if seen.is_none() {
                    self.resume = Some(version);
                }
            }
            if turn.expired {
                return Ok(Ended::Expired);
            }
            if let Some(error) = turn.failed {
                self.resume = None;
                return Err(error);
            }
        }
    }

    /// Takes one line; returns whether to go on.
    fn line(&self, cluster: &Cluster, resource: &Resource, line: &[u8], seen: Option<&mut Seen>, turn: &mut Turn) -> bool {
        let what = || format!("the watch of {}", self.gvk);
        let read: WatchLine<'_> = match serde_json::from_slice(line) {
            Ok(read) => read,
            Err(error) => {
                turn.failed = Some(ClusterError::Unreadable { what: what(), reason: error.to_string() });
                return false;
            }
        };
        let object = read.object.get().as_bytes();
        let taken = match &*read.kind {
            "ERROR" => {
                let code = serde_json::from_slice::<Code>(object).map_or(0, |status| status.code);
                let refusal = Refusal::parse(&what(), code, object, None);
                turn.expired = code == 410;
                turn.failed = (!turn.expired).then(|| refusal.into_error());
                return false;
            }
            "BOOKMARK" => head(object).map(|head| {
                if head.meta.initial_events_end {
                    turn.complete_at = Some(head.meta.version.to_string());
                }
                head.meta.version.into_owned()
            }),
            "ADDED" | "MODIFIED" => self.take(cluster, resource, false, object, seen),
            "DELETED" => self.take(cluster, resource, true, object, seen),
            // A kind of event from the future is no reason to stop.
            _ => return true,
        };
        match taken {
            Ok(version) => turn.version = Some(version),
            Err(error) => turn.failed = Some(ClusterError::Unreadable { what: what(), reason: error.to_string() }),
        }
        turn.failed.is_none()
    }
}

/// What a chunk of a watch came to.
#[derive(Default)]
struct Turn {
    version: Option<String>,
    /// The version of the list that ended in it.
    complete_at: Option<String>,
    expired: bool,
    failed: Option<ClusterError>,
}

#[derive(serde::Deserialize)]
struct Code {
    #[serde(default)]
    code: u16,
}
