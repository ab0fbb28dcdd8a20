//! Owns `helm template`: reads a chart's files and values, answers what a chart asks of the machine, prints what it renders to.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use plumb_gotemplate::{CallKey, CertificateRequest, Failure, Host};
use plumb_helm::{Chart, File, Form, Ignore, MAX_ENTRIES, MAX_FILE_BYTES, Options, render, unpack};

use crate::args::{Format, Global, TemplateArgs};
use crate::certificates;
use crate::printer::{Printer, shown};
use crate::problem::{DONE, Done, Problem};

/// Folders inside folders of a chart.
const MAX_DEPTH: usize = 64;

/// Prints what a chart renders to.
pub(crate) fn template(printer: &Printer, global: &Global, args: &TemplateArgs) -> Done {
    if matches!(global.output, Some(Format::Json | Format::Yaml | Format::Name)) {
        return Err(Problem::usage("`helm template` prints documents as the chart wrote them: it has no `--output`"));
    }
    let (release, place) = match &args.chart {
        Some(chart) => (args.name.as_str(), chart),
        None => ("release-name", &args.name),
    };
    let chart = read_chart(Path::new(place))?;
    let mut values = Vec::new();
    for path in &args.values {
        values.push((path.display().to_string(), read(path)?));
    }
    // Helm's order, whatever the order on the command line is.
    let forms = [
        (Form::Json, &args.set_json),
        (Form::Typed, &args.set),
        (Form::Text, &args.set_string),
        (Form::File, &args.set_file),
        (Form::Literal, &args.set_literal),
    ];
    let arguments: Vec<(Form, String)> =
        forms.into_iter().flat_map(|(form, texts)| texts.iter().map(move |text| (form, text.clone()))).collect();
    let read_file = |name: &str| read(Path::new(name)).map_err(|problem| problem.message);
    let mut options = Options {
        release,
        namespace: global.namespace.as_deref().unwrap_or("default"),
        values: &values,
        arguments: &arguments,
        read_file: Some(&read_file),
        is_upgrade: args.is_upgrade,
        ..Options::default()
    };
    if let Some(version) = &args.kube_version {
        options.capabilities.set_kube_version(version).map_err(Problem::usage)?;
    }
    options.capabilities.api_versions.extend(args.api_versions.iter().cloned());
    let mut rendered = render(&chart, &options, &mut Machine).map_err(|error| {
        let problem = Problem::new(error.message.clone());
        match error.place {
            Some((template, line, column)) if !error.message.contains(&format!("{template}:{line}:{column}")) => {
                problem.hint(format!("It happens at {template}:{line}:{column}."))
            }
            _ => problem,
        }
    })?;
    rendered.hooks.retain(|hook| !(args.no_hooks || args.skip_tests && hook.events.contains(&"test")));
    printer.data(&rendered.text(args.include_crds))?;
    Ok(DONE)
}

fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    let cannot = |error: std::io::Error| Problem::new(format!("{} cannot be read: {error}", shown(path)));
    if fs::metadata(path).map_err(cannot)?.len() > MAX_FILE_BYTES {
        return Err(Problem::new(format!("{} is larger than {MAX_FILE_BYTES} bytes", shown(path))));
    }
    fs::read(path).map_err(cannot)
}

fn read_chart(place: &Path) -> Result<Chart, Problem> {
    let told = |error: &dyn std::fmt::Display| Problem::new(format!("{}: {error}", shown(place)));
    let metadata = fs::metadata(place).map_err(|error| Problem::new(format!("there is no chart at {}: {error}", shown(place))))?;
    if !metadata.is_dir() {
        let bytes = fs::read(place).map_err(|error| told(&error))?;
        let files = unpack(&bytes).map_err(|error| told(&error))?;
        return Chart::load(files).map_err(|error| told(&error));
    }
    let rules = match fs::read_to_string(place.join(".helmignore")) {
        Ok(rules) => rules,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Problem::new(format!("{} cannot be read: {error}", shown(&place.join(".helmignore"))))),
    };
    let ignore = Ignore::parse(&rules).map_err(|error| Problem::new(format!("{}: {error}", shown(&place.join(".helmignore")))))?;
    let mut files = Vec::new();
    add(place, "", &ignore, 0, &mut files)?;
    Chart::load(files).map_err(|error| told(&error))
}

/// Adds the files of a folder. Links are followed, as Helm does: they are the user's own.
fn add(folder: &Path, name: &str, ignore: &Ignore, depth: usize, files: &mut Vec<File>) -> Result<(), Problem> {
    let cannot = |error: std::io::Error| Problem::new(format!("{} cannot be read: {error}", shown(folder)));
    if depth > MAX_DEPTH {
        return Err(Problem::new(format!("{} lies more than {MAX_DEPTH} folders deep", shown(folder))));
    }
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(cannot)? {
        entries.push(entry.map_err(cannot)?.path());
    }
    entries.sort();
    for path in entries {
        let Some(own) = path.file_name().and_then(|own| own.to_str()) else {
            return Err(Problem::new(format!("the name of {} is no UTF-8", shown(&path))));
        };
        let name = format!("{name}{own}");
        let is_folder = path.is_dir();
        if ignore.ignores(&name, is_folder) {
            continue;
        }
        if is_folder {
            add(&path, &format!("{name}/"), ignore, depth + 1, files)?;
            continue;
        }
        if files.len() >= MAX_ENTRIES {
            return Err(Problem::new(format!("a chart may have {MAX_ENTRIES} files")));
        }
        let data = read(&path)?;
        files.push(File { name, data: data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&data).into() });
    }
    Ok(())
}

/// Answers charts with this machine's clock and randomness, and with no cluster: what `helm template` does.
struct Machine;

impl Host for Machine {
    fn random(&mut self, _: CallKey<'_>, _: &[u8], bytes: usize) -> Result<Vec<u8>, Failure> {
        let mut random = vec![0; bytes];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| Failure::new("this machine gives no randomness"))?;
        Ok(random)
    }

    fn now(&mut self) -> Result<(i64, u32, i32), Failure> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| Failure::new("this machine's clock is before 1970"))?;
        Ok((i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos(), 0))
    }

    fn lookup(&mut self, _: &str, _: &str, _: &str, _: &str) -> Result<Option<Vec<u8>>, Failure> {
        Ok(None)
    }

    fn address(&mut self, _: &str) -> Result<String, Failure> {
        Ok(String::new())
    }

    fn certificate(&mut self, key: CallKey<'_>, request: &CertificateRequest<'_>) -> Result<(String, String), Failure> {
        let made = match key.function {
            "genPrivateKey" => certificates::private_key(request.common_name).map(|key| (String::new(), key)),
            _ => certificates::certificate(request),
        };
        made.map_err(Failure::new)
    }
}
