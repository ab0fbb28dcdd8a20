//! Owns Sprig's keys and certificates (crypto.go). The [`Host`](crate::Host) makes them, so that they are recorded; what Sprig checks of the arguments
//! is checked here.

use plumb_go::base64;

use crate::func::{Call, CertificateRequest, Failure, Function, function};
use crate::object::{Object, Struct, StructType};
use crate::origin::{O, Origin};
use crate::value::Value;

type Given = Result<Value, Failure>;

pub(crate) static ALL: &[&Function] =
    &[&PRIVATE_KEY, &BUILD_CUSTOM, &AUTHORITY, &AUTHORITY_WITH_KEY, &SELF_SIGNED, &SELF_SIGNED_WITH_KEY, &SIGNED, &SIGNED_WITH_KEY];

/// Sprig's type of a certificate with its key.
static CERTIFICATE: StructType = StructType { name: "sprig.certificate", methods: &[], text: None };

/// A certificate's type as a parameter.
const CERTIFICATE_TY: crate::func::Ty = crate::func::Ty::Named("sprig.certificate");

function!(PRIVATE_KEY, "genPrivateKey", [Str], , Coarse, |c, a| {
    let kind = c.heap.utf8(c.str(&a[0])).into_owned();
    let kind = match kind.as_str() {
        "" | "rsa" => "rsa",
        "dsa" | "ecdsa" | "ed25519" => kind.as_str(),
        other => return c.text(format!("Unknown type {other}").as_bytes()),
    };
    let (_, key) = ask(c, &request(kind, 0))?;
    c.text(key.as_bytes())
});

function!(BUILD_CUSTOM, "buildCustomCert", [Str, Str], , Coarse, |c, a| {
    let certificate =
        base64::decode(c.bytes(&a[0])).ok_or_else(|| Failure::new("unable to decode base64 certificate"))?;
    let key = base64::decode(c.bytes(&a[1])).ok_or_else(|| Failure::new("unable to decode base64 private key"))?;
    let block = Block::find(&certificate).ok_or_else(|| Failure::new("unable to decode certificate"))?;
    if !is_der_sequence(&block.bytes) {
        return Err(Failure::new("error parsing certificate: decodedCert.Bytes: x509: malformed certificate"));
    }
    check_key(&key, "error parsing private key")?;
    pair(c, a, &certificate, &key)
});

fn authority(c: &mut Call<'_>, a: &[Value], key: Option<&str>) -> Given {
    let name = c.heap.utf8(c.str(&a[0])).into_owned();
    let (certificate, key) = ask(c, &CertificateRequest { authority: true, key, ..request(&name, c.int(&a[1])) })?;
    pair(c, a, certificate.as_bytes(), key.as_bytes())
}

function!(AUTHORITY, "genCA", [Str, Int], , Coarse, |c, a| authority(c, a, None));
function!(AUTHORITY_WITH_KEY, "genCAWithKey", [Str, Int, Str], , Coarse, |c, a| {
    let key = given_key(c, &a[2])?;
    authority(c, a, Some(&key))
});

/// `genSelfSignedCert` and, with who signs, `genSignedCert`: name, addresses, DNS names, days.
fn certificate(c: &mut Call<'_>, a: &[Value], signer: Option<(&str, &str)>, key: Option<&str>) -> Given {
    let addresses = addresses(c, &a[1])?;
    let names = names(c, &a[2])?;
    let name = c.heap.utf8(c.str(&a[0])).into_owned();
    let request = CertificateRequest {
        addresses: addresses.iter().map(String::as_str).collect(),
        names: names.iter().map(String::as_str).collect(),
        signer,
        key,
        ..request(&name, c.int(&a[3]))
    };
    let (certificate, key) = ask(c, &request)?;
    pair(c, a, certificate.as_bytes(), key.as_bytes())
}

function!(SELF_SIGNED, "genSelfSignedCert", [Str, List, List, Int], , Coarse, |c, a| certificate(c, a, None, None));
function!(SELF_SIGNED_WITH_KEY, "genSelfSignedCertWithKey", [Str, List, List, Int, Str], , Coarse, |c, a| {
    let key = given_key(c, &a[4])?;
    certificate(c, a, None, Some(&key))
});

static SIGNED: Function = Function {
    name: "genSignedCert",
    params: &[crate::func::Ty::Str, crate::func::Ty::List, crate::func::Ty::List, crate::func::Ty::Int, CERTIFICATE_TY],
    variadic: None,
    trace: crate::func::Trace::Coarse,
    run: |c, a| {
        let (certificate_pem, key_pem) = signer(c, &a[4])?;
        certificate(c, a, Some((&certificate_pem, &key_pem)), None)
    },
};

static SIGNED_WITH_KEY: Function = Function {
    name: "genSignedCertWithKey",
    params: &[
        crate::func::Ty::Str,
        crate::func::Ty::List,
        crate::func::Ty::List,
        crate::func::Ty::Int,
        CERTIFICATE_TY,
        crate::func::Ty::Str,
    ],
    variadic: None,
    trace: crate::func::Trace::Coarse,
    run: |c, a| {
        let key = given_key(c, &a[5])?;
        let (certificate_pem, key_pem) = signer(c, &a[4])?;
        certificate(c, a, Some((&certificate_pem, &key_pem)), Some(&key))
    },
};

fn request(name: &str, days: i64) -> CertificateRequest<'_> {
    CertificateRequest { common_name: name, addresses: Vec::new(), names: Vec::new(), days, authority: false, signer: None, key: None }
}

fn ask(c: &mut Call<'_>, request: &CertificateRequest<'_>) -> Result<(String, String), Failure> {
    let key = c.key;
    c.host.certificate(key, request)
}

/// A certificate with its key as a value. Both are from the call, and from all that went in.
fn pair(c: &mut Call<'_>, a: &[Value], certificate: &[u8], key: &[u8]) -> Given {
    let mut all = O::NONE;
    for value in a {
        let of = c.heap.origin(*value);
        all = c.heap.origins.join(all, of);
    }
    if let Some(site) = c.heap.here.site {
        all = c.heap.origins.add(Origin::Via { function: c.key.function, site, of: all });
    }
    // A key is secret whatever it was made of.
    let secret = if c.heap.origins.tracing() { all.secret() } else { O::SECRET };
    c.heap.reserve(certificate.len() + key.len())?;
    let certificate = Value::Str(all, c.heap.push(certificate, all));
    let key = Value::Str(secret, c.heap.push(key, secret));
    let fields = vec![(c.heap.sym(b"Cert"), certificate), (c.heap.sym(b"Key"), key)];
    Ok(c.heap.object(Object::Struct(Struct { ty: &CERTIFICATE, fields })))
}

/// The certificate and key of whoever signs.
fn signer(c: &mut Call<'_>, value: &Value) -> Result<(String, String), Failure> {
    let (certificate_name, key_name) = (c.heap.sym(b"Cert"), c.heap.sym(b"Key"));
    let Value::Obj(_, id) = value else { return Err(Failure::new("unable to decode certificate")) };
    let field = |name| c.heap.obj(*id).field(name).map(|field| c.heap.utf8(c.str(&field)).into_owned()).unwrap_or_default();
    let (certificate, key) = (field(certificate_name), field(key_name));
    if Block::find(certificate.as_bytes()).is_none() {
        return Err(Failure::new("unable to decode certificate"));
    }
    check_key(key.as_bytes(), "error parsing private key")?;
    Ok((certificate, key))
}

fn given_key(c: &Call<'_>, value: &Value) -> Result<String, Failure> {
    check_key(c.bytes(value), "parsing private key")?;
    Ok(c.heap.utf8(c.str(value)).into_owned())
}

fn addresses(c: &mut Call<'_>, value: &Value) -> Result<Vec<String>, Failure> {
    texts(c, value, "error parsing ip: ")?
        .into_iter()
        .map(|text| match text.parse::<core::net::IpAddr>() {
            Ok(_) => Ok(text),
            Err(_) => Err(Failure::new(format!("error parsing ip: {text}"))),
        })
        .collect()
}

fn names(c: &mut Call<'_>, value: &Value) -> Result<Vec<String>, Failure> {
    texts(c, value, "error processing alternate dns name: ")
}

fn texts(c: &mut Call<'_>, value: &Value, problem: &str) -> Result<Vec<String>, Failure> {
    let items = c.items(value).unwrap_or_default();
    let mut texts = Vec::with_capacity(items.len());
    for item in items {
        let Value::Str(_, text) = item else {
            let shown = crate::print::default(c.heap, item);
            return Err(Failure::new([problem.as_bytes(), &shown, b" is not a string"].concat()));
        };
        texts.push(c.heap.utf8(text).into_owned());
    }
    Ok(texts)
}

/// A PEM block (RFC 7468), as far as `encoding/pem` needs it to be one.
struct Block {
    kind: String,
    bytes: Vec<u8>,
}

impl Block {
    fn find(text: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(text);
        let mut rest = text.as_ref();
        loop {
            let begin = rest.find("-----BEGIN ")?;
            rest = &rest[begin + 11..];
            let Some((kind, body)) = rest.split_once("-----").filter(|(kind, _)| !kind.contains('\n')) else { continue };
            let Some((body, _)) = body.split_once(&format!("-----END {kind}-----")) else { continue };
            // Headers are `name: value` lines before an empty one.
            let body = if body.contains(':') { body.split_once("\n\n").map_or("", |(_, body)| body) } else { body };
            let digits: Vec<u8> = body.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
            if let Some(bytes) = base64::decode(&digits) {
                return Some(Self { kind: kind.to_owned(), bytes });
            }
        }
    }
}

/// Whether it is one DER sequence of the length that it says.
fn is_der_sequence(bytes: &[u8]) -> bool {
    let (Some(0x30), Some(first)) = (bytes.first(), bytes.get(1)) else { return false };
    let (len, from) = if *first < 0x80 {
        (usize::from(*first), 2)
    } else {
        let digits = usize::from(*first & 0x7f);
        let Some(digits) = bytes.get(2..2 + digits).filter(|digits| (1..=4).contains(&digits.len())) else { return false };
        (digits.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)), 2 + digits.len())
    };
    bytes.len() == from + len
}

/// What Sprig refuses in a key before anything is made of it.
fn check_key(pem: &[u8], problem: &str) -> Result<(), Failure> {
    let Some(block) = Block::find(pem) else { return Err(Failure::new(format!("{problem}: no PEM data in input"))) };
    if block.kind == "PRIVATE KEY" {
        return Ok(());
    }
    match block.kind.strip_suffix(" PRIVATE KEY") {
        None => Err(Failure::new(format!("{problem}: no private key data in PEM block of type {}", block.kind))),
        Some("RSA" | "EC" | "DSA") => Ok(()),
        Some(_) => Err(Failure::new(format!("{problem}: invalid private key type {}", block.kind))),
    }
}
