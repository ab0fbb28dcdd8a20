//! Owns what the user told Helm of repositories and registries: `repositories.yaml` and `registry/config.json`, read where Helm
//! keeps them. Must not write them, and runs no credential helper.

use std::env;
use std::path::{Path, PathBuf};

use plumb_unit::Credentials;
use plumb_world::Secret;
use serde::Deserialize;

use crate::problem::Problem;

/// A repository that was added with `helm repo add`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Repository {
    pub(crate) name: String,
    pub(crate) url: String,
    username: String,
    password: Option<Secret<String>>,
    ca_file: String,
}

/// All of them, and who signs in at which registry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repositories {
    all: Vec<Repository>,
    registries: Option<PathBuf>,
}

#[derive(Deserialize)]
struct RegistryConfig {
    #[serde(default)]
    auths: std::collections::BTreeMap<String, Auth>,
}

#[derive(Deserialize)]
struct Auth {
    #[serde(default)]
    auth: String,
}

impl Repositories {
    /// Reads them from where Helm has them; none is no error.
    pub(crate) fn read() -> Result<Self, Problem> {
        let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let config = set("HELM_CONFIG_HOME")
            .or_else(|| set("XDG_CONFIG_HOME").map(|folder| folder.join("helm")))
            .or_else(|| set("HOME").map(|folder| folder.join(".config/helm")));
        let within = |name: &str| config.as_ref().map(|folder| folder.join(name));
        let path = set("HELM_REPOSITORY_CONFIG").or_else(|| within("repositories.yaml"));
        let registries = set("HELM_REGISTRY_CONFIG").or_else(|| within("registry/config.json"));
        let all = match path {
            Some(path) => read_file(&path)?,
            None => Vec::new(),
        };
        Ok(Self { all, registries })
    }

    /// Returns the repository of a name.
    pub(crate) fn named(&self, name: &str) -> Option<&Repository> {
        self.all.iter().find(|repository| repository.name == name)
    }

    /// Returns the repository with a URL; a slash at its end makes no other.
    pub(crate) fn at(&self, url: &str) -> Option<&Repository> {
        self.all.iter().find(|repository| repository.url.trim_end_matches('/') == url.trim_end_matches('/'))
    }

    /// Returns what opens a URL; empty credentials where nothing is known.
    pub(crate) fn credentials(&self, url: &str) -> Result<Credentials, Problem> {
        if let Some(rest) = url.strip_prefix("oci://") {
            return Ok(self.of_registry(rest.split('/').next().unwrap_or_default()).unwrap_or_default());
        }
        // An archive lies below its repository.
        let below = |repository: &&Repository| {
            let base = repository.url.trim_end_matches('/');
            url == base || url.strip_prefix(base).is_some_and(|rest| rest.starts_with('/'))
        };
        let Some(repository) = self.all.iter().filter(below).max_by_key(|repository| repository.url.len()) else {
            return Ok(Credentials::default());
        };
        let mut credentials = Credentials::default();
        if !repository.username.is_empty() {
            credentials.username = Some(repository.username.clone());
            credentials.password.clone_from(&repository.password);
        }
        if !repository.ca_file.is_empty() {
            let read = std::fs::read_to_string(&repository.ca_file);
            credentials.ca_crt = Some(read.map_err(|error| Problem::new(format!("{} cannot be read: {error}", repository.ca_file)))?);
        }
        Ok(credentials)
    }

    fn of_registry(&self, host: &str) -> Option<Credentials> {
        let text = std::fs::read(self.registries.as_ref()?).ok()?;
        let config: RegistryConfig = serde_json::from_slice(&text).ok()?;
        let pair = plumb_go::base64::decode(config.auths.get(host)?.auth.as_bytes())?;
        let pair = String::from_utf8(pair).ok()?;
        let (username, password) = pair.split_once(':')?;
        let password = Some(Secret::new(password.to_owned()));
        Some(Credentials { username: Some(username.to_owned()), password, ..Credentials::default() })
    }
}

fn read_file(path: &Path) -> Result<Vec<Repository>, Problem> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Problem::new(format!("{} cannot be read: {error}", path.display()))),
    };
    parse(&text).map_err(|why| Problem::new(format!("{} cannot be read: {why}", path.display())))
}

fn parse(text: &[u8]) -> Result<Vec<Repository>, String> {
    let stream = plumb_yaml::parse(text, &plumb_yaml::Options::default());
    let Some(document) = stream.documents().next() else { return Ok(Vec::new()) };
    let document = document.map_err(|errors| errors.first().map(ToString::to_string).unwrap_or_default())?;
    let Some(list) = document.root().get("repositories") else { return Ok(Vec::new()) };
    let repository = |node: plumb_yaml::NodeRef<'_>| {
        let text = |key: &str| node.get(key).and_then(|node| node.as_str().map(str::to_owned)).unwrap_or_default();
        let password = Some(text("password")).filter(|password| !password.is_empty()).map(Secret::new);
        Repository { name: text("name"), url: text("url"), username: text("username"), password, ca_file: text("caFile") }
    };
    Ok(list.items().map(repository).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_of_a_url_opens_it() {
        let text = "repositories:\n- {name: a, url: 'https://h/a', username: ada, password: s3cret}\n- {name: ab, url: https://h/ab}\n";
        let repositories = Repositories { all: parse(text.as_bytes()).unwrap(), registries: None };
        let user = |url: &str| repositories.credentials(url).unwrap().username;
        assert_eq!(user("https://h/a/x.tgz").as_deref(), Some("ada"));
        assert_eq!(user("https://h/a").as_deref(), Some("ada"));
        for url in ["https://h/ab", "https://h/ab/x", "https://h:8443/a", "http://h/a", "https://h", "https://h.evil/a"] {
            assert_eq!(user(url), None, "{url}");
        }
        assert!(repositories.at("https://h/a/").is_some() && repositories.named("ab").is_some());
        assert!(parse(b"repositories: [").is_err());
    }
}
