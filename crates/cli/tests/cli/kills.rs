//! SIGKILL at every write of a sync: whatever was under way, the next start brings what is live to what Git says. Objects that Git kept stay
//! the objects they were, and nothing that Git still has is ever missing.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crate::live::{Live, assert_same};
use crate::serve::Serve;
use crate::world::{APP, Site, World};

/// Processes that run at once.
const AT_ONCE: usize = 8;
/// One write for each of the six objects, and the record before them.
const WRITES_FIRST: u64 = 7;
/// Two changed, one added, two deleted, and the record before and after.
const WRITES_CHANGE: u64 = 7;
/// Another unit's record, the record with the approval, six deletions, the record after, and its deletion.
const WRITES_REMOVAL: u64 = 10;
/// The approval is a write of its own when it comes before the deletion's first.
const WRITES_REMOVAL_MOST: u64 = WRITES_REMOVAL + 1;
/// Longer than a removal takes on a busy machine.
const REMOVAL: Duration = Duration::from_secs(90);

/// Two objects that are changed later.
const SETTINGS: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {greeting: GREETING}
";
const WEB: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      serviceAccountName: web
      containers: [{name: web, image: \"web:GREETING\"}]
";
/// Two that stay as they are.
const STAYING: &str = "apiVersion: v1
kind: ServiceAccount
metadata: {name: web}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80}]
";
/// Two that are deleted later, from phases of their own.
const LEAVING: &str = "apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: web}
rules: [{apiGroups: [\"\"], resources: [pods], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: web}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: web}
subjects: [{kind: ServiceAccount, name: web}]
";
/// One that is added later.
const ADDED: &str = "apiVersion: v1
kind: Secret
metadata: {name: login}
data: {user: YWRh}
";

/// A site and the write at which its process dies.
struct Case {
    site: Site,
    fault: String,
    /// Whether there is such a write; none: it depends. Where there is none the sync ends, and the process is killed at rest.
    dies: Option<bool>,
}

/// All kills at every write of a sync.
struct Kills {
    world: World,
    cases: Vec<Case>,
}

impl Kills {
    /// Makes a site for each write and each side of it, and pushes the first commit.
    fn new(writes: RangeInclusive<u64>) -> (Self, String) {
        let world = World::new();
        let (least, most) = (*writes.start(), *writes.end());
        let fault = |side: &str, nth: u64| {
            let dies = if nth <= least { Some(true) } else { (nth > most).then_some(false) };
            (format!("exit-{side}-write:{nth}"), dies)
        };
        let mut faults: Vec<_> = (1..=most).flat_map(|nth| ["before", "after"].map(|side| fault(side, nth))).collect();
        faults.push(fault("before", most + 1));
        let sites = world.sites(faults.len());
        let cases: Vec<_> = sites.into_iter().zip(faults).map(|(site, (fault, dies))| Case { site, fault, dies }).collect();
        for case in &cases {
            world.declare(&case.site, APP, "wait: false, onDelete: delete");
        }
        for (file, text) in [("settings", SETTINGS), ("web", WEB), ("staying", STAYING), ("leaving", LEAVING)] {
            world.repo.write(&format!("apps/{APP}/{file}.yaml"), text.replace("GREETING", "one")).unwrap();
        }
        let commit = world.push("Add the app");
        (Self { world, cases }, commit)
    }

    /// Brings every site to a commit, undisturbed.
    fn roll_out(&self, commit: &str) {
        for cases in self.cases.chunks(AT_ONCE) {
            let serves: Vec<_> = cases.iter().map(|case| Serve::start(&case.site)).collect();
            for mut serve in serves {
                serve.until_synced(APP, commit);
                assert!(serve.terminate().0.success());
            }
        }
    }

    /// Starts every process so that it dies at its write, and waits until it has.
    fn die(&self, ended: impl Fn(&Serve) -> bool) {
        for cases in self.cases.chunks(AT_ONCE) {
            let serves: Vec<_> = cases.iter().map(|case| (case, Serve::doomed(&case.site, &case.fault))).collect();
            for (case, mut serve) in serves {
                serve.wait(&case.fault, |serve| serve.is_dead() || ended(serve));
                let log = serve.log();
                let as_expected = case.dies.is_none_or(|dies| dies == serve.is_dead());
                assert!(as_expected, "{}: it dies where there is a write, and only there\n{log}", case.fault);
            }
        }
    }

    /// Starts every process again and waits until all is as Git says.
    fn recover(&self, commit: &str) -> Live {
        self.roll_out(commit);
        let live = self.world.live();
        self.cases.iter().for_each(|case| self.world.assert_is_git(&case.site, APP, &live, &case.fault));
        live
    }

    fn assert_same(&self, before: &Live, after: &Live) {
        self.cases.iter().for_each(|case| assert_same(&before.uids(&case.site), &after.uids(&case.site), &case.fault));
    }
}

#[test]
fn killed_at_every_write_of_a_first_roll_out() {
    let (kills, commit) = Kills::new(WRITES_FIRST..=WRITES_FIRST);
    kills.die(|serve| serve.is_synced(APP, &commit));
    let dead = kills.world.live();
    let recovered = kills.recover(&commit);
    kills.assert_same(&dead, &recovered);
    for case in &kills.cases {
        let lost: Vec<_> = dead.of(&case.site).into_keys().filter(|name| !recovered.of(&case.site).contains_key(name)).collect();
        assert_eq!(lost, [""; 0], "{}", case.fault);
    }
}

#[test]
fn killed_at_every_write_of_a_change() {
    let (kills, first) = Kills::new(WRITES_CHANGE..=WRITES_CHANGE);
    kills.roll_out(&first);
    let before = kills.world.live();
    kills.world.repo.write(&format!("apps/{APP}/settings.yaml"), SETTINGS.replace("GREETING", "two")).unwrap();
    kills.world.repo.write(&format!("apps/{APP}/web.yaml"), WEB.replace("GREETING", "two")).unwrap();
    kills.world.repo.write(&format!("apps/{APP}/login.yaml"), ADDED).unwrap();
    kills.world.repo.remove(&format!("apps/{APP}/leaving.yaml")).unwrap();
    let second = kills.world.push("Change two, add one, delete two");
    kills.die(|serve| serve.is_synced(APP, &second));
    let dead = kills.world.live();
    for case in &kills.cases {
        let live: BTreeSet<String> = dead.of(&case.site).into_keys().collect();
        for name in ["ConfigMap/settings", "Deployment/web", "ServiceAccount/web", "Service/web"] {
            assert!(live.contains(name), "{}: {name} is missing, and Git has it", case.fault);
        }
    }
    let recovered = kills.recover(&second);
    kills.assert_same(&before, &dead);
    kills.assert_same(&before, &recovered);
    kills.assert_same(&dead, &recovered);
}

#[test]
fn killed_at_every_write_of_a_removal() {
    let (kills, first) = Kills::new(WRITES_REMOVAL..=WRITES_REMOVAL_MOST);
    kills.roll_out(&first);
    kills.cases.iter().for_each(|case| kills.world.undeclare(&case.site, APP));
    // A root that lists nothing at all could be a mistake.
    for case in &kills.cases {
        kills.world.declare(&case.site, "beside", "wait: false");
    }
    kills.world.repo.write("apps/beside/README.md", "Nothing yet.\n").unwrap();
    let second = kills.world.push("Remove the app");
    kills.die(|serve| {
        serve.approve_if_asked();
        // What is recorded is known before anything is synced.
        serve.is_synced("beside", &second) && serve.knows_nothing_of(APP)
    });
    for cases in kills.cases.chunks(AT_ONCE) {
        let serves: Vec<_> = cases.iter().map(|case| Serve::start(&case.site)).collect();
        let begun = Instant::now();
        loop {
            serves.iter().for_each(Serve::approve_if_asked);
            let live = kills.world.live();
            let left: Vec<_> = cases.iter().filter(|case| !kills.world.is_gone(&case.site, APP, &live)).collect();
            if left.is_empty() {
                break;
            }
            let case = left[0];
            let unit = serves[cases.iter().position(|other| other.fault == case.fault).unwrap()].unit(APP);
            let names: Vec<_> = live.of(&case.site).into_keys().collect();
            assert!(begun.elapsed() < REMOVAL, "{}: something is left: {names:?}\n{unit:#?}", case.fault);
        }
    }
}
