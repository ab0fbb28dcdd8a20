//! Owns the keys and certificates that charts ask for, as Sprig makes them (crypto.go): RSA of 2,048 bits unless a key is given, PEM as Go writes it.
//! Must not keep them: what was made once and is asked for again is the caller's.
//!
//! ```
//! use plumb_world::CertificateNeed;
//!
//! # fn main() -> Result<(), String> {
//! let request = CertificateNeed {
//!     common_name: "ecdsa".to_owned(),
//!     addresses: Vec::new(),
//!     names: Vec::new(),
//!     days: 0,
//!     authority: false,
//!     signer: None,
//!     key: None,
//! };
//! let (_, key) = plumb_certificates::make("genPrivateKey", &request)?;
//! assert!(key.starts_with("-----BEGIN EC PRIVATE KEY-----"));
//! # Ok(())
//! # }
//! ```

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on fails"))]

use plumb_world::CertificateNeed;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize, SanType,
};
use time::{Duration, OffsetDateTime};

/// What a key is written under in PEM.
const PKCS8: &str = "PRIVATE KEY";
/// PKCS #8 of an Ed25519 key up to the key (RFC 8410): without the public key, as Go writes it and OpenSSL reads it.
const ED25519: [u8; 14] = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22];
/// Days that a certificate may hold: what dates can say.
const MAX_DAYS: i64 = 2_000_000;

/// Returns what a function of Sprig's asks for: certificate and key as PEM; of a key alone, no certificate. The error is a message.
pub fn make(function: &str, request: &CertificateNeed) -> Result<(String, String), String> {
    match function {
        "genPrivateKey" => private_key(&request.common_name).map(|key| (String::new(), key)),
        _ => certificate(request),
    }
}

/// Returns a key of a kind of `genPrivateKey` as PEM. The error is a message.
fn private_key(kind: &str) -> Result<String, String> {
    let key = match kind {
        "rsa" => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_4096),
        "ecdsa" => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
        "ed25519" => KeyPair::generate_for(&PKCS_ED25519),
        other => return Err(format!("keys of kind {other} are not made: use rsa, ecdsa or ed25519")),
    };
    key_pem(&key.map_err(|error| error.to_string())?)
}

/// Returns a certificate and its key as PEM. The error is a message.
fn certificate(request: &CertificateNeed) -> Result<(String, String), String> {
    let told = |error: rcgen::Error| error.to_string();
    let key = match &request.key {
        Some(pem) => KeyPair::from_pem(pem).map_err(|error| format!("error parsing private key: {error}"))?,
        None => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).map_err(told)?,
    };
    let params = params(request)?;
    let certificate = match &request.signer {
        None => params.self_signed(&key),
        Some((certificate, key_of_signer)) => {
            let signer = KeyPair::from_pem(key_of_signer).map_err(|error| format!("error parsing private key: {error}"))?;
            let issuer = Issuer::from_ca_cert_pem(certificate, signer).map_err(|error| format!("error parsing certificate: {error}"))?;
            params.signed_by(&key, &issuer)
        }
    };
    let pem = certificate.map_err(|error| format!("error creating certificate: {error}"))?.pem().replace("\r\n", "\n");
    let key = match &request.key {
        Some(pem) => pem.clone(),
        None => key_pem(&key)?,
    };
    Ok((pem, key))
}

fn params(request: &CertificateNeed) -> Result<CertificateParams, String> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, request.common_name.as_str());
    params.not_before = OffsetDateTime::now_utc();
    let end = params.not_before.checked_add(Duration::days(request.days.clamp(-MAX_DAYS, MAX_DAYS)));
    params.not_after = end.ok_or_else(|| format!("no certificate holds for {} days", request.days))?;
    for address in &request.addresses {
        let address = address.parse().map_err(|_| format!("error parsing ip: {address} is not an IP"))?;
        params.subject_alt_names.push(SanType::IpAddress(address));
    }
    for name in &request.names {
        let name =
            name.as_str().try_into().map_err(|error: rcgen::Error| format!("the DNS name {name:?} cannot be in a certificate: {error}"))?;
        params.subject_alt_names.push(SanType::DnsName(name));
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.is_ca = IsCa::ExplicitNoCa;
    if request.authority {
        params.key_usages.push(KeyUsagePurpose::KeyCertSign);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params.use_authority_key_identifier_extension = request.signer.is_some();
    Ok(params)
}

/// Writes a key as Sprig does: RSA and EC in their own forms, anything else as PKCS #8.
fn key_pem(key: &KeyPair) -> Result<String, String> {
    let der = key.serialize_der();
    let inner = || pkcs8_inner(&der).ok_or_else(|| "the key that was made cannot be read".to_owned());
    let (label, bytes) = if key.is_compatible(&PKCS_RSA_SHA256) {
        ("RSA PRIVATE KEY", inner()?.to_vec())
    } else if key.is_compatible(&PKCS_ECDSA_P256_SHA256) {
        ("EC PRIVATE KEY", sec1_with_curve(inner()?).ok_or("the key that was made cannot be read")?)
    } else {
        (PKCS8, ED25519.iter().chain(inner()?).copied().collect())
    };
    let text = plumb_go::base64::encode(&bytes);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    Ok(format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n")))
}

/// Takes one DER value off: its tag, what is in it, and what comes after it.
fn der_value(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, first, rest) = (*bytes.first()?, *bytes.get(1)?, bytes.get(2..)?);
    let (len, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        let len = rest.get(..count)?.iter().try_fold(0_usize, |len, byte| len.checked_mul(256)?.checked_add(usize::from(*byte)))?;
        (len, rest.get(count..)?)
    };
    Some((tag, rest.get(..len)?, rest.get(len..)?))
}

/// The key inside PKCS #8 (RFC 5958): version, algorithm, key.
fn pkcs8_inner(der: &[u8]) -> Option<&[u8]> {
    let (_, all, _) = der_value(der)?;
    let (_, _, rest) = der_value(all)?;
    let (_, _, rest) = der_value(rest)?;
    let (_, key, _) = der_value(rest)?;
    Some(key)
}

/// An EC key (RFC 5915) with the curve P-256 named in it, as Go writes it.
fn sec1_with_curve(key: &[u8]) -> Option<Vec<u8>> {
    const CURVE: [u8; 12] = [0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    let (_, all, _) = der_value(key)?;
    let (_, _, rest) = der_value(all)?;
    let (_, secret, rest) = der_value(rest)?;
    let public = match rest.first() {
        Some(0xa0) => der_value(rest)?.2,
        _ => rest,
    };
    let mut content = vec![0x02, 0x01, 0x01, 0x04, u8::try_from(secret.len()).ok()?];
    content.extend_from_slice(secret);
    content.extend_from_slice(&CURVE);
    content.extend_from_slice(public);
    let mut out = vec![0x30, u8::try_from(content.len()).ok().filter(|len| *len < 0x80)?];
    out.extend(content);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &str) -> CertificateNeed {
        CertificateNeed {
            common_name: name.to_owned(),
            addresses: Vec::new(),
            names: Vec::new(),
            days: 30,
            authority: false,
            signer: None,
            key: None,
        }
    }

    #[test]
    fn keys_are_written_as_go_writes_them_and_read_again() {
        for (kind, label) in [("rsa", "RSA PRIVATE KEY"), ("ecdsa", "EC PRIVATE KEY"), ("ed25519", "PRIVATE KEY")] {
            let key = private_key(kind).unwrap();
            assert!(key.starts_with(&format!("-----BEGIN {label}-----\n")), "{key}");
            if kind != "ed25519" {
                assert!(certificate(&CertificateNeed { key: Some(key.clone()), ..request("with-key") }).is_ok(), "{kind}");
            }
        }
        assert!(private_key("dsa").unwrap_err().contains("use rsa"));
    }

    #[test]
    fn what_an_authority_signs_names_it() {
        let (ca, ca_key) = certificate(&CertificateNeed { authority: true, ..request("ca") }).unwrap();
        let asked = CertificateNeed {
            signer: Some((ca.clone(), ca_key)),
            names: vec!["a.b".to_owned()],
            addresses: vec!["::1".to_owned()],
            ..request("leaf")
        };
        let (leaf, _) = certificate(&asked).unwrap();
        assert_ne!(leaf, ca);
        let error = certificate(&CertificateNeed { addresses: vec!["nowhere".to_owned()], ..request("leaf") }).unwrap_err();
        assert_eq!(error, "error parsing ip: nowhere is not an IP");
        assert!(certificate(&CertificateNeed { signer: Some(("x".to_owned(), "y".to_owned())), ..request("leaf") }).is_err());
    }
}
