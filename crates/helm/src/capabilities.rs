//! Owns what a chart is told of the cluster: Kubernetes' version and the APIs it serves (helm: pkg/chart/common/capabilities.go).

use plumb_gotemplate::{Call, Failure, Function, Heap, ListType, O, Object, Str, Struct, StructType, Trace, Value};

/// What `.Capabilities` has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Version as given, with `v`.
    pub kube_version: String,
    /// The same without what follows the numbers: what constraints are checked against.
    pub normalized: String,
    /// Major number.
    pub major: String,
    /// Minor number.
    pub minor: String,
    /// `group/version` and `group/version/Kind`.
    pub api_versions: Vec<String>,
}

/// What Helm 4.3.1 knows without a cluster.
const KNOWN: &str = include_str!("api_versions.txt");
/// The Kubernetes whose client it is built with.
const KUBE_VERSION: &str = "v1.37.0";
/// What charts see of Helm itself.
const HELM: [(&str, &str); 5] =
    [("Version", "v4.3"), ("GitCommit", ""), ("GitTreeState", ""), ("GoVersion", "go1.26.8"), ("KubeClientVersion", "v1.37")];

impl Default for Capabilities {
    fn default() -> Self {
        let mut new = Self {
            kube_version: String::new(),
            normalized: String::new(),
            major: String::new(),
            minor: String::new(),
            api_versions: KNOWN.lines().map(str::to_owned).collect(),
        };
        new.take(KUBE_VERSION, KUBE_VERSION.trim_start_matches('v'));
        new
    }
}

impl Capabilities {
    /// Sets Kubernetes' version as `--kube-version` does. The error is a message.
    pub fn set_kube_version(&mut self, text: &str) -> Result<(), String> {
        let bare = text.trim().trim_start_matches('v');
        let end = bare.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(bare.len());
        let parts: Vec<&str> = bare[..end].split('.').collect();
        let number = |part: &&str| !part.is_empty() && part.parse::<u64>().is_ok();
        if parts.len() < 2 || !parts.iter().all(number) {
            return Err(format!("invalid kube version '{text}': could not parse {text:?} as version"));
        }
        self.take(&format!("v{bare}"), &bare[..end]);
        Ok(())
    }

    fn take(&mut self, version: &str, numbers: &str) {
        version.clone_into(&mut self.kube_version);
        self.normalized = format!("v{numbers}");
        let mut parts = numbers.split('.');
        parts.next().unwrap_or_default().clone_into(&mut self.major);
        parts.next().unwrap_or_default().clone_into(&mut self.minor);
    }

    /// Returns what a chart is told of the cluster as text, for places to point into: Kubernetes, Helm, APIs, one a line.
    pub(crate) fn text(&self) -> String {
        let helm = HELM.first().map_or("", |(_, version)| version);
        format!("kubeVersion: {}\nhelmVersion: {helm}\napiVersions: [{}]\n", self.kube_version, self.api_versions.join(", "))
    }

    /// Returns `.Capabilities`; `origin` gives that of a line of [`text`](Self::text).
    pub(crate) fn value(&self, heap: &mut Heap, mut origin: impl FnMut(&mut Heap, usize) -> O) -> Value {
        let [of_kube, of_helm, of_versions] = [0, 1, 2].map(|line| origin(heap, line));
        let versions: Vec<Value> =
            self.api_versions.iter().map(|version| Value::Str(of_versions, heap.push(version.as_bytes(), of_versions))).collect();
        let versions = heap.list(ListType::Versions, &versions).with(of_versions);
        let kube = object(heap, &KUBE, &[(VERSION, &self.kube_version), ("Major", &self.major), ("Minor", &self.minor)], of_kube);
        let helm = object(heap, &BUILD_INFO, &HELM, of_helm);
        let fields = [("KubeVersion", kube), ("APIVersions", versions), ("HelmVersion", helm)];
        let fields = fields.map(|(name, value)| (heap.sym(name.as_bytes()), value)).to_vec();
        heap.object(Object::Struct(Struct { ty: &CAPABILITIES, fields }))
    }
}

const VERSION: &str = "Version";

static CAPABILITIES: StructType = StructType { name: "*common.Capabilities", methods: &[], text: None };
static KUBE: StructType = StructType { name: "common.KubeVersion", methods: &[&STRING, &GIT_VERSION], text: Some(normalized) };
static BUILD_INFO: StructType = StructType { name: "version.BuildInfo", methods: &[], text: None };

static STRING: Function = Function {
    name: "String",
    params: &[],
    variadic: None,
    trace: Trace::Exact,
    run: |c, a| {
        let text = version(c, &a[0]).map(|text| numbers(c.heap.bytes(text)).len());
        Ok(version(c, &a[0]).map_or(Value::EMPTY, |whole| Value::Str(O::NONE, whole.slice(0, text.unwrap_or_default()))))
    },
};
static GIT_VERSION: Function = Function {
    name: "GitVersion",
    params: &[],
    variadic: None,
    trace: Trace::Exact,
    run: |c, a| -> Result<Value, Failure> { Ok(version(c, &a[0]).map_or(Value::EMPTY, |text| Value::Str(O::NONE, text))) },
};

fn object(heap: &mut Heap, ty: &'static StructType, fields: &[(&str, &str)], of: O) -> Value {
    let fields = fields.iter().map(|(name, text)| (heap.sym(name.as_bytes()), Value::Str(of, heap.push(text.as_bytes(), of))));
    let fields = fields.collect();
    heap.object(Object::Struct(Struct { ty, fields })).with(of)
}

fn version(c: &Call<'_>, value: &Value) -> Option<Str> {
    let Value::Obj(_, id) = value else { return None };
    let Value::Str(_, text) = c.heap.obj(*id).field(c.heap.find_sym(VERSION.as_bytes())?)? else { return None };
    Some(text)
}

/// A version's part up to what follows its numbers.
fn numbers(version: &[u8]) -> &[u8] {
    let end = version.iter().skip(1).position(|byte| !byte.is_ascii_digit() && *byte != b'.').map_or(version.len(), |at| at + 1);
    &version[..end]
}

fn normalized(known: &Struct, heap: &Heap) -> Vec<u8> {
    match known.fields.first() {
        Some((_, Value::Str(_, text))) => numbers(heap.bytes(*text)).to_vec(),
        _ => Vec::new(),
    }
}
