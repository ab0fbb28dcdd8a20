//! Owns finding the object that a name means (`selectReferral` of `nameref.go`): indexed by the names that objects had, so that not all are compared
//! with all.

use std::collections::{HashMap, HashSet};

use crate::id::{Gvk, Id, NOT_A_NAMESPACE};
use crate::problem::{Outcome, wrong};
use crate::resource::{Previous, Resource};
use crate::resources::Resources;
use crate::run::Run;
use crate::tree::{Meaning, View};

/// What counts of an object when somebody refers to it. It does not change while names are followed.
struct Facts<'a> {
    id: Id<'a>,
    /// The namespace that it had first, or has.
    first_namespace: &'a str,
}

/// All objects by the names they had.
pub(super) struct Candidates<'a> {
    facts: Vec<Facts<'a>>,
    by_previous_name: HashMap<&'a str, Vec<usize>>,
    by_first_namespace: HashMap<&'a str, Vec<usize>>,
}

/// Who refers, and what it may refer to (`SubsetThatCouldBeReferencedByResource`).
pub(super) struct Referrer<'r, 'a> {
    pub(super) id: Id<'a>,
    pub(super) resource: &'r Resource<'a>,
    /// The namespaces of the service accounts that a RoleBinding binds.
    account_namespaces: HashSet<&'a str>,
}

/// What is looked for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'w, 'a> {
    pub(super) name: &'a str,
    /// The kind that the field refers to.
    pub(super) target: &'w Gvk<'a>,
    /// What `roleRef` says, if the field is its name.
    pub(super) role: Option<Gvk<'a>>,
    /// Set if the field is a map, of which the namespace is read, if it has one, and written.
    pub(super) map: Option<Option<&'a str>>,
}

impl<'a> Candidates<'a> {
    pub(super) fn new(resources: &Resources<'a>, run: &Run<'a>) -> Self {
        let mut candidates =
            Self { facts: Vec::with_capacity(resources.len()), by_previous_name: HashMap::new(), by_first_namespace: HashMap::new() };
        for (at, resource) in resources.iter().enumerate() {
            let id = resource.id(run);
            let first = resource.previous.first();
            let first_namespace = first.map_or(id.effective_namespace(), |first| {
                run.id(Gvk { kind: first.kind, ..id.gvk }, first.name, first.namespace).effective_namespace()
            });
            for Previous { name, .. } in &resource.previous {
                let known = candidates.by_previous_name.entry(name).or_default();
                if known.last() != Some(&at) {
                    known.push(at);
                }
            }
            candidates.by_first_namespace.entry(first_namespace).or_default().push(at);
            candidates.facts.push(Facts { id, first_namespace });
        }
        candidates
    }

    /// Returns whether any object had such a name.
    pub(super) fn had(&self, name: &str) -> bool {
        self.by_previous_name.contains_key(name)
    }

    /// Returns whether no object had another name or namespace.
    pub(super) fn none_had_another(&self) -> bool {
        self.by_previous_name.is_empty()
    }

    pub(super) fn referrer<'r>(&self, at: usize, resources: &'r Resources<'a>, run: &Run<'a>) -> Outcome<Option<Referrer<'r, 'a>>> {
        let (Some(resource), Some(facts)) = (resources.get(at), self.facts.get(at)) else { return Ok(None) };
        let account_namespaces = account_namespaces(resource, &facts.id, run)?;
        Ok(Some(Referrer { id: facts.id, resource, account_namespaces }))
    }

    /// Returns the object that a referrer means, if it is known which.
    pub(super) fn select(
        &self,
        referrer: &Referrer<'_, 'a>,
        wanted: &Wanted<'_, 'a>,
        resources: &Resources<'a>,
        run: &Run<'a>,
    ) -> Outcome<Option<usize>> {
        let in_reach = |at: &usize| self.facts.get(*at).is_some_and(|facts| in_reach(referrer, facts));
        let had_kind = |resource: &Resource<'a>, kind: &Gvk<'a>| {
            let gvk = resource.gvk();
            resource.previous.iter().any(|previous| Gvk { kind: previous.kind, ..gvk }.is_selected(kind))
        };
        let in_namespace = self.namespace_sieve(referrer, wanted);
        let mut found: Vec<(usize, &Resource<'a>)> = self
            .by_previous_name
            .get(wanted.name)
            .into_iter()
            .flatten()
            .filter(|at| in_reach(at) && self.facts.get(**at).is_some_and(|facts| in_namespace.accepts(facts)))
            .filter_map(|at| Some((*at, resources.get(*at)?)))
            .filter(|(_, resource)| had_kind(resource, wanted.target) && wanted.role.is_none_or(|role| had_kind(resource, &role)))
            .filter(|(at, resource)| self.facts.get(*at).is_some_and(|facts| same_namespace(referrer, facts, resource)))
            .collect();
        if found.len() != 1 {
            found.retain(|(_, resource)| resource.same_affixes(referrer.resource, true));
            if found.len() > 1 {
                found.retain(|(_, resource)| resource.same_affixes(referrer.resource, false));
            }
        }
        let Some((first, model)) = found.first().copied() else { return Ok(None) };
        let alike = |resource: &Resource<'a>| {
            resource.name() == model.name() && (wanted.map.is_none() || resource.namespace() == model.namespace())
        };
        if found.iter().all(|(_, resource)| alike(resource)) {
            return Ok(Some(first));
        }
        let ids: Vec<String> = found.iter().map(|(_, resource)| resource.id(run).to_string()).collect();
        let message = format!("found multiple possible referrals: {}", ids.join(", "));
        let mut mistake = wrong("ambiguous-reference", message, run.texts.place(referrer.resource.view()));
        for (_, resource) in &found {
            if let Some(place) = run.texts.place(resource.view()) {
                mistake = mistake.at(place, format!("`{}` may mean this one", wanted.name));
            }
        }
        Err(mistake.hint("Give the objects different names, so that it is clear which one is meant.").into())
    }

    /// The namespace that a map names selects by where objects were first, else by where they are (`filterMapCandidatesByNamespace`).
    fn namespace_sieve(&self, referrer: &Referrer<'_, 'a>, wanted: &Wanted<'_, 'a>) -> Sieve<'a> {
        match wanted.map {
            None | Some(None) => Sieve::All,
            Some(Some(NOT_A_NAMESPACE)) => Sieve::Nothing,
            Some(Some(namespace)) => {
                let known = self.by_first_namespace.get(namespace).into_iter().flatten();
                let mut facts = known.filter_map(|at| self.facts.get(*at));
                if facts.any(|facts| in_reach(referrer, facts)) { Sieve::First(namespace) } else { Sieve::Now(namespace) }
            }
        }
    }
}

enum Sieve<'a> {
    All,
    Nothing,
    First(&'a str),
    Now(&'a str),
}

impl<'a> Sieve<'a> {
    fn accepts(&self, facts: &Facts<'a>) -> bool {
        match self {
            Self::All => true,
            Self::Nothing => false,
            Self::First(namespace) => facts.first_namespace == *namespace,
            Self::Now(namespace) => facts.id.effective_namespace() == *namespace,
        }
    }
}

fn in_reach<'a>(referrer: &Referrer<'_, 'a>, facts: &Facts<'a>) -> bool {
    referrer.id.cluster_scoped
        || facts.id.cluster_scoped
        || facts.id.effective_namespace() == referrer.id.effective_namespace()
        || referrer.account_namespaces.contains(facts.id.namespace)
}

/// Returns whether both are in one namespace, as far as that matters: service accounts are bound across namespaces.
fn same_namespace<'a>(referrer: &Referrer<'_, 'a>, facts: &Facts<'a>, resource: &Resource<'a>) -> bool {
    referrer.id.cluster_scoped
        || facts.id.cluster_scoped
        || resource.kind() == "ServiceAccount"
        || facts.id.effective_namespace() == referrer.id.effective_namespace()
}

fn account_namespaces<'a>(resource: &Resource<'a>, id: &Id<'a>, run: &Run<'a>) -> Outcome<HashSet<&'a str>> {
    let mut namespaces = HashSet::new();
    if resource.kind() != "RoleBinding" || id.cluster_scoped {
        return Ok(namespaces);
    }
    let subjects = resource.view().get("subjects").into_iter().flat_map(View::items);
    for subject in subjects.filter(|subject| subject.get("kind").is_some_and(|kind| kind.text() == "ServiceAccount")) {
        let Some(namespace) = subject.get("namespace") else { continue };
        if !matches!(namespace.meaning(), Some(Ok(Meaning::Str(_)))) {
            let message = format!("Invalid Input: namespace is blank for resource \"{id}\"");
            let mistake = wrong("blank-namespace", message, run.texts.place(namespace));
            return Err(mistake.hint("Write the namespace of the service account as a text, or leave it out.").into());
        }
        namespaces.insert(namespace.text());
    }
    Ok(namespaces)
}
