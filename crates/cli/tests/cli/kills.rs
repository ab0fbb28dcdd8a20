//! SIGKILL at every write of a sync: whatever was under way, the next start brings what is live to what Git says. Objects that Git kept stay
//! the objects they were, and nothing that Git still has is ever missing.

use std::collections::BTreeSet;
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
/// The approval, the record before, six deletions, the record after, and its deletion.
const WRITES_REMOVAL: u64 = 10;
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
    /// Whether there is no such write: the sync ends, and the process is killed at rest.
    survives: bool,
}

/// All kills at every write of a sync.
struct Kills {
    world: World,
    cases: Vec<Case>,
}

impl Kills {
    /// Makes a site for each write and each side of it, and pushes the first commit.
    fn new(writes: u64) -> (Self, String) {
        let world = World::new();
        let faults = (1..=writes).flat_map(|nth| ["before", "after"].map(|side| (format!("exit-{side}-write:{nth}"), false)));
        let faults: Vec<_> = faults.chain([(format!("exit-before-write:{}", writes + 1), true)]).collect();
        let sites = world.sites(faults.len());
        let cases: Vec<_> = sites.into_iter().zip(faults).map(|(site, (fault, survives))| Case { site, fault, survives }).collect();
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
                assert_eq!(serve.is_dead(), !case.survives, "{}: it dies where there is a write, and only there\n{log}", case.fault);
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
    let (kills, commit) = Kills::new(WRITES_FIRST);
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
    let (kills, first) = Kills::new(WRITES_CHANGE);
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
    let (kills, first) = Kills::new(WRITES_REMOVAL);
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
