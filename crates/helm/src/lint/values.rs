//! Owns what the linter says of values.yaml (helm: pkg/chart/v2/lint/rules/values.go): it can be read, and with the values given it meets the chart's own schema.

use plumb_gotemplate::{Heap, MAP};

use super::{Findings, Folder, Severity};
use crate::render::{Error, Options, given};
use crate::schema;
use crate::sources::Naming;
use crate::values::{Log, Nulls, copied, read_first, under};

const PLACE: &str = "values.yaml";

pub(super) fn check(folder: &Folder<'_>, options: &Options<'_>, findings: &mut Findings) -> Result<(), Error> {
    let Some(file) = folder.values else {
        findings.check(Severity::Info, PLACE, Err::<(), _>("file does not exist"));
        return Ok(());
    };
    let mut heap = Heap::new(false, options.limits.heap_bytes);
    let over = given(&mut heap, &Naming::new(None), options)?;
    let own = match read_first(&mut heap, file) {
        Ok(own) => own,
        Err(error) => {
            findings.check(Severity::Error, PLACE, Err::<(), _>(format!("unable to parse YAML: {error}")));
            return Ok(());
        }
    };
    let Some(schema) = folder.schema.filter(|schema| !schema.is_empty() && !options.skip_schema) else { return Ok(()) };
    // Only what is at the top of the chart itself, as Helm 2 did it.
    let values = heap.map(&MAP);
    let over = copied(&mut heap, over);
    for below in [over, own] {
        under(&mut heap, values, below, Nulls::Erase, &mut Log::new(&mut Vec::new()));
    }
    findings.check(Severity::Error, PLACE, schema::single_message(&heap, schema, values));
    Ok(())
}
