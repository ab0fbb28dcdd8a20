//! Owns the files of `examples/shop`, as the tour has them with it.

/// Paths and texts.
pub(super) const FILES: &[(&str, &str)] = &[
    ("base/charts/shop/Chart.yaml", include_str!("../../../../examples/shop/base/charts/shop/Chart.yaml")),
    ("base/charts/shop/charts/cache/Chart.yaml", include_str!("../../../../examples/shop/base/charts/shop/charts/cache/Chart.yaml")),
    (
        "base/charts/shop/charts/cache/templates/deployment.yaml",
        include_str!("../../../../examples/shop/base/charts/shop/charts/cache/templates/deployment.yaml"),
    ),
    (
        "base/charts/shop/charts/cache/templates/service.yaml",
        include_str!("../../../../examples/shop/base/charts/shop/charts/cache/templates/service.yaml"),
    ),
    ("base/charts/shop/charts/cache/values.yaml", include_str!("../../../../examples/shop/base/charts/shop/charts/cache/values.yaml")),
    ("base/charts/shop/templates/_helpers.tpl", include_str!("../../../../examples/shop/base/charts/shop/templates/_helpers.tpl")),
    ("base/charts/shop/templates/configmap.yaml", include_str!("../../../../examples/shop/base/charts/shop/templates/configmap.yaml")),
    ("base/charts/shop/templates/deployment.yaml", include_str!("../../../../examples/shop/base/charts/shop/templates/deployment.yaml")),
    ("base/charts/shop/templates/ingress.yaml", include_str!("../../../../examples/shop/base/charts/shop/templates/ingress.yaml")),
    ("base/charts/shop/templates/service.yaml", include_str!("../../../../examples/shop/base/charts/shop/templates/service.yaml")),
    ("base/charts/shop/values.yaml", include_str!("../../../../examples/shop/base/charts/shop/values.yaml")),
    ("base/kustomization.yaml", include_str!("../../../../examples/shop/base/kustomization.yaml")),
    ("base/values.yaml", include_str!("../../../../examples/shop/base/values.yaml")),
    ("overlays/prod/kustomization.yaml", include_str!("../../../../examples/shop/overlays/prod/kustomization.yaml")),
    ("overlays/prod/probes.yaml", include_str!("../../../../examples/shop/overlays/prod/probes.yaml")),
    ("overlays/prod/web.yaml", include_str!("../../../../examples/shop/overlays/prod/web.yaml")),
    ("overlays/staging/kustomization.yaml", include_str!("../../../../examples/shop/overlays/staging/kustomization.yaml")),
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::FILES;

    fn count(folder: &Path) -> usize {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
    }

    #[test]
    fn no_file_of_the_example_is_left_out() {
        assert_eq!(count(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/shop")), FILES.len());
    }
}
