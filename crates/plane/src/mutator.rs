//! Owns a mutating admission webhook that an API server can call: `oracle mutator`.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::access::Access;
use crate::child::{Child, NotListening};
use crate::plane::StartError;
use crate::proxy::ProxyError;
use crate::state;
use crate::tools::Tools;

/// A webhook on loopback that does to each object what the URL says that it is called at.
#[derive(Debug)]
pub struct Mutator {
    _child: Child,
    port: u16,
    authority: String,
}

impl Mutator {
    /// Starts a webhook that a plane's API server trusts; its log lies in `folder`.
    ///
    /// # Errors
    ///
    /// When the program cannot be had or does not listen.
    pub fn start(access: &Access, folder: &Path) -> Result<Self, ProxyError> {
        let [port] = state::free_ports().map_err(|source| ProxyError::Io { what: "a port".to_owned(), source })?;
        let address = format!("{}:{port}", Ipv4Addr::LOCALHOST);
        let mut command = Command::new(Tools::locate()?.oracle()?);
        command.args(["mutator", "--listen", &address]);
        command.arg("--certificate").arg(access.pki("server.crt")).arg("--key").arg(access.pki("server.key"));
        let log = folder.join("mutator.log");
        let child = Child::start_listening(&mut command, &log, &format!("https://{address}\n")).map_err(|error| match error {
            NotListening::File(source) => ProxyError::Io { what: log.display().to_string(), source },
            NotListening::Silent { log } => ProxyError::NotListening { log },
        })?;
        let authority = access.authority_data().map_err(StartError::from)?;
        Ok(Self { _child: child, port, authority })
    }

    /// Returns the URL at which each object gets a JSON patch.
    #[must_use]
    pub fn url(&self, patch: &Value) -> String {
        let hex: String = patch.to_string().bytes().map(|byte| format!("{byte:02x}")).collect();
        format!("https://{}:{}/{hex}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// Returns the authority that signed its certificate, as a `caBundle` has it.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }
}
