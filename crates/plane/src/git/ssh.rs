//! Owns a Git server over SSH: Debian's sshd with keys of its own.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{GIT, GitError, Remote, bare, create_bare, start_listening};
use crate::child::Child;
use crate::run;
use crate::state::{self, write_private};
use crate::tools::Tools;

/// Where sshd lies when it is not on the PATH, which for most users it is not.
const SBIN: &[&str] = &["/usr/sbin", "/usr/local/sbin"];
/// What sshd run by root insists on, though it has no use for it here.
const PRIVILEGE_SEPARATION: &str = "/run/sshd";

/// A Git server over SSH on loopback, for the user that runs the test.
#[derive(Debug)]
pub struct SshServer {
    child: Option<Child>,
    oracle: PathBuf,
    sshd: PathBuf,
    root: PathBuf,
    own: PathBuf,
    user: String,
    port: u16,
}

impl SshServer {
    /// Serves the bare repositories in `root`, which is made if it is not there, to whom
    /// holds [`SshServer::private_key`].
    ///
    /// # Errors
    ///
    /// When sshd is not installed or does not listen.
    pub fn start(root: &Path) -> Result<Self, GitError> {
        let sshd = find_sshd().ok_or(GitError::NoSshd)?;
        let oracle = Tools::locate()?.oracle()?;
        let root = std::path::absolute(root).map_err(GitError::file(root))?;
        let own = root.join(".ssh-server");
        fs::create_dir_all(&own).map_err(GitError::file(&own))?;
        let user = run::run(Command::new("id").arg("-un"), b"", GIT)?.trim().to_owned();
        let [port] = state::free_ports().map_err(GitError::file(&root))?;
        let mut server = Self { child: None, oracle, sshd, root, own, user, port };
        server.prepare()?;
        server.start_again()?;
        Ok(server)
    }

    /// Makes an empty repository, unless it is there, and returns where it is.
    ///
    /// # Errors
    ///
    /// When Git cannot make it.
    pub fn create(&self, name: &str) -> Result<Remote, GitError> {
        create_bare(&self.root, &bare(name))?;
        Ok(self.remote(name))
    }

    /// Returns a repository's `ssh://` URL.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!("ssh://{}@127.0.0.1:{}{}/{}", self.user, self.port, self.root.display(), bare(name))
    }

    /// Returns where a repository is, with the key that opens it.
    #[must_use]
    pub fn remote(&self, name: &str) -> Remote {
        let (key, hosts) = (self.private_key(), self.known_hosts());
        let ssh = format!(
            "ssh -F none -i '{}' -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile='{}'",
            key.display(),
            hosts.display()
        );
        Remote { url: self.url(name), environment: vec![("GIT_SSH_COMMAND".to_owned(), ssh)] }
    }

    /// Returns the file of the user's private key (OpenSSH's format, no passphrase).
    #[must_use]
    pub fn private_key(&self) -> PathBuf {
        self.own.join("user")
    }

    /// Returns the file that tells the server's host key.
    #[must_use]
    pub fn known_hosts(&self) -> PathBuf {
        self.own.join("known_hosts")
    }

    /// Ends the server at once; connections to its port are refused from now on.
    pub fn stop(&mut self) {
        if let Some(child) = self.child.take() {
            child.stop();
        }
    }

    /// Starts a stopped server again on the same port, with the same keys.
    ///
    /// # Errors
    ///
    /// As [`SshServer::start`].
    pub fn start_again(&mut self) -> Result<(), GitError> {
        if self.child.is_none() {
            self.child = Some(self.spawn()?);
        }
        Ok(())
    }

    fn prepare(&self) -> Result<(), GitError> {
        for name in ["host", "user"] {
            let key = self.own.join(name);
            if !key.is_file() {
                let mut command = Command::new("ssh-keygen");
                run::run(command.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(key), b"", GIT)?;
            }
        }
        let public = self.own.join("host.pub");
        let host = fs::read_to_string(&public).map_err(GitError::file(&public))?;
        let path = self.known_hosts();
        write_private(&path, format!("[127.0.0.1]:{} {host}", self.port)).map_err(GitError::file(&path))?;
        let path = self.own.join("sshd_config");
        write_private(&path, self.config()).map_err(GitError::file(&path))
    }

    fn config(&self) -> String {
        let own = self.own.display();
        format!(
            "ListenAddress 127.0.0.1\nPort {}\nHostKey {own}/host\nAuthorizedKeysFile {own}/user.pub\nPidFile none\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nUsePAM no\n\
             AllowTcpForwarding no\nPermitTTY no\nX11Forwarding no\nStrictModes no\nAcceptEnv GIT_PROTOCOL\n",
            self.port
        )
    }

    fn spawn(&self) -> Result<Child, GitError> {
        if self.user == "root" {
            let folder = Path::new(PRIVILEGE_SEPARATION);
            fs::create_dir_all(folder).map_err(GitError::file(folder))?;
        }
        let mut command = Command::new(&self.oracle);
        command.arg("tied").arg(&self.sshd).args(["-D", "-e", "-f"]).arg(self.own.join("sshd_config"));
        let log = self.own.join("server.log");
        start_listening(&mut command, &log, &format!("Server listening on 127.0.0.1 port {}.", self.port))
    }
}

/// sshd starts itself anew for each connection and therefore must know its full path.
fn find_sshd() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).chain(SBIN.iter().map(PathBuf::from)).map(|folder| folder.join("sshd")).find(|path| path.is_file())
}
