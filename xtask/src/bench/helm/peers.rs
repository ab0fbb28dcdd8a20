//! Owns running both programs on a chart: what they print, how long they take, how much memory.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use plumb_plane::Tools;

/// How often memory is measured: it hardly differs.
const MEMORY_ROUNDS: usize = 3;
/// How often Helm's library renders.
const LIBRARY_ROUNDS: &str = "11";

/// Both programs.
pub(super) struct Peers {
    /// The real one.
    pub(super) helm: PathBuf,
    /// Plumb.
    pub(super) plumb: PathBuf,
}

/// A program with its arguments, to be run again and again.
pub(super) struct Words(Vec<String>);

impl Words {
    fn command(&self, before: &[&str]) -> Command {
        let mut all = before.iter().copied().chain(self.0.iter().map(String::as_str));
        let mut command = Command::new(all.next().unwrap_or_default());
        // No cluster, no configuration.
        command.args(all).stdin(Stdio::null()).env("KUBECONFIG", "/nonexistent").env("TZ", "UTC");
        command
    }
}

impl Peers {
    fn words(program: &Path, first: &[&str], chart: &Path) -> Words {
        let rest =
            ["template", "rel", &chart.to_string_lossy(), "-n", "ns", "--kube-version", "1.34.0", "--include-crds"].map(str::to_owned);
        Words(
            std::iter::once(program.to_string_lossy().into_owned())
                .chain(first.iter().map(|word| (*word).to_owned()))
                .chain(rest)
                .collect(),
        )
    }

    fn helm_command(&self, chart: &Path) -> Words {
        Self::words(&self.helm, &[], chart)
    }

    pub(super) fn plumb_command(&self, chart: &Path) -> Words {
        Self::words(&self.plumb, &["helm"], chart)
    }

    /// Returns what a program prints.
    pub(super) fn output(&self, words: &Words) -> Result<String> {
        let output = words.command(&[]).output()?;
        ensure!(output.status.success(), "`{}` failed: {}", words.0.join(" "), String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).context("what was printed is no UTF-8")
    }

    /// Fails unless both print the same, but for lines in which two runs of Helm differ.
    pub(super) fn agree(&self, chart: &Path) -> Result<()> {
        let helm = self.helm_command(chart);
        let (one, other, plumb) = (self.output(&helm)?, self.output(&helm)?, self.output(&self.plumb_command(chart))?);
        if one.lines().count() != plumb.lines().count() {
            bail!("Helm prints {} lines and Plumb {}", one.lines().count(), plumb.lines().count());
        }
        let stays = one.lines().zip(other.lines()).map(|(one, other)| one == other);
        let differs = one.lines().zip(plumb.lines()).zip(stays).position(|((helm, plumb), stays)| stays && helm != plumb);
        if let Some(at) = differs {
            let line = |text: &str| text.lines().nth(at).unwrap_or_default().to_owned();
            bail!("line {}: Helm {:?}, Plumb {:?}", at + 1, line(&one), line(&plumb));
        }
        Ok(())
    }

    /// Returns the times of both, Helm's first, run in turn.
    pub(super) fn times(&self, chart: &Path, rounds: usize) -> Result<[Duration; 2]> {
        let commands = [self.helm_command(chart), self.plumb_command(chart)];
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..rounds {
            for (words, times) in commands.iter().zip(&mut times) {
                let mut command = words.command(&[]);
                command.stdout(Stdio::null()).stderr(Stdio::null());
                let begun = Instant::now();
                ensure!(command.status()?.success(), "`{}` failed", words.0.join(" "));
                times.push(begun.elapsed());
            }
        }
        Ok(times.map(middle))
    }

    /// Returns the peak memory of both in MiB, Helm's first.
    pub(super) fn memory(&self, chart: &Path) -> Result<[f64; 2]> {
        let mut memory = [0.0, 0.0];
        for (words, memory) in [self.helm_command(chart), self.plumb_command(chart)].iter().zip(&mut memory) {
            let mut measured = Vec::new();
            for _ in 0..MEMORY_ROUNDS {
                let output = words.command(&["/usr/bin/time", "-f", "%M"]).stdout(Stdio::null()).output()?;
                let told = String::from_utf8_lossy(&output.stderr);
                let last = told.lines().last().unwrap_or_default();
                let kib: u64 = last.parse().with_context(|| format!("`{last}` is no number"))?;
                measured.push(kib);
            }
            measured.sort_unstable();
            *memory = measured[measured.len() / 2] as f64 / 1024.0;
        }
        Ok(memory)
    }
}

/// Returns the median time in milliseconds of one render with Helm's library, the chart loaded.
pub(super) fn library_ms(tools: &Tools, chart: &Path) -> Result<f64> {
    let output = Command::new(tools.helm_oracle()?).args(["render-bench", "--rounds", LIBRARY_ROUNDS]).arg(chart).output()?;
    ensure!(output.status.success(), "Helm's library failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
}

/// Measures two things in turn and returns the best of each.
pub(super) fn in_turn(rounds: usize, mut one: impl FnMut() -> Result<f64>, mut other: impl FnMut() -> Result<f64>) -> Result<(f64, f64)> {
    let mut best = (0.0_f64, 0.0_f64);
    for _ in 0..rounds {
        best = (best.0.max(one()?), best.1.max(other()?));
    }
    Ok(best)
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
