//! Objects that somebody else made: taken over when that is approved, with no field left behind.

use plumb_controller::core::{Ended, Order};

use crate::Bench;

const BEFORE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: text}\ndata: {value: \"0\", extra: \"x\", theirs: \"y\"}\n";
const OURS: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: text}\ndata: {value: \"1\", extra: \"x\"}\n";

#[test]
fn an_object_that_kubectl_applied_is_taken_over_when_approved() {
    let mut bench = Bench::several();
    bench.plane.apply(&bench.namespace, BEFORE).unwrap();
    let uid = bench.uid("configmap/text");
    bench.declare("shop", "");
    bench.repo.write("apps/shop/text.yaml", OURS).unwrap();
    bench.config_map("shop", "beside", "1");
    bench.push("Add what is there already");
    bench.start();
    let (digest, reasons) = bench.until_held("shop");
    assert!(reasons.contains("kubectl-client-side-apply") && reasons.contains("ConfigMap"), "{reasons}");
    bench.until("what nobody else has is applied", || bench.value("beside").is_some());
    assert_eq!(bench.live("configmap/text").unwrap()["data"]["value"], "0");

    let ended = bench.order("shop", Order::Approve { digest });
    assert!(matches!(&*ended, Ended::Done { withheld: None }), "{ended:?}");
    bench.until_at_rest("shop");
    let data = |bench: &Bench| bench.live("configmap/text").unwrap()["data"].clone();
    assert_eq!(data(&bench), serde_json::json!({"value": "1", "extra": "x"}));

    bench.config_map("shop", "text", "1");
    bench.push("Drop the field");
    bench.until_at_rest("shop");
    assert_eq!((data(&bench), bench.uid("configmap/text")), (serde_json::json!({"value": "1"}), uid));
}

#[test]
fn an_approval_that_waits_survives_a_restart() {
    let mut bench = Bench::several();
    bench.plane.apply(&bench.namespace, BEFORE).unwrap();
    bench.declare("shop", "");
    bench.repo.write("apps/shop/text.yaml", OURS).unwrap();
    bench.push("Add what is there already");
    bench.start();
    let before = bench.until_held("shop");
    bench.stop();
    bench.start();
    let after = bench.until_held("shop");
    assert_eq!(after, before);
    assert_eq!(bench.live("configmap/text").unwrap()["data"]["value"], "0");
    bench.order("shop", Order::Approve { digest: after.0 });
    bench.until_at_rest("shop");
    assert_eq!(bench.value("text").as_deref(), Some("1"));
}
