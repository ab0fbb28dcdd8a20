//! Owns numbers of replicas (`ReplicaCountTransformer`).

use crate::args::{FieldSpec, Replica};
use crate::decode::{Fields, Mode};
use crate::fieldspec::{Create, Follow, Path};
use crate::problem::{Failure, Outcome, all, wrong};
use crate::resources::Resources;
use crate::run::Run;
use crate::tree::{Kind, Node, Stamp, Tag, View};

const BY: &str = "replicas";

/// Reads the transformer from an object that configures it.
pub(crate) fn read_plugin<'a>(run: &Run<'a>, config: View<'_, 'a>) -> Outcome<(Replica<'a>, Vec<FieldSpec<'a>>)> {
    let mut fields = Fields::open(run, config, "a ReplicaCountTransformer", Mode::Plugin);
    let replica = fields.map("replica", Replica::read).unwrap_or_default();
    let specs = fields.list("fieldSpecs", FieldSpec::read);
    fields.close()?;
    Ok((replica, specs))
}

/// Sets a number of replicas in every object that has or had the name. It is a mistake if there is none.
pub(crate) fn apply<'a>(replica: &Replica<'a>, specs: &[FieldSpec<'a>], resources: &mut Resources<'a>, run: &Run<'a>) -> Outcome<()> {
    let mut found = false;
    for spec in specs {
        let at = resources.by_any_id(run, |id| id.name == replica.name && id.gvk.is_selected(&spec.gvk));
        if at.is_empty() {
            continue;
        }
        found = true;
        let create = Create { kind: Kind::Scalar, tag: Tag::Int };
        let follow = Follow { run, create: Some(create), stamp: Stamp { by: BY, place: replica.says } };
        let path = Path::new(*spec, run);
        let list = resources.list_mut();
        all(at.into_iter().filter_map(|at| {
            let resource = list.get_mut(at)?;
            Some(follow.apply(&mut resource.node, &path, &mut |node| set_count(node, replica, run)))
        }))?;
    }
    if found { Ok(()) } else { Err(no_match(replica, specs, resources, run)) }
}

/// Sets one field; quotes stay.
pub(crate) fn set_count<'a>(node: &mut Node<'a>, replica: &Replica<'a>, run: &Run<'a>) -> Outcome<()> {
    if node.kind() != Kind::Scalar {
        let message = "a number of replicas cannot take the place of a list or map";
        return Err(wrong("replicas", message, run.texts.place(node.view())).into());
    }
    let text = run.texts.keep(replica.count.to_string());
    node.set_text(text, Tag::Int, Stamp { by: BY, place: replica.says }, run.texts);
    Ok(())
}

fn no_match<'a>(replica: &Replica<'a>, specs: &[FieldSpec<'a>], resources: &Resources<'a>, run: &Run<'a>) -> Failure {
    let kinds: Vec<String> = specs.iter().map(|spec| spec.gvk.to_string()).collect();
    let message = format!("resource with name {} does not match a config with the following GVK [{}]", replica.name, kinds.join(" "));
    let names: Vec<&str> = resources
        .iter()
        .flat_map(|resource| resource.previous_ids(run).into_iter().chain([resource.id(run)]))
        .filter(|id| specs.iter().any(|spec| id.gvk.is_selected(&spec.gvk)))
        .map(|id| id.name)
        .collect();
    let mut mistake = wrong("replicas", message, replica.place);
    let same_name = resources.iter().find(|resource| resource.name() == replica.name);
    if let Some(near) = plumb_helm::nearest(replica.name, names.iter().copied()) {
        mistake = mistake.hint(format!("Did you mean `{near}`?"));
    } else if let Some(other) = same_name {
        mistake = mistake.hint(format!("A {} has that name, but kustomize knows no replicas of it; a patch can set them.", other.kind()));
    } else if !names.is_empty() {
        let mut names = names;
        names.sort_unstable();
        names.dedup();
        const SHOWN: usize = 5;
        let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
        mistake = mistake.hint(format!("There are {}{}.", shown.join(", "), if names.len() > SHOWN { " and others" } else { "" }));
    }
    mistake.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::run_on;

    fn check(objects: &str, config: &str) -> Result<String, String> {
        run_on(&[], objects, |resources, scene| {
            let (replica, specs) = read_plugin(scene.run, scene.read("config.yaml", config))?;
            apply(&replica, &specs, resources, scene.run)
        })
    }

    #[test]
    fn objects_of_the_name_get_the_count() {
        let objects = "kind: Deployment\nmetadata: {name: web}\nspec: {replicas: 1}\n---\nkind: Deployment\nmetadata: {name: other}\n---\n\
                       kind: StatefulSet\nmetadata: {name: web}\n---\nkind: Deployment\nmetadata: {name: web, namespace: b}\nspec: {replicas: null}\n";
        let config = "replica: {name: web, count: 5}\nfieldSpecs: [{path: spec/replicas, create: true, kind: Deployment}, {path: spec/size, kind: StatefulSet}]\n";
        let expect = "kind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 5\n---\nkind: Deployment\nmetadata:\n  name: other\n---\n\
                      kind: StatefulSet\nmetadata:\n  name: web\n---\nkind: Deployment\nmetadata:\n  name: web\n  namespace: b\nspec:\n  replicas: 5\n";
        assert_eq!(check(objects, config), Ok(expect.to_owned()));
    }

    #[test]
    fn a_name_that_nothing_has_is_a_mistake() {
        let config = "replica: {name: wbe, count: 5}\nfieldSpecs: [{path: spec/replicas, kind: Deployment}]\n";
        let expect = "config.yaml:1:10: resource with name wbe does not match a config with the following GVK [Deployment.[noVer].[noGrp]] | Did you mean `web`?";
        assert_eq!(check("kind: Deployment\nmetadata: {name: web}\n", config), Err(expect.to_owned()));
    }
}
