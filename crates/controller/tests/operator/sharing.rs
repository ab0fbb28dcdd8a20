//! Many units on one repository: one fetch for all, and builds only of what a commit touches.

use std::time::Duration;

use plumb_plane::git::GitRequest;

use crate::Bench;

const UNITS: usize = 30;

fn reads(bench: &Bench, command: &str) -> usize {
    let requests = bench.git.requests().unwrap();
    requests.iter().filter(|request: &&GitRequest| request.service == "upload-pack" && request.command == command).count()
}

#[test]
fn a_push_costs_one_fetch_and_builds_what_it_touches() {
    let mut bench = Bench::several();
    // Only pushes bring it to ask.
    bench.poll = Duration::from_secs(3600);
    for nth in 0..UNITS {
        let unit = format!("unit-{nth}");
        bench.declare(&unit, "");
        bench.config_map(&unit, &format!("text-{nth}"), "1");
    }
    bench.push("Add them all");
    bench.git.forget_requests().unwrap();
    bench.start();
    (0..UNITS).for_each(|nth| bench.until_at_rest(&format!("unit-{nth}")));
    assert_eq!((reads(&bench, "fetch"), reads(&bench, "ls-refs")), (1, 1), "{:?}", bench.git.requests());
    assert_eq!(bench.counter("plumb_builds_total"), UNITS as u64);
    let versions = bench.versions();

    bench.config_map("unit-7", "text-7", "2");
    bench.repo.write("apps/unit-7/README.txt", "Not a manifest.").unwrap();
    bench.git.forget_requests().unwrap();
    bench.push("Change one");
    (0..UNITS).for_each(|nth| bench.until_at_rest(&format!("unit-{nth}")));
    assert_eq!(bench.value("text-7").as_deref(), Some("2"));
    assert_eq!((reads(&bench, "fetch"), reads(&bench, "ls-refs")), (1, 1), "{:?}", bench.git.requests());
    assert_eq!(bench.counter("plumb_builds_total"), UNITS as u64 + 1);
    let after = bench.versions();
    let changed: Vec<_> = after.iter().filter(|(name, version)| versions[*name] != **version).map(|(name, _)| name).collect();
    assert!(changed.iter().filter(|name| !name.contains("plumb-")).eq(&["ConfigMap/text-7"]) && changed.len() <= 2, "{changed:?}");

    bench.repo.write("README.md", "Nobody reads this.").unwrap();
    bench.push("Change nothing");
    (0..UNITS).for_each(|nth| bench.until_at_rest(&format!("unit-{nth}")));
    assert_eq!(bench.counter("plumb_builds_total"), UNITS as u64 + 1);
    assert_eq!(bench.versions(), after);
}

#[test]
fn a_file_that_two_units_read_builds_both() {
    let mut bench = Bench::several();
    bench.poll = Duration::from_secs(3600);
    for unit in ["a", "b", "c"] {
        bench.declare(unit, "");
        bench.config_map(unit, unit, "1");
    }
    for unit in ["a", "b"] {
        std::os::unix::fs::symlink(format!("../../shared/{unit}.yaml"), bench.repo.directory().join(format!("apps/{unit}/shared.yaml")))
            .unwrap();
        bench
            .repo
            .write(
                &format!("shared/{unit}.yaml"),
                format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: shared-{unit}}}\ndata: {{value: \"1\"}}\n"),
            )
            .unwrap();
    }
    bench.push("Add three");
    bench.start();
    ["a", "b", "c"].iter().for_each(|unit| bench.until_at_rest(unit));
    let builds = bench.counter("plumb_builds_total");
    for unit in ["a", "b"] {
        bench
            .repo
            .write(
                &format!("shared/{unit}.yaml"),
                format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: shared-{unit}}}\ndata: {{value: \"2\"}}\n"),
            )
            .unwrap();
    }
    bench.push("Change what two read");
    ["a", "b", "c"].iter().for_each(|unit| bench.until_at_rest(unit));
    assert_eq!(bench.counter("plumb_builds_total"), builds + 2);
    assert_eq!((bench.value("shared-a").as_deref(), bench.value("shared-b").as_deref()), (Some("2"), Some("2")));
}
