//! Owns whom TLS trusts: the system's authorities, and those that come with the credentials.

use std::sync::{Arc, OnceLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// The system's authorities, read once.
#[derive(Default)]
pub(crate) struct Roots(OnceLock<RootCertStore>);

impl Roots {
    /// Returns what a connection needs; the error is a clause about the private authority.
    pub(crate) fn config(&self, private: Option<&str>) -> Result<Arc<ClientConfig>, String> {
        let mut roots = self.0.get_or_init(system).clone();
        if let Some(pem) = private {
            let before = roots.len();
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let certificate = certificate.map_err(|error| format!("`ca.crt` is not PEM: {error}"))?;
                roots.add(certificate).map_err(|error| format!("`ca.crt` holds a certificate that is no authority: {error}"))?;
            }
            if roots.len() == before {
                return Err("`ca.crt` holds no certificate; it must be PEM".to_owned());
            }
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(config))
    }
}

fn system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "some of the system's certificate authorities could not be read");
    }
    roots.add_parsable_certificates(found.certs);
    roots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_authority_must_be_one() {
        let roots = Roots::default();
        roots.config(None).expect("the system's own");
        assert!(roots.config(Some("")).expect_err("empty").contains("no certificate"));
        assert!(roots.config(Some("not pem")).is_err());
        assert!(roots.config(Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")).is_err());
    }
}
