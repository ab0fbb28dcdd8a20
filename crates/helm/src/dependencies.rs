//! Owns which charts take part in a render, under which names and with which values: aliases, tags, conditions, `import-values`
//! (helm: pkg/chart/v2/util/dependencies.go).

use std::sync::Arc;

use plumb_go::semver::{Constraints, Version};
use plumb_gotemplate::{Heap, MAP, MapId, O, Value};

use crate::chart::{Chart, File};
use crate::metadata::{Dependency, Metadata};
use crate::sources::{Definition, Layer, Naming, at};
use crate::values::{Layers, Log, Nulls, at_path, copied, layered, read, scalar, table, under};

/// A chart as it takes part in one render.
#[derive(Clone)]
pub(crate) struct Part<'c> {
    pub(crate) chart: &'c Chart,
    /// The chart's own, with the alias as its name and only the dependencies that are enabled.
    pub(crate) metadata: Metadata,
    pub(crate) values: MapId,
    pub(crate) inner: Vec<Part<'c>>,
    /// Where its Chart.yaml says what.
    pub(crate) definition: Definition,
    /// Where its name is from.
    pub(crate) named_at: O,
    /// The place of all its values: its values.yaml.
    pub(crate) values_at: O,
    /// What decided that it takes part, and where Chart.yaml names that.
    pub(crate) enabled_by: O,
    pub(crate) enabled_at: O,
    /// Charts in it that do not take part.
    pub(crate) disabled: Vec<Disabled>,
}

/// A chart that does not take part, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disabled {
    /// Its name or alias, behind those of the charts around it: the path of its values.
    pub path: String,
    /// What was tested: conditions and tags as Chart.yaml has them.
    pub condition: String,
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

impl<'c> Part<'c> {
    /// Reads the values of a chart and the charts in it.
    pub(crate) fn new(heap: &mut Heap, chart: &'c Chart, naming: &Naming<'_>) -> Result<Self, String> {
        let definition = Definition::read(chart, naming);
        let (mut values_at, named_at) = (definition.origin(heap, ""), definition.origin(heap, "name"));
        let values = match &chart.values {
            Some(file) => {
                let place = format!("{}{}", chart.place, file.name);
                let id = naming.name(&place, &file.data, Layer::Chart(chart.place.clone()));
                values_at = at(heap, id, 0, 0);
                read(heap, &file.data, id, false).map_err(|error| format!("cannot load {place}: {error}"))?
            }
            None => heap.map(&MAP),
        };
        let inner = chart.dependencies.iter().map(|chart| Part::new(heap, chart, naming)).collect::<Result<_, _>>()?;
        let metadata = chart.metadata.clone();
        Ok(Self {
            chart,
            metadata,
            values,
            inner,
            definition,
            named_at,
            values_at,
            enabled_by: O::NONE,
            enabled_at: O::NONE,
            disabled: Vec::new(),
        })
    }

    /// Leaves out what tags and conditions disable, names the rest by their aliases, and imports values.
    pub(crate) fn settle(&mut self, heap: &mut Heap, values: MapId) -> Result<(), String> {
        self.choose(heap, values, "")?;
        self.import(heap)
    }

    /// Calls `see` with it and the charts in it.
    pub(crate) fn each(&self, see: &mut dyn FnMut(&Self)) {
        see(self);
        self.inner.iter().for_each(|inner| inner.each(see));
    }

    /// Returns the schemas that it and the charts in it bring, each once.
    pub(crate) fn schemas(&self) -> Vec<&'c File> {
        let mut schemas: Vec<&'c File> = Vec::new();
        self.each(&mut |part| {
            let Some(one) = &part.chart.schema else { return };
            if !schemas.iter().any(|known| Arc::ptr_eq(&known.data, &one.data)) {
                schemas.push(one);
            }
        });
        schemas
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
        for (nth, wanted) in listed.iter().enumerate() {
            let Some(part) = self.inner.iter().find(|part| fits(part, wanted)) else { continue };
            let mut part = part.clone();
            if !wanted.alias.is_empty() {
                part.metadata.name.clone_from(&wanted.alias);
                part.named_at = self.definition.origin(heap, &format!("dependencies.{nth}.alias"));
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
        for (nth, wanted) in self.metadata.dependencies.iter_mut().enumerate() {
            let by_tags = by_tags(heap, layered, wanted);
            let by_condition = by_condition(heap, layered, path, wanted);
            let by = if by_condition == O::NONE { by_tags } else { by_condition };
            let field = if by_condition == O::NONE { "tags.0" } else { "condition" };
            for part in self.inner.iter_mut().filter(|part| part.metadata.name == wanted.name) {
                part.enabled_by = by;
                part.enabled_at = self.definition.origin(heap, &format!("dependencies.{nth}.{field}"));
            }
        }
        let out = self.metadata.dependencies.iter().filter(|wanted| !wanted.enabled);
        let disabled: Vec<String> = out.clone().map(|wanted| wanted.name.clone()).collect();
        let told = out.map(|wanted| Disabled { path: format!("{path}{}", wanted.name), condition: wanted.tested() });
        self.disabled = told.collect();
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
                // What has nothing in it is another map (`AsMap`): nulls that are noted in it are not seen by the chart it is from.
                let from = if heap.get(from).is_empty() { heap.map(&MAP) } else { from };
                let placed = at_path(heap, &import.parent, from);
                under(heap, imported, placed, Nulls::Keep, &mut Log::new(&mut Vec::new()));
            }
        }
        if heap.get(imported).is_empty() && !heap.origins.tracing() {
            self.values = all;
            return Ok(());
        }
        // What the parent has wins; it is copied, as what was imported may be part of it.
        let values = copied(heap, all);
        under(heap, values, imported, Nulls::Keep, &mut Log::new(&mut Vec::new()));
        self.values = values;
        Ok(())
    }
}

/// Returns what decided.
fn by_tags(heap: &mut Heap, values: MapId, wanted: &mut Dependency) -> O {
    let Some(tags) = table(heap, values, "tags") else { return O::NONE };
    let truth = |tag: &String| match heap.get(tags).get(heap.find_sym(tag.as_bytes())?)?.value {
        Value::Bool(origin, truth) => Some((origin, truth)),
        _ => None,
    };
    let found: Vec<(O, bool)> = wanted.tags.iter().filter_map(truth).collect();
    let by = found.iter().fold(O::NONE, |all, (origin, _)| heap.origins.join(all, *origin));
    heap.origins.mark_used(by);
    let truths: Vec<bool> = found.into_iter().map(|(_, truth)| truth).collect();
    wanted.enabled = truths.is_empty() || truths.contains(&true);
    by
}

/// Returns what decided.
fn by_condition(heap: &mut Heap, values: MapId, path: &str, wanted: &mut Dependency) -> O {
    let known = wanted.condition.trim().split(',').filter(|condition| !condition.is_empty());
    let truth = |condition: &str| match scalar(heap, values, &format!("{path}{condition}"))? {
        Value::Bool(origin, truth) => Some((origin, truth)),
        _ => None,
    };
    let Some((origin, truth)) = known.into_iter().find_map(truth) else { return O::NONE };
    heap.origins.mark_used(origin);
    wanted.enabled = truth;
    origin
}

/// Returns whether a version is in a range; what is no version or no range is not (`IsCompatibleRange`).
pub(crate) fn is_compatible(range: &str, version: &str) -> bool {
    match (Constraints::parse(range), Version::parse(version)) {
        (Ok(range), Ok(version)) => range.check(&version),
        _ => false,
    }
}
