//! Owns writing down that objects ended by themselves: in the record at the target, so that a restart does not run them again, and in the
//! history. Must not judge that they did; the watch does.

use std::sync::Arc;
use std::time::Duration;

use plumb_unit::NodeKey;

use super::{Shared, history, syncs};

/// How long ends are gathered, so that a hundred Jobs that finish together cost one write and one line.
const GATHERED_FOR: Duration = Duration::from_millis(500);

/// Writes down what is known of the ends of a unit's objects, until it is written. There is one such task for a unit at most.
pub(crate) async fn note(shared: Arc<Shared>, node: NodeKey) {
    let mut said = String::new();
    loop {
        tokio::time::sleep(GATHERED_FOR).await;
        let known = shared.units.known(&node, |memory| {
            memory.noting = false;
            std::mem::take(&mut memory.ended)
        });
        let Some(ended) = known else { return }; // it is forgotten
        if !ended.is_empty() {
            history::ended(&shared, node.clone(), &ended);
        }
        let Err(error) = syncs::write(&shared, &node).await else { return };
        if error != said {
            tracing::warn!(unit = %node, "that objects of it ended could not be written down: {error}");
            said = error;
        }
        // Somebody else may have begun to write it down meanwhile.
        if shared.units.known(&node, |memory| std::mem::replace(&mut memory.noting, true)) != Some(false) {
            return;
        }
        tokio::time::sleep(syncs::KEEP_RETRY).await;
    }
}
