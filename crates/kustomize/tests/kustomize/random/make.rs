//! Owns making kustomizations at random: bases, a component and an overlay with whatever fields, each of which may be wrong.

use std::collections::BTreeMap;

/// The folder that is built.
pub(super) const TOP: &str = "top";

pub(super) type Folder = BTreeMap<String, String>;

/// Chances, and the objects that what is being made may mean.
pub(super) struct Random {
    state: u64,
    known: Vec<(&'static str, &'static str)>,
}

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed, known: Vec::new() }
    }

    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn pick<'p>(&mut self, from: &[&'p str]) -> &'p str {
        from[self.below(from.len())]
    }

    /// Kind and name of an object, of one of these kinds if any: mostly one that is there.
    fn object(&mut self, kinds: &[&'static str]) -> (&'static str, &'static str) {
        if self.knows(kinds) && !self.chance(2) {
            let fits: Vec<_> = self.known.iter().copied().filter(|(kind, _)| kinds.is_empty() || kinds.contains(kind)).collect();
            return fits[self.below(fits.len())];
        }
        (self.pick(if kinds.is_empty() { KINDS } else { kinds }), self.pick(NAMES))
    }

    /// Whether an object of one of these kinds is there.
    fn knows(&self, kinds: &[&str]) -> bool {
        self.known.iter().any(|(kind, _)| kinds.is_empty() || kinds.contains(kind))
    }

    /// Whether something of this chance in a hundred happens.
    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

const NAMES: &[&str] = &["app", "web", "db"];
const SPACES: &[&str] = &["one", "two", "default"];
const SCALARS: &[&str] = &[
    "x",
    "\"1\"",
    "7",
    "true",
    "\"true\"",
    "yes",
    "010",
    "1.0",
    "null",
    "''",
    "'a: b'",
    "a#b",
    "2020-01-01",
    "0x1F",
    "1e3",
    "\"a\\nb\\n\"",
    "{a: b}",
    "[a, b]",
];
const KINDS: &[&str] = &[
    "Deployment",
    "StatefulSet",
    "Service",
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "Ingress",
    "HorizontalPodAutoscaler",
    "CronJob",
    "Pod",
    "NetworkPolicy",
    "Widget",
    "Namespace",
    "PersistentVolumeClaim",
];

fn api_version(kind: &str) -> &'static str {
    match kind {
        "Deployment" | "StatefulSet" => "apps/v1",
        "Role" | "RoleBinding" => "rbac.authorization.k8s.io/v1",
        "Ingress" | "NetworkPolicy" => "networking.k8s.io/v1",
        "HorizontalPodAutoscaler" => "autoscaling/v2",
        "CronJob" => "batch/v1",
        "Widget" => "example.org/v1",
        _ => "v1",
    }
}

/// A container with what may refer to others, and what patches may meet.
fn container(random: &mut Random) -> String {
    let name = random.pick(&["main", "side"]);
    let image = random.pick(&["nginx", "nginx:1.2", "example.org:5000/nginx", "redis@sha256:abc", "redis:7@sha256:abc"]);
    let mut text = format!("{{name: {name}, image: \"{image}\"");
    if random.chance(50) {
        let (one, other) = (random.pick(NAMES), random.pick(NAMES));
        text.push_str(&format!(
            ", env: [{{name: A, value: {}}}, {{name: B, valueFrom: {{configMapKeyRef: {{name: {one}, key: k}}}}}}], envFrom: [{{secretRef: {{name: {other}}}}}]",
            random.pick(&["x", "\"1\"", "''", "$(A)"])
        ));
    }
    if random.chance(30) {
        text.push_str(", ports: [{containerPort: 80, name: http}, {containerPort: 53, protocol: UDP}]");
    }
    if random.chance(20) {
        text.push_str(", command: [run, it], volumeMounts: [{mountPath: /a, name: v}]");
    }
    text + "}"
}

fn pod(random: &mut Random) -> String {
    let containers: Vec<String> = (0..=random.below(2)).map(|_| container(random)).collect();
    let mut text = format!("{{containers: [{}]", containers.join(", "));
    if random.chance(20) {
        text.push_str(&format!(", initContainers: [{}]", container(random)));
    }
    if random.chance(40) {
        text.push_str(&format!(
            ", volumes: [{{name: v, configMap: {{name: {}}}}}, {{name: w, secret: {{secretName: {}}}}}]",
            random.pick(NAMES),
            random.pick(NAMES)
        ));
    }
    if random.chance(30) {
        text.push_str(&format!(", serviceAccountName: {}", random.pick(NAMES)));
    }
    text + "}"
}

fn body(random: &mut Random, kind: &str) -> String {
    let name = random.pick(NAMES);
    let scalar = random.pick(SCALARS);
    match kind {
        "Deployment" | "StatefulSet" => format!(
            "spec: {{replicas: {}, selector: {{matchLabels: {{app: {name}}}}}, template: {{metadata: {{labels: {{app: {name}}}}}, spec: {}}}}}",
            random.below(5),
            pod(random)
        ),
        "CronJob" => format!("spec: {{jobTemplate: {{spec: {{template: {{spec: {}}}}}}}}}", pod(random)),
        "Pod" => format!("spec: {}", pod(random)),
        "Service" => format!("spec: {{selector: {{app: {name}}}, ports: [{{port: 80}}, {{port: 53, protocol: UDP}}]}}"),
        "ConfigMap" | "Secret" => format!("data: {{k: {}, l: \"{name}.example.org/x\"}}", random.pick(&["x", "\"1\"", "'true'"])),
        "RoleBinding" => format!(
            "roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: {name}}}\nsubjects: [{{kind: ServiceAccount, name: {}, namespace: {}}}, \
             {{kind: ServiceAccount, name: default}}]",
            random.pick(NAMES),
            random.pick(SPACES)
        ),
        "Role" => format!("rules: [{{apiGroups: [''], resources: [secrets], resourceNames: [{name}], verbs: [get]}}]"),
        "Ingress" => format!(
            "spec: {{tls: [{{secretName: {}}}], rules: [{{host: h, http: {{paths: [{{path: /, backend: {{service: {{name: {name}}}}}}}]}}}}]}}",
            random.pick(NAMES)
        ),
        "HorizontalPodAutoscaler" => format!(
            "spec: {{scaleTargetRef: {{apiVersion: apps/v1, kind: {}, name: {name}}}, maxReplicas: 3}}",
            random.pick(&["Deployment", "StatefulSet"])
        ),
        "NetworkPolicy" => format!("spec: {{podSelector: {{matchLabels: {{app: {name}}}}}, ingress: [{{from: [{{podSelector: {{}}}}]}}]}}"),
        "Widget" => format!(
            "spec: {{list: [{{name: a, v: {scalar}}}, {{name: b}}], deep: {{er: {scalar}}}, replicas: 1, containers: [{}]}}",
            container(random)
        ),
        "PersistentVolumeClaim" => format!("spec: {{storageClassName: {name}}}"),
        _ => String::new(),
    }
}

fn object(random: &mut Random, kind: &str, name: &str) -> String {
    let mut metadata = format!("name: {name}");
    if random.chance(20) {
        metadata.push_str(&format!(", namespace: {}", random.pick(SPACES)));
    }
    if random.chance(40) {
        metadata.push_str(&format!(", labels: {{tier: {}}}", random.pick(&["front", "back"])));
    }
    if random.chance(20) {
        metadata.push_str(&format!(", annotations: {{note: {}}}", random.pick(&["x", "\"1\"", "'true'", "''"])));
    }
    format!("apiVersion: {}\nkind: {kind}\nmetadata: {{{metadata}}}\n{}\n", api_version(kind), body(random, kind))
}

/// Some objects as one file, each of which is new.
fn objects(random: &mut Random, taken: &mut Vec<(&'static str, &'static str)>) -> String {
    let mut all = Vec::new();
    while all.is_empty() || random.chance(75) {
        let (kind, name) = (random.pick(KINDS), random.pick(NAMES));
        // Namespaces that are renamed fall together.
        let is_taken = taken.contains(&(kind, name)) || kind == "Namespace" && taken.iter().any(|(kind, _)| *kind == "Namespace");
        if !is_taken || random.chance(1) {
            taken.push((kind, name));
            random.known.push((kind, name));
            all.push(object(random, kind, name));
        }
    }
    all.join("---\n")
}

/// The inside of a strategic merge patch.
fn merged(random: &mut Random, kind: &str) -> String {
    let name = random.pick(&["main", "side", "new"]);
    let scalar = random.pick(SCALARS);
    let pod = match random.below(8) {
        0 => format!("{{containers: [{{name: {name}, $patch: delete}}]}}"),
        1 => format!("{{containers: [{{name: {name}, image: i}}, {{$patch: replace}}]}}"),
        2 => format!("{{containers: [{{name: {name}, env: [{{name: A, value: z}}, {{name: N, value: \"2\"}}]}}]}}"),
        3 => {
            format!("{{containers: [{{name: {name}, ports: [{{containerPort: 53, hostPort: 1}}, {{containerPort: 80, protocol: TCP}}]}}]}}")
        }
        4 => "{volumes: [{name: v, emptyDir: {}}, {name: z, hostPath: {path: /x}}], serviceAccountName: null}".to_owned(),
        5 => "{volumes: null, tolerations: [{key: a}]}".to_owned(),
        6 => format!("{{containers: [{{name: {name}, command: [other], image: null}}]}}"),
        _ => format!("{{$patch: {}, hostNetwork: true}}", random.pick(&["replace", "merge", "delete"])),
    };
    match kind {
        "Deployment" | "StatefulSet" if random.chance(80) => format!("spec: {{template: {{spec: {pod}}}}}"),
        "Pod" => format!("spec: {pod}"),
        "ConfigMap" | "Secret" => format!("data: {{k: {}, n: \"2\"}}", random.pick(&["null", "y1", "\"010\""])),
        "Service" => "spec: {ports: [{port: 53, protocol: UDP, name: dns}, {port: 81}], type: null}".to_owned(),
        "Widget" => format!(
            "spec: {{list: [{{name: b, v: {scalar}}}], deep: {}}}",
            random.pick(&["null", "{er: null, est: 1}", "{$patch: replace, x: y1}"])
        ),
        _ => format!("metadata: {{name: NAME, annotations: {{patched: {}}}, labels: null}}", random.pick(&["\"yes\"", "x", "null"])),
    }
}

fn strategic(random: &mut Random) -> String {
    let (kind, name) = random.object(&[]);
    let inside = merged(random, kind);
    let inside = if random.chance(7) { "$patch: delete".to_owned() } else { inside };
    let head = format!("apiVersion: {}, kind: {kind}", api_version(kind));
    let text = if inside.starts_with("metadata: ") {
        format!("{{{head}, {}}}", inside.replace("NAME", name))
    } else {
        format!("{{{head}, metadata: {{name: {name}}}, {inside}}}")
    };
    text.replace('\'', "\"")
}

fn target(random: &mut Random) -> String {
    match random.below(7) {
        0 => format!("kind: {}", random.pick(KINDS)),
        1 => format!("name: {}", random.pick(&["app", "a.*", "app|db", ".*", "p-app"])),
        2 => format!("labelSelector: \"{}\"", random.pick(&["tier=front", "tier in (back)", "!tier", "tier,app!=x"])),
        3 => "annotationSelector: note".to_owned(),
        4 => format!("namespace: {}", random.pick(SPACES)),
        5 => {
            let (kind, name) = random.object(&[]);
            format!("kind: {kind}, name: {name}")
        }
        _ => "group: apps, version: v1".to_owned(),
    }
}

/// A JSON patch of an object: what it is about is mostly there.
fn operations(random: &mut Random) -> String {
    let (kind, name) = random.object(&[]);
    let mut paths = vec!["/metadata/name", "/metadata/labels", "/metadata/annotations"];
    match kind {
        "Deployment" | "StatefulSet" => {
            paths.extend(["/spec/replicas", "/spec/template/spec/containers/0/image", "/spec/template/spec/containers/-"])
        }
        "ConfigMap" | "Secret" => paths.extend(["/data/k", "/data/a~1b", "/data"]),
        "Widget" => paths.extend(["/spec/list/0/v", "/spec/list/-", "/spec/list/1", "/spec/none/x"]),
        "Service" => paths.extend(["/spec/ports/0", "/spec/ports/0/name", "/spec/selector/app"]),
        _ => {}
    }
    let path = random.pick(&paths);
    let value = random.pick(&["\"x\"", "\"1\"", "3", "{\"a\": \"b\"}", "{\"a\": null}", "true", "[]"]);
    let operation = match random.below(12) {
        0 => format!("{{\"op\": \"remove\", \"path\": \"{path}\"}}"),
        1 | 2 => format!("{{\"op\": \"replace\", \"path\": \"{path}\", \"value\": {value}}}"),
        3 => format!("{{\"op\": \"copy\", \"from\": \"/metadata/name\", \"path\": \"{path}\"}}"),
        4 => format!("{{\"op\": \"test\", \"path\": \"/metadata/name\", \"value\": \"{name}\"}}"),
        _ => format!("{{\"op\": \"add\", \"path\": \"{path}\", \"value\": {value}}}"),
    };
    format!("- {{target: {{kind: {kind}, name: {name}}}, patch: '[{operation}]'}}\n")
}

fn patch(random: &mut Random) -> String {
    match random.below(4) {
        0 => operations(random),
        1 => format!("- {{target: {{{}}}, patch: '{}'}}\n", target(random), strategic(random)),
        _ => format!("- {{patch: '{}'}}\n", strategic(random)),
    }
}

fn replacement(random: &mut Random) -> String {
    let (texts, scaled) = (["ConfigMap", "Secret"], ["Deployment", "StatefulSet"]);
    let source = match random.below(4) {
        1 if random.knows(&texts) => {
            let (kind, name) = random.object(&texts);
            format!("source: {{kind: {kind}, name: {name}, fieldPath: data.l, options: {{delimiter: ., index: {}}}}}", random.below(3))
        }
        2 if random.knows(&scaled) => {
            let (kind, name) = random.object(&scaled);
            format!("source: {{kind: {kind}, name: {name}, fieldPath: spec.replicas}}")
        }
        3 => {
            let (kind, name) = random.object(&[]);
            format!("source: {{kind: {kind}, name: {name}}}")
        }
        _ => format!("sourceValue: {}", random.pick(&["x", "\"5\"", "''"])),
    };
    let (kind, name) = random.object(&["Deployment", "StatefulSet", "ConfigMap", "Widget", "Service"]);
    let path = match kind {
        "Deployment" | "StatefulSet" => random.pick(&["spec.template.spec.containers.*.image", "spec.template.spec.containers.0.image"]),
        "ConfigMap" => random.pick(&["data.k", "data.l"]),
        "Widget" => random.pick(&["spec.list.[name=a].v", "spec.list.[name=b].v", "spec.deep.er"]),
        _ => random.pick(&["spec.ports.0.port", "spec.ports.[protocol=UDP].port", "spec.selector.app"]),
    };
    let path = if random.chance(20) { random.pick(&["metadata.annotations.new", "metadata.labels.[a.b/c]"]) } else { path };
    let options = random.pick(&[
        ", options: {create: true}",
        ", options: {create: true}",
        "",
        ", options: {delimiter: ., index: 1}",
        ", options: {delimiter: ., index: -1}",
    ]);
    format!("- {{{source}, targets: [{{select: {{kind: {kind}, name: {name}}}, fieldPaths: [\"{path}\"]{options}}}]}}\n")
}

fn generator(random: &mut Random, kind: &'static str) -> String {
    let known: Vec<_> = random.known.iter().filter(|known| known.0 == kind).map(|known| known.1).collect();
    let is_known = !known.is_empty() && random.chance(40);
    let unknown: Vec<_> = NAMES.iter().copied().filter(|name| !known.contains(name)).collect();
    let name = if is_known || unknown.is_empty() { random.pick(&known) } else { random.pick(&unknown) };
    let mut text = format!("- {{name: {name}");
    if is_known {
        text.push_str(&format!(", behavior: {}", random.pick(&["merge", "replace"])));
    } else {
        random.known.push((kind, name));
    }
    text.push_str(&format!(
        ", literals: [\"k={}\", \"{}=x\"]",
        random.pick(&["1", "x y", "true", "a\\nb", ""]),
        random.pick(&["l", "m", "z"])
    ));
    if random.chance(3) {
        text.push_str(&format!(", namespace: {}", random.pick(SPACES)));
    }
    if random.chance(20) {
        text.push_str(", options: {disableNameSuffixHash: true, labels: {gen: \"1\"}}");
    }
    text + "}\n"
}

fn labels(random: &mut Random) -> String {
    let how = random.pick(&[
        "",
        ", includeSelectors: true",
        ", includeTemplates: true",
        ", fields: [{path: spec/more, create: true, kind: Widget}]",
    ]);
    format!("- {{pairs: {{{}: {}}}{how}}}\n", random.pick(&["tier", "app", "zone"]), random.pick(&["front", "\"1\"", "\"true\"", "z"]))
}

/// Fields of a kustomization, besides what it is made of.
fn fields(random: &mut Random, out: &mut String) {
    let list = |random: &mut Random, out: &mut String, field: &str, chance: usize, entry: fn(&mut Random) -> String| {
        if random.chance(chance) {
            out.push_str(&format!("{field}:\n"));
            for _ in 0..=random.below(2) {
                out.push_str(&entry(random));
            }
        }
    };
    if random.chance(35) {
        out.push_str(&format!("namePrefix: {}\n", random.pick(&["p-", "q-"])));
    }
    if random.chance(15) {
        out.push_str("nameSuffix: -s\n");
    }
    if random.chance(30) {
        out.push_str(&format!("namespace: {}\n", random.pick(SPACES)));
    }
    if random.chance(15) {
        out.push_str(&format!("commonLabels: {{{}: common}}\n", random.pick(&["tier", "team"])));
    }
    if random.chance(15) {
        out.push_str("commonAnnotations: {note: common, other: \"1\"}\n");
    }
    if random.chance(5) {
        out.push_str("generatorOptions: {labels: {gen: global}, disableNameSuffixHash: true}\n");
    }
    list(random, out, "configMapGenerator", 25, |random| generator(random, "ConfigMap"));
    list(random, out, "secretGenerator", 15, |random| generator(random, "Secret"));
    list(random, out, "labels", 25, labels);
    list(random, out, "patches", 50, patch);
    list(random, out, "replacements", 20, replacement);
    list(random, out, "images", 25, |random| {
        let change = random.pick(&[
            "newTag: \"2\"",
            "newName: moved",
            "digest: \"sha256:d\"",
            "newName: moved, newTag: v3",
            "newTag: v1, digest: \"sha256:d\"",
        ]);
        format!("- {{name: {}, {change}}}\n", random.pick(&["nginx", "redis", "\"example.org:5000/nginx\"", "moved"]))
    });
    let scaled = if random.knows(&["Deployment", "StatefulSet"]) { 15 } else { 0 };
    list(random, out, "replicas", scaled, |random| {
        let (_, name) = random.object(&["Deployment", "StatefulSet"]);
        format!("- {{name: {name}, count: {}}}\n", random.below(9))
    });
    if random.chance(8) {
        out.push_str(&format!("buildMetadata: [{}]\n", random.pick(&["originAnnotations", "transformerAnnotations", "managedByLabel"])));
    }
}

pub(super) fn kustomization(random: &mut Random) -> Folder {
    let mut folder = Folder::new();
    let (mut taken, mut all) = (Vec::new(), Vec::new());
    let bases: Vec<String> = (0..=random.below(3)).map(|nth| format!("base{nth}")).collect();
    for base in &bases {
        random.known = Vec::new();
        folder.insert(format!("{base}/objects.yaml"), objects(random, &mut taken));
        let mut text = "resources:\n- objects.yaml\n".to_owned();
        if random.chance(60) {
            fields(random, &mut text);
        }
        folder.insert(format!("{base}/kustomization.yaml"), text);
        all.append(&mut random.known);
    }
    random.known = all;
    let mut text = "resources:\n".to_owned();
    for base in &bases {
        text.push_str(&format!("- ../{base}\n"));
    }
    if random.chance(40) {
        text.push_str("- own.yaml\n");
        folder.insert(format!("{TOP}/own.yaml"), objects(random, &mut taken));
    }
    fields(random, &mut text);
    if random.chance(30) {
        text.push_str("components:\n- ../component\n");
        let mut component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n".to_owned();
        fields(random, &mut component);
        folder.insert("component/kustomization.yaml".to_owned(), component);
    }
    if random.chance(10) {
        text.push_str(&format!("sortOptions: {{order: {}}}\n", random.pick(&["legacy", "fifo"])));
    }
    folder.insert(format!("{TOP}/kustomization.yaml"), text);
    folder
}
