//! Owns answering what a build asks beside files: out of what was recorded, else by asking the cluster, the clock and randomness. What answers are
//! kept, and for how long, is told here; where they lie is the caller's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_cluster::{Acting, Class, ClusterError, classify};
use plumb_world::{Answer, CertificateNeed, Known, Need};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// How often a build is run again because its questions lead to further ones, before that is called an error.
pub const MAX_ROUNDS: usize = 16;

/// Answers kept for one unit at most.
pub const MAX_KEPT: usize = 4_096;

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// Answers that stay the same from build to build: randomness for ever, certificates until they have to be renewed. All of them are secret.
#[derive(Clone, Default)]
pub struct KeptAnswers {
    answers: BTreeMap<Need, KeptAnswer>,
}

#[derive(Clone)]
struct KeptAnswer {
    made_ms: u64,
    bytes: Arc<[u8]>,
    /// Whether it lies where it is kept.
    written: bool,
}

#[derive(Serialize, Deserialize)]
struct Line {
    need: Need,
    made_ms: u64,
    answer: String,
}

impl std::fmt::Debug for KeptAnswers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptAnswers").field("count", &self.answers.len()).field("changed", &self.is_changed()).finish_non_exhaustive()
    }
}

impl KeptAnswers {
    /// Reads what [`KeptAnswers::write`] wrote; no bytes at all are no answers.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let lines: Vec<Line> = serde_json::from_slice(bytes).map_err(|error| format!("recorded answers cannot be read: {error}"))?;
        let mut answers = BTreeMap::new();
        for Line { need, made_ms, answer } in lines {
            let bytes = plumb_go::base64::decode(answer.as_bytes()).ok_or("a recorded answer is no Base64")?;
            answers.insert(need, KeptAnswer { made_ms, bytes: bytes.into(), written: true });
        }
        Ok(Self { answers })
    }

    /// Returns the form that [`KeptAnswers::read`] takes.
    pub fn write(&self) -> Vec<u8> {
        let line = |(need, kept): (&Need, &KeptAnswer)| Line {
            need: need.clone(),
            made_ms: kept.made_ms,
            answer: plumb_go::base64::encode(&kept.bytes),
        };
        let lines: Vec<Line> = self.answers.iter().map(line).collect();
        serde_json::to_vec(&lines).unwrap_or_default()
    }

    /// Returns whether there is something that was not written yet.
    pub fn is_changed(&self) -> bool {
        self.answers.values().any(|kept| !kept.written)
    }

    /// Notes that all of it is written.
    pub fn written(&mut self) {
        self.answers.values_mut().for_each(|kept| kept.written = true);
    }

    /// Drops what was made for questions that the finished build did not ask: those of rounds in which something else was still a stand-in.
    pub fn drop_unasked(&mut self, asked: &BTreeSet<Need>) {
        self.answers.retain(|need, kept| kept.written || asked.contains(need));
    }

    /// Returns the recorded answer, or makes one. The error is a message.
    fn answer(&mut self, need: &Need, now_ms: u64) -> Result<Arc<[u8]>, String> {
        if let Some(kept) = self.answers.get(need).filter(|kept| !is_due(need, kept, now_ms)) {
            return Ok(Arc::clone(&kept.bytes));
        }
        let bytes: Arc<[u8]> = match need {
            Need::Random { bytes, .. } => {
                let mut random = vec![0; usize::try_from(*bytes).unwrap_or_default()];
                aws_lc_rs::rand::fill(&mut random).map_err(|_| "this machine gives no randomness".to_owned())?;
                random.into()
            }
            Need::Certificate { call, request } => certificate(&call.function, request)?,
            _ => return Err("this question has no answer that is kept".to_owned()),
        };
        if self.answers.len() >= MAX_KEPT {
            return Err(format!("more than {MAX_KEPT} random values and certificates are recorded for this unit"));
        }
        self.answers.insert(need.clone(), KeptAnswer { made_ms: now_ms, bytes: Arc::clone(&bytes), written: false });
        Ok(bytes)
    }
}

fn certificate(function: &str, request: &CertificateNeed) -> Result<Arc<[u8]>, String> {
    let (certificate, key) = plumb_certificates::make(function, request)?;
    Ok(json!([certificate, key]).to_string().into_bytes().into())
}

/// Whether a certificate has to be renewed: two thirds of its time are over.
fn is_due(need: &Need, kept: &KeptAnswer, now_ms: u64) -> bool {
    match need {
        Need::Certificate { call, request } if call.function != "genPrivateKey" => {
            let lasts = u64::try_from(request.days).unwrap_or_default().saturating_mul(DAY_MS);
            now_ms.saturating_sub(kept.made_ms) > lasts / 3 * 2
        }
        _ => false,
    }
}

/// What is the same for all that a unit's build is made from: the time, and which installation it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfTheRevision {
    /// Seconds since 1970.
    pub now_s: u64,
    /// How often the unit was installed, this time among them.
    pub revision: u32,
    /// Whether it was installed before.
    pub upgrade: bool,
}

impl OfTheRevision {
    /// Puts its answers among the others.
    pub fn put(&self, known: &mut Known) {
        known.insert(Need::Now, Answer::Known(self.now_s.to_string().into_bytes().into()));
        let release = json!({"revision": self.revision, "upgrade": self.upgrade}).to_string();
        known.insert(Need::Release, Answer::Known(release.into_bytes().into()));
    }
}

/// Returns why a build that rests on these answers is no evidence that something was dropped; none where all of them are whole.
pub fn incomplete(known: &Known) -> Option<String> {
    let Some(Answer::Known(json)) = known.get(&Need::Capabilities) else { return None };
    let told: serde_json::Value = serde_json::from_slice(json).ok()?;
    let unknown: Vec<&str> = told["unknown"].as_array()?.iter().filter_map(serde_json::Value::as_str).collect();
    let groups = unknown.join(", ");
    (!unknown.is_empty())
        .then(|| format!("the servers behind the API groups {groups} do not answer, so a chart may have left out what it makes for them"))
}

/// Answers one question. `Err` means that it could not be told: worth another try, and no answer.
pub async fn answer(need: &Need, acting: &Acting, kept: &mut KeptAnswers, now_ms: u64) -> Result<Answer, ClusterError> {
    let told = match need {
        Need::Capabilities => {
            let told = |served: plumb_cluster::Served| json!({"version": served.version, "apis": served.apis, "unknown": served.unknown});
            acting.served().await.map(|served| Some(told(served)))
        }
        Need::Object(lookup) => acting.lookup(lookup).await,
        Need::Random { .. } | Need::Certificate { .. } => {
            return Ok(match kept.answer(need, now_ms) {
                Ok(bytes) => Answer::Known(bytes),
                Err(why) => Answer::Denied(why),
            });
        }
        // The caller puts them among the answers before it asks.
        Need::Now | Need::Release => return Ok(Answer::Absent),
    };
    match told {
        Ok(Some(value)) => Ok(Answer::Known(value.to_string().into_bytes().into())),
        Ok(None) => Ok(Answer::Absent),
        Err(error) if classify(&error) == Class::Denied => Ok(Answer::Denied(error.to_string())),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_world::CallSite;

    fn call(function: &str) -> CallSite {
        CallSite {
            release: "shop".to_owned(),
            template: "shop/templates/secret.yaml".to_owned(),
            define: String::new(),
            function: function.to_owned(),
            arguments: "0".to_owned(),
            ordinal: 0,
        }
    }

    #[test]
    fn randomness_is_recorded_for_ever_and_survives_being_written() {
        let need = Need::Random { call: call("randAlphaNum"), bytes: 16 };
        let mut kept = KeptAnswers::default();
        let first = kept.answer(&need, 0).unwrap();
        assert!(kept.is_changed());
        let stand_in = Need::Random { call: call("bcrypt"), bytes: 16 };
        kept.answer(&stand_in, 0).unwrap();
        kept.drop_unasked(&BTreeSet::from([need.clone()]));
        assert_eq!(kept.answers.len(), 1);
        let mut again = KeptAnswers::read(&kept.write()).unwrap();
        assert_eq!(again.answer(&need, u64::MAX).unwrap(), first);
        assert!(!again.is_changed());
        let other = Need::Random { call: CallSite { ordinal: 1, ..call("randAlphaNum") }, bytes: 16 };
        assert_ne!(again.answer(&other, 0).unwrap(), first);
        assert!(KeptAnswers::read(b"{").is_err());
    }

    #[test]
    fn certificates_are_renewed_before_they_end() {
        let request = CertificateNeed {
            common_name: "ca".to_owned(),
            addresses: Vec::new(),
            names: Vec::new(),
            days: 30,
            authority: true,
            signer: None,
            key: None,
        };
        let need = Need::Certificate { call: call("genCA"), request: Box::new(request) };
        let mut kept = KeptAnswers::default();
        let first = kept.answer(&need, 0).unwrap();
        assert_eq!(kept.answer(&need, 20 * DAY_MS).unwrap(), first);
        assert_ne!(kept.answer(&need, 20 * DAY_MS + 1).unwrap(), first);
    }

    #[test]
    fn what_rests_on_half_an_answer_is_no_evidence() {
        let told = |json: &str| Known::from([(Need::Capabilities, Answer::Known(json.as_bytes().into()))]);
        assert_eq!(incomplete(&Known::new()), None);
        assert_eq!(incomplete(&told(r#"{"version": "v1.36.3", "apis": [], "unknown": []}"#)), None);
        assert!(incomplete(&told(r#"{"unknown": ["metrics.k8s.io"]}"#)).unwrap().contains("metrics.k8s.io"));
    }

    #[test]
    fn a_unit_records_so_many_answers_and_no_more() {
        let mut kept = KeptAnswers::default();
        for ordinal in 0..=u32::try_from(MAX_KEPT).unwrap() {
            let need = Need::Random { call: CallSite { ordinal, ..call("randAlpha") }, bytes: 1 };
            assert_eq!(kept.answer(&need, 0).is_ok(), (ordinal as usize) < MAX_KEPT);
        }
    }
}
