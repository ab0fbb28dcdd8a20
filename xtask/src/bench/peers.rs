//! Owns running a program beside its peer: what both print, how long they take, how much memory, and whether that is as asked.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::figure;

/// How far a limit must be missed for the benchmark to fail: other work on the machine must not make it fail.
const CLEARLY: f64 = 1.2;
/// How often memory is measured: it hardly differs.
const MEMORY_ROUNDS: usize = 3;

/// Figures that are printed, and what was missed.
#[derive(Default)]
pub(super) struct Figures {
    missed: Vec<String>,
}

impl Figures {
    /// Prints a ratio that must not be smaller than what is asked.
    pub(super) fn at_least(&mut self, what: &str, ratio: f64, asked: f64) {
        figure(what, &format!("{ratio:.1} ×"), &format!("≥ {asked} ×"));
        if ratio * CLEARLY < asked {
            self.missed.push(format!("{what}: {ratio:.1} × and not {asked} ×"));
        }
    }

    /// Prints a number that must not be larger than what is asked.
    pub(super) fn at_most(&mut self, what: &str, number: f64, asked: f64, unit: &str) {
        figure(what, &format!("{number:.2} {unit}"), &format!("≤ {asked:.2} {unit}"));
        if number > asked * CLEARLY {
            self.missed.push(format!("{what}: {number:.2} {unit} and not {asked:.2} {unit}"));
        }
    }

    /// Fails when a limit was clearly missed.
    pub(super) fn finish(self) -> Result<()> {
        if !self.missed.is_empty() {
            bail!("limits that were clearly missed:\n  {}", self.missed.join("\n  "));
        }
        Ok(())
    }
}

/// Both programs, the real one first. Each is given what it is about, and the same words around that.
pub(super) struct Peers {
    /// What the real one is called.
    pub(super) name: &'static str,
    /// The programs, with what only one of them is told.
    pub(super) programs: [Vec<String>; 2],
    /// What both are told first.
    pub(super) before: Vec<String>,
    /// What both are told last.
    pub(super) after: Vec<String>,
}

/// A program with its arguments, to be run again and again.
struct Words(Vec<String>);

impl Words {
    fn command(&self, before: &[&str]) -> Command {
        let mut all = before.iter().copied().chain(self.0.iter().map(String::as_str));
        let mut command = Command::new(all.next().unwrap_or_default());
        // No cluster, no configuration.
        command.args(all).stdin(Stdio::null()).env("KUBECONFIG", "/nonexistent").env("TZ", "UTC");
        command
    }

    /// Returns how long the program takes to print to nowhere.
    fn time(&self) -> Result<Duration> {
        let mut command = self.command(&[]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let begun = Instant::now();
        ensure!(command.status()?.success(), "`{}` failed", self.0.join(" "));
        Ok(begun.elapsed())
    }

    /// Returns what the program prints.
    fn output(&self) -> Result<String> {
        let output = self.command(&[]).output()?;
        ensure!(output.status.success(), "`{}` failed: {}", self.0.join(" "), String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).context("what was printed is no UTF-8")
    }
}

/// Returns a program with what it is told first.
pub(super) fn program(path: &Path, first: &[&str]) -> Vec<String> {
    std::iter::once(path.to_string_lossy().into_owned()).chain(words(first)).collect()
}

/// Returns words as a command line has them.
pub(super) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl Peers {
    fn commands(&self, subject: &Path) -> [Words; 2] {
        let subject = subject.to_string_lossy().into_owned();
        let rest = || self.before.iter().chain(std::iter::once(&subject)).chain(&self.after).cloned();
        self.programs.each_ref().map(|program| Words(program.iter().cloned().chain(rest()).collect()))
    }

    /// Returns what Plumb prints.
    pub(super) fn printed(&self, subject: &Path) -> Result<String> {
        let [_, plumb] = self.commands(subject);
        plumb.output()
    }

    /// Fails unless both print the same, but for lines in which two runs of the real one differ.
    pub(super) fn agree(&self, subject: &Path) -> Result<()> {
        let [real, plumb] = self.commands(subject);
        let (one, other, plumb) = (real.output()?, real.output()?, plumb.output()?);
        if one.lines().count() != plumb.lines().count() {
            bail!("{} prints {} lines and Plumb {}", self.name, one.lines().count(), plumb.lines().count());
        }
        let stays = one.lines().zip(other.lines()).map(|(one, other)| one == other);
        let differs = one.lines().zip(plumb.lines()).zip(stays).position(|((real, plumb), stays)| stays && real != plumb);
        if let Some(at) = differs {
            let line = |text: &str| text.lines().nth(at).unwrap_or_default().to_owned();
            bail!("line {}: {} {:?}, Plumb {:?}", at + 1, self.name, line(&one), line(&plumb));
        }
        Ok(())
    }

    /// Returns the times of both where the real one takes so long that it is run but once. Fails unless both print the same.
    pub(super) fn times_beside_one(&self, subject: &Path, rounds: usize) -> Result<[Duration; 2]> {
        let [real, plumb] = self.commands(subject);
        let begun = Instant::now();
        let printed = real.output()?;
        let once = begun.elapsed();
        ensure!(printed == plumb.output()?, "{} and Plumb print different texts", self.name);
        let times = (0..rounds).map(|_| plumb.time()).collect::<Result<Vec<Duration>>>()?;
        Ok([once, middle(times)])
    }

    /// Returns the times of both, run in turn.
    pub(super) fn times(&self, subject: &Path, rounds: usize) -> Result<[Duration; 2]> {
        let commands = self.commands(subject);
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..rounds {
            for (words, times) in commands.iter().zip(&mut times) {
                times.push(words.time()?);
            }
        }
        Ok(times.map(middle))
    }

    /// Returns the peak memory of both in MiB.
    fn memory(&self, subject: &Path) -> Result<[f64; 2]> {
        let mut memory = [0.0, 0.0];
        for (words, memory) in self.commands(subject).iter().zip(&mut memory) {
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

    /// Time and memory of both processes, once they print the same; how many times faster and smaller is asked, if anything is.
    pub(super) fn whole_process(
        &self,
        name: &str,
        subject: &Path,
        rounds: usize,
        (faster, smaller): (Option<f64>, Option<f64>),
        figures: &mut Figures,
    ) -> Result<()> {
        self.agree(subject).with_context(|| name.to_owned())?;
        let [real, plumb] = self.times(subject, rounds)?;
        let [real_memory, plumb_memory] = self.memory(subject)?;
        println!("  {name}: {} {:.1} ms, {real_memory:.1} MiB; plumb {:.2} ms, {plumb_memory:.1} MiB", self.name, ms(real), ms(plumb));
        let ratios = [("time", ms(real) / ms(plumb), faster), ("memory", real_memory / plumb_memory, smaller)];
        for (what, ratio, asked) in ratios {
            let what = format!("{name}, whole process, {what}");
            match asked {
                Some(asked) => figures.at_least(&what, ratio, asked),
                None => figure(&what, &format!("{ratio:.1} ×"), "-"),
            }
        }
        Ok(())
    }
}

/// Returns a time in milliseconds.
pub(super) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
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
