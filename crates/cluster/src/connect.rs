//! Owns how a kubeconfig becomes a connection: what it may hold, and whom requests are made for.
//! Must not run a program for a kubeconfig unless its caller allowed it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderName, HeaderValue};
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use plumb_manifest::{is_dns_label, is_dns_subdomain};
use plumb_plan::Redactor;
use plumb_unit::ServiceAccountRef;
use plumb_world::Secret;

use crate::error::ClusterError;
use crate::rate::Rate;
use crate::wire::{ActAs, Wire};

/// Where the address and credentials of a cluster come from.
#[derive(Clone, Debug)]
pub enum KubeconfigSource {
    /// A file of the operator's own; it may point at further files.
    File(PathBuf),
    /// What `$KUBECONFIG` or the home folder names, for one-shot commands.
    Environment,
    /// A text from elsewhere, such as a Secret: it may not point at files of this machine.
    Text {
        /// Where it came from, for messages.
        origin: String,
        /// The kubeconfig.
        text: Secret<String>,
    },
    /// The service account of the pod this runs in.
    Pod,
}

/// How to connect.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// The kubeconfig.
    pub kubeconfig: KubeconfigSource,
    /// The context; none for the current one.
    pub context: Option<String>,
    /// The installation's name: the value of the stamp that the watch selects.
    pub installation: Arc<str>,
    /// How often the cluster is asked at most.
    pub rate: Rate,
    /// How many requests run at once at most, each on a connection of its own.
    pub connections: usize,
    /// How long one request may take.
    pub request_timeout: Duration,
    /// Whether the kubeconfig may name a program that fetches credentials. Never in `serve`.
    pub allow_programs: bool,
    /// The UID of `kube-system` that the cluster was registered with; none accepts and pins what is found.
    pub identity: Option<String>,
    /// What hides the values of Secrets before they are compared, kept or shown.
    pub redactor: Redactor,
}

/// Requests that run at once on one cluster unless told otherwise.
pub const DEFAULT_CONNECTIONS: usize = 48;
/// How long one request may take unless told otherwise: longer than the longest admission webhook may take (30 s).
pub const DEFAULT_REQUEST_TIMEOUT: Duration = Duration::from_secs(34);
/// How often a cluster is asked unless told otherwise.
pub const DEFAULT_RATE: Rate = Rate { per_second: 1000.0, burst: 2000 };

impl ConnectOptions {
    /// Returns the usual options of an installation.
    pub fn new(kubeconfig: KubeconfigSource, context: Option<&str>, installation: &str, redactor: Redactor) -> Self {
        Self {
            kubeconfig,
            context: context.map(str::to_owned),
            installation: installation.into(),
            rate: DEFAULT_RATE,
            connections: DEFAULT_CONNECTIONS,
            request_timeout: DEFAULT_REQUEST_TIMEOUT,
            allow_programs: false,
            identity: None,
            redactor,
        }
    }
}

/// What a connection is made of.
pub(crate) struct Connected {
    pub(crate) wire: Wire,
    pub(crate) impersonates_already: bool,
}

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads the kubeconfig and makes a client. No request goes out yet.
pub(crate) async fn connect(options: &ConnectOptions) -> Result<Connected, ClusterError> {
    let origin = origin(&options.kubeconfig);
    let wrong = |reason: String| ClusterError::Kubeconfig { origin: origin.clone(), reason };
    let mut config = match &options.kubeconfig {
        KubeconfigSource::Pod => Config::incluster().map_err(|error| wrong(error.to_string()))?,
        source => {
            let kubeconfig = read(source)?;
            let proxied = check(&kubeconfig, options, &origin)?;
            let choice = KubeConfigOptions { context: options.context.clone(), ..KubeConfigOptions::default() };
            let mut config = Config::from_custom_kubeconfig(kubeconfig, &choice).await.map_err(|error| wrong(error.to_string()))?;
            if !proxied {
                // kube takes `HTTPS_PROXY` too, and refuses to connect when it was built without proxies.
                config.proxy_url = None;
            }
            config
        }
    };
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.write_timeout = Some(options.request_timeout);
    config.read_timeout = None;
    config.default_retry = false;
    config.disable_compression = true;
    let server = config.cluster_url.to_string();
    let impersonates_already = config.auth_info.impersonate.is_some();
    let client = Client::try_from(config).map_err(|error| wrong(error.to_string()))?;
    let agent = HeaderValue::from_str(&format!("plumb/{}", options.installation)).map_err(|error| wrong(error.to_string()))?;
    let wire =
        Wire::new(client, server.trim_end_matches('/').to_owned(), agent, options.rate, options.connections, options.request_timeout);
    Ok(Connected { wire, impersonates_already })
}

/// Returns the names of the contexts that a kubeconfig has, in its order. No request goes out.
pub fn contexts(source: &KubeconfigSource) -> Result<Vec<String>, ClusterError> {
    let kubeconfig = read(source)?;
    Ok(kubeconfig.contexts.into_iter().map(|context| context.name).collect())
}

fn origin(source: &KubeconfigSource) -> String {
    match source {
        KubeconfigSource::File(path) => path.display().to_string(),
        KubeconfigSource::Environment => "of the environment".to_owned(),
        KubeconfigSource::Text { origin, .. } => origin.clone(),
        KubeconfigSource::Pod => "of the pod".to_owned(),
    }
}

fn read(source: &KubeconfigSource) -> Result<Kubeconfig, ClusterError> {
    let kubeconfig = match source {
        KubeconfigSource::File(path) => Kubeconfig::read_from(path),
        KubeconfigSource::Text { text, .. } => Kubeconfig::from_yaml(text.reveal()),
        KubeconfigSource::Environment | KubeconfigSource::Pod => Kubeconfig::read(),
    };
    kubeconfig.map_err(|error| {
        let origin = origin(source);
        // kube shows a path as a value of the program's, in two sorts of quotes.
        let reason = match error {
            KubeconfigError::ReadConfig(error, path) if path.display().to_string() == origin => format!("cannot be read: {error}"),
            KubeconfigError::ReadConfig(error, path) => format!("`{}` cannot be read: {error}", path.display()),
            KubeconfigError::FindPath => "there is no `$KUBECONFIG`, and no home folder to look in".to_owned(),
            other => other.to_string(),
        };
        ClusterError::Kubeconfig { origin, reason }
    })
}

/// Refuses what the chosen context may not hold; returns whether it names a proxy.
fn check(kubeconfig: &Kubeconfig, options: &ConnectOptions, origin: &str) -> Result<bool, ClusterError> {
    let wrong = |reason: String| ClusterError::Kubeconfig { origin: origin.to_owned(), reason };
    let name = match options.context.as_ref().or(kubeconfig.current_context.as_ref()) {
        Some(name) if !name.is_empty() => name,
        _ => return Err(wrong("it has no current context; name one".to_owned())),
    };
    let context =
        kubeconfig.contexts.iter().find(|context| context.name == *name).and_then(|named| named.context.as_ref()).ok_or_else(|| {
            let names: Vec<&str> = kubeconfig.contexts.iter().map(|context| context.name.as_str()).collect();
            wrong(format!("there is no context `{name}`; it has {}", if names.is_empty() { "none".to_owned() } else { names.join(", ") }))
        })?;
    let cluster = kubeconfig.clusters.iter().find(|cluster| cluster.name == context.cluster).and_then(|named| named.cluster.as_ref());
    let user = context.user.as_ref().and_then(|user| kubeconfig.auth_infos.iter().find(|named| named.name == *user));
    let user = user.and_then(|named| named.auth_info.as_ref());
    let plugin = user.and_then(|user| {
        let provider = user.auth_provider.as_ref().map(|provider| format!("the auth provider `{}`", provider.name));
        user.exec.as_ref().map(|exec| format!("`{}`", exec.command.as_deref().unwrap_or("exec"))).or(provider)
    });
    if let (Some(plugin), false) = (plugin, options.allow_programs) {
        return Err(ClusterError::RunsProgram { origin: origin.to_owned(), context: name.clone(), plugin });
    }
    if matches!(options.kubeconfig, KubeconfigSource::Text { .. }) {
        let files = [
            ("certificate-authority", cluster.and_then(|cluster| cluster.certificate_authority.as_ref())),
            ("client-certificate", user.and_then(|user| user.client_certificate.as_ref())),
            ("client-key", user.and_then(|user| user.client_key.as_ref())),
            ("tokenFile", user.and_then(|user| user.token_file.as_ref())),
        ];
        if let Some((field, path)) = files.into_iter().find_map(|(field, path)| Some((field, path?))) {
            return Err(wrong(format!("`{field}: {path}` points at a file of this machine; put the data into the kubeconfig itself")));
        }
    }
    Ok(cluster.is_some_and(|cluster| cluster.proxy_url.as_ref().is_some_and(|url| !url.is_empty())))
}

/// Whom reads and writes on behalf of a unit are made for. There is no empty identity: the platform account is a variant of its own, and an
/// account has a namespace and a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The account of the kubeconfig, which an administrator granted to the unit.
    Platform,
    /// A service account of the cluster.
    ServiceAccount(Account),
}

/// A service account, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    namespace: Arc<str>,
    name: Arc<str>,
}

impl Account {
    /// Takes a namespace and a name as the API server would accept them.
    pub fn new(account: &ServiceAccountRef) -> Result<Self, ClusterError> {
        let wrong =
            |reason: &str| ClusterError::Identity { account: format!("{}/{}", account.namespace, account.name), reason: reason.to_owned() };
        if account.namespace.is_empty() || account.name.is_empty() {
            return Err(wrong("its namespace and its name may not be empty"));
        }
        if !is_dns_label(&account.namespace) {
            return Err(wrong("its namespace is not a DNS label"));
        }
        if !is_dns_subdomain(&account.name) {
            return Err(wrong("its name is not a DNS name"));
        }
        Ok(Self { namespace: account.namespace.clone(), name: account.name.clone() })
    }
}

impl Identity {
    /// Returns the headers of requests made for it.
    pub(crate) fn headers(&self) -> Result<ActAs, ClusterError> {
        let Self::ServiceAccount(account) = self else { return Ok(ActAs::default()) };
        let value = |text: String| {
            HeaderValue::from_str(&text).map_err(|error| ClusterError::Identity { account: text.clone(), reason: error.to_string() })
        };
        let group = HeaderName::from_static("impersonate-group");
        let user = value(format!("system:serviceaccount:{}:{}", account.namespace, account.name))?;
        Ok(ActAs(Arc::from([
            (HeaderName::from_static("impersonate-user"), user),
            (group.clone(), HeaderValue::from_static("system:serviceaccounts")),
            (group.clone(), value(format!("system:serviceaccounts:{}", account.namespace))?),
            (group, HeaderValue::from_static("system:authenticated")),
        ])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(namespace: &str, name: &str) -> Result<Account, ClusterError> {
        Account::new(&ServiceAccountRef { namespace: namespace.into(), name: name.into() })
    }

    #[test]
    fn no_identity_is_empty() {
        for (namespace, name) in
            [("", "a"), ("a", ""), ("", ""), ("a", "b:c"), ("system:masters", "a"), ("a", "b\nc"), ("a", "-b"), ("a", "b..c")]
        {
            assert!(account(namespace, name).is_err(), "{namespace:?}/{name:?}");
        }
        let identity = Identity::ServiceAccount(account("team-a", "shop.deployer").expect("account"));
        let headers = identity.headers().expect("headers");
        let texts: Vec<_> = headers.0.iter().map(|(name, value)| format!("{name}: {}", value.to_str().expect("ascii"))).collect();
        assert_eq!(
            texts,
            [
                "impersonate-user: system:serviceaccount:team-a:shop.deployer",
                "impersonate-group: system:serviceaccounts",
                "impersonate-group: system:serviceaccounts:team-a",
                "impersonate-group: system:authenticated",
            ]
        );
    }

    fn kubeconfig(user: &str, cluster: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{{name: a, context: {{cluster: c, user: u}}}}]\n\
             clusters: [{{name: c, cluster: {{server: 'https://127.0.0.1:1'{cluster}}}}}]\nusers: [{{name: u, user: {user}}}]\n"
        )
    }

    #[test]
    fn a_file_that_is_not_there_is_named_once() {
        let error = read(&KubeconfigSource::File("/no/such/config".into())).expect_err("no file");
        assert_eq!(error.to_string(), "kubeconfig /no/such/config: cannot be read: No such file or directory (os error 2)");
    }

    async fn attempt(text: String, context: Option<&str>, allow: bool) -> Result<Connected, ClusterError> {
        let source = KubeconfigSource::Text { origin: "Secret a/b".into(), text: Secret::new(text) };
        let mut options = ConnectOptions::new(source, context, "test", Redactor::new([7; 32]));
        options.allow_programs = allow;
        connect(&options).await
    }

    #[tokio::test]
    async fn refuses_programs_and_foreign_files() {
        let exec = "{exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/false, interactiveMode: Never}}";
        for (user, cluster, context, expect) in [
            (exec, "", None, "kubeconfig Secret a/b: context `a` signs in with `/bin/false`, which would run a program"),
            ("{auth-provider: {name: gcp}}", "", None, "kubeconfig Secret a/b: context `a` signs in with the auth provider `gcp`"),
            ("{tokenFile: /etc/shadow}", "", None, "kubeconfig Secret a/b: `tokenFile: /etc/shadow` points at a file of this machine"),
            ("{token: t}", ", certificate-authority: /etc/x", None, "kubeconfig Secret a/b: `certificate-authority: /etc/x` points at"),
            ("{token: t}", "", Some("b"), "kubeconfig Secret a/b: there is no context `b`; it has a"),
        ] {
            let error = attempt(kubeconfig(user, cluster), context, false).await.err().expect("refused").to_string();
            assert!(error.starts_with(expect), "{error}");
        }
        assert!(attempt(kubeconfig("{token: t}", ""), None, false).await.is_ok());
    }
}
