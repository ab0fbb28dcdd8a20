//! Owns running a command to its end within a time, with all its output kept.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// How often a process is asked whether it has ended.
pub(crate) const POLL: Duration = Duration::from_millis(5);

/// Why a command gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The program could not be started.
    #[error("`{program}` could not be started: is it installed?")]
    Start {
        /// The program's name.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The program ran and failed.
    #[error("`{command}` failed ({status}): {stderr}")]
    Failed {
        /// The program and its arguments.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to stderr, trimmed.
        stderr: String,
    },
    /// The program did not end in time and was killed.
    #[error("`{command}` did not end within {seconds} s")]
    TimedOut {
        /// The program and its arguments.
        command: String,
        /// The time it had.
        seconds: u64,
    },
    /// The program's output could not be understood.
    #[error("`{command}` answered something that cannot be read: {reason}")]
    Answer {
        /// The program and its arguments.
        command: String,
        /// What is wrong with the answer.
        reason: String,
    },
}

impl CommandError {
    /// Returns what the program wrote to stderr; empty when it never came to that.
    #[must_use]
    pub fn stderr(&self) -> &str {
        match self {
            Self::Failed { stderr, .. } => stderr,
            Self::Start { .. } | Self::TimedOut { .. } | Self::Answer { .. } => "",
        }
    }
}

/// Runs `command` with `input` on its stdin and returns its stdout.
pub(crate) fn run(command: &mut Command, input: &[u8], within: Duration) -> Result<String, CommandError> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|source| CommandError::Start { program: command.get_program().to_string_lossy().into_owned(), source })?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (status, stdout, stderr) = thread::scope(|scope| {
        // A program that does not read its input closes it; that is no failure of ours.
        scope.spawn(move || stdin.map(|mut pipe| pipe.write_all(input)));
        let stdout = scope.spawn(move || drain(stdout));
        let stderr = scope.spawn(move || drain(stderr));
        let status = wait(&mut child, within);
        (status, stdout.join().unwrap_or_default(), stderr.join().unwrap_or_default())
    });
    match status {
        Some(status) if status.success() => Ok(stdout),
        Some(status) => Err(CommandError::Failed { command: spoken(command), status, stderr: stderr.trim().to_owned() }),
        None => Err(CommandError::TimedOut { command: spoken(command), seconds: within.as_secs() }),
    }
}

/// Waits for a child and kills it when the time is up.
fn wait(child: &mut Child, within: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + within;
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if Instant::now() >= deadline {
            // With those it started: they hold its pipes open. Both calls fail only for a
            // child that has ended meanwhile.
            let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
            let _ = child.wait();
            return None;
        }
        thread::sleep(POLL);
    }
}

fn drain(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // What was read before an error is still worth showing.
        let _ = pipe.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns a command as one would type it: the program's bare name and its arguments.
pub(crate) fn spoken(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let mut words = vec![program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}
