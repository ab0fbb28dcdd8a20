//! Owns which charts take part in a render, under which names and with which values: aliases, tags, conditions, `import-values`
//! (helm: pkg/chart/v2/util/dependencies.go).

use plumb_go::semver::{Constraints, Version};
use plumb_gotemplate::{Heap, MAP, MapId, Value};

use crate::chart::{Chart, File};
use crate::metadata::{Dependency, Metadata};
use crate::values::{Layers, Log, Nulls, at_path, copied, layered, read, scalar, table, under};

/// A chart as it takes part in one render.
#[derive(Clone)]
pub(crate) struct Part<'c> {
    pub(crate) chart: &'c Chart,
    /// The chart's own, with the alias as its name and only the dependencies that are enabled.
    pub(crate) metadata: Metadata,
    pub(crate) values: MapId,
    pub(crate) inner: Vec<Part<'c>>,
}

impl Layers for Part<'_> {
    fn name(&self) -> &str {
        &self.metadata.name
    }

    fn values(&self) -> MapId {
        self.values
    }

    fn inner(&self) -> &[Self] {
        &self.inner
    }
}

/// Names the file of a chart, so that origins can point into it.
pub type Named<'n> = dyn Fn(&str, &File) -> Option<plumb_world::FileId> + 'n;

impl<'c> Part<'c> {
    /// Reads the values of a chart and the charts in it.
    pub(crate) fn new(heap: &mut Heap, chart: &'c Chart, named: &Named<'_>) -> Result<Self, String> {
        let values = match &chart.values {
            Some(file) => {
                let place = format!("{}{}", chart.place, file.name);
                read(heap, &file.data, named(&place, file), false).map_err(|error| format!("cannot load {place}: {error}"))?
            }
            None => heap.map(&MAP),
        };
        let inner = chart.dependencies.iter().map(|chart| Part::new(heap, chart, named)).collect::<Result<_, _>>()?;
        Ok(Self { chart, metadata: chart.metadata.clone(), values, inner })
    }

    /// Leaves out what tags and conditions disable, names the rest by their aliases, and imports values.
    pub(crate) fn settle(&mut self, heap: &mut Heap, values: MapId) -> Result<(), String> {
        self.choose(heap, values, "")?;
        self.import(heap)
    }

    /// `processDependencyEnabled`.
    fn choose(&mut self, heap: &mut Heap, values: MapId, path: &str) -> Result<(), String> {
        if self.metadata.dependencies.is_empty() {
            return Ok(());
        }
        let fits = |part: &Part<'_>, wanted: &Dependency| {
            part.metadata.name == wanted.name && is_compatible(&wanted.version, &part.metadata.version)
        };
        let listed = &self.metadata.dependencies;
        let mut chosen: Vec<Part<'c>> = self.inner.iter().filter(|part| !listed.iter().any(|wanted| fits(part, wanted))).cloned().collect();
        for wanted in listed {
            let Some(part) = self.inner.iter().find(|part| fits(part, wanted)) else { continue };
            let mut part = part.clone();
            if !wanted.alias.is_empty() {
                part.metadata.name.clone_from(&wanted.alias);
            }
            chosen.push(part);
        }
        self.inner = chosen;
        for wanted in &mut self.metadata.dependencies {
            if !wanted.alias.is_empty() {
                wanted.name.clone_from(&wanted.alias);
            }
            wanted.enabled = true;
        }
        let layered = layered(heap, self, values, Nulls::Erase, &mut Vec::new())?;
        for wanted in &mut self.metadata.dependencies {
            by_tags(heap, layered, wanted);
            by_condition(heap, layered, path, wanted);
        }
        let disabled: Vec<String> =
            self.metadata.dependencies.iter().filter(|wanted| !wanted.enabled).map(|wanted| wanted.name.clone()).collect();
        self.inner.retain(|part| !disabled.contains(&part.metadata.name));
        self.metadata.dependencies.retain(|wanted| !disabled.contains(&wanted.name));
        for part in &mut self.inner {
            let path = format!("{path}{}.", part.metadata.name);
            part.choose(heap, layered, &path)?;
        }
        Ok(())
    }

    /// `processDependencyImportValues`.
    fn import(&mut self, heap: &mut Heap) -> Result<(), String> {
        for part in &mut self.inner {
            part.import(heap)?;
        }
        if self.metadata.dependencies.is_empty() {
            return Ok(());
        }
        let none = heap.map(&MAP);
        let all = layered(heap, self, none, Nulls::Keep, &mut Vec::new())?;
        let imported = heap.map(&MAP);
        for wanted in &self.metadata.dependencies {
            for import in &wanted.import_values {
                let Some(from) = table(heap, all, &format!("{}.{}", wanted.name, import.child)) else { continue };
                let placed = at_path(heap, &import.parent, from);
                under(heap, imported, placed, Nulls::Keep, &mut Log::new(&mut Vec::new()));
            }
        }
        // What the parent has wins; it is copied, as what was imported may be part of it.
        let values = copied(heap, all);
        under(heap, values, imported, Nulls::Keep, &mut Log::new(&mut Vec::new()));
        self.values = values;
        Ok(())
    }
}

fn by_tags(heap: &Heap, values: MapId, wanted: &mut Dependency) {
    let Some(tags) = table(heap, values, "tags") else { return };
    let truth = |tag: &String| match heap.get(tags).get(heap.find_sym(tag.as_bytes())?)?.value {
        Value::Bool(_, truth) => Some(truth),
        _ => None,
    };
    let truths: Vec<bool> = wanted.tags.iter().filter_map(truth).collect();
    wanted.enabled = truths.is_empty() || truths.contains(&true);
}

fn by_condition(heap: &Heap, values: MapId, path: &str, wanted: &mut Dependency) {
    let known = wanted.condition.trim().split(',').filter(|condition| !condition.is_empty());
    let truth = |condition: &str| match scalar(heap, values, &format!("{path}{condition}"))? {
        Value::Bool(_, truth) => Some(truth),
        _ => None,
    };
    if let Some(truth) = known.into_iter().find_map(truth) {
        wanted.enabled = truth;
    }
}

/// Returns whether a version is in a range; what is no version or no range is not (`IsCompatibleRange`).
pub(crate) fn is_compatible(range: &str, version: &str) -> bool {
    match (Constraints::parse(range), Version::parse(version)) {
        (Ok(range), Ok(version)) => range.check(&version),
        _ => false,
    }
}
