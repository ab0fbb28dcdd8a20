//! Owns what a chart may ask of this machine in a one-shot command: its clock and randomness, and no cluster.

use std::net::ToSocketAddrs;
use std::time::{SystemTime, UNIX_EPOCH};

use plumb_gotemplate::{CallKey, CertificateRequest, Failure, Host};
use plumb_world::CertificateNeed;

/// Answers charts with this machine's clock and randomness, and with no cluster: what `helm template` does.
#[derive(Default)]
pub(crate) struct Machine {
    /// Whether charts may look up the addresses of hosts.
    pub(super) has_dns: bool,
}

impl Host for Machine {
    fn random(&mut self, _: CallKey<'_>, _: &[u8], bytes: usize) -> Result<Vec<u8>, Failure> {
        let mut random = vec![0; bytes];
        // The system's own: a library's generator takes longer to begin than a chart to render.
        getrandom::fill(&mut random).map_err(|_| Failure::new("this machine gives no randomness"))?;
        Ok(random)
    }

    fn now(&mut self) -> Result<(i64, u32, i32), Failure> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| Failure::new("this machine's clock is before 1970"))?;
        Ok((i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos(), 0))
    }

    fn lookup(&mut self, _: &str, _: &str, _: &str, _: &str) -> Result<Option<Vec<u8>>, Failure> {
        Ok(None)
    }

    fn address(&mut self, name: &str) -> Result<String, Failure> {
        if !self.has_dns {
            return Ok(String::new());
        }
        let mut addresses = (name, 0).to_socket_addrs().map_err(|error| Failure::new(format!("{name} has no address: {error}")))?;
        Ok(addresses.next().map(|address| address.ip().to_string()).unwrap_or_default())
    }

    fn certificate(&mut self, key: CallKey<'_>, request: &CertificateRequest<'_>) -> Result<(String, String), Failure> {
        let need = CertificateNeed::from(request);
        plumb_certificates::make(key.function, &need).map_err(Failure::new)
    }
}
