//! Owns `serve`: turns its options into an operator, opens its doors (socket, push notifications, probes), and ends all of it in order.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use plumb_cluster::{Fault, KubeconfigSource};
use plumb_controller::{ClusterOptions, Operator, OperatorOptions, Running};
use plumb_dialect::native::{Namespaces, RootSpec};
use plumb_server::{Api, HookSecret, Hooks, Limits, NoticeReceiver, NoticeSender, Pushed, RepoUrl, Serving, notices};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::args::Global;
use crate::operator::args::{LogLevel, ServeArgs};
use crate::operator::backend::{Figures, OperatorBackend};
use crate::operator::place;
use crate::printer::{Printer, shown};
use crate::problem::{DONE, Done, Problem, USAGE};

/// How often sources may be asked for news at most.
const SHORTEST_POLL: Duration = Duration::from_secs(1);
/// What a shell reports of a process that a second Ctrl-C ended.
const INTERRUPTED: i32 = 130;
/// The file in the state folder that is locked while a process uses the folder.
const LOCK: &str = "lock";
/// A testing aid: at which write to a cluster the process dies as if killed, `exit-before-write:N` or `exit-after-write:N`.
const FAULT: &str = "PLUMB_FAULT";

/// Runs the operator until a signal ends it.
///
/// *Guarantees*: what can be wrong with the options is found before anything is written, and a door that is taken before the loop starts.
pub(crate) async fn run(printer: &Printer, global: &Global, args: &ServeArgs) -> Done {
    let secret = hook_secret(args)?;
    let options = options(global, args)?;
    inject_fault()?;
    // From here on a signal ends the process in order.
    let (stop, stopped) = watch::channel(false);
    let signals = tokio::spawn(signals(*printer, stop)?);
    start_log(args.log);
    let socket = place::socket(global.socket.as_deref());
    let listener = match args.listen {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let _lock = lock(&options.state)?;
    let (operator, running) = Operator::open(options).await.map_err(|error| Problem::of(&error))?;
    let (close, closing) = watch::channel(false);
    let api = Api::bind(&socket, OperatorBackend::new(operator.clone(), closing)).map_err(|error| Problem::of(&error))?;
    let (sender, pushed) = notices();
    let http = listener.map(|listener| open_http(listener, secret, sender, &operator)).transpose()?;
    if let Some(address) = http.as_ref().and_then(Serving::address) {
        printer.note(&format!("listening for push notifications on http://{address}/hooks/github and /hooks/generic"));
    }
    printer.note(&format!("serving on {}", shown(&socket)));

    let looking = tokio::spawn(look_where_told(operator, pushed));
    let ended = work(running, http, stopped).await;
    looking.abort();
    // Streams end first: nothing more will come in them.
    close.send_replace(true);
    api.stop().await;
    signals.abort();
    ended
}

/// Drives the operator until it is told to stop, or ends by itself, which it should not.
async fn work(running: Running, http: Option<Serving>, mut stopped: watch::Receiver<bool>) -> Done {
    let mut working = tokio::spawn(running.run(stopped.clone()));
    let ended = tokio::select! {
        _ = stopped.wait_for(|stopping| *stopping) => None,
        ended = &mut working => Some(ended),
    };
    // Nobody is told "accepted" any more while the last syncs end.
    let doors = async {
        if let Some(http) = http {
            http.stop().await;
        }
    };
    let told = *stopped.borrow();
    let ended = match ended {
        Some(ended) => {
            doors.await;
            ended
        }
        None => tokio::join!(doors, working).1,
    };
    match ended {
        Ok(()) if told => Ok(DONE),
        Ok(()) => Err(Problem::new("the operator ended by itself, which is a bug of Plumb's; please report it")),
        Err(error) => Err(Problem::new(format!("the operator ended in a bug of Plumb's, please report it: {error}"))),
    }
}

/// Plumb's own lines at the level asked for; those of libraries only when they are about trouble, or everything is asked for. The cluster
/// library writes an error line for each attempt to connect, which Plumb says once in its own words.
fn start_log(level: LogLevel) {
    let level = LevelFilter::from_level(level.into());
    let all = level == LevelFilter::TRACE;
    let others = if all { level } else { level.min(LevelFilter::WARN) };
    let wanted = Targets::new().with_default(others).with_target("plumb", level);
    let wanted = if all { wanted } else { wanted.with_target("kube_client", LevelFilter::OFF) };
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    // Only a test could have set another one before.
    let _ = tracing_subscriber::registry().with(lines).with(wanted).try_init();
}

fn options(global: &Global, args: &ServeArgs) -> Result<OperatorOptions, Problem> {
    if args.poll < SHORTEST_POLL {
        return Err(Problem::usage(format!("`--poll` is shorter than {} s", SHORTEST_POLL.as_secs())));
    }
    if args.qps == 0 {
        return Err(Problem::usage("`--qps` is 0, which allows no request at all"));
    }
    if args.root_credentials.is_some() && args.credentials.is_none() {
        return Err(Problem::usage("`--root-credentials` names an entry of a file").hint("`--credentials FILE` says which file."));
    }
    let roots: Vec<RootSpec> = args.root.iter().map(|root| root_spec(args, root)).collect::<Result<_, _>>()?;
    if let Some(twice) = roots.iter().enumerate().find(|(at, root)| roots[..*at].contains(root)) {
        return Err(Problem::usage(format!("`--root` names `{}` twice", twice.1)));
    }
    let clusters =
        ClusterOptions { kubeconfig: global.kubeconfig.clone(), contexts: contexts(global, args)?, requests_per_second: args.qps };
    Ok(OperatorOptions {
        installation: args.installation.as_str().into(),
        roots,
        clusters,
        credentials: args.credentials.clone(),
        state: args.state.clone().unwrap_or_else(place::state),
        history_key: args.history_key.clone(),
        poll: args.poll,
    })
}

/// Returns the contexts to work on. An operator deletes things: which cluster it works on is said, never taken from whatever context happens to
/// be current.
fn contexts(global: &Global, args: &ServeArgs) -> Result<Vec<Arc<str>>, Problem> {
    let named = if args.clusters.is_empty() { global.context.as_slice() } else { &args.clusters };
    if let Some(twice) = named.iter().enumerate().find(|(at, name)| named[..*at].contains(name)) {
        return Err(Problem::usage(format!("`--clusters` names `{}` twice", twice.1)));
    }
    let source = global.kubeconfig.clone().map_or(KubeconfigSource::Environment, KubeconfigSource::File);
    let there = plumb_cluster::contexts(&source);
    let listed = |there: &[String]| {
        let names: Vec<String> = there.iter().map(|name| format!("`{name}`")).collect();
        if names.is_empty() { "The kubeconfig has no contexts.".to_owned() } else { format!("The kubeconfig has {}.", names.join(", ")) }
    };
    if named.is_empty() {
        let problem = Problem::usage("no cluster is named");
        return Err(match there {
            Ok(there) => problem.hint("`--clusters CONTEXT` names the kubeconfig contexts to work on.").hint(listed(&there)),
            Err(_) => {
                problem.hint("`--clusters CONTEXT` names the kubeconfig contexts to work on; `kubectl config get-contexts` lists them.")
            }
        });
    }
    let there = there.map_err(|error| Problem::of(&error))?;
    if let Some(unknown) = named.iter().find(|name| !there.contains(name)) {
        return Err(Problem::usage(format!("there is no context `{unknown}`")).hint(listed(&there)));
    }
    Ok(named.iter().map(|name| name.as_str().into()).collect())
}

fn root_spec(args: &ServeArgs, text: &str) -> Result<RootSpec, Problem> {
    let wrong = |error: &dyn std::error::Error| Problem { code: USAGE, ..Problem::of(error) }.hint("Write a root as `URL//PATH@REF`.");
    let mut root = RootSpec::parse(&args.installation, text).map_err(|error| wrong(&error))?.with_secret(args.root_credentials.as_deref());
    root.platform_account = args.platform_account;
    if !args.allow_namespace.is_empty() {
        root.namespaces = Namespaces::Only(args.allow_namespace.iter().map(|name| Arc::from(name.as_str())).collect::<BTreeSet<_>>());
    }
    Ok(root)
}

fn inject_fault() -> Result<(), Problem> {
    let Some(told) = std::env::var_os(FAULT) else { return Ok(()) };
    let fault: Fault = told.to_string_lossy().parse().map_err(|error| Problem::usage(format!("`{FAULT}`: {error}")))?;
    fault.inject();
    Ok(())
}

fn hook_secret(args: &ServeArgs) -> Result<Option<HookSecret>, Problem> {
    match (&args.hook_secret, args.listen) {
        (Some(path), Some(_)) => HookSecret::from_file(path).map(Some).map_err(|error| Problem::of(&error)),
        (Some(_), None) => {
            Err(Problem::usage("`--hook-secret` goes with `--listen`").hint("`--listen ADDRESS:PORT` takes push notifications."))
        }
        (None, _) => Ok(None),
    }
}

async fn listen(address: std::net::SocketAddr) -> Result<TcpListener, Problem> {
    TcpListener::bind(address).await.map_err(|error| Problem::new(format!("`{address}` cannot be listened on: {error}")))
}

/// Opens what strangers may reach: probes, and push notifications when there is a secret that signs them.
fn open_http(listener: TcpListener, secret: Option<HookSecret>, sender: NoticeSender, operator: &Operator) -> Result<Serving, Problem> {
    if secret.is_none() {
        tracing::warn!("without `--hook-secret` only probes are answered, and push notifications are not taken");
    }
    let hooks = secret.map(|secret| Hooks::new(vec![secret], Arc::new(sender)));
    Serving::http(listener, hooks, Some(Arc::new(Figures(operator.clone()))), Limits::public())
        .map_err(|error| Problem::new(format!("push notifications cannot be taken: {error}")))
}

/// Takes the state folder for this process until the file is dropped. Two in one folder would mistake each other's marks of what they are
/// working on for crashes.
fn lock(state: &Path) -> Result<File, Problem> {
    let wrong = |error: std::io::Error| Problem::new(format!("the state folder `{}` cannot be used: {error}", shown(state)));
    DirBuilder::new().recursive(true).mode(0o700).create(state).map_err(wrong)?;
    let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(state.join(LOCK)).map_err(wrong)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let problem = Problem::new(format!("another `plumb serve` uses the state folder `{}`", shown(state)));
            Err(problem.hint("End it, or give this one a folder of its own with `--state`."))
        }
        Err(TryLockError::Error(error)) => Err(wrong(error)),
    }
}

/// Looks at the repositories that push notifications name.
async fn look_where_told(operator: Operator, mut pushed: NoticeReceiver) {
    while let Some(what) = pushed.recv().await {
        match what {
            Pushed::Everything => operator.pushed(|_| true),
            // An address that cannot be compared may be meant.
            Pushed::Repository(notice) => operator.pushed(|url| RepoUrl::parse(url).is_none_or(|here| here == notice.repository)),
        }
    }
}

/// Returns what waits for signals: the first one ends the operator in order, a second one at once.
fn signals(printer: Printer, stop: watch::Sender<bool>) -> Result<impl Future<Output = ()> + Send + 'static, Problem> {
    let wrong = |error| Problem::new(format!("signals cannot be waited for: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(wrong)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(wrong)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        printer.note("ending; what is under way ends first");
        stop.send_replace(true);
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        std::process::exit(INTERRUPTED);
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};
    use crate::operator::args::OperatorCommand;

    /// Returns what the options are taken for, with a kubeconfig that has the contexts `east` and `west`.
    fn check(arguments: &[&str]) -> Result<OperatorOptions, Problem> {
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        let context = |name: &str| serde_json::json!({"name": name, "context": {"cluster": "c", "user": "u"}});
        let text = serde_json::json!({"apiVersion": "v1", "kind": "Config", "current-context": "east", "contexts": [context("east"), context("west")]});
        std::fs::write(&kubeconfig, text.to_string()).unwrap();
        let fixed = ["plumb", "serve", "--root", "https://git.example.com/shop.git//units@main", "--state", "/nowhere", "--kubeconfig"];
        let all = fixed.into_iter().chain([kubeconfig.to_str().unwrap()]).chain(arguments.iter().copied());
        let cli = Cli::try_parse_from(all).unwrap();
        let Command::Operator(OperatorCommand::Serve(args)) = &cli.command else { panic!("another command") };
        hook_secret(args)?;
        options(&cli.global, args)
    }

    #[test]
    fn options_become_an_operators() {
        let options = check(&["--clusters", "west,east", "--allow-namespace", "a,b", "--platform-account", "false", "--qps", "7"]).unwrap();
        assert_eq!(options.clusters.contexts, ["west".into(), "east".into()]);
        assert_eq!((options.clusters.requests_per_second, options.poll), (7, Duration::from_secs(60)));
        let root = &options.roots[0];
        assert_eq!(root.to_string(), "https://git.example.com/shop.git//units@branch:main");
        assert!(!root.platform_account && root.namespaces.allow("b") && !root.namespaces.allow("c"));
        assert_eq!(check(&["--context", "west"]).unwrap().clusters.contexts, ["west".into()]);
        let file = ["--clusters", "east", "--credentials", "file", "--root-credentials", "root"];
        assert_eq!(check(&file).unwrap().roots[0].source.secret.as_ref().map(|secret| secret.name.as_str()), Some("root"));
    }

    #[test]
    fn what_is_wrong_with_options_is_said_before_anything_starts() {
        for (arguments, expect) in [
            (&[][..], "no cluster is named"),
            (&["--clusters", "north"], "there is no context `north`"),
            (&["--context", "north"], "there is no context `north`"),
            (&["--clusters", "east,east"], "`--clusters` names `east` twice"),
            (&["--clusters", "east", "--poll", "999ms"], "`--poll` is shorter than 1 s"),
            (&["--clusters", "east", "--qps", "0"], "`--qps` is 0, which allows no request at all"),
            (&["--clusters", "east", "--root-credentials", "x"], "`--root-credentials` names an entry of a file"),
            (&["--clusters", "east", "--hook-secret", "x"], "`--hook-secret` goes with `--listen`"),
            (
                &["--clusters", "east", "--root", "https://git.example.com/shop.git//units@main"],
                "`--root` names `https://git.example.com/shop.git//units@branch:main` twice",
            ),
        ] {
            let problem = check(arguments).unwrap_err();
            assert_eq!((problem.message.as_str(), problem.code), (expect, USAGE), "{arguments:?}");
        }
        assert!(check(&[]).unwrap_err().hints.contains(&"The kubeconfig has `east`, `west`.".to_owned()));
    }

    #[test]
    fn a_state_folder_has_one_process() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("deep/state");
        let held = lock(&state).unwrap();
        assert_eq!(std::fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(lock(&state).unwrap_err().message.starts_with("another `plumb serve` uses"));
        drop(held);
        assert!(lock(&state).is_ok());
    }
}
