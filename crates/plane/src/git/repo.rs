//! Owns a working copy: what a person does who commits and pushes.

use std::fs;
use std::path::{Path, PathBuf};

use super::{BRANCH, GIT, GitError, Remote, git};
use crate::run::{self, CommandError};

/// A working copy of a remote repository, on its branch `main`.
#[derive(Debug)]
pub struct Repo {
    directory: PathBuf,
    environment: Vec<(String, String)>,
}

impl Repo {
    /// Clones `remote`, which may be empty, into `directory`, which must not exist.
    ///
    /// # Errors
    ///
    /// When the remote cannot be cloned.
    pub fn create(directory: &Path, remote: &Remote) -> Result<Self, GitError> {
        let mut clone = git();
        clone.envs(remote.environment.iter().cloned()).args(["clone", "--quiet", &remote.url]).arg(directory);
        run::run(&mut clone, b"", GIT)?;
        let repo = Self { directory: directory.to_owned(), environment: remote.environment.clone() };
        // An empty remote does not tell its branch to every version of Git.
        if repo.git(&["rev-parse", "--verify", "--quiet", "HEAD"]).is_err() {
            repo.git(&["symbolic-ref", "HEAD", &format!("refs/heads/{BRANCH}")])?;
        }
        Ok(repo)
    }

    /// Returns the folder of the working copy.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes a file, and the folders above it.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> Result<(), GitError> {
        let file = self.directory.join(path);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(GitError::file(folder))?;
        }
        fs::write(&file, content).map_err(GitError::file(&file))
    }

    /// Removes a file or a folder with all below it.
    ///
    /// # Errors
    ///
    /// When Git does not know it.
    pub fn remove(&self, path: &str) -> Result<(), GitError> {
        self.git(&["rm", "-r", "--quiet", "--force", "--", path]).map(drop)
    }

    /// Commits everything that changed, also when nothing did, and returns the commit's id.
    ///
    /// # Errors
    ///
    /// When Git refuses.
    pub fn commit(&self, message: &str) -> Result<String, GitError> {
        self.commit_as(message, "Ada Author <ada@example.com>")
    }

    /// Commits as [`Repo::commit`] does, by an author given as `Name <address>`.
    ///
    /// # Errors
    ///
    /// When Git refuses.
    pub fn commit_as(&self, message: &str, author: &str) -> Result<String, GitError> {
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message, "--author", author])?;
        self.head()
    }

    /// Commits the opposite of a revision and returns the new commit's id.
    ///
    /// # Errors
    ///
    /// When the revision cannot be reverted.
    pub fn revert(&self, revision: &str) -> Result<String, GitError> {
        self.git(&["revert", "--no-edit", revision])?;
        self.head()
    }

    /// Pushes the branch.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub fn push(&self) -> Result<(), GitError> {
        self.git(&["push", "--quiet", "origin", &format!("HEAD:refs/heads/{BRANCH}")]).map(drop)
    }

    /// Pushes the branch over whatever is there.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub fn force_push(&self) -> Result<(), GitError> {
        self.git(&["push", "--quiet", "--force", "origin", &format!("HEAD:refs/heads/{BRANCH}")]).map(drop)
    }

    /// Returns the id of the present commit.
    ///
    /// # Errors
    ///
    /// When there is none yet.
    pub fn head(&self) -> Result<String, GitError> {
        self.git(&["rev-parse", "--verify", "HEAD"])
    }

    /// Runs `git` in the working copy and returns its stdout, trimmed.
    ///
    /// # Errors
    ///
    /// When it fails.
    pub fn git(&self, arguments: &[&str]) -> Result<String, GitError> {
        let mut command = git();
        command.current_dir(&self.directory).envs(self.environment.iter().cloned()).args(arguments);
        let answer: Result<String, CommandError> = run::run(&mut command, b"", GIT);
        Ok(answer?.trim().to_owned())
    }
}
