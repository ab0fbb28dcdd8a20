//! Owns the fields that kustomize knows without being told (`builtinpluginconsts`).

use std::sync::LazyLock;

use super::{List, Referrers, Specs, TransformerConfig, sort_specs};
use crate::args::FieldSpec;
use crate::id::Gvk;

type Names = &'static [&'static str];

/// Some kinds of a group and version (empty for any), and the paths in each of them. A path that is made where it is missing starts with `+`.
struct Rows(&'static str, &'static str, Names, Names);

const ANY: Names = &[""];

/// Paths in a pod's spec, wherever the pod is.
macro_rules! under {
    ($at:literal, $($path:literal),+ $(,)?) => { &[$(concat!($at, "/", $path)),+] };
}

macro_rules! config_map_fields {
    ($at:literal) => {
        under!(
            $at,
            "volumes/configMap/name",
            "containers/env/valueFrom/configMapKeyRef/name",
            "initContainers/env/valueFrom/configMapKeyRef/name",
            "containers/envFrom/configMapRef/name",
            "initContainers/envFrom/configMapRef/name",
            "volumes/projected/sources/configMap/name",
        )
    };
}

macro_rules! secret_fields {
    ($at:literal) => {
        under!(
            $at,
            "volumes/secret/secretName",
            "containers/env/valueFrom/secretKeyRef/name",
            "initContainers/env/valueFrom/secretKeyRef/name",
            "containers/envFrom/secretRef/name",
            "initContainers/envFrom/secretRef/name",
            "imagePullSecrets/name",
            "volumes/projected/sources/secret/name",
        )
    };
}

macro_rules! var_fields {
    ($at:literal) => {
        under!(
            $at,
            "containers/args",
            "containers/command",
            "containers/env/value",
            "containers/volumeMounts/mountPath",
            "initContainers/args",
            "initContainers/command",
            "initContainers/env/value",
            "initContainers/volumeMounts/mountPath",
        )
    };
}

/// Selectors of other pods in a workload's pods.
const OTHER_PODS: Names = under!(
    "spec/template/spec",
    "affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
    "affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    "affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
    "affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    "topologySpreadConstraints/labelSelector/matchLabels",
);

const NAME: &[Rows] = &[Rows("", "", ANY, &["metadata/name"])];

const NAMESPACE: &[Rows] = &[
    Rows("", "", &["Namespace"], &["+metadata/name"]),
    Rows("apiregistration.k8s.io", "", &["APIService"], &["+spec/service/namespace"]),
    Rows("apiextensions.k8s.io", "", &["CustomResourceDefinition"], &["spec/conversion/webhook/clientConfig/service/namespace"]),
];

const SELECTORS: &[Rows] = &[
    Rows("", "v1", &["Service", "ReplicationController"], &["+spec/selector"]),
    Rows("", "", &["Deployment", "ReplicaSet", "DaemonSet"], &["+spec/selector/matchLabels"]),
    Rows("apps", "", &["Deployment"], OTHER_PODS),
    Rows("apps", "", &["StatefulSet"], &["+spec/selector/matchLabels"]),
    Rows("apps", "", &["StatefulSet"], OTHER_PODS),
    Rows("batch", "", &["Job"], &["spec/selector/matchLabels"]),
    Rows("batch", "", &["CronJob"], &["spec/jobTemplate/spec/selector/matchLabels"]),
    Rows("policy", "", &["PodDisruptionBudget"], &["spec/selector/matchLabels"]),
    Rows(
        "networking.k8s.io",
        "",
        &["NetworkPolicy"],
        &["spec/podSelector/matchLabels", "spec/ingress/from/podSelector/matchLabels", "spec/egress/to/podSelector/matchLabels"],
    ),
];

const LABELS: &[Rows] = &[
    Rows("", "", ANY, &["+metadata/labels"]),
    Rows("", "v1", &["ReplicationController"], &["+spec/template/metadata/labels"]),
    Rows("", "", &["Deployment", "ReplicaSet", "DaemonSet"], &["+spec/template/metadata/labels"]),
    Rows("apps", "", &["StatefulSet"], &["+spec/template/metadata/labels", "+spec/volumeClaimTemplates[]/metadata/labels"]),
    Rows("batch", "", &["Job"], &["+spec/template/metadata/labels"]),
    Rows("batch", "", &["CronJob"], &["+spec/jobTemplate/metadata/labels", "+spec/jobTemplate/spec/template/metadata/labels"]),
];

const ANNOTATIONS: &[Rows] = &[
    Rows("", "", ANY, &["+metadata/annotations"]),
    Rows("", "v1", &["ReplicationController"], &["+spec/template/metadata/annotations"]),
    Rows("", "", &["Deployment", "ReplicaSet", "DaemonSet", "StatefulSet"], &["+spec/template/metadata/annotations"]),
    Rows("batch", "", &["Job"], &["+spec/template/metadata/annotations"]),
    Rows("batch", "", &["CronJob"], &["+spec/jobTemplate/metadata/annotations", "+spec/jobTemplate/spec/template/metadata/annotations"]),
];

const VARS: &[Rows] = &[
    Rows("", "", &["CronJob"], var_fields!("spec/jobTemplate/spec/template/spec")),
    // Not where a pod's volumes are, but kustomize has it so.
    Rows("", "", &["CronJob"], &["spec/jobTemplate/spec/template/volumes/nfs/server"]),
    Rows("", "", &["DaemonSet", "Deployment", "Job", "ReplicaSet", "StatefulSet"], var_fields!("spec/template/spec")),
    Rows("", "", &["DaemonSet", "Deployment", "Job", "ReplicaSet"], &["spec/template/spec/volumes/nfs/server"]),
    Rows("", "", &["Deployment"], &["spec/template/metadata/annotations"]),
    Rows("", "", &["Ingress"], &["spec/rules/host", "spec/tls/hosts", "spec/tls/secretName"]),
    Rows("", "", &["Pod"], var_fields!("spec")),
    Rows("", "", &["Pod"], &["spec/volumes/nfs/server"]),
    Rows("", "", &["Service"], &["spec/ports/port", "spec/ports/targetPort"]),
    Rows("", "", &["StatefulSet"], &["spec/volumeClaimTemplates/spec/nfs/server"]),
    Rows("", "", &["PersistentVolume"], &["spec/nfs/server"]),
    Rows("", "", ANY, &["metadata/labels", "metadata/annotations"]),
];

const IMAGES: &[Rows] = &[Rows(
    "",
    "",
    ANY,
    &[
        "+spec/containers[]/image",
        "+spec/initContainers[]/image",
        "+spec/volumes[]/image/reference",
        "+spec/template/spec/containers[]/image",
        "+spec/template/spec/initContainers[]/image",
        "+spec/template/spec/volumes[]/image/reference",
    ],
)];

const REPLICAS: &[Rows] = &[Rows("", "", &["Deployment", "ReplicationController", "ReplicaSet", "StatefulSet"], &["+spec/replicas"])];

/// What has pods at `spec/template/spec`, as far as names of ConfigMaps and Secrets go.
const POD_OWNERS: Names = &["Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", "Job"];
/// The same for what else pods refer to.
const OTHER_POD_OWNERS: Names = &["StatefulSet", "Deployment", "ReplicationController", "Job", "DaemonSet"];

const fn kind(group: &'static str, version: &'static str, kind: &'static str) -> Gvk<'static> {
    Gvk { group, version, kind }
}

const RBAC: &str = "rbac.authorization.k8s.io";
const SCALED: &[Rows] = &[Rows("", "", &["HorizontalPodAutoscaler"], &["spec/scaleTargetRef/name"])];

const REFERENCES: &[(Gvk<'static>, &[Rows])] = &[
    (kind("", "", "Deployment"), SCALED),
    (kind("", "", "ReplicationController"), SCALED),
    (kind("", "", "ReplicaSet"), SCALED),
    (kind("", "", "StatefulSet"), SCALED),
    (
        kind("", "v1", "ConfigMap"),
        &[
            Rows("", "v1", &["Pod"], config_map_fields!("spec")),
            Rows("", "", &["PodTemplate"], config_map_fields!("template/spec")),
            Rows("", "", POD_OWNERS, config_map_fields!("spec/template/spec")),
            Rows("", "", &["CronJob"], config_map_fields!("spec/jobTemplate/spec/template/spec")),
            Rows("", "", &["Node"], &["spec/configSource/configMap"]),
            Rows("", "", &["Role", "ClusterRole"], &["rules/resourceNames"]),
            Rows("", "", &["Ingress"], &["metadata/annotations/nginx.ingress.kubernetes.io\\/fastcgi-params-configmap"]),
        ],
    ),
    (
        kind("", "v1", "Secret"),
        &[
            Rows("", "v1", &["Pod"], secret_fields!("spec")),
            Rows("", "", &["PodTemplate"], secret_fields!("template/spec")),
            Rows("", "", POD_OWNERS, secret_fields!("spec/template/spec")),
            Rows("", "", &["CronJob"], secret_fields!("spec/jobTemplate/spec/template/spec")),
            Rows(
                "",
                "",
                &["Ingress"],
                &[
                    "spec/tls/secretName",
                    "metadata/annotations/ingress.kubernetes.io\\/auth-secret",
                    "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-secret",
                    "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-tls-secret",
                ],
            ),
            Rows("", "", &["ServiceAccount"], &["imagePullSecrets/name"]),
            Rows(
                "",
                "",
                &["StorageClass"],
                &["parameters/secretName", "parameters/adminSecretName", "parameters/userSecretName", "parameters/secretRef"],
            ),
            Rows("", "", &["Role", "ClusterRole"], &["rules/resourceNames"]),
            Rows("serving.knative.dev", "v1", &["Service"], &["spec/template/spec/containers/env/valueFrom/secretKeyRef/name"]),
            Rows("", "", &["PersistentVolume"], &["spec/azureFile/secretName"]),
        ],
    ),
    (
        kind("", "v1", "Service"),
        &[
            Rows("apps", "", &["StatefulSet"], &["spec/serviceName"]),
            Rows(
                "",
                "",
                &["Ingress"],
                &[
                    "spec/rules/http/paths/backend/serviceName",
                    "spec/backend/serviceName",
                    "spec/rules/http/paths/backend/service/name",
                    "spec/defaultBackend/service/name",
                ],
            ),
            Rows("apiregistration.k8s.io", "", &["APIService"], &["spec/service/name"]),
            Rows(
                "admissionregistration.k8s.io",
                "",
                &["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"],
                &["webhooks/clientConfig/service"],
            ),
        ],
    ),
    (kind(RBAC, "", "Role"), &[Rows(RBAC, "", &["RoleBinding"], &["roleRef/name"])]),
    (kind(RBAC, "", "ClusterRole"), &[Rows(RBAC, "", &["RoleBinding", "ClusterRoleBinding"], &["roleRef/name"])]),
    (
        kind("", "v1", "ServiceAccount"),
        &[
            Rows(RBAC, "", &["RoleBinding", "ClusterRoleBinding"], &["subjects"]),
            Rows("", "", &["Pod"], &["spec/serviceAccountName"]),
            Rows("", "", OTHER_POD_OWNERS, &["spec/template/spec/serviceAccountName"]),
            Rows("", "", &["CronJob"], &["spec/jobTemplate/spec/template/spec/serviceAccountName"]),
        ],
    ),
    (
        kind("", "v1", "PersistentVolumeClaim"),
        &[
            Rows("", "", &["Pod"], &["spec/volumes/persistentVolumeClaim/claimName"]),
            Rows("", "", OTHER_POD_OWNERS, &["spec/template/spec/volumes/persistentVolumeClaim/claimName"]),
            Rows("", "", &["CronJob"], &["spec/jobTemplate/spec/template/spec/volumes/persistentVolumeClaim/claimName"]),
        ],
    ),
    (
        kind("", "v1", "PersistentVolume"),
        &[Rows("", "", &["PersistentVolumeClaim"], &["spec/volumeName"]), Rows("", "", &["ClusterRole"], &["rules/resourceNames"])],
    ),
    (
        kind("storage.k8s.io", "v1", "StorageClass"),
        &[
            Rows("", "", &["PersistentVolume", "PersistentVolumeClaim"], &["spec/storageClassName"]),
            Rows("", "", &["StatefulSet"], &["spec/volumeClaimTemplates/spec/storageClassName"]),
        ],
    ),
    (
        kind("scheduling.k8s.io", "v1", "PriorityClass"),
        &[
            Rows("", "", &["Pod"], &["spec/priorityClassName"]),
            Rows("", "", OTHER_POD_OWNERS, &["spec/template/spec/priorityClassName"]),
            Rows("", "", &["CronJob"], &["spec/jobTemplate/spec/template/spec/priorityClassName"]),
        ],
    ),
    // The group has a version in it, so that no IngressClass is ever meant; kept, since it decides what a user's own entry merges with.
    (kind("networking.k8s.io/v1", "v1", "IngressClass"), &[Rows("", "", &["Ingress"], &["spec/ingressClassName"])]),
    (
        kind("admissionregistration.k8s.io", "", "ValidatingAdmissionPolicy"),
        &[Rows("admissionregistration.k8s.io", "", &["ValidatingAdmissionPolicyBinding"], &["spec/policyName"])],
    ),
];

fn expand(rows: &[Rows]) -> Vec<FieldSpec<'static>> {
    let mut specs = Vec::new();
    for Rows(group, version, kinds, paths) in rows {
        for kind in *kinds {
            for path in *paths {
                let (create, path) = path.strip_prefix('+').map_or((false, *path), |path| (true, path));
                specs.push(FieldSpec { gvk: Gvk { group, version, kind }, path, create });
            }
        }
    }
    specs
}

fn sorted(rows: &[&[Rows]]) -> Specs<'static> {
    let mut specs: Vec<FieldSpec<'static>> = rows.iter().flat_map(|rows| expand(rows)).collect();
    sort_specs(&mut specs);
    List::Owned(specs)
}

static BUILTIN: LazyLock<TransformerConfig<'static>> = LazyLock::new(|| {
    let mut references: Vec<Referrers<'static>> =
        REFERENCES.iter().map(|(target, rows)| Referrers { target: *target, fields: List::Owned(expand(rows)) }).collect();
    references.sort_by(|left, right| super::compare(&left.target, &right.target));
    TransformerConfig {
        name_prefix: sorted(&[NAME]),
        name_suffix: sorted(&[NAME]),
        namespace: sorted(&[NAMESPACE]),
        common_labels: sorted(&[SELECTORS, LABELS]),
        labels: List::default(),
        template_labels: sorted(&[LABELS]),
        common_annotations: sorted(&[ANNOTATIONS]),
        name_reference: List::Owned(references),
        var_reference: sorted(&[VARS]),
        images: sorted(&[IMAGES]),
        replicas: sorted(&[REPLICAS]),
    }
});

/// Returns the built-in configuration: borrowed, so that merging knows it again.
pub(super) fn builtin<'a>() -> TransformerConfig<'a> {
    let config: &'static TransformerConfig<'static> = &BUILTIN;
    let borrowed = |specs: &'static Specs<'static>| -> Specs<'a> { List::Borrowed(specs) };
    TransformerConfig {
        name_prefix: borrowed(&config.name_prefix),
        name_suffix: borrowed(&config.name_suffix),
        namespace: borrowed(&config.namespace),
        common_labels: borrowed(&config.common_labels),
        labels: borrowed(&config.labels),
        template_labels: borrowed(&config.template_labels),
        common_annotations: borrowed(&config.common_annotations),
        name_reference: List::Borrowed(&config.name_reference),
        var_reference: borrowed(&config.var_reference),
        images: borrowed(&config.images),
        replicas: borrowed(&config.replicas),
    }
}
