//! Owns values that are taken for true though they say the opposite: `"false"` in quotes is a text, and every text but the empty one holds in an `if`.

use plumb_gotemplate::CtlId;
use plumb_world::Span;

use super::Explained;

/// Words that say no.
const NO: [&str; 5] = ["false", "no", "off", "n", "0"];

/// A text that says no and was taken for yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoText {
    /// The value.
    pub place: Span,
    /// Its key's path with dots.
    pub key: String,
    /// What it says.
    pub text: String,
    /// The block that was taken for it.
    pub site: Span,
}

impl Explained {
    /// Returns the texts that say no and let a block be taken that asks for nothing but them.
    pub fn taken_for_true(&self) -> Vec<NoText> {
        let mut found: Vec<NoText> = Vec::new();
        for id in (1..).map(CtlId) {
            if self.rendered.heap.origins.ctl(id).is_none() {
                break;
            }
            let Some(condition) = self.condition(id).filter(|condition| condition.held && condition.word != "range") else { continue };
            // What is compared or passed through a function means to be a text.
            let alone = condition.text.trim_start_matches('$').starts_with('.') && !condition.text.contains([' ', '|', '(']);
            let ([setting], true) = (condition.values.as_slice(), alone || condition.word == "condition") else { continue };
            let Some(place) = setting.place else { continue };
            let written = self.text(place);
            let text = written.trim_matches(['"', '\'']);
            if text.len() < written.len()
                && NO.contains(&text.to_ascii_lowercase().as_str())
                && found.iter().all(|known| known.place != place)
            {
                found.push(NoText { place, key: setting.key.clone(), text: text.to_owned(), site: condition.site });
            }
        }
        found
    }
}
