//! Owns what the tests render with: data from JSON, templates by name, a host that answers the same every time.

use std::sync::Arc;

use plumb_gotemplate::{
    CallKey, CertificateRequest, Exec, Failure, Functions, Heap, Host, IntKind, Limits, ListType, MAP, O, Options, RenderError, Scope,
    Traced, Value, parse,
};
use serde_json::Value as Json;

/// Answers queries without a world.
pub(crate) struct NoHost;

impl Host for NoHost {
    fn random(&mut self, _: CallKey<'_>, _: &[u8], bytes: usize) -> Result<Vec<u8>, Failure> {
        Ok((0..bytes).map(|at| (at * 37 + 11) as u8).collect())
    }

    /// When the real programs were asked: some cases show the minute.
    fn now(&mut self) -> Result<(i64, u32, i32), Failure> {
        Ok((1_795_224_330, 0, 0))
    }

    fn lookup(&mut self, _: &str, _: &str, _: &str, _: &str) -> Result<Option<Vec<u8>>, Failure> {
        Ok(None)
    }

    fn address(&mut self, _: &str) -> Result<String, Failure> {
        Ok(String::new())
    }

    /// Nothing that holds, but what it looks like: an empty sequence in PEM.
    fn certificate(&mut self, key: CallKey<'_>, request: &CertificateRequest<'_>) -> Result<(String, String), Failure> {
        let pem = |kind: &str| format!("-----BEGIN {kind}-----\nMAA=\n-----END {kind}-----\n");
        let kind = if key.function == "genPrivateKey" && request.common_name == "ecdsa" { "EC PRIVATE KEY" } else { "RSA PRIVATE KEY" };
        Ok((pem("CERTIFICATE"), pem(kind)))
    }
}

/// Why there is no output.
#[derive(Debug)]
pub(crate) enum Failed {
    Parse(Vec<u8>),
    Exec(Box<RenderError>),
}

impl Failed {
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Parse(message) => String::from_utf8_lossy(message).into_owned(),
            Self::Exec(error) => String::from_utf8_lossy(&error.message).into_owned(),
        }
    }
}

/// A render and what it left behind.
pub(crate) struct Rendered {
    pub(crate) out: Traced,
    pub(crate) failed: Option<Failed>,
    pub(crate) heap: Heap,
}

/// What is rendered.
pub(crate) struct Request<'r> {
    /// Templates by name, parsed in this order.
    pub(crate) templates: &'r [(&'r str, &'r str)],
    pub(crate) exec: &'r str,
    pub(crate) functions: &'r Functions,
    pub(crate) options: Options,
    /// Whole numbers of the data are `int64`.
    pub(crate) int64: bool,
    pub(crate) tracing: bool,
}

impl<'r> Request<'r> {
    pub(crate) fn new(templates: &'r [(&'r str, &'r str)], exec: &'r str, functions: &'r Functions) -> Self {
        Self { templates, exec, functions, options: Options::default(), int64: false, tracing: false }
    }
}

pub(crate) fn render(request: &Request<'_>, data: &Json) -> Rendered {
    let limits: Limits = request.options.limits;
    let mut heap = Heap::new(request.tracing, limits.heap_bytes);
    let name = heap.sym(b"gotpl");
    let mut scope = Scope::new(name);
    for (nth, (name, text)) in request.templates.iter().enumerate() {
        let name = heap.sym(name.as_bytes());
        let file = plumb_world::FileId(nth as u32);
        let text = if request.tracing {
            let span = plumb_world::Span { file, start: 0, end: text.len() as u32 };
            let origin = heap.origins.add(plumb_gotemplate::Origin::At(span));
            heap.push_linear(text.as_bytes(), origin, 0)
        } else {
            heap.push(text.as_bytes(), O::NONE)
        };
        if let Err(message) = parse(&mut heap, request.functions, &mut scope, name, text, Some(file)) {
            return Rendered { out: Traced::default(), failed: Some(Failed::Parse(message)), heap };
        }
    }
    let name = heap.sym(request.exec.as_bytes());
    let data = value(&mut heap, data, request.int64, &mut 0);
    let mut host = NoHost;
    let mut out = Traced::default();
    let mut exec = Exec::new(heap, request.functions, &mut host, request.options);
    let failed = exec.render(&Arc::new(scope), name, data, &mut out).err().map(|error| Failed::Exec(Box::new(error)));
    Rendered { out, failed, heap: exec.heap }
}

/// The file that data is said to be from, when tracing: each scalar is one byte of it, in order.
pub(crate) const DATA: plumb_world::FileId = plumb_world::FileId(1000);

/// JSON as values: numbers are `float64`, as YAML and JSON are read.
pub(crate) fn value(heap: &mut Heap, json: &Json, int64: bool, nth: &mut u32) -> Value {
    let place = plumb_world::Span { file: DATA, start: *nth, end: *nth + 1 };
    if !matches!(json, Json::Array(_) | Json::Object(_)) {
        *nth += 1;
    }
    let o = if heap.origins.tracing() { heap.origins.add(plumb_gotemplate::Origin::At(place)) } else { O::NONE };
    match json {
        Json::Null => Value::Nil(o),
        Json::Bool(value) => Value::Bool(o, *value),
        Json::Number(number) => match number.as_i64() {
            Some(int) if int64 => Value::Int(o, IntKind::Int64, int),
            _ => Value::Float(o, number.as_f64().unwrap()),
        },
        Json::String(text) => {
            let text = heap.push(text.as_bytes(), O::NONE);
            Value::Str(o, text)
        }
        Json::Array(items) => {
            let items: Vec<Value> = items.iter().map(|item| value(heap, item, int64, nth)).collect();
            heap.list(ListType::Any, &items)
        }
        Json::Object(entries) => {
            let map = heap.map(&MAP);
            for (key, entry) in entries {
                let key = heap.sym(key.as_bytes());
                let entry = value(heap, entry, int64, nth);
                heap.get_mut(map).set(key, O::NONE, entry);
            }
            Value::Map(O::NONE, map)
        }
    }
}
