//! Owns Sprig's functions on versions (semver.go), over Masterminds' rules.

use plumb_go::semver::{Constraints, Version};

use crate::func::{Call, Failure, Function, function};
use crate::object::Object;
use crate::value::Value;

pub(crate) static ALL: &[&Function] = &[&SEMVER, &SEMVER_COMPARE];

fn version(c: &Call<'_>, value: &Value) -> Result<Version, Failure> {
    Version::parse(&c.heap.utf8(c.str(value))).map_err(|error| Failure::new(error.to_string()))
}

function!(SEMVER, "semver", [Str], , Union, |c, a| {
    let version = version(c, &a[0])?;
    Ok(c.heap.object(Object::Version(Box::new(version))))
});

function!(SEMVER_COMPARE, "semverCompare", [Str, Str], , Union, |c, a| {
    let constraints = Constraints::parse(&c.heap.utf8(c.str(&a[0]))).map_err(|error| Failure::new(error.to_string()))?;
    let version = version(c, &a[1])?;
    Ok(Value::bool(constraints.check(&version)))
});
