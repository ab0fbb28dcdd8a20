//! Owns the demo's steps, in the order in which a platform team meets them.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use plumb_plane::git::{HttpServer, Repo};
use serde_json::Value;

use super::Cluster;
use super::operator::{Operator, UNIT};
use crate::setup;

const LIMIT: Duration = Duration::from_secs(60);

/// Shows what needs no cluster: a folder rendered.
pub(crate) fn offline(plumb: &Path) -> Result<()> {
    let folder = setup::root().join("examples/hello/apps/hello");
    println!("\n$ plumb render examples/hello/apps/hello -n hello");
    let output = Command::new(plumb).arg("render").arg(&folder).args(["-n", "hello"]).output().context("plumb did not start")?;
    ensure!(output.status.success(), "plumb render: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for line in text.lines().take(12) {
        println!("{line}");
    }
    println!("… {} lines", text.lines().count());
    Ok(())
}

/// Tells the story.
pub(crate) fn tell(operator: &Operator, cluster: &Cluster, git: &mut HttpServer, folder: &Path) -> Result<()> {
    let repo = Repo::create(&folder.join("work"), &git.remote("hello"))?;
    let story = Story { operator, cluster, repo };
    story.roll_out()?;
    story.revert_a_manual_change()?;
    story.prune_a_deleted_file()?;
    story.hold_a_large_deletion()?;
    story.survive_a_bad_commit()?;
    story.follow_a_git_revert()?;
    story.roll_back_without_git(git)
}

struct Story<'a> {
    operator: &'a Operator,
    cluster: &'a Cluster,
    repo: Repo,
}

impl Story<'_> {
    fn roll_out(&self) -> Result<()> {
        copy_tree(&setup::root().join("examples/hello"), self.repo.directory())?;
        let begun = Instant::now();
        self.push("Say hello")?;
        self.until("the Deployment is there", || self.live("deployment/web", "{.spec.replicas}").as_deref() == Some("2"))?;
        done("a push is applied", begun);
        self.until("the unit is synced and healthy", || self.synced())?;
        ensure!(
            self.live("deployment/web", "{.status.readyReplicas}").as_deref() == Some("2"),
            "the Deployment has not two ready replicas"
        );
        done("and rolled out: two replicas are ready", begun);
        Ok(())
    }

    fn revert_a_manual_change(&self) -> Result<()> {
        self.cluster.kubectl(&["-n", "hello", "scale", "deployment/web", "--replicas=5"])?;
        let begun = Instant::now();
        self.until("the replicas are two again", || self.live("deployment/web", "{.spec.replicas}").as_deref() == Some("2"))?;
        done("a manual `kubectl scale` is reverted", begun);
        self.until("the history has the drift", || self.drift_in_history().is_ok())?;
        let (path, manager) = self.drift_in_history()?;
        ensure!(path == "spec.replicas", "the history names `{path}`, not spec.replicas");
        println!("    history: {path} changed by {manager}");
        Ok(())
    }

    fn prune_a_deleted_file(&self) -> Result<()> {
        self.until("the banner is there", || self.live("configmap/banner", "{.metadata.name}").is_some())?;
        self.repo.remove("apps/hello/banner.yaml")?;
        let begun = Instant::now();
        self.push("Drop the banner")?;
        self.until("the banner is gone", || self.gone("configmap/banner"))?;
        done("a deleted file is pruned", begun);
        Ok(())
    }

    fn hold_a_large_deletion(&self) -> Result<()> {
        self.repo.remove("apps/hello/texts.yaml")?;
        self.repo.write("apps/hello/settings.yaml", settings("hello again"))?;
        let begun = Instant::now();
        self.push("Drop all texts")?;
        self.until("the rest of the commit is applied", || {
            self.live("configmap/settings", "{.data.greeting}").as_deref() == Some("hello again")
        })?;
        self.until("the deletion waits for approval", || self.gate().is_some_and(|gate| gate.contains("approv")))?;
        ensure!(self.live("configmap/text-de", "{.metadata.name}").is_some(), "a text was pruned without approval");
        done("a large deletion is held, the rest of its commit is applied", begun);
        println!("    {}", self.gate().unwrap_or_default());
        let begun = Instant::now();
        self.operator.run(&["approve", UNIT, "--reason", "the texts moved to another team"])?;
        self.until("the texts are gone", || self.gone("configmap/text-de"))?;
        self.until("the unit is synced", || self.synced())?;
        done("and runs once approved", begun);
        Ok(())
    }

    fn survive_a_bad_commit(&self) -> Result<()> {
        self.repo
            .write("apps/hello/settings.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  greeting: a: b\n")?;
        let begun = Instant::now();
        self.push("Break the settings")?;
        self.until("the error is shown", || self.error().is_some_and(|error| error.contains("settings.yaml:6")))?;
        ensure!(self.live("configmap/settings", "{.data.greeting}").as_deref() == Some("hello again"), "what is live did not stay live");
        done("a bad commit is refused, what is live stays live", begun);
        println!("    {}", self.error().unwrap_or_default().lines().next().unwrap_or_default());
        self.repo.write("apps/hello/settings.yaml", settings("fixed"))?;
        let begun = Instant::now();
        self.push("Fix the settings")?;
        self.until("the fix is live", || self.live("configmap/settings", "{.data.greeting}").as_deref() == Some("fixed"))?;
        self.until("the unit is synced", || self.synced())?;
        done("the fix needs nobody", begun);
        Ok(())
    }

    fn follow_a_git_revert(&self) -> Result<()> {
        self.repo.write("apps/hello/settings.yaml", settings("a mistake"))?;
        self.push("Change the greeting")?;
        self.until("the mistake is live", || self.live("configmap/settings", "{.data.greeting}").as_deref() == Some("a mistake"))?;
        self.until("the unit is synced", || self.synced())?;
        self.repo.revert("HEAD")?;
        let begun = Instant::now();
        self.repo.push()?;
        self.until("the revert is live", || self.live("configmap/settings", "{.data.greeting}").as_deref() == Some("fixed"))?;
        self.until("the unit is synced", || self.synced())?;
        done("`git revert` is followed", begun);
        Ok(())
    }

    fn roll_back_without_git(&self, git: &mut HttpServer) -> Result<()> {
        git.stop();
        let history = self.history()?;
        let target = history.iter().find(|sync| sync["commit"]["subject"] == "Change the greeting" && sync["outcome"] == "succeeded");
        let id = target.and_then(|sync| sync["id"].as_str()).context("the history has no sync of the greeting's commit")?;
        let begun = Instant::now();
        self.operator.run(&["rollback", UNIT, "--to", id, "--reason", "the mistake was none"])?;
        self.until("the older state is live", || self.live("configmap/settings", "{.data.greeting}").as_deref() == Some("a mistake"))?;
        done("a rollback works with Git stopped", begun);
        git.start_again()?;
        let begun = Instant::now();
        self.operator.run(&["resume", UNIT])?;
        self.until("the newest state is live", || self.live("configmap/settings", "{.data.greeting}").as_deref() == Some("fixed"))?;
        done("`plumb resume` follows Git again", begun);
        Ok(())
    }

    fn push(&self, message: &str) -> Result<()> {
        self.repo.commit(message)?;
        Ok(self.repo.push()?)
    }

    fn until(&self, what: &str, condition: impl FnMut() -> bool) -> Result<()> {
        self.operator.wait(what, LIMIT, condition).map(|_| ())
    }

    fn live(&self, object: &str, path: &str) -> Option<String> {
        self.cluster.kubectl(&["-n", "hello", "get", object, "-o", &format!("jsonpath={path}")]).ok()
    }

    /// Whether the server says that an object is not there: an answer that fails says nothing.
    fn gone(&self, object: &str) -> bool {
        self.cluster.kubectl(&["-n", "hello", "get", object, "--ignore-not-found", "-o", "name"]).is_ok_and(|names| names.trim().is_empty())
    }

    fn synced(&self) -> bool {
        self.operator.status().is_ok_and(|status| status["sync"] == "Synced" && status["health"] == "Healthy")
    }

    fn gate(&self) -> Option<String> {
        let status = self.operator.status().ok()?;
        status["gates"].as_array()?.first()?["reason"].as_str().map(str::to_owned)
    }

    fn error(&self) -> Option<String> {
        self.operator.status().ok()?["error"].as_str().map(str::to_owned)
    }

    fn history(&self) -> Result<Vec<Value>> {
        let text = self.operator.run(&["history", UNIT, "-o", "json"])?;
        match serde_json::from_str(&text)? {
            Value::Array(syncs) => Ok(syncs),
            _ => bail!("`plumb history -o json` is not a list"),
        }
    }

    fn drift_in_history(&self) -> Result<(String, String)> {
        let history = self.history()?;
        let drift =
            history.iter().flat_map(|sync| sync["drift"].as_array().into_iter().flatten()).next().context("no drift in the history")?;
        let text = |field: &str| drift[field].as_str().unwrap_or_default().to_owned();
        Ok((text("path"), text("manager")))
    }
}

fn done(what: &str, begun: Instant) {
    println!("  ✓ {what:<62} {:>6.2} s", begun.elapsed().as_secs_f64());
}

fn settings(greeting: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  greeting: {greeting}\n")
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            std::fs::create_dir_all(&target)?;
            copy_tree(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
