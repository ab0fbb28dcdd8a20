//! T28: an API server that lets 20 requests through in a second, and more to apply than that. Progress never stops, nobody waits for somebody
//! larger, the newest wins, and what is refused is not asked for again and again.

use std::time::{Duration, Instant};

use plumb_plane::{FaultyProxy, Request};

use crate::Bench;

const RATE: u32 = 20;
/// Objects of each of the large units.
const LARGE: usize = 120;
/// Longest time in which no object may be finished: writes wait for the lease at most that long.
const GAP: Duration = Duration::from_secs(3);

struct Throttled {
    bench: Bench,
    proxy: FaultyProxy,
}

impl Throttled {
    fn new() -> Self {
        let mut bench = Bench::several();
        let proxy = FaultyProxy::start(bench.plane, bench.folder.path()).unwrap();
        proxy.limit(RATE).unwrap();
        bench.kubeconfig = proxy.kubeconfig().to_owned();
        Self { bench, proxy }
    }

    fn fill(&self, unit: &str, count: usize, value: &str) {
        let one = |nth| format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {unit}-{nth}}}\ndata: {{value: \"{value}\"}}\n");
        self.bench.repo.write(&format!("apps/{unit}/all.yaml"), (0..count).map(one).collect::<String>()).unwrap();
    }

    fn requests(&self) -> Vec<Request> {
        self.proxy.requests().unwrap()
    }

    /// Applies of a unit's objects that went through.
    fn applied(&self, unit: &str) -> Vec<Request> {
        let object = format!("/configmaps/{unit}-");
        let is = |request: &Request| request.method == "PATCH" && request.path.contains(&object) && matches!(request.status, 200 | 201);
        self.requests().into_iter().filter(is).collect()
    }

    /// Waits until units are at the newest commit, however long that takes as long as something is finished all the time.
    fn until_synced(&self, units: &[&str]) {
        let head = self.bench.repo.head().unwrap();
        let (mut seen, mut at) = (0, Instant::now());
        while !units.iter().all(|unit| self.bench.is_synced(unit, &head)) {
            let now = units.iter().map(|unit| self.applied(unit).len()).sum();
            if now > seen {
                (seen, at) = (now, Instant::now());
            }
            // The end of a sync and the begin of the next take their time, too.
            assert!(at.elapsed() < GAP * 4, "nothing happens any more after {seen}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// The longest time between two requests of a list.
fn longest_gap(requests: &[Request]) -> Duration {
    requests.windows(2).map(|pair| Duration::from_millis(pair[1].ms.saturating_sub(pair[0].ms))).max().unwrap_or_default()
}

#[test]
fn t28_progress_goes_on_and_is_shared() {
    let mut throttled = Throttled::new();
    for (unit, count) in [("large-a", LARGE), ("large-b", LARGE), ("small", 3)] {
        throttled.bench.declare(unit, "");
        throttled.fill(unit, count, "1");
    }
    throttled.bench.push("Add them all");
    throttled.bench.start();
    throttled.until_synced(&["large-a", "large-b", "small"]);
    let (a, b, small) = (throttled.applied("large-a"), throttled.applied("large-b"), throttled.applied("small"));
    assert_eq!((a.len(), b.len(), small.len()), (LARGE, LARGE, 3), "each object is written once");
    let mut all = [a.clone(), b.clone(), small.clone()].concat();
    all.sort_by_key(|request| request.ms);
    let requests = throttled.requests();
    let refused = requests.iter().filter(|request| request.status == 429).count();
    let (first, last) = (all[0].ms, all[all.len() - 1].ms);
    let within =
        |requests: &[Request]| requests.iter().filter(|request| request.status != 429 && (first..=last).contains(&request.ms)).count();
    let per_second = within(&requests) as f64 * 1000.0 / (last - first) as f64;
    assert!(longest_gap(&all) < GAP, "{:?}", longest_gap(&all));
    assert!(refused * 6 <= requests.len(), "{refused} of {} are refused", requests.len());
    assert!(per_second >= f64::from(RATE) * 0.7, "{per_second:.1} a second");
    // A small unit does not wait for the large ones, nor one of these for the other.
    let half = |of: &[Request]| of[of.len() / 2].ms;
    assert!(small[2].ms < half(&a).min(half(&b)), "the small one is done before half of the large ones");
    assert!(half(&a) < b[LARGE - 1].ms && half(&b) < a[LARGE - 1].ms);
    throttled.bench.stop();
}

#[test]
fn t28_the_newest_wins_meanwhile() {
    let mut throttled = Throttled::new();
    throttled.bench.declare("large", "");
    throttled.fill("large", LARGE, "1");
    throttled.bench.push("Add it");
    throttled.bench.start();
    throttled.bench.until("some of it is applied", || throttled.applied("large").len() >= LARGE / 2);
    throttled.fill("large", LARGE, "2");
    throttled.bench.push("All of it anew");
    let before = throttled.applied("large").len();
    throttled.until_synced(&["large"]);
    let after = throttled.applied("large").len();
    // What was on its way when the commit came is let finish; then only the newest is applied.
    assert!(after <= before + LARGE + 2 * RATE as usize, "{before} before, {after} in the end");
    let values =
        throttled.bench.plane.kubectl(&["-n", &throttled.bench.namespace, "get", "configmaps", "-o", "jsonpath={.items[*].data.value}"]);
    let values = values.unwrap();
    let values: Vec<&str> = values.split(' ').collect();
    assert!(values.len() == LARGE && values.iter().all(|value| *value == "2"), "{values:?}");
    throttled.bench.stop();
}
