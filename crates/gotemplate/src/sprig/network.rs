//! Owns Sprig's look-up of host names and its URLs (network.go, url.go). Only the [`Host`](crate::Host) may ask a network; Helm, too, gives nothing unless it is allowed to.

use plumb_go::url::Url;

use crate::func::{Call, Failure, Function, function};
use crate::object::MAP;
use crate::origin::O;
use crate::value::Value;

pub(crate) static ALL: &[&Function] = &[&GET_HOST_BY_NAME, &URL_PARSE, &URL_JOIN];

function!(GET_HOST_BY_NAME, "getHostByName", [Str], , Coarse, |c, a| {
    let name = c.heap.utf8(c.str(&a[0])).into_owned();
    let address = c.host.address(&name)?;
    c.text(address.as_bytes())
});
function!(URL_PARSE, "urlParse", [Str], , Union, |c, a| {
    let text = c.bytes(&a[0]).to_vec();
    let url = Url::parse(&text).map_err(|error| Failure::new(format!("unable to parse url: {error}")))?;
    let user = url.user_text();
    let parts: [(&str, &[u8]); 8] = [
        ("scheme", &url.scheme),
        ("host", &url.host),
        ("hostname", url.hostname()),
        ("path", &url.path),
        ("query", &url.query),
        ("opaque", &url.opaque),
        ("fragment", &url.fragment),
        ("userinfo", &user),
    ];
    let own = c.heap.origin(a[0]);
    let map = c.heap.map(&MAP);
    for (key, part) in parts {
        let key = c.heap.sym(key.as_bytes());
        let part = Value::Str(own, c.heap.push(part, own));
        c.heap.get_mut(map).set(key, own, part);
    }
    Ok(Value::Map(O::NONE, map))
});
function!(URL_JOIN, "urlJoin", [Map], , Union, |c, a| {
    let part = |name: &str| part(c, &a[0], name);
    let mut url = Url::default();
    url.scheme = part("scheme")?;
    url.host = part("host")?;
    url.path = part("path")?;
    url.query = part("query")?;
    url.opaque = part("opaque")?;
    url.fragment = part("fragment")?;
    let user = part("userinfo")?;
    if !user.is_empty() {
        let with_user = Url::parse(&[b"proto://".as_slice(), &user, b"@host"].concat());
        url.user = with_user.map_err(|error| Failure::new(format!("unable to parse userinfo in dict: {error}")))?.user;
    }
    c.text(&url.text())
});

/// Returns a part of a URL; nothing where there is none.
fn part(c: &Call<'_>, map: &Value, name: &str) -> Result<Vec<u8>, Failure> {
    let Value::Map(_, map) = map else { return Ok(Vec::new()) };
    let Some(entry) = c.heap.find_sym(name.as_bytes()).and_then(|key| c.heap.get(*map).get(key)) else { return Ok(Vec::new()) };
    match entry.value {
        Value::Str(_, text) => Ok(c.heap.bytes(text).to_vec()),
        other => {
            let kind = super::lists::kind(c.heap, other);
            Err(Failure::new(format!("unable to parse {name} key, must be of type string, but {kind} found")))
        }
    }
}
