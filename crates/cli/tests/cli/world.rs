//! Owns the world that `plumb serve` runs in here: the shared control plane, a Git repository, and sites, each an installation with a
//! namespace of its own that follows its own folder of units.

use std::path::PathBuf;
use std::process::Command;

use plumb_plan::UnitHash;
use plumb_plane::git::{HttpOptions, HttpServer, Repo};
use plumb_plane::{Access, Plane};
use plumb_unit::NodeKey;
use serde_json::Value;
use tempfile::TempDir;

use crate::serve::PLUMB;

/// The name of the unit that most tests declare, in the namespace `team`.
pub(crate) const APP: &str = "app";

/// One test's world.
pub(crate) struct World {
    pub(crate) plane: &'static Access,
    pub(crate) git: HttpServer,
    pub(crate) repo: Repo,
    pub(crate) folder: TempDir,
}

/// One installation, and the namespace that its units go to.
pub(crate) struct Site {
    pub(crate) plane: &'static Access,
    pub(crate) root: String,
    /// Where its processes keep their state, sockets and logs.
    pub(crate) folder: PathBuf,
    pub(crate) installation: String,
    pub(crate) namespace: String,
}

impl World {
    /// Makes the world with an empty repository.
    pub(crate) fn new() -> Self {
        let plane = Plane::shared().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let git = HttpServer::start(&folder.path().join("git"), HttpOptions::default()).unwrap();
        let repo = Repo::create(&folder.path().join("work"), &git.create("shop").unwrap()).unwrap();
        Self { plane, git, repo, folder }
    }

    /// Makes so many sites, with their namespaces.
    pub(crate) fn sites(&self, count: usize) -> Vec<Site> {
        let site = |_| {
            let name = self.plane.fresh_name("site");
            let folder = self.folder.path().join(&name);
            std::fs::create_dir(&folder).unwrap();
            let root = format!("{}//units/{name}@main", self.git.url("shop"));
            Site { plane: self.plane, root, folder, installation: name.clone(), namespace: name }
        };
        let sites: Vec<Site> = (0..count).map(site).collect();
        let namespace = |site: &Site| format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {}}}\n---\n", site.namespace);
        self.plane.apply("default", &sites.iter().map(namespace).collect::<String>()).unwrap();
        sites
    }

    /// Makes one site.
    pub(crate) fn site(&self) -> Site {
        self.sites(1).remove(0)
    }

    /// Declares a unit of a site that reads `apps/<name>` and puts it into the site's namespace.
    pub(crate) fn declare(&self, site: &Site, name: &str, policy: &str) {
        let text = format!(
            "apiVersion: plumb.dev/v1alpha1\nkind: Unit\nmetadata: {{name: {name}, namespace: team}}\nspec:\n  \
             source: {{path: apps/{name}}}\n  target: {{namespace: {}}}\n  policy: {{{policy}}}\n",
            site.namespace
        );
        self.repo.write(&declaration(site, name), text).unwrap();
    }

    /// Takes a declaration away.
    pub(crate) fn undeclare(&self, site: &Site, name: &str) {
        self.repo.remove(&declaration(site, name)).unwrap();
    }

    /// Writes a ConfigMap into a unit's folder.
    pub(crate) fn config_map(&self, unit: &str, name: &str, value: &str) {
        let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{value: \"{value}\"}}\n");
        self.repo.write(&format!("apps/{unit}/{name}.yaml"), text).unwrap();
    }

    /// Commits and pushes all that was written.
    pub(crate) fn push(&self, message: &str) -> String {
        let commit = self.repo.commit(message).unwrap();
        self.repo.push().unwrap();
        commit
    }

    /// Returns what a folder of the repository means for a site, as `plumb render` prints it.
    pub(crate) fn rendered(&self, site: &Site, unit: &str) -> Vec<Value> {
        let mut render = Command::new(PLUMB);
        render.args(["render", &format!("apps/{unit}"), "-n", &site.namespace, "-o", "json"]);
        let output = render.current_dir(self.repo.directory()).env_clear().output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

impl Site {
    /// Returns the name that the stamps give a unit.
    pub(crate) fn hash(&self, unit: &str) -> String {
        UnitHash::of(&NodeKey::unit(&self.installation, "team", unit)).to_string()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // A plane that is gone takes the namespace with it.
        let _ = self.plane.kubectl(&["delete", "namespace", &self.namespace, "--wait=false", "--ignore-not-found"]);
    }
}

fn declaration(site: &Site, unit: &str) -> String {
    format!("units/{}/{unit}.yaml", site.installation)
}
