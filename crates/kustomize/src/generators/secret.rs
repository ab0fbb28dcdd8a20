//! Owns making a Secret: everything becomes Base64 in `data`, and where it comes from is marked so that no excerpt shows it.

use super::{base, finish, kv, value};
use crate::args::GeneratorArgs;
use crate::load::Loader;
use crate::problem::Outcome;
use crate::resource::Resource;
use crate::run::Run;
use crate::tree::Kind;

const BY: &str = "secretGenerator";

/// Makes the Secret that a generator asks for.
pub(crate) fn secret<'a>(args: &GeneratorArgs<'a>, loader: &Loader, run: &Run<'a>) -> Outcome<Resource<'a>> {
    for literal in &args.literals {
        if let Some(place) = literal.place {
            run.texts.hide(place);
        }
    }
    let mut node = base("Secret", BY, args, run)?;
    let root = node.view().origin();
    let kind = if args.secret_type.is_empty() { "Opaque" } else { args.secret_type };
    node.set("type", value(kind, root), run.texts);
    // An empty map stays.
    node.get_or_insert("data", Kind::Map, root, run.texts);
    for pair in kv::pairs(args, BY, loader, run)? {
        if let Some(place) = pair.place {
            run.texts.hide(place);
        }
        let text = run.texts.keep(plumb_yaml::base64_lines(&pair.value));
        if let Some(map) = node.get_mut("data", run.texts) {
            map.set(pair.key, value(text, pair.origin), run.texts);
        }
    }
    Ok(finish(node, BY, args, run))
}
