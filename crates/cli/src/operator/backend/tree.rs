//! Owns a unit's tree and the events of its objects: what the operator knows, and what the cluster is asked for it on the spot.

use std::collections::{BTreeMap, BTreeSet};

use plumb_cluster::{Acting, Child, ClusterError};
use plumb_controller::UnitState;
use plumb_manifest::ObjectKey;
use plumb_plan::{Health, HealthStatus};
use plumb_server::api::{ApiError, ErrorCode, ObjectEvent, Tree, TreeNode};
use plumb_unit::InventoryItem;
use tokio::task::JoinSet;

use super::{OperatorBackend, cluster_error, view};
use crate::operator::moment;

/// How many namespaces are looked through for children: in each, every kind of child is listed.
const MAX_NAMESPACES: usize = 16;
/// How many objects a tree shows.
const MAX_NODES: usize = 5_000;
/// How many objects have their events asked for: each is a request.
const MAX_EVENT_OBJECTS: usize = 200;
/// How many of these requests are under way at once.
const CONCURRENCY: usize = 8;

/// Returns a unit's objects and what they own. What could not be listed is told as left out.
pub(super) async fn tree(backend: &OperatorBackend, state: &UnitState) -> Tree {
    let items = &state.inventory.items;
    let look = |key: &ObjectKey| state.cluster.as_deref().and_then(|cluster| backend.operator.health(cluster, key));
    let (children, complete) = match backend.acting(state) {
        Ok(acting) => match children(&acting, items).await {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!(unit = %state.key, "what its objects own could not be listed: {error}");
                (Vec::new(), false)
            }
        },
        Err(_) => (Vec::new(), false),
    };
    let mut tree = assemble(items, &children, look, MAX_NODES);
    tree.truncated |= !complete;
    tree
}

/// Returns what objects own, and whether all of them were asked for.
async fn children(acting: &Acting, items: &[InventoryItem]) -> Result<(Vec<Child>, bool), ClusterError> {
    let (owners, complete) = owners(items);
    let mut found = Vec::new();
    for (namespace, uids) in owners {
        found.extend(acting.children(namespace, &uids).await?);
    }
    Ok((found, complete))
}

/// Returns the UIDs of objects that may have children by namespace, and whether these are all namespaces.
fn owners(items: &[InventoryItem]) -> (BTreeMap<&str, Vec<String>>, bool) {
    let mut owners: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut complete = true;
    for item in items.iter().filter(|item| may_own(&item.key)) {
        let (Some(namespace), Some(uid)) = (item.key.namespace.as_deref(), &item.uid) else { continue };
        if owners.len() < MAX_NAMESPACES || owners.contains_key(namespace) {
            owners.entry(namespace).or_default().push(uid.clone());
        } else {
            complete = false;
        }
    }
    (owners, complete)
}

/// Returns whether objects of the kind have children: workloads, Services, and custom resources, of which nobody knows.
fn may_own(key: &ObjectKey) -> bool {
    match &*key.group {
        "" => matches!(&*key.kind, "Service" | "ReplicationController"),
        "apps" | "batch" => true,
        group => group.contains('.') && !group.ends_with(".k8s.io"),
    }
}

fn assemble(items: &[InventoryItem], children: &[Child], look: impl Fn(&ObjectKey) -> Option<Health>, most: usize) -> Tree {
    let mut below: BTreeMap<&str, Vec<&Child>> = BTreeMap::new();
    for child in children {
        below.entry(&child.owner).or_default().push(child);
    }
    let mut room = Room { left: most, short: false };
    let mut objects = Vec::new();
    for item in items {
        if !room.take() {
            break;
        }
        let children = item.uid.as_deref().map(|uid| branch(uid, &mut below, &mut room)).unwrap_or_default();
        let health = look(&item.key).unwrap_or(Health { status: HealthStatus::Unknown, message: "its cluster does not answer".to_owned() });
        objects.push(TreeNode { object: view::object(&item.key), health: view::health(health), managed: true, children });
    }
    Tree { objects, truncated: room.short }
}

/// How many nodes may still be shown, and whether one was not.
struct Room {
    left: usize,
    short: bool,
}

impl Room {
    fn take(&mut self) -> bool {
        self.short |= self.left == 0;
        self.left = self.left.saturating_sub(1);
        !self.short
    }
}

/// Takes what an object owns out of the rest, so that nothing is shown twice and nothing below itself.
fn branch(owner: &str, below: &mut BTreeMap<&str, Vec<&Child>>, room: &mut Room) -> Vec<TreeNode> {
    let own = below.remove(owner).unwrap_or_default();
    let mut nodes = Vec::new();
    for child in own {
        if !room.take() {
            break;
        }
        let children = branch(&child.uid, below, room);
        nodes.push(TreeNode { object: view::object(&child.key), health: view::health(child.health.clone()), managed: false, children });
    }
    nodes
}

/// Returns recent events of a unit's objects and of what they own, oldest first.
pub(super) async fn events(backend: &OperatorBackend, state: &UnitState) -> Result<Vec<ObjectEvent>, ApiError> {
    let acting = backend.acting(state)?;
    let items = &state.inventory.items;
    let (children, _) = children(&acting, items).await.map_err(|error| cluster_error(&error))?;
    let mut waiting = asked_about(items, children).into_iter();
    let mut asking = JoinSet::new();
    let mut events = Vec::new();
    loop {
        while asking.len() < CONCURRENCY
            && let Some((key, uid)) = waiting.next()
        {
            let acting = acting.clone();
            asking.spawn(async move { acting.events(&key, &uid).await.map(|events| (key, events)) });
        }
        let Some(answer) = asking.join_next().await else { break };
        let answer = answer.map_err(|error| ApiError::new(ErrorCode::Internal, format!("the events could not be read: {error}")))?;
        let (key, found) = answer.map_err(|error| cluster_error(&error))?;
        events.extend(found.into_iter().map(|event| shown(&key, event)));
    }
    events.sort_by(|one, other| (one.last_ms, &one.object, &one.reason).cmp(&(other.last_ms, &other.object, &other.reason)));
    Ok(events)
}

/// Returns the objects whose events are asked for: the unit's own before what they own, when there are too many.
fn asked_about(items: &[InventoryItem], children: Vec<Child>) -> BTreeSet<(ObjectKey, String)> {
    let own = items.iter().filter_map(|item| Some((item.key.clone(), item.uid.clone()?)));
    own.chain(children.into_iter().map(|child| (child.key, child.uid))).take(MAX_EVENT_OBJECTS).collect()
}

/// Only the last time is read from the cluster: it stands for the first one, too.
fn shown(key: &ObjectKey, event: plumb_cluster::ObjectEvent) -> ObjectEvent {
    let last_ms = moment::rfc3339_ms(&event.last_seen).unwrap_or(0);
    ObjectEvent {
        object: view::object(key),
        kind: event.kind,
        reason: event.reason,
        message: event.message,
        source: event.source,
        count: u32::try_from(event.count).unwrap_or(u32::MAX),
        first_ms: last_ms,
        last_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::super::view::fixtures::state;
    use super::*;

    fn healthy() -> Health {
        Health { status: HealthStatus::Healthy, message: String::new() }
    }

    fn child(kind: &str, name: &str, owner: &str) -> Child {
        let key = ObjectKey::new("", kind, Some("shop"), name);
        Child { key, uid: format!("{kind}-{name}"), owner: owner.to_owned(), health: healthy() }
    }

    fn names(nodes: &[TreeNode]) -> Vec<String> {
        nodes.iter().map(|node| format!("{} {:?}", node.object.kind, names(&node.children))).collect()
    }

    #[test]
    fn children_hang_below_their_owners() {
        let items = state().inventory.items;
        let children = [child("ReplicaSet", "web-1", "u2"), child("Pod", "web-1-a", "ReplicaSet-web-1"), child("Pod", "stray", "nobody")];
        let tree = assemble(&items, &children, |key| (&*key.kind == "Service").then(healthy), MAX_NODES);
        assert_eq!(names(&tree.objects), ["Service []", r#"Deployment ["ReplicaSet [\"Pod []\"]"]"#]);
        assert_eq!(
            (tree.truncated, tree.objects[0].health.status, tree.objects[1].health.status),
            (false, HealthStatus::Healthy, HealthStatus::Unknown)
        );
    }

    #[test]
    fn a_tree_ends_at_its_limit_and_in_a_circle() {
        let items = state().inventory.items;
        let circle = [child("Pod", "a", "u2"), child("Pod", "b", "Pod-a"), child("Pod", "a", "Pod-b")];
        assert_eq!(
            names(&assemble(&items, &circle, |_| None, MAX_NODES).objects),
            ["Service []", r#"Deployment ["Pod [\"Pod [\\\"Pod []\\\"]\"]"]"#]
        );
        let many: Vec<Child> = (0..MAX_NODES).map(|at| child("Pod", &at.to_string(), "u2")).collect();
        let tree = assemble(&items, &many[..MAX_NODES - 2], |_| None, MAX_NODES);
        assert_eq!((tree.truncated, tree.objects[1].children.len()), (false, MAX_NODES - 2));
        let tree = assemble(&items, &many, |_| None, MAX_NODES);
        assert_eq!(tree.objects[1].children.len(), MAX_NODES - 2);
        assert!(tree.truncated);
        assert!(assemble(&items, &[], |_| None, 1).truncated);
    }

    #[test]
    fn questions_to_the_cluster_are_limited() {
        let item = |at: usize| {
            let mut item = state().inventory.items[1].clone();
            item.key.namespace = Some(at.to_string().into());
            item.uid = Some(at.to_string());
            item
        };
        let many: Vec<InventoryItem> = (0..=MAX_EVENT_OBJECTS).map(item).collect();
        let (few, complete) = owners(&many[..MAX_NAMESPACES]);
        assert_eq!((few.len(), complete), (MAX_NAMESPACES, true));
        let (most, complete) = owners(&many[..=MAX_NAMESPACES]);
        assert_eq!((most.len(), complete), (MAX_NAMESPACES, false));
        let asked = asked_about(&many[..2], vec![child("Pod", "a", "0")]);
        assert_eq!(asked.len(), 3);
        assert_eq!(asked_about(&many, vec![child("Pod", "a", "0")]).len(), MAX_EVENT_OBJECTS);
    }

    #[test]
    fn only_kinds_that_own_something_are_looked_below() {
        for (group, kind, owns) in [
            ("apps", "Deployment", true),
            ("", "Service", true),
            ("", "ConfigMap", false),
            ("networking.k8s.io", "Ingress", false),
            ("policy", "PodDisruptionBudget", false),
            ("databases.example.com", "Database", true),
        ] {
            assert_eq!(may_own(&ObjectKey::new(group, kind, Some("a"), "b")), owns, "{group} {kind}");
        }
    }
}
