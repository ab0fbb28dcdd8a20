//! Owns the stops of the tour: what somebody broke, the command that finds it, what to look at and the fix.

/// One stop.
pub(super) struct Stop {
    pub(super) title: &'static str,
    pub(super) about: &'static str,
    pub(super) file: &'static str,
    /// What is written there.
    pub(super) right: &'static str,
    pub(super) wrong: &'static str,
    pub(super) command: &'static [&'static str],
    pub(super) look: &'static str,
    pub(super) fix: &'static str,
}

pub(super) const STOPS: [Stop; 3] = [
    Stop {
        title: "A template that lost its `nindent`",
        about: "Somebody tidied up the chart. What it renders to is no YAML any more.",
        file: "base/charts/shop/templates/deployment.yaml",
        right: "{{- include \"shop.selector\" . | nindent 6 }}",
        wrong: "{{- include \"shop.selector\" . }}",
        command: &["kustomize", "build", "--enable-helm", "overlays/prod"],
        look: "the way from the overlay to the chart, what was rendered, and the last line: the place in the template, and what would line up.",
        fix: "put `| nindent 6` back.",
    },
    Stop {
        title: "A value that nobody reads",
        about: "The build is fine, and the cache still has 64 MB. Why?",
        file: "base/values.yaml",
        right: "maxMemory: 128mb",
        wrong: "maxMemroy: 128mb",
        command: &["explain", "overlays/prod", "deploy/shop-cache", "spec.template.spec.containers[name=cache].args[1]"],
        look: "the warning, and the row `value`: the chart's own 64mb is what counts.",
        fix: "spell the key as the warning says.",
    },
    Stop {
        title: "A patch for something that is not there",
        about: "Kustomize takes a target that matches nothing for fine, and the pods start without their limits.",
        file: "overlays/prod/kustomization.yaml",
        right: "- path: web.yaml\n  target:\n    kind: Deployment\n    name: shop",
        wrong: "- path: web.yaml\n  target:\n    kind: Deployment\n    name: web",
        command: &["explain", "overlays/prod", "deploy/shop", "spec.template.spec.containers[name=web].resources.requests.cpu"],
        look: "the warning, and that no row says `patches`: the request is still that of the base, which goes over the chart's.",
        fix: "name the target `shop`.",
    },
];
