//! Owns the tests of configurations of transformers and how they are merged.

use super::*;

/// One line for each field spec.
fn lines(config: &TransformerConfig<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut add = |name: &str, specs: &Specs<'_>| {
        for FieldSpec { gvk, path, create } in specs.iter() {
            lines.push(format!("{name} {}|{}|{}|{path}|{create}", gvk.group, gvk.version, gvk.kind));
        }
    };
    add("namePrefix", &config.name_prefix);
    add("nameSuffix", &config.name_suffix);
    add("namespace", &config.namespace);
    add("commonLabels", &config.common_labels);
    add("labels", &config.labels);
    add("templateLabels", &config.template_labels);
    add("commonAnnotations", &config.common_annotations);
    add("varReference", &config.var_reference);
    add("images", &config.images);
    add("replicas", &config.replicas);
    for Referrers { target, fields } in config.name_reference.iter() {
        add(&format!("nameReference {}|{}|{}", target.group, target.version, target.kind), fields);
    }
    lines
}

/// A digest of what kustomize 5.8.1 has, sorted, without what it has twice.
const OF_KUSTOMIZE: (&str, usize) = ("d70fe135501728aa04fce583545afca9886786c8bdf65e87d49de01d3edb8c3e", 304);

#[test]
fn builtin_is_what_kustomize_has() {
    use sha2::Digest;
    let mut lines = lines(&TransformerConfig::builtin());
    lines.sort();
    let digest = sha2::Sha256::digest(lines.join("\n"));
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((digest.as_str(), lines.len()), OF_KUSTOMIZE);
}

#[test]
fn merging_builtin_with_itself_adds_nothing() {
    // Slowly, item by item, as for lists that somebody added to.
    let mut owned = TransformerConfig::builtin();
    owned.sort();
    for referrers in owned.name_reference.to_mut() {
        referrers.fields.to_mut();
    }
    let mut empty = TransformerConfig::default();
    empty.merge(&owned, None).unwrap();
    assert_eq!(empty, owned);
    empty.merge(&TransformerConfig::builtin(), None).unwrap();
    assert_eq!(empty, TransformerConfig::builtin());
    let mut builtin = TransformerConfig::builtin();
    builtin.merge(&TransformerConfig::builtin(), None).unwrap();
    assert!(builtin.var_reference.is_same(&TransformerConfig::builtin().var_reference));
}

/// Reads a stream of configurations, merges them with the built-in one, and returns what is new, or the mistakes.
fn added(
    input: &str,
    read: impl for<'a> Fn(crate::tree::View<'_, 'a>, &crate::run::Run<'a>) -> Outcome<TransformerConfig<'a>>,
) -> Vec<String> {
    let added = std::cell::RefCell::new(Vec::new());
    let output = crate::transformers::tests::after(input, |resources, run| {
        let place = resources.get(0).and_then(|first| run.texts.place(first.view()));
        let mut config = TransformerConfig::builtin();
        for resource in resources.iter() {
            config.merge(&read(resource.view(), run)?, place)?;
        }
        let known = lines(&TransformerConfig::builtin());
        *added.borrow_mut() = lines(&config).into_iter().filter(|line| !known.contains(line)).collect();
        Ok(())
    });
    if output.starts_with("error: ") { output.lines().map(str::to_owned).collect() } else { added.into_inner() }
}

#[test]
fn configurations_add_to_what_is_built_in() {
    let read = |input: &str| {
        added(input, |view, run| TransformerConfig::read(Fields::open(run, view, "a configuration", crate::decode::Mode::Kustomization)))
    };
    let input = "namePrefix: [{path: metadata/name}, {path: a/b, kind: K, create: true}]
nameReference:
- {kind: ConfigMap, version: v1, fieldSpecs: [{path: spec/volumes/configMap/name, version: v1, kind: Pod}, {path: a, kind: K}]}
- {kind: ConfigMap, fieldSpecs: [{path: a, kind: K}]}
";
    assert_eq!(
        read(input),
        ["namePrefix ||K|a/b|true", "nameReference |v1|ConfigMap ||K|a|false", "nameReference ||ConfigMap ||K|a|false"]
    );
    let conflict = "images: [{path: 'spec/containers[]/image'}]\n";
    assert_eq!(
        read(conflict),
        [
            "error: failed to merge Images fieldSpec: conflicting fieldspecs: `spec/containers[]/image` of [noKind].[noVer].[noGrp] is given with \
          `create: true` and with `create: false`"
        ]
    );
}

#[test]
fn marked_properties_of_crds_are_fields() {
    let input = "github.com/x/v1.Bee:
  Schema:
    properties:
      kind: {type: string}
      apiVersion: {type: string}
      metadata: {$ref: k8s.io/meta}
      spec: {$ref: github.com/x/v1.Spec}
github.com/x/v1.Spec:
  schema:
    properties:
      again: {$ref: github.com/x/v1.Spec}
      map: {x-kubernetes-object-ref-api-version: v1, x-kubernetes-object-ref-kind: ConfigMap}
      key: {x-kubernetes-object-ref-api-version: v1, x-kubernetes-object-ref-kind: Secret, x-kubernetes-object-ref-name-key: id}
      notes: {x-kubernetes-annotation: ''}
      tags: {x-kubernetes-label-selector: ''}
      self: {x-kubernetes-identity: ''}
";
    assert_eq!(
        added(input, |view, run| crds::read(view, run, None)),
        [
            "namePrefix ||Bee|spec/self|false",
            "commonLabels ||Bee|spec/tags|false",
            "commonAnnotations ||Bee|spec/notes|false",
            "nameReference |v1|ConfigMap ||Bee|spec/map/name|false",
            "nameReference |v1|Secret ||Bee|spec/key/id|false",
        ]
    );
}
