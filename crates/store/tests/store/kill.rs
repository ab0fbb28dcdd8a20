//! Owns the proof that a process killed at any moment leaves a file that opens, with every record that was said to be in it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use plumb_store::{Options, Store, SyncId, Which};

use super::{count, options, record, unit};

const CHILD: &str = "PLUMB_STORE_TEST_WRITER";
const ROUNDS: u64 = 12;

#[test]
fn a_killed_writer_loses_nothing_that_was_flushed() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("history.db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    // Deterministic and spread: from the first lines on, where the tables are made, to the middle of many batches.
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    for round in 0..ROUNDS {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let lines_before_death = if round == 0 { 0 } else { (seed >> 33) % 60 };
        let mut child = Command::new(std::env::current_exe().expect("own path"))
            .args(["kill::child_that_writes", "--exact", "--nocapture"])
            .env(CHILD, &path)
            .env("RUST_TEST_THREADS", "1")
            .stdout(Stdio::piped())
            .spawn()
            .expect("start");
        let mut told = Vec::new();
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        while told.len() <= lines_before_death as usize {
            line.clear();
            assert_ne!(out.read_line(&mut line).expect("read"), 0, "the child ended by itself");
            if round == 0 && !line.trim().is_empty() {
                break;
            }
            told.extend(line.trim().strip_prefix("flushed ").map(|id| id.parse::<SyncId>().expect("id")));
        }
        // Somewhere within the next batch.
        (0..(seed >> 20) & 0xfff).for_each(|_| std::hint::spin_loop());
        child.kill().expect("kill");
        child.wait().expect("wait");

        runtime.block_on(async {
            let store = Store::open(&path, options()).await;
            store.flush().await.expect("it opens");
            assert_eq!(store.health().set_aside, None, "nothing was damaged");
            assert_eq!(count(&path, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'").await, 1);
            assert_eq!(count(&path, "SELECT count(*) FROM pragma_foreign_key_check").await, 0);
            assert_eq!(count(&path, "SELECT count(*) FROM build_file WHERE blob NOT IN (SELECT id FROM blob)").await, 0);
            assert_eq!(count(&path, "SELECT count(*) FROM sync WHERE build NOT IN (SELECT id FROM build)").await, 0);
            let lines = store.history(&unit("shop"), 1000).await.expect("history");
            for id in told {
                store.sync(id).await.expect("it was said to be in the file");
            }
            for line in lines.iter().filter(|line| line.offline_rollback) {
                store.recorded_request(&unit("shop"), &Which::Sync(line.id)).await.expect("it can be built again");
            }
            store.close().await.expect("close");
        });
    }
}

/// Not a test of its own: the child of the test above.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "it reports to its parent")]
async fn child_that_writes() {
    let Ok(path) = std::env::var(CHILD) else { return };
    println!("\nstarted");
    let store = Store::open(path, Options { keep_syncs: 1_000_000, ..options() }).await;
    let epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("clock").as_millis() as usize;
    for number in 0.. {
        let mut sync = record(&unit("shop"), number);
        sync.id = SyncId::new((epoch + number) as u64);
        let id = sync.id;
        store.record_sync(sync);
        if number % 7 == 0 {
            store.flush().await.expect("flush");
            println!("\nflushed {id}");
        }
    }
}
