//! Owns asking the reference YAML library.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde::Deserialize;

use crate::run::{self, CommandError};
use crate::tools::{Tools, ToolsError};

/// How long one measurement may take.
const BENCH: Duration = Duration::from_secs(300);

/// Why the library could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum OracleError {
    /// The program cannot be had.
    #[error(transparent)]
    Tools(#[from] ToolsError),
    /// The program failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The program cannot be talked to; it may have ended.
    #[error("cannot talk to `oracle yaml2json`")]
    Talk(#[from] io::Error),
}

/// A running `sigs.k8s.io/yaml`, to compare answers with.
#[derive(Debug)]
pub struct YamlOracle {
    child: Child,
    answers: BufReader<ChildStdout>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Json(String),
    Error(String),
}

impl YamlOracle {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// When the program cannot be had or started.
    pub fn start(tools: &Tools) -> Result<Self, OracleError> {
        let mut child = Command::new(tools.oracle()?).arg("yaml2json").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let answers = child.stdout.take().ok_or_else(|| io::Error::other("no stdout"))?;
        Ok(Self { child, answers: BufReader::new(answers) })
    }

    /// Returns what `YAMLToJSON` makes of one document: JSON, or the text of its error.
    ///
    /// # Errors
    ///
    /// When the program has ended.
    pub fn to_json(&mut self, document: &[u8]) -> Result<Result<String, String>, OracleError> {
        let questions = self.child.stdin.as_mut().ok_or_else(|| io::Error::other("no stdin"))?;
        questions.write_all(format!("{}\n", document.len()).as_bytes())?;
        questions.write_all(document)?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(match serde_json::from_str(&line).map_err(io::Error::from)? {
            Answer::Json(text) => Ok(text),
            Answer::Error(text) => Err(text),
        })
    }

    /// Returns how many megabytes (10⁶ bytes) of a file's documents the library turns into
    /// JSON in a second on one thread.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or one of its documents is not YAML.
    pub fn megabytes_per_second(tools: &Tools, file: &Path) -> Result<f64, OracleError> {
        Self::measured(tools, "yaml-bench", file)
    }

    /// Returns how many megabytes (10⁶ bytes) of YAML the library writes in a second on one
    /// thread, from the values of a file's documents.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or one of its documents is not YAML.
    pub fn megabytes_written_per_second(tools: &Tools, file: &Path) -> Result<f64, OracleError> {
        Self::measured(tools, "yaml-write-bench", file)
    }

    fn measured(tools: &Tools, measurement: &str, file: &Path) -> Result<f64, OracleError> {
        let mut command = Command::new(tools.oracle()?);
        command.arg(measurement).arg(file).env("GOMAXPROCS", "1");
        let answer = run::run(&mut command, b"", BENCH)?;
        answer.trim().parse().map_err(|_| {
            let (command, reason) = (run::spoken(&command), format!("`{}` is no number", answer.trim()));
            CommandError::Answer { command, reason }.into()
        })
    }
}

impl Drop for YamlOracle {
    fn drop(&mut self) {
        // It ends at the end of its stdin, which closes here; the wait leaves no zombie.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
