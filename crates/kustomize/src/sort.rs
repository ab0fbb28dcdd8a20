//! Owns the order of what is printed (`sortOptions`): as it came, or by kind with an order of kinds that come first and last.

use std::collections::HashMap;

use crate::args::SortOptions;
use crate::config::{FIRST, LAST};
use crate::id::{Gvk, Id};
use crate::problem::{Outcome, wrong};
use crate::resource::Resource;
use crate::resources::Resources;
use crate::run::Run;

/// Puts objects in order.
pub(crate) fn apply<'a>(options: &SortOptions<'a>, resources: &mut Resources<'a>, run: &Run<'a>) -> Outcome<()> {
    match options.order {
        "fifo" if options.legacy.is_some() => {
            let message = "the field 'sortOptions.legacySortOptions' is set but the selected sort order is 'fifo', not 'legacy'";
            Err(wrong("sort-options", message, options.place).hint("Take `legacySortOptions` out, or write `order: legacy`.").into())
        }
        "fifo" => Ok(()),
        "legacy" => {
            match &options.legacy {
                Some((first, last)) => sort(first, last, resources, run),
                None => sort(&FIRST, &LAST, resources, run),
            }
            Ok(())
        }
        other => {
            let message = format!("the field 'sortOptions.order' must be one of [fifo, legacy], not '{other}'");
            Err(wrong("sort-options", message, options.place)
                .hint("Write `order: legacy` for an order by kind, `order: fifo` for that of the files.")
                .into())
        }
    }
}

/// What an object is compared by.
struct Rank<'a> {
    gvk: Gvk<'a>,
    order: i64,
    kind_text: String,
    id_text: String,
}

fn sort<'a>(first: &[&'a str], last: &[&'a str], resources: &mut Resources<'a>, run: &Run<'a>) {
    let mut orders: HashMap<&str, i64> = HashMap::new();
    for (at, kind) in (0_i64..).zip(first) {
        orders.insert(kind, at - first.len() as i64);
    }
    for (at, kind) in (1_i64..).zip(last) {
        orders.insert(kind, at);
    }
    let list = resources.list_mut();
    let ranks: Vec<Rank<'a>> = list.iter().map(|resource| rank(&resource.id(run), &orders)).collect();
    // Not the sort of the standard library: with orders of their own, users can make this comparison go in circles, at which that one may panic.
    let mut order: Vec<usize> = Vec::with_capacity(ranks.len());
    for at in 0..ranks.len() {
        let Some(rank) = ranks.get(at) else { continue };
        let to = order.partition_point(|before| ranks.get(*before).is_some_and(|before| !rank.is_before(before)));
        order.insert(to, at);
    }
    let mut taken: Vec<Option<Resource<'a>>> = std::mem::take(list).into_iter().map(Some).collect();
    list.extend(order.into_iter().filter_map(|at| taken.get_mut(at)?.take()));
}

fn rank<'a>(id: &Id<'a>, orders: &HashMap<&str, i64>) -> Rank<'a> {
    let or = |text: &'a str, none: &'static str| -> &'a str { if text.is_empty() { none } else { text } };
    let gvk = id.gvk;
    Rank {
        gvk,
        order: orders.get(gvk.kind).copied().unwrap_or(0),
        kind_text: format!("{}_{}_{}", or(gvk.group, "~G"), or(gvk.version, "~V"), or(gvk.kind, "~K")),
        id_text: format!("{gvk}|{}|{}", or(id.namespace, "~X"), or(id.name, "~N")),
    }
}

impl Rank<'_> {
    fn is_before(&self, other: &Self) -> bool {
        if self.gvk == other.gvk {
            return self.id_text < other.id_text;
        }
        if self.order != other.order {
            return self.order < other.order;
        }
        let is_namespace = |rank: &Self| rank.gvk.kind == "Namespace";
        // Those of the core come before those of others.
        if is_namespace(self) && is_namespace(other) && (self.gvk.group.is_empty() || other.gvk.group.is_empty()) {
            return self.kind_text > other.kind_text;
        }
        self.kind_text < other.kind_text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Fields, Mode};
    use crate::fixture::run_on;

    fn check(config: &str) -> Result<Vec<String>, String> {
        let kinds = [
            "apps/v1 Deployment b",
            "v1 Service a",
            "x.io/v1 Namespace n",
            "v1 Namespace n",
            "v1 Odd o",
            "apps/v1 Deployment a",
            "admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration v",
        ];
        let objects: Vec<String> = kinds
            .iter()
            .map(|text| {
                let parts: Vec<&str> = text.split(' ').collect();
                format!("apiVersion: {}\nkind: {}\nmetadata: {{name: {}}}\n", parts[0], parts[1], parts[2])
            })
            .collect();
        let mut order = Vec::new();
        run_on(&[], &objects.join("---\n"), |resources, scene| {
            let options =
                SortOptions::read(Fields::open(scene.run, scene.read("config.yaml", config), "sortOptions", Mode::Kustomization))?;
            apply(&options, resources, scene.run)?;
            order = resources.iter().map(|resource| format!("{}/{}", resource.kind(), resource.name())).collect();
            Ok(())
        })?;
        Ok(order)
    }

    #[test]
    fn kinds_come_in_their_order() {
        let as_written =
            ["Deployment/b", "Service/a", "Namespace/n", "Namespace/n", "Odd/o", "Deployment/a", "ValidatingWebhookConfiguration/v"];
        assert_eq!(check("order: fifo").expect("an order"), as_written);
        let usual =
            ["Namespace/n", "Namespace/n", "Service/a", "Deployment/a", "Deployment/b", "Odd/o", "ValidatingWebhookConfiguration/v"];
        assert_eq!(check("order: legacy").expect("an order"), usual);
        let own = check("{order: legacy, legacySortOptions: {orderFirst: [Odd], orderLast: [Namespace, Deployment]}}").expect("an order");
        let expect =
            ["Odd/o", "ValidatingWebhookConfiguration/v", "Service/a", "Namespace/n", "Namespace/n", "Deployment/a", "Deployment/b"];
        assert_eq!(own, expect);
    }

    #[test]
    fn an_order_that_nobody_knows_is_a_mistake() {
        for (config, expect) in [
            ("order: best", "must be one of [fifo, legacy]"),
            ("{order: fifo, legacySortOptions: {}}", "the selected sort order is 'fifo'"),
        ] {
            assert!(check(config).is_err_and(|error| error.contains(expect)), "{config}");
        }
    }
}
