//! Owns Git's conversation with a server: list the refs, get a pack. Must not know how bytes travel, nor what is cached.

use std::any::Any;
use std::cell::RefCell;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;

use gix_hash::ObjectId;
use gix_protocol::fetch::negotiate::{Action, Round, one_round};
use gix_protocol::fetch::{Arguments, Context, Negotiate, Options, Response, Shallow, Tags};
use gix_protocol::handshake::Ref;
use gix_protocol::ls_refs::RefPrefixes;
use gix_protocol::{Handshake, LsRefsCommand};
use gix_transport::client::blocking_io::Transport;
use gix_transport::{Protocol, Service};
use gix_utils::progress::Discard;
use plumb_unit::Credentials;

use crate::egress::Egress;
use crate::error::{FetchError, GIT, chain};
use crate::limits::Limits;
use crate::link::{Link, Patience};
use crate::objects::Objects;
use crate::ssh::{self, Aside};
use crate::tls::Roots;
use crate::url::{GitUrl, Scheme};
use crate::web::Web;

/// A ref that a server has listed.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) name: String,
    /// The object, tags peeled.
    pub(crate) id: ObjectId,
    /// The ref that a symbolic one stands for.
    pub(crate) target: Option<String>,
}

/// What is asked for in one download.
pub(crate) struct Wants<'a> {
    pub(crate) commits: &'a [ObjectId],
    pub(crate) haves: &'a [ObjectId],
    /// The commits alone, without history before them; otherwise all history without files.
    pub(crate) shallow: bool,
}

/// A conversation with one server about one repository.
pub(crate) struct Session<'a> {
    url: &'a GitUrl,
    credentials: &'a Credentials,
    roots: &'a Roots,
    limits: &'a Limits,
    egress: Egress,
    link: Rc<Link>,
    transport: Box<dyn Transport>,
    handshake: Handshake,
    /// The refs that an older server sends unasked.
    early_refs: Option<Vec<Ref>>,
    aside: Option<Rc<RefCell<Aside>>>,
    downloads: usize,
    _keep: Option<Box<dyn Any>>,
}

type Opened = (Box<dyn Transport>, Option<Rc<RefCell<Aside>>>, Option<Box<dyn Any>>);

fn connect(url: &GitUrl, credentials: &Credentials, roots: &Roots, link: &Rc<Link>) -> Result<Opened, FetchError> {
    if url.scheme() == Scheme::Ssh {
        let tunnel = ssh::open(url, credentials, link)?;
        return Ok((Box::new(tunnel.connection), Some(tunnel.aside), Some(tunnel.session)));
    }
    let private = credentials.ca_crt.as_deref().filter(|_| url.scheme() == Scheme::Https);
    let config = roots.config(private).map_err(|why| FetchError::Credentials { url: url.to_string(), why })?;
    let web = Web::new(url, credentials, config, link.clone())?;
    let parsed = gix_url::parse(url.to_string().as_str()).map_err(|error| FetchError::Protocol {
        url: url.to_string(),
        expected: GIT,
        why: chain(&error),
    })?;
    let transport = gix_transport::client::blocking_io::http::Transport::new_http(web, parsed, Protocol::V2, false);
    Ok((Box::new(transport), None, None))
}

/// Returns the failure behind an error of the protocol's code, which knows only that something went wrong.
fn explain(url: &GitUrl, link: &Link, aside: Option<&Rc<RefCell<Aside>>>, error: &(dyn std::error::Error + 'static)) -> FetchError {
    let said = aside.and_then(|aside| aside.borrow().failure(&url.to_string()));
    match (link.failure(), said) {
        // The server hung up, and said why.
        (None | Some(FetchError::Unreachable { .. }), Some(said)) => said,
        (Some(failure), _) => failure,
        (None, None) => FetchError::Protocol { url: url.to_string(), expected: GIT, why: chain(error) },
    }
}

fn agent() -> (&'static str, Option<String>) {
    ("agent", Some(gix_protocol::agent(concat!("plumb-", env!("CARGO_PKG_VERSION")))))
}

impl<'a> Session<'a> {
    /// Connects and shakes hands.
    pub(crate) fn open(
        url: &'a GitUrl,
        credentials: &'a Credentials,
        roots: &'a Roots,
        limits: &'a Limits,
        egress: Egress,
        patience: &Patience,
    ) -> Result<Self, FetchError> {
        let link = Link::new(&url.to_string(), GIT, egress, patience.clone(), ("the list of refs", limits.listing_bytes))?;
        let (mut transport, aside, keep) = connect(url, credentials, roots, &link)?;
        // Credentials are sent with the first request, to the one origin they are for; nobody is asked for others.
        let nobody = |_| Ok(None);
        let handshake = gix_protocol::handshake(&mut transport, Service::UploadPack, nobody, Vec::new(), &mut Discard);
        let mut handshake = handshake.map_err(|error| explain(url, &link, aside.as_ref(), &error))?;
        let format = handshake.capabilities.capability("object-format").and_then(|format| format.value().map(ToOwned::to_owned));
        if let Some(format) = format.filter(|format| *format != "sha1") {
            let why = format!("its objects are named by {format}, which is not supported yet; only sha1 is");
            return Err(FetchError::Protocol { url: url.to_string(), expected: GIT, why });
        }
        let early_refs = handshake.refs.take();
        Ok(Self { url, credentials, roots, limits, egress, link, transport, handshake, early_refs, aside, downloads: 0, _keep: keep })
    }

    fn explain(&self, error: &(dyn std::error::Error + 'static)) -> FetchError {
        explain(self.url, &self.link, self.aside.as_ref(), error)
    }

    /// Returns the refs that start with one of the prefixes; more may be among them.
    pub(crate) fn list(&mut self, prefixes: &[&str]) -> Result<Vec<Listed>, FetchError> {
        let refs = match &self.early_refs {
            Some(refs) => refs.clone(),
            None => {
                self.link.allow("the list of refs", self.limits.listing_bytes);
                let mut asked = RefPrefixes::new();
                asked.extend(prefixes.iter().map(|prefix| gix_transport::bstr::BString::from(*prefix)));
                let command = LsRefsCommand::new(Some(asked), &self.handshake.capabilities, agent());
                let refs = command.invoke_blocking(&mut self.transport, &mut Discard, false);
                refs.map_err(|error| self.explain(&error))?
            }
        };
        Ok(refs.into_iter().filter_map(listed).collect())
    }

    /// Downloads what is wanted into an object database.
    pub(crate) fn download(&mut self, wants: &Wants<'_>, objects: &Objects, scratch: &std::path::Path) -> Result<(), FetchError> {
        let patience = self.link.patience.clone();
        if self.downloads > 0 && self.handshake.server_protocol_version != Protocol::V2 {
            // The older protocol carries one download a connection.
            *self = Self::open(self.url, self.credentials, self.roots, self.limits, self.egress, &patience)?;
        }
        self.downloads += 1;
        self.link.allow("the download", self.limits.pack_bytes);
        let broken = |error: std::io::Error| FetchError::Cache { path: scratch.display().to_string(), why: error.to_string() };
        let folder = tempfile::tempdir_in(scratch).map_err(broken)?;
        let shallow_file = folder.path().join("shallow");
        if wants.shallow && !wants.haves.is_empty() {
            let lines: String = wants.haves.iter().map(|id| format!("{id}\n")).collect();
            std::fs::write(&shallow_file, lines).map_err(broken)?;
        }
        let depth = Shallow::DepthAtRemote(NonZeroU32::MIN);
        let shallow = if wants.shallow { &depth } else { &Shallow::NoChange };
        let mut damage = None;
        let fetched = gix_protocol::fetch(
            &mut Asking { wants },
            |pack, _, _| {
                objects.ingest(pack, &patience).map(|()| true).map_err(|error| {
                    let text = error.why();
                    damage = Some(error);
                    gix_error::Error::from_error(std::io::Error::other(text))
                })
            },
            Discard,
            &AtomicBool::new(false),
            Context { handshake: &mut self.handshake, transport: &mut self.transport, user_agent: agent(), trace_packetlines: false },
            Options { shallow_file, shallow, tags: Tags::None, reject_shallow_remote: false },
        );
        let url = self.url.to_string();
        fetched.map(drop).map_err(|error| match damage {
            Some(error) => self.link.failure().or_else(|| patience.over(&url)).unwrap_or_else(|| error.into_fetch(&url)),
            None => self.explain(&error),
        })
    }

    /// Tells the server that there is no more, so that it does not log an error.
    pub(crate) fn close(mut self) {
        let ended = gix_protocol::indicate_end_of_interaction(&mut self.transport, false);
        if let Err(error) = ended {
            tracing::debug!(url = %self.url, %error, "the server did not wait for the end of the conversation");
        }
    }
}

fn listed(entry: Ref) -> Option<Listed> {
    let (name, id, target) = match entry {
        Ref::Peeled { full_ref_name, object, .. } | Ref::Direct { full_ref_name, object } => (full_ref_name, object, None),
        Ref::Symbolic { full_ref_name, target, object, .. } => (full_ref_name, object, Some(target)),
        Ref::Unborn { .. } => return None,
    };
    // A name that is not UTF-8 cannot be asked for.
    let text = |name: gix_transport::bstr::BString| String::from_utf8(name.into()).ok();
    Some(Listed { name: text(name)?, id, target: target.and_then(text) })
}

/// Asks for exactly what is wanted, in one round: the server is told at once all that we have.
struct Asking<'a> {
    wants: &'a Wants<'a>,
}

impl Negotiate for Asking<'_> {
    fn mark_complete_and_common_ref(&mut self) -> gix_error::Result<Action> {
        Ok(Action::MustNegotiate { remote_ref_target_known: Vec::new() })
    }

    fn add_wants(&mut self, arguments: &mut Arguments, _known: &[bool]) -> bool {
        if !self.wants.shallow && arguments.can_use_filter() {
            arguments.filter("tree:0");
        }
        self.wants.commits.iter().for_each(|id| arguments.want(id));
        !self.wants.commits.is_empty()
    }

    fn one_round(
        &mut self,
        _state: &mut one_round::State,
        arguments: &mut Arguments,
        _previous: Option<&Response>,
    ) -> gix_error::Result<(Round, bool)> {
        self.wants.haves.iter().for_each(|id| arguments.have(id));
        let haves = self.wants.haves.len();
        let round = Round { haves_sent: haves, in_vain: 0, haves_to_send: haves, previous_response_had_at_least_one_in_common: false };
        Ok((round, true))
    }
}
