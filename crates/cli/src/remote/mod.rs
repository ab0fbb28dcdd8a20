//! Owns the commands that a running `plumb serve` answers: finding the unit that is meant, asking, and printing.

mod follow;
mod history;
mod order;
mod shape;
mod status;
mod tree;

use plumb_server::api::{UnitFilter, UnitRef};
use plumb_server::client::{Client, ClientError};

use crate::args::{Command, Format, Global, HistoryArgs};
use crate::moment;
use crate::name::UnitName;
use crate::place;
use crate::printer::{Printer, clean_line};
use crate::problem::{DONE, Done, FAILED, Problem};
use crate::words;

use shape::UnitStatus;

/// A running operator, and how its answers are printed.
pub(crate) struct Remote<'a> {
    printer: &'a Printer,
    global: &'a Global,
    client: Client,
}

/// Carries out a command.
pub(crate) async fn run(printer: &Printer, global: &Global, command: &Command) -> Done {
    let remote = Remote { printer, global, client: Client::new(place::socket(global.socket.as_deref())) };
    match command {
        Command::Get(args) => match args.what {
            crate::args::Listing::Units => remote.get().await,
        },
        Command::Status(args) => remote.status(args.unit.as_deref()).await,
        Command::Tree(args) => remote.tree(&args.unit).await,
        Command::Events(args) => remote.events(&args.unit).await,
        Command::History(args) => remote.history(args).await,
        Command::Render(args) => remote.render(&args.path).await,
        Command::Diff(args) => remote.diff(&args.path).await.map_err(Problem::of_diff),
        Command::Apply(args) => remote.apply(args).await,
        Command::Rollback(args) => remote.rollback(args).await,
        Command::Reconcile(args) => remote.reconcile(args).await,
        Command::Suspend(args) => remote.suspend(args).await,
        Command::Resume(args) => remote.resume(args).await,
        Command::Approve(args) => remote.approve(args).await,
        Command::Delete(args) => remote.delete(args).await,
        // `main` carries these out by itself.
        Command::Serve(_) | Command::Explain(_) | Command::Helm(_) | Command::Kustomize(_) => Ok(DONE),
    }
}

/// A word that is neither a path here nor a unit there: says that both were tried.
fn neither(problem: Problem, word: &str) -> Problem {
    Problem { message: format!("there is no file or folder `{}`, and {}", clean_line(word), problem.message), ..problem }
}

impl Remote<'_> {
    /// Returns the unit that a name means.
    async fn find(&self, text: &str) -> Result<UnitRef, Problem> {
        let name = UnitName::parse(text, self.global.namespace.as_deref())?;
        let units = self.client.units(&UnitFilter::default()).await.map_err(|error| refusal(&error))?;
        let names: Vec<(&str, &str)> = units.iter().map(|unit| (unit.namespace.as_str(), unit.name.as_str())).collect();
        match name.pick(&names) {
            Ok((namespace, name)) => Ok(UnitRef { namespace: namespace.to_owned(), name: name.to_owned() }),
            Err(problem) => {
                // Its declaration may be what is wrong.
                self.warn().await;
                Err(problem)
            }
        }
    }

    /// Returns the unit that a word means which could have been a path.
    async fn find_no_path(&self, word: &str) -> Result<UnitRef, Problem> {
        self.find(word).await.map_err(|problem| neither(problem, word))
    }

    /// Warns of what is wrong that no unit shows: roots that cannot be read, a history that cannot be written.
    async fn warn(&self) {
        let Ok(info) = self.client.info().await else { return };
        for problem in &info.problems {
            self.printer.warning(&clean_line(problem));
        }
        if info.history["state"] == "unavailable" {
            let why = info.history["message"].as_str().unwrap_or_default();
            self.printer.warning(&format!("the history is not being written: {}", clean_line(why)));
        }
    }

    /// Returns one unit's state.
    async fn unit(&self, unit: &UnitRef) -> Result<UnitStatus, Problem> {
        let view = self.client.unit(unit).await.map_err(|error| refusal(&error))?;
        Ok(UnitStatus::of(view, moment::now_ms()))
    }

    async fn all(&self) -> Result<Vec<UnitStatus>, Problem> {
        let filter = UnitFilter { namespace: self.global.namespace.clone(), name: None };
        let views = self.client.units(&filter).await.map_err(|error| refusal(&error))?;
        Ok(views.into_iter().map(|view| UnitStatus::of(view, moment::now_ms())).collect())
    }

    async fn get(&self) -> Done {
        let units = self.all().await?;
        self.warn().await;
        status::list(self.printer, self.global.output, &units)
    }

    async fn status(&self, unit: Option<&str>) -> Done {
        match unit {
            Some(unit) => status::one(self.printer, self.global.output, &self.unit(&self.find(unit).await?).await?),
            None => {
                let units = self.all().await?;
                self.warn().await;
                status::all(self.printer, self.global.output, &units)
            }
        }
    }

    async fn tree(&self, unit: &str) -> Done {
        let unit = self.find(unit).await?;
        let tree = self.client.tree(&unit).await.map_err(|error| refusal(&error))?;
        tree::show(self.printer, self.global.output, &self.unit(&unit).await?, &tree)
    }

    async fn events(&self, unit: &str) -> Done {
        let events = self.client.object_events(&self.find(unit).await?).await.map_err(|error| refusal(&error))?;
        tree::events(self.printer, self.global.output, &events)
    }

    async fn history(&self, args: &HistoryArgs) -> Done {
        let unit = self.find(&args.unit).await?;
        if let Some(id) = &args.sync {
            let id = id.parse().map_err(|error| Problem::usage(format!("{error}")))?;
            let sync = self.client.sync(&unit, id).await.map_err(|error| refusal(&error))?;
            return history::one(self.printer, self.global.output, sync);
        }
        let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
        let syncs = self.client.history(&unit, limit).await.map_err(|error| refusal(&error))?;
        let Some(format @ (Format::Json | Format::Yaml)) = self.global.output else {
            return history::list(self.printer, self.global.output, &syncs);
        };
        let mut full = Vec::with_capacity(syncs.len());
        for sync in syncs {
            full.push(self.client.sync(&unit, sync.id).await.map_err(|error| refusal(&error))?);
        }
        history::documents(self.printer, format, full)
    }

    async fn render(&self, unit: &str) -> Done {
        let manifests = self.client.manifests(&self.find_no_path(unit).await?).await.map_err(|error| refusal(&error))?;
        match self.global.output {
            Some(Format::Json) => self.printer.document(Format::Json, &serde_json::Value::Array(manifests))?,
            Some(Format::Name) => {
                for manifest in &manifests {
                    let text = |pointer: &str| manifest.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default();
                    let group = text("/apiVersion").split_once('/').map_or("", |(group, _)| group);
                    let namespace = Some(text("/metadata/namespace")).filter(|namespace| !namespace.is_empty());
                    self.printer.line(&words::object(group, text("/kind"), namespace, text("/metadata/name")))?;
                }
            }
            Some(Format::Yaml | Format::Wide) | None => {
                for manifest in &manifests {
                    self.printer.data(&format!("---\n{}", plumb_build::yaml_text(manifest)))?;
                }
            }
        }
        Ok(DONE)
    }

    async fn diff(&self, unit: &str) -> Done {
        let unit = self.find_no_path(unit).await?;
        let view = self.client.diff(&unit).await.map_err(|error| refusal(&error))?;
        let differences = crate::diff::of_view(view);
        crate::diff::print(self.printer, self.global.output, &unit.to_string(), &differences)?;
        Ok(if differences.is_empty() { DONE } else { FAILED })
    }
}

/// Returns the operator's refusal, or why there is no answer, with what to do.
fn refusal(error: &ClientError) -> Problem {
    match error {
        ClientError::NotRunning { path, .. } => {
            let problem = Problem::new(format!("no `plumb serve` listens on `{}`", crate::printer::shown(path)));
            problem.hint("Start one with `plumb serve --root URL//PATH@REF`, or name its socket with `--socket` or `$PLUMB_SOCKET`.")
        }
        ClientError::NotAllowed { path } => Problem::new(format!("the socket `{}` belongs to another user", crate::printer::shown(path)))
            .hint("Ask as the user that runs `plumb serve`, or as root."),
        ClientError::Api(refusal) => Problem { hints: refusal.hints.clone(), ..Problem::new(crate::printer::clean(&refusal.message)) },
        other => Problem::of(other),
    }
}
