//! Owns paths to fields, as people write them: `spec.containers[name=web].image`.

use std::fmt;

use serde_json::Value;

/// One step of a field path.
#[derive(Clone, Debug, PartialEq)]
pub enum Segment {
    /// A map's key.
    Key(String),
    /// A position in a list that is replaced as a whole.
    Index(usize),
    /// The item of an associative list that has these values (`k:` of managedFields).
    Item(Vec<(String, Value)>),
    /// The item of a set that is this value (`v:` of managedFields).
    Member(Value),
}

/// Where a field is in an object; the empty path is the object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldPath(pub Vec<Segment>);

impl FieldPath {
    /// Returns this path with a step appended.
    #[must_use]
    pub fn child(&self, segment: Segment) -> Self {
        let mut steps = self.0.clone();
        steps.push(segment);
        Self(steps)
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) if key.contains(['.', '/', '[', ']']) => write!(f, "[{key:?}]")?,
                Segment::Key(key) if at == 0 => f.write_str(key)?,
                Segment::Key(key) => write!(f, ".{key}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Item(keys) => {
                    f.write_str("[")?;
                    for (nth, (key, value)) in keys.iter().enumerate() {
                        let comma = if nth == 0 { "" } else { "," };
                        match value {
                            Value::String(text) => write!(f, "{comma}{key}={text}")?,
                            other => write!(f, "{comma}{key}={other}")?,
                        }
                    }
                    f.write_str("]")?;
                }
                Segment::Member(value) => write!(f, "[={value}]")?,
            }
        }
        Ok(())
    }
}
