//! Owns what the tests answer charts: the same every time, in the shape of the real thing.

use plumb_gotemplate::{CallKey, CertificateRequest, Failure, Host};

/// Answers without a world.
pub(crate) struct NoHost;

impl Host for NoHost {
    fn random(&mut self, _: CallKey<'_>, _: &[u8], bytes: usize) -> Result<Vec<u8>, Failure> {
        Ok((0..bytes).map(|at| (at * 37 + 11) as u8).collect())
    }

    fn now(&mut self) -> Result<(i64, u32, i32), Failure> {
        Ok((1_795_224_330, 0, 0))
    }

    fn lookup(&mut self, _: &str, _: &str, _: &str, _: &str) -> Result<Option<Vec<u8>>, Failure> {
        Ok(None)
    }

    fn address(&mut self, _: &str) -> Result<String, Failure> {
        Ok(String::new())
    }

    fn certificate(&mut self, key: CallKey<'_>, request: &CertificateRequest<'_>) -> Result<(String, String), Failure> {
        let pem = |kind: &str| format!("-----BEGIN {kind}-----\nMAA=\n-----END {kind}-----\n");
        let kind = match (key.function, request.common_name) {
            ("genPrivateKey", "ecdsa") => "EC PRIVATE KEY",
            ("genPrivateKey", "ed25519") => "PRIVATE KEY",
            _ => "RSA PRIVATE KEY",
        };
        Ok((pem("CERTIFICATE"), pem(kind)))
    }
}
