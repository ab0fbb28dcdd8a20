//! Owns the generated tree: thousands of objects that refer to each other, under an overlay with prefix, labels, patches and images.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Result;

/// Objects of the tree.
pub(super) const OBJECTS: usize = 4_000;
/// Applications in one file of the base.
const PER_FILE: usize = 25;

/// What an application is made of; the number stands where `NN` is.
const APPLICATION: &str = "apiVersion: v1
kind: ServiceAccount
metadata:
  name: appNN
  labels:
    app: appNN
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: appNN
data:
  region: eu-1
  address: appNN.example.org
  settings: |
    level: info
    workers: 4
---
apiVersion: v1
kind: Service
metadata:
  name: appNN
spec:
  selector:
    app: appNN
  ports:
  - name: http
    port: 80
    targetPort: 8080
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: appNN
  labels:
    app: appNN
spec:
  replicas: 2
  selector:
    matchLabels:
      app: appNN
  template:
    metadata:
      labels:
        app: appNN
    spec:
      serviceAccountName: appNN
      containers:
      - name: main
        image: example.org/app:1.0.0
        args:
        - serve
        - --address=:8080
        env:
        - name: LEVEL
          value: info
        - name: NUMBER
          value: \"NN\"
        envFrom:
        - configMapRef:
            name: appNN
        ports:
        - name: http
          containerPort: 8080
        resources:
          requests:
            cpu: 100m
            memory: 128Mi
";

const OVERLAY: &str = "namePrefix: prod-
namespace: prod
resources:
- ../base
labels:
- pairs:
    stage: production
  includeSelectors: true
images:
- name: example.org/app
  newName: mirror.example.org/app
  newTag: 2.0.0
patches:
- target:
    kind: Deployment
  patch: |-
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: any
    spec:
      template:
        spec:
          containers:
          - name: main
            env:
            - name: LEVEL
              value: warn
            - name: STAGE
              value: production
- target:
    kind: Service
    name: app.*7
  patch: |-
    - op: add
      path: /metadata/annotations
      value:
        note: seven
";

/// Writes the tree, and returns how many bytes its objects have.
pub(super) fn write(folder: &Path) -> Result<usize> {
    let (base, overlay) = (folder.join("base"), folder.join("overlay"));
    fs::create_dir_all(&base)?;
    fs::create_dir_all(&overlay)?;
    let applications: Vec<usize> = (0..OBJECTS / 4).collect();
    let mut resources = "resources:\n".to_owned();
    let mut bytes = 0;
    for (nth, few) in applications.chunks(PER_FILE).enumerate() {
        let objects: Vec<String> = few.iter().map(|number| APPLICATION.replace("NN", &number.to_string())).collect();
        let text = objects.join("---\n");
        bytes += text.len();
        writeln!(resources, "- objects{nth}.yaml")?;
        fs::write(base.join(format!("objects{nth}.yaml")), text)?;
    }
    fs::write(base.join("kustomization.yaml"), resources)?;
    fs::write(overlay.join("kustomization.yaml"), OVERLAY)?;
    Ok(bytes)
}
