//! Owns `serve`: turns its options into an operator, opens its doors (socket, push notifications, probes), and ends all of it in order.

mod backend;
mod requests;
mod stream;
mod view;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use plumb_controller::{ClusterOptions, Operator, OperatorOptions};
use plumb_dialect::native::{Namespaces, RootSpec};
use plumb_server::{Api, HookSecret, Hooks, Limits, Metric, NoticeReceiver, Probe, Pushed, RepoUrl, Serving, notices};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::args::{Global, ServeArgs};
use crate::place;
use crate::printer::{Printer, shown};
use crate::problem::{DONE, Done, Problem};
use backend::OperatorBackend;

/// How often sources may be asked for news at most.
const SHORTEST_POLL: Duration = Duration::from_secs(1);
/// What a shell reports of a process that a second Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Runs the operator until a signal ends it.
pub(crate) async fn run(printer: &Printer, global: &Global, args: &ServeArgs) -> Done {
    start_log(printer, args);
    let options = options(global, args)?;
    let hooks = hook_secrets(args)?;
    let socket = place::socket(global.socket.as_deref());
    // All doors are opened before the loop starts: who finds one taken has changed nothing.
    let listener = match args.listen {
        Some(address) => {
            let wrong = |error| Problem::new(format!("`{address}` cannot be listened on: {error}"));
            Some(TcpListener::bind(address).await.map_err(wrong)?)
        }
        None => None,
    };
    let (operator, running) = Operator::open(options).await.map_err(|error| Problem::of(&error))?;
    let api = Api::bind(&socket, OperatorBackend::new(operator.clone())).map_err(|error| Problem::of(&error))?;
    let (sender, pushed) = notices();
    let http = listener.map(|listener| {
        let hooks = (!hooks.is_empty()).then(|| Hooks::new(hooks, Arc::new(sender)));
        Serving::http(listener, hooks, Some(Arc::new(Figures(operator.clone()))), Limits::public())
    });
    let http = http.transpose().map_err(|error| Problem::new(format!("push notifications cannot be taken: {error}")))?;
    if let Some(address) = http.as_ref().and_then(Serving::address) {
        printer.note(&format!("listening for push notifications on http://{address}/hooks/github and /hooks/generic"));
    }
    printer.note(&format!("serving on {}", shown(&socket)));

    let (stop, stopped) = watch::channel(false);
    let looking = tokio::spawn(look_where_told(operator, pushed));
    let signals = tokio::spawn(signals(*printer, stop)?);
    running.run(stopped).await;
    signals.abort();
    looking.abort();
    if let Some(http) = http {
        http.stop().await;
    }
    api.stop().await;
    Ok(DONE)
}

fn start_log(printer: &Printer, args: &ServeArgs) {
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(printer.color_err()).with_target(false);
    // Only a test could have set another one before.
    let _ = log.with_max_level(tracing::Level::from(args.log)).try_init();
}

fn options(global: &Global, args: &ServeArgs) -> Result<OperatorOptions, Problem> {
    let contexts: Vec<Arc<str>> = args
        .clusters
        .iter()
        .map(String::as_str)
        .chain(global.context.as_deref().filter(|_| args.clusters.is_empty()))
        .map(Arc::from)
        .collect();
    if contexts.is_empty() {
        // An operator deletes things: which cluster it works on is said, never taken from whatever context happens to be current.
        let problem = Problem::usage("no cluster is named");
        return Err(
            problem.hint("`--clusters CONTEXT` names the kubeconfig contexts to work on; `kubectl config get-contexts` lists them.")
        );
    }
    if let Some(twice) = contexts.iter().enumerate().find(|(at, name)| contexts[..*at].contains(name)) {
        return Err(Problem::usage(format!("`--clusters` names `{}` twice", twice.1)));
    }
    if args.poll < SHORTEST_POLL {
        return Err(Problem::usage(format!("`--poll` is shorter than {} s", SHORTEST_POLL.as_secs())));
    }
    Ok(OperatorOptions {
        installation: args.installation.as_str().into(),
        roots: args.root.iter().map(|root| root_spec(args, root)).collect::<Result<_, _>>()?,
        clusters: ClusterOptions { kubeconfig: global.kubeconfig.clone(), contexts, requests_per_second: args.qps },
        credentials: args.credentials.clone(),
        state: args.state.clone().unwrap_or_else(place::state),
        history_key: args.history_key.clone(),
        poll: args.poll,
    })
}

fn root_spec(args: &ServeArgs, text: &str) -> Result<RootSpec, Problem> {
    let wrong = |error: &dyn std::error::Error| {
        Problem { code: crate::problem::USAGE, ..Problem::of(error) }.hint("Write a root as `URL//PATH@REF`.")
    };
    let mut root = RootSpec::parse(&args.installation, text).map_err(|error| wrong(&error))?.with_secret(args.root_credentials.as_deref());
    root.platform_account = args.platform_account;
    if !args.allow_namespace.is_empty() {
        root.namespaces = Namespaces::Only(args.allow_namespace.iter().map(|name| Arc::from(name.as_str())).collect::<BTreeSet<_>>());
    }
    Ok(root)
}

fn hook_secrets(args: &ServeArgs) -> Result<Vec<HookSecret>, Problem> {
    match (&args.hook_secret, args.listen) {
        (Some(path), Some(_)) => Ok(vec![HookSecret::from_file(path).map_err(|error| Problem::of(&error))?]),
        (Some(_), None) => {
            Err(Problem::usage("`--hook-secret` goes with `--listen`").hint("`--listen ADDRESS:PORT` takes push notifications."))
        }
        (None, _) => Ok(Vec::new()),
    }
}

/// Looks at the repositories that push notifications name.
async fn look_where_told(operator: Operator, mut pushed: NoticeReceiver) {
    while let Some(what) = pushed.recv().await {
        match what {
            Pushed::Everything => operator.pushed(|_| true),
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

/// What `/readyz` and `/metrics` show.
struct Figures(Operator);

impl Probe for Figures {
    fn ready(&self) -> Result<(), String> {
        self.0.ready()
    }

    fn metrics(&self) -> Vec<Metric> {
        #[expect(clippy::cast_precision_loss, reason = "Prometheus has no other numbers")]
        let counters = self.0.counters().into_iter().map(|(name, help, value)| Metric::counter(name, help, value as f64));
        counters.collect()
    }
}
