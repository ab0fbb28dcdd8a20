//! Owns `helm dependency update|build|list`: what a chart needs, brought into its `charts/`, and the lock that says what came
//! (helm: pkg/downloader/manager.go, pkg/action/dependency.go). Output is Helm's.
//!
//! One thing is easier than in Helm: a repository needs no `helm repo add` for `build`, and no index is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use plumb_go::semver::{Constraints, Version};
use plumb_source::{FetchError, FoundChart};
use plumb_unit::ChartSource;

use super::archive::pack;
use super::folder::read_files;
use super::lock::{self, Lock, Needs, Wanted};
use super::pull::{chart_name, write_whole};
use super::remote::{AccessArgs, Remote, problem};
use super::status;
use crate::printer::{Printer, shown};
use crate::problem::{DONE, Done, Problem};

/// What `helm dependency` does.
#[derive(Debug, Subcommand)]
pub(crate) enum DependencyCommand {
    /// Rebuild `charts/` from the lock file
    Build(DependencyArgs),
    /// Bring `charts/` to what Chart.yaml asks for, and write the lock file
    #[command(alias = "up")]
    Update(DependencyArgs),
    /// List what a chart needs and whether it is there
    #[command(alias = "ls")]
    List(ListArgs),
}

/// Options of `helm dependency build` and `update`.
#[derive(Debug, Args)]
pub(crate) struct DependencyArgs {
    /// Folder of the chart
    #[arg(default_value = ".")]
    chart: PathBuf,
    #[command(flatten)]
    access: AccessArgs,
    /// Accepted, and of no effect: no index is kept that could be refreshed
    #[arg(long)]
    skip_refresh: bool,
}

/// Options of `helm dependency list`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Folder of the chart
    #[arg(default_value = ".")]
    pub(super) chart: PathBuf,
    /// Columns that a cell may have
    #[arg(long, default_value_t = 80, value_name = "COLUMNS")]
    pub(super) max_col_width: usize,
}

/// Carries out a command of `helm dependency`.
pub(super) fn run(printer: &Printer, command: &DependencyCommand) -> Done {
    match command {
        DependencyCommand::Build(args) => build(printer, &args.chart, &args.access),
        DependencyCommand::Update(args) => update(printer, &args.chart, &args.access, Told::Out),
        DependencyCommand::List(args) => status::list(printer, args),
    }
}

/// Where it is told what came from a registry: `helm template` keeps that out of what it prints.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Out,
    Err,
}

/// Brings a chart's dependencies to what Chart.yaml asks for.
pub(super) fn update(printer: &Printer, chart: &Path, access: &AccessArgs, told: Told) -> Done {
    let needs = read_needs(chart)?;
    let Some(mut wanted) = needs.wanted.clone() else { return Ok(DONE) };
    let work = Work { printer, chart, remote: Remote::open(access)?, told };
    work.resolve_names(&mut wanted)?;
    let (mut locked, found) = work.resolve(&wanted)?;
    work.download(&mut locked, &found)?;
    let digest = lock::digest(&wanted, &locked);
    let path = lock_path(chart, needs.old);
    if read_lock(&path)?.is_some_and(|before| before.digest == digest) {
        return Ok(DONE);
    }
    write_lock(&path, &Lock { digest, dependencies: locked })?;
    Ok(DONE)
}

/// Brings a chart's dependencies to what its lock says; without a lock it is an update.
fn build(printer: &Printer, chart: &Path, access: &AccessArgs) -> Done {
    let needs = read_needs(chart)?;
    let path = lock_path(chart, needs.old);
    let Some(lock) = read_lock(&path)? else { return update(printer, chart, access, Told::Out) };
    let work = Work { printer, chart, remote: Remote::open(access)?, told: Told::Out };
    let mut wanted = needs.wanted.clone().unwrap_or_default();
    let old_digest = lock::old_digest(&wanted);
    work.resolve_names(&mut wanted)?;
    if lock::digest(&wanted, &lock.dependencies) != lock.digest && !(needs.old && old_digest == lock.digest) {
        let (lock, chart) = if needs.old { ("requirements.lock", "requirements.yaml") } else { ("Chart.lock", "Chart.yaml") };
        let message = format!("the lock file ({lock}) is out of sync with the dependencies file ({chart}). Please update the dependencies");
        return Err(Problem::new(message).hint("`plumb helm dependency update` does."));
    }
    let mut locked = lock.dependencies;
    work.download(&mut locked, &BTreeMap::new())?;
    Ok(DONE)
}

/// Returns the names of what a chart needs and has not (`action.CheckDependencies`).
pub(super) fn missing(chart: &plumb_helm::Chart) -> Vec<&str> {
    let has = |name: &str| chart.dependencies.iter().any(|found| found.metadata.name == name);
    chart.metadata.dependencies.iter().map(|wanted| wanted.name.as_str()).filter(|name| !has(name)).collect()
}

/// Reads what a chart's folder says it needs.
pub(super) fn read_needs(chart: &Path) -> Result<Needs, Problem> {
    let metadata = fs::metadata(chart).map_err(|error| Problem::new(format!("could not find {}: {error}", shown(chart))))?;
    if !metadata.is_dir() {
        return Err(Problem::new("only unpacked charts can be updated"));
    }
    let file = chart.join("Chart.yaml");
    let text = fs::read(&file).map_err(|error| Problem::new(format!("{} cannot be read: {error}", shown(&file))))?;
    let requirements = optional(&chart.join("requirements.yaml"))?;
    lock::needs(&text, requirements.as_deref()).map_err(Problem::new)
}

fn optional(path: &Path) -> Result<Option<Vec<u8>>, Problem> {
    match fs::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Problem::new(format!("{} cannot be read: {error}", shown(path)))),
    }
}

fn lock_path(chart: &Path, old: bool) -> PathBuf {
    chart.join(if old { "requirements.lock" } else { "Chart.lock" })
}

fn read_lock(path: &Path) -> Result<Option<Lock>, Problem> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let text = optional(path)?;
    text.map(|text| lock::read(&name, &text)).transpose().map_err(Problem::new)
}

fn write_lock(path: &Path, lock: &Lock) -> Result<(), Problem> {
    if let Ok(target) = fs::read_link(path) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        return Err(Problem::new(format!("the {name} file is a symlink to {:?}", shown(&target))));
    }
    write_whole(path, &lock::write(lock, &lock::now()))
}

/// What has been found of each dependency from elsewhere, by its place in the list.
type FoundAt = BTreeMap<usize, (ChartSource, FoundChart)>;

/// One command's work on one chart.
struct Work<'a> {
    printer: &'a Printer,
    chart: &'a Path,
    remote: Remote<'a>,
    told: Told,
}

impl Work<'_> {
    /// Puts URLs in place of the names of the user's repositories, and checks that folders are there.
    fn resolve_names(&self, wanted: &mut [Wanted]) -> Result<(), Problem> {
        let mut missing = Vec::new();
        for wanted in wanted {
            let place = wanted.repository.clone();
            if place.starts_with("file://") {
                self.folder_of(wanted)?;
            } else if let Some(name) = place.strip_prefix('@').or_else(|| place.strip_prefix("alias:")) {
                match self.remote.repositories.named(name) {
                    Some(repository) => wanted.repository.clone_from(&repository.url),
                    None => missing.push(place),
                }
            } else if !place.is_empty() && !place.contains("://") {
                missing.push(place);
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let message = format!("no repository definition for {}. Please add them via 'helm repo add'", missing.join(", "));
        Err(Problem::new(message).hint("Or write the repository's URL: `https://…` or `oci://…` needs no name."))
    }

    fn folder_of(&self, wanted: &Wanted) -> Result<PathBuf, Problem> {
        let place = wanted.repository.trim_start_matches("file://");
        let folder = self.chart.join(place);
        if folder.exists() { Ok(folder) } else { Err(Problem::new(format!("directory {} not found", shown(&folder)))) }
    }

    /// Finds a version for each dependency.
    fn resolve(&self, wanted: &[Wanted]) -> Result<(Vec<Wanted>, FoundAt), Problem> {
        for wanted in wanted {
            range_of(wanted)?;
        }
        let searched = self.search(wanted)?;
        let (mut locked, mut found, mut missing) = (Vec::new(), FoundAt::new(), Vec::new());
        for ((at, wanted), searched) in wanted.iter().enumerate().zip(searched) {
            let range = range_of(wanted)?;
            let version = match searched {
                Some((source, Ok(chart))) => {
                    let version = chart.version().to_owned();
                    found.insert(at, (source, chart));
                    Some(version)
                }
                Some((_, Err(FetchError::NoSuchChart { .. }))) => {
                    return Err(Problem::new(format!("{} chart not found in repo {}", wanted.name, wanted.repository)));
                }
                Some((_, Err(FetchError::NoSuchVersion { .. }))) => None,
                Some((_, Err(error))) => return Err(problem(&error)),
                None if wanted.repository.is_empty() => {
                    let folder = self.chart.join("charts").join(&wanted.name);
                    if !folder.exists() {
                        return Err(Problem::new(format!("directory {} not found", shown(&folder))));
                    }
                    Some(wanted.version.clone())
                }
                None => Some(own_version(&self.folder_of(wanted)?)?.1).filter(|version| fits(&range, version)),
            };
            match version {
                Some(version) => locked.push(wanted.locked(&version)),
                None => missing.push(format!("{:?} (repository {:?}, version {:?})", wanted.name, wanted.repository, wanted.version)),
            }
        }
        if missing.is_empty() {
            return Ok((locked, found));
        }
        Err(Problem::new(format!(
            "can't get a valid version for {} subchart(s): {}. Make sure a matching chart version exists in the repo, or change the version constraint in Chart.yaml",
            missing.len(),
            missing.join(", ")
        )))
    }

    /// Looks for each dependency from elsewhere, and tells which repositories answered.
    #[expect(clippy::type_complexity, reason = "one answer a dependency, none for those of this machine")]
    fn search(&self, wanted: &[Wanted]) -> Result<Vec<Option<(ChartSource, Result<FoundChart, FetchError>)>>, Problem> {
        let mut answers: Vec<_> = wanted.iter().map(|_| None).collect();
        let is_http = |wanted: &Wanted| wanted.repository.starts_with("http://") || wanted.repository.starts_with("https://");
        for managed in [false, true] {
            let known = |wanted: &Wanted| self.remote.repositories.at(&wanted.repository);
            let own = |wanted: &Wanted| is_http(wanted) && known(wanted).is_some() == managed;
            if !wanted.iter().any(own) {
                continue;
            }
            self.printer.line(if managed {
                "Hang tight while we grab the latest from your chart repositories..."
            } else {
                "Getting updates for unmanaged Helm repositories..."
            })?;
            let mut told = BTreeSet::new();
            for (at, wanted) in wanted.iter().enumerate().filter(|(_, wanted)| own(wanted)) {
                let source = Remote::in_repository(&wanted.repository, &wanted.name, &wanted.version);
                let answer = self.remote.find(&source);
                if told.insert(wanted.repository.trim_end_matches('/').to_owned()) {
                    let name = known(wanted).map_or(&wanted.repository, |repository| &repository.name);
                    self.tell_of(name, &wanted.repository, &answer)?;
                }
                answers[at] = Some((source, answer));
            }
            if managed {
                self.printer.line("Update Complete. ⎈Happy Helming!⎈")?;
            }
        }
        for (at, wanted) in wanted.iter().enumerate().filter(|(_, wanted)| wanted.repository.starts_with("oci://")) {
            let source = self.of_registry(wanted)?;
            let answer = self.remote.find(&source);
            answers[at] = Some((source, answer));
        }
        Ok(answers)
    }

    fn tell_of(&self, name: &str, url: &str, answer: &Result<FoundChart, FetchError>) -> Result<(), Problem> {
        match answer {
            Ok(_) | Err(FetchError::NoSuchChart { .. } | FetchError::NoSuchVersion { .. }) => {
                self.printer.line(&format!("...Successfully got an update from the {name:?} chart repository"))?;
            }
            Err(error) => {
                let place = if name == url { String::new() } else { format!(" ({url})") };
                self.printer.line(&format!("...Unable to get an update from the {name:?} chart repository{place}:\n\t{error}"))?;
            }
        }
        Ok(())
    }

    fn of_registry(&self, wanted: &Wanted) -> Result<ChartSource, Problem> {
        let url = format!("{}/{}", wanted.repository.trim_end_matches('/'), wanted.name);
        self.remote.in_registry(&url, &wanted.version)
    }

    /// Brings everything that is locked into `charts/`, and takes out what is not. A version may turn out to be another:
    /// that of a folder.
    fn download(&self, locked: &mut [Wanted], found: &FoundAt) -> Result<(), Problem> {
        let charts = self.chart.join("charts");
        if charts.exists() && !charts.is_dir() {
            return Err(Problem::new(format!("{:?} is not a directory", shown(&charts))));
        }
        self.printer.line(&format!("Saving {} charts", locked.len()))?;
        let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut came = BTreeSet::new();
        for (at, locked) in locked.iter_mut().enumerate() {
            if locked.repository.is_empty() {
                let name = &locked.name;
                self.printer
                    .line(&format!("Dependency {name} did not declare a repository. Assuming it exists in the charts directory"))?;
                self.check_own(locked)?;
                continue;
            }
            if locked.repository.starts_with("file://") {
                let (file, archive) = self.pack_folder(locked)?;
                files.insert(file, archive);
                continue;
            }
            let (source, chart) = match found.get(&at) {
                Some(found) => found.clone(),
                None => self.locate(locked)?,
            };
            if !came.insert((source.repository.clone(), chart.version().to_owned())) {
                self.printer.line(&format!("Already downloaded {} from repo {}", locked.name, locked.repository))?;
                continue;
            }
            self.printer.line(&format!("Downloading {} from repo {}", locked.name, locked.repository))?;
            let pulled = self.remote.download(&source, &chart)?;
            match (&pulled.told, self.told) {
                (Some(told), Told::Out) => self.printer.data(told)?,
                (Some(told), Told::Err) => self.printer.err(told),
                (None, _) => {}
            }
            files.insert(pulled.file, pulled.archive.bytes);
        }
        self.save(locked, &charts, &files)
    }

    /// Finds what a lock names, at the very version.
    fn locate(&self, locked: &Wanted) -> Result<(ChartSource, FoundChart), Problem> {
        let source = match locked.repository.starts_with("oci://") {
            true => self.of_registry(locked)?,
            false => Remote::in_repository(&locked.repository, &locked.name, &locked.version),
        };
        let chart = self.remote.find(&source).map_err(|error| problem(&error))?;
        Ok((source, chart))
    }

    /// Checks a chart that lies in `charts/` itself.
    fn check_own(&self, locked: &Wanted) -> Result<(), Problem> {
        let range = range_of(locked)?;
        let (name, version) = own_version(&self.chart.join("charts").join(&locked.name))?;
        if fits(&range, &version) {
            return Ok(());
        }
        Err(Problem::new(format!("dependency {name} at version {version} does not satisfy the constraint {}", locked.version)))
    }

    /// Packs a chart that lies beside this one.
    fn pack_folder(&self, locked: &mut Wanted) -> Result<(String, Vec<u8>), Problem> {
        let folder = self.folder_of(locked)?;
        let (name, version) = own_version(&folder)?;
        if !fits(&range_of(locked)?, &version) {
            return Err(Problem::new(format!("can't get a valid version for dependency {}", locked.name)));
        }
        let files = read_files(&folder)?;
        let archive = pack(&name, &files).map_err(|error| Problem::new(error.to_string()))?;
        locked.version.clone_from(&version);
        Ok((format!("{name}-{version}.tgz"), archive))
    }

    /// Writes the archives, once all of them are here, and removes charts that are no dependency any more.
    fn save(&self, locked: &[Wanted], charts: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<(), Problem> {
        let broken = |error: std::io::Error| Problem::new(format!("{}: {error}", shown(charts)));
        fs::create_dir_all(charts).map_err(broken)?;
        let mut before = Vec::new();
        for entry in fs::read_dir(charts).map_err(broken)? {
            before.push(entry.map_err(broken)?.path());
        }
        before.sort();
        for (file, archive) in files {
            let is_chart = plumb_helm::unpack(archive).map_err(|error| error.to_string()).and_then(|files| chart_name(&files));
            match is_chart {
                Ok(_) => write_whole(&charts.join(file), archive)?,
                Err(why) => self.printer.line(&format!("Could not verify {file} for moving: {why} (Skipping)"))?,
            }
        }
        self.printer.line("Deleting outdated charts")?;
        let own: BTreeSet<&str> = locked.iter().filter(|locked| locked.repository.is_empty()).map(|locked| locked.name.as_str()).collect();
        for path in before {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if path.is_dir() || files.contains_key(&name) {
                continue;
            }
            let chart = fs::read(&path).map_err(|error| error.to_string());
            let chart = chart.and_then(|bytes| plumb_helm::unpack(&bytes).map_err(|error| error.to_string()));
            match chart.and_then(|files| chart_name(&files)) {
                Ok(name) if own.contains(name.as_str()) => {}
                Ok(_) => fs::remove_file(&path).map_err(broken)?,
                Err(why) => self.printer.line(&format!("Could not verify {} for deletion: {why} (Skipping)", shown(&path)))?,
            }
        }
        Ok(())
    }
}

fn range_of(wanted: &Wanted) -> Result<Constraints, Problem> {
    Constraints::parse(&wanted.version)
        .map_err(|error| Problem::new(format!("dependency {:?} has an invalid version/constraint format: {error}", wanted.name)))
}

/// Returns whether a version is in a range; what is none is not.
pub(super) fn fits(range: &Constraints, version: &str) -> bool {
    Version::parse(version).is_ok_and(|version| range.check(&version))
}

/// Returns the name and version of a chart's folder; both become parts of a file's name.
fn own_version(folder: &Path) -> Result<(String, String), Problem> {
    let told = |error: &dyn std::fmt::Display| Problem::new(format!("{}: {error}", shown(folder)));
    let files = read_files(folder)?;
    let name = chart_name(&files).map_err(|error| told(&error))?;
    let chart = plumb_helm::Chart::load(files).map_err(|error| told(&error))?;
    Ok((name, chart.metadata.version))
}
