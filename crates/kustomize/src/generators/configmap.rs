//! Owns making a ConfigMap: texts go to `data`, all else to `binaryData` as Base64.

use super::{base, finish, kv, value};
use crate::args::GeneratorArgs;
use crate::load::Loader;
use crate::problem::Outcome;
use crate::resource::Resource;
use crate::run::Run;
use crate::tree::Kind;

const BY: &str = "configMapGenerator";

/// Makes the ConfigMap that a generator asks for.
pub(crate) fn configmap<'a>(args: &GeneratorArgs<'a>, loader: &Loader, run: &Run<'a>) -> Outcome<Resource<'a>> {
    let mut node = base("ConfigMap", BY, args, run)?;
    for pair in kv::pairs(args, BY, loader, run)? {
        let (field, text) = match String::from_utf8(pair.value) {
            Ok(text) => ("data", text),
            Err(error) => ("binaryData", plumb_yaml::base64_lines(error.as_bytes())),
        };
        let root = node.view().origin();
        if let Some(map) = node.get_or_insert(field, Kind::Map, root, run.texts) {
            map.set(pair.key, value(run.texts.keep(text), pair.origin), run.texts);
        }
    }
    Ok(finish(node, BY, args, run))
}
