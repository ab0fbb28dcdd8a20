//! Owns what a render asks of the outside: it names each question, takes the world's answer, and goes on with a stand-in where there is none.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use plumb_gotemplate::{CallKey, CertificateRequest, Failure, Host};
use plumb_manifest::Digest;
use plumb_world::{Answer, CallSite, CertificateNeed, Lookup, Need, World};

/// PEM that stands for a certificate that was not made.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nc3RhbmQtaW4=\n-----END CERTIFICATE-----\n";
/// PEM that stands for a key that was not made: no key at all, and read as one by whoever looks at its name only.
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nc3RhbmQtaW4=\n-----END PRIVATE KEY-----\n";

/// What was asked of a world, and what it left open.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// Every question, answered or not.
    pub(crate) all: BTreeSet<Need>,
    /// Those that are answered later: the build is to be run again.
    pub(crate) later: BTreeSet<Need>,
    /// Those that nobody answers: stand-ins are in what was built.
    pub(crate) unanswered: BTreeSet<Need>,
}

/// A world's answers, with a record of the questions.
pub(crate) struct Questions<'w> {
    world: &'w dyn World,
    asked: RefCell<Asked>,
}

impl<'w> Questions<'w> {
    pub(crate) fn new(world: &'w dyn World) -> Self {
        Self { world, asked: RefCell::default() }
    }

    pub(crate) fn ask(&self, need: Need) -> Answer {
        let answer = self.world.ask(&need);
        let mut asked = self.asked.borrow_mut();
        match answer {
            Answer::Later => drop(asked.later.insert(need.clone())),
            Answer::Unanswered => drop(asked.unanswered.insert(need.clone())),
            Answer::Known(_) | Answer::Absent | Answer::Denied(_) => {}
        }
        asked.all.insert(need);
        answer
    }

    pub(crate) fn into_asked(self) -> Asked {
        self.asked.into_inner()
    }
}

/// Answers one release's templates out of the world.
pub(crate) struct Release<'q, 'w> {
    pub(crate) questions: &'q Questions<'w>,
    pub(crate) name: String,
    /// How many equal calls came before.
    pub(crate) calls: BTreeMap<CallSite, u32>,
}

impl Release<'_, '_> {
    fn site(&mut self, key: CallKey<'_>, arguments: &[u8]) -> CallSite {
        let first = CallSite {
            release: self.name.clone(),
            template: key.file.to_owned(),
            define: key.define.to_owned(),
            function: key.function.to_owned(),
            arguments: Digest::of(arguments).to_string(),
            ordinal: 0,
        };
        let count = self.calls.entry(first.clone()).or_default();
        let site = CallSite { ordinal: *count, ..first };
        *count += 1;
        site
    }
}

impl Host for Release<'_, '_> {
    fn random(&mut self, key: CallKey<'_>, arguments: &[u8], bytes: usize) -> Result<Vec<u8>, Failure> {
        let call = self.site(key, arguments);
        let stand_in = || stretched(format!("{call:?}").as_bytes(), bytes);
        let need = Need::Random { call: call.clone(), bytes: u32::try_from(bytes).unwrap_or(u32::MAX) };
        match self.questions.ask(need) {
            Answer::Known(random) if random.len() == bytes => Ok(random.to_vec()),
            Answer::Denied(why) => Err(Failure::new(why)),
            Answer::Known(_) | Answer::Absent | Answer::Later | Answer::Unanswered => Ok(stand_in()),
        }
    }

    fn now(&mut self) -> Result<(i64, u32, i32), Failure> {
        match self.questions.ask(Need::Now) {
            Answer::Known(text) => {
                let seconds = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
                Ok((seconds.ok_or_else(|| Failure::new("the recorded time cannot be read"))?, 0, 0))
            }
            Answer::Denied(why) => Err(Failure::new(why)),
            Answer::Absent | Answer::Later | Answer::Unanswered => Ok((0, 0, 0)),
        }
    }

    fn lookup(&mut self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        let [api_version, kind, namespace, name] = [api_version, kind, namespace, name].map(str::to_owned);
        match self.questions.ask(Need::Object(Lookup { api_version, kind, namespace, name })) {
            Answer::Known(json) => Ok(Some(json.to_vec())),
            Answer::Denied(why) => Err(Failure::new(why)),
            Answer::Absent | Answer::Later | Answer::Unanswered => Ok(None),
        }
    }

    /// Never: a build knows no network. Helm answers the same unless DNS is asked for.
    fn address(&mut self, _: &str) -> Result<String, Failure> {
        Ok(String::new())
    }

    fn certificate(&mut self, key: CallKey<'_>, request: &CertificateRequest<'_>) -> Result<(String, String), Failure> {
        let request = CertificateNeed::from(request);
        let call = self.site(key, format!("{request:?}").as_bytes());
        match self.questions.ask(Need::Certificate { call, request: Box::new(request) }) {
            Answer::Known(json) => serde_json::from_slice(&json).map_err(|_| Failure::new("the recorded certificate cannot be read")),
            Answer::Denied(why) => Err(Failure::new(why)),
            Answer::Absent | Answer::Later | Answer::Unanswered => Ok((CERTIFICATE.to_owned(), KEY.to_owned())),
        }
    }
}

/// Returns so many bytes made of a seed alone: what stands for randomness where there is none.
fn stretched(seed: &[u8], bytes: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes + 16);
    let mut block: u64 = 0;
    while out.len() < bytes {
        out.extend(Digest::of_parts([seed, &block.to_le_bytes()]).0);
        block += 1;
    }
    out.truncate(bytes);
    out
}
