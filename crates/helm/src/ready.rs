//! Owns what a render makes of a chart's files alone, whatever the values are: templates parsed and schemas compiled. There is much of it and nothing in
//! it waits for anything, so two work on it where there are threads for that.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use plumb_gotemplate::{Apart, Functions, Heap, Str, Tree, trees};

use crate::chart::File;
use crate::schema::{Schema, compile};

/// Carries out two things: at once where there are threads, else the first one first. The first is carried out where it is asked for.
pub type Both<'o> = dyn Fn(&mut dyn FnMut(), &mut (dyn FnMut() + Send)) + 'o;

/// A template to parse.
pub(crate) struct Unparsed<'t> {
    pub(crate) source: &'t str,
    pub(crate) text: Str,
    pub(crate) file: Option<plumb_world::FileId>,
}

/// The trees of a template, or the parser's message.
pub(crate) type Trees = Result<Vec<Arc<Tree>>, Vec<u8>>;

/// What came of the files.
pub(crate) struct Ready {
    /// Each template.
    pub(crate) templates: Vec<Trees>,
    pub(crate) schemas: Schemas,
}

/// The schemas of a chart and the charts in it.
pub(crate) struct Schemas(Vec<Compiled>);

/// What a file was compiled to, or why it cannot be used.
struct Compiled {
    data: Arc<[u8]>,
    schema: Result<Schema, String>,
}

impl Schemas {
    /// Returns what a file was compiled to.
    pub(crate) fn find(&self, file: &File) -> Result<&Schema, String> {
        let found = self.0.iter().find(|one| Arc::ptr_eq(&one.data, &file.data));
        found.map_or_else(|| Err(format!("{} was not compiled", file.name)), |one| one.schema.as_ref().map_err(Clone::clone))
    }
}

/// Makes files ready.
pub(crate) fn ready(
    heap: &mut Heap,
    functions: &Functions,
    schemas: &[&File],
    templates: &[Unparsed<'_>],
    both: Option<&Both<'_>>,
) -> Ready {
    let next = AtomicUsize::new(0);
    let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|at| *at < schemas.len() + templates.len());
    // Schemas first: one of them can take as long as all templates.
    let template = |at: usize| at.checked_sub(schemas.len());
    let (mut compiled, mut parsed) = (Vec::new(), Vec::new());
    let mut apart = both.and_then(|_| Apart::new(heap, templates.iter().map(|template| template.text)));
    let mut compiled_apart = Vec::new();
    let mut here = || {
        while let Some(at) = take() {
            match template(at) {
                None => compiled.push((at, compile(&schemas[at].data))),
                Some(nth) => {
                    let Unparsed { source, text, file } = templates[nth];
                    let name = heap.sym(source.as_bytes());
                    parsed.push((nth, trees(heap, functions, name, text, file)));
                }
            }
        }
    };
    match (both, &mut apart) {
        (Some(both), Some(apart)) => both(&mut here, &mut || {
            while let Some(at) = take() {
                match template(at) {
                    None => compiled_apart.push((at, compile(&schemas[at].data))),
                    Some(nth) => apart.parse(nth, functions, templates[nth].source.as_bytes(), templates[nth].text),
                }
            }
        }),
        _ => here(),
    }
    compiled.extend(compiled_apart);
    parsed.extend(apart.into_iter().flat_map(|apart| apart.into_heap(heap)));
    let schemas = schemas.iter().zip(in_order(compiled)).map(|(file, schema)| Compiled { data: file.data.clone(), schema }).collect();
    Ready { templates: in_order(parsed), schemas: Schemas(schemas) }
}

fn in_order<T>(mut numbered: Vec<(usize, T)>) -> Vec<T> {
    numbered.sort_by_key(|(number, _)| *number);
    numbered.into_iter().map(|(_, one)| one).collect()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use plumb_gotemplate::{CallKey, CertificateRequest, Failure, Host};

    use super::*;
    use crate::{Chart, Options, render};

    /// Is asked nothing.
    struct Nobody;

    impl Host for Nobody {
        fn random(&mut self, _: CallKey<'_>, _: &[u8], _: usize) -> Result<Vec<u8>, Failure> {
            Err(Failure::new("nothing is random here"))
        }

        fn now(&mut self) -> Result<(i64, u32, i32), Failure> {
            Err(Failure::new("there is no time here"))
        }

        fn lookup(&mut self, _: &str, _: &str, _: &str, _: &str) -> Result<Option<Vec<u8>>, Failure> {
            Ok(None)
        }

        fn address(&mut self, _: &str) -> Result<String, Failure> {
            Ok(String::new())
        }

        fn certificate(&mut self, _: CallKey<'_>, _: &CertificateRequest<'_>) -> Result<(String, String), Failure> {
            Err(Failure::new("there are no keys here"))
        }
    }

    fn at_once(one: &mut dyn FnMut(), other: &mut (dyn FnMut() + Send)) {
        std::thread::scope(|scope| {
            scope.spawn(&mut *other);
            one();
        });
    }

    /// Gives the second thing time to take most of the work.
    fn other_first(one: &mut dyn FnMut(), other: &mut (dyn FnMut() + Send)) {
        std::thread::scope(|scope| {
            let other = scope.spawn(&mut *other);
            // What stands beside running templates ends with them only: it cannot be waited for.
            (0..1000).take_while(|_| !other.is_finished()).for_each(|_| std::thread::yield_now());
            one();
        });
    }

    fn rendered(templates: &[(String, String)], both: Option<&Both<'_>>) -> Result<String, String> {
        let own = [("Chart.yaml".to_owned(), "apiVersion: v2\nname: c\nversion: 1.0.0\n".to_owned())];
        let file = |(name, text): &(String, String)| File { name: name.clone(), data: text.as_bytes().into() };
        let chart = Chart::load(own.iter().chain(templates).map(file).collect()).unwrap();
        let rendered = render(&chart, &Options { both, ..Options::default() }, &mut Nobody);
        rendered.map(|rendered| rendered.text(false)).map_err(|error| error.message)
    }

    /// Templates with all that a tree may have, in files large enough for threads.
    fn templates() -> Vec<(String, String)> {
        let template = |nth: usize| {
            let mut text = format!(
                "{{{{- define \"n{nth}\" }}}}{{{{ $x := dict \"k\" `raw` }}}}{{{{ (index $x \"k\").y | default \"a\\tb{nth}\" }}}}{{{{ end -}}}}\n\
                 a{nth}: {{{{ include \"n{}\" . | quote }}}}\nb: {{{{ if eq .Release.Name \"r\" }}}}1{{{{ else }}}}{{{{ (print 1 2.5 'c' true) | quote }}}}{{{{ end }}}}\n\
                 c:{{{{ range $i, $e := list 1 2 }}}} {{{{ $i }}}}{{{{ $e }}}}{{{{ end }}}}\nd: {{{{ template \"n{nth}\" (dict \"z\" .Values) }}}}\n",
                (nth + 1) % 40
            );
            for line in 0..400 {
                writeln!(text, "# {line} of {nth}").unwrap();
            }
            (format!("templates/t{nth}.yaml"), text.replace("(index $x \"k\").y", "index $x \"k\""))
        };
        (0..40).map(template).collect()
    }

    #[test]
    fn two_threads_give_what_one_gives() {
        let mut templates = templates();
        let alone = rendered(&templates, None).unwrap();
        assert!(alone.contains("a7: \"raw\""), "{alone}");
        assert_eq!(rendered(&templates, Some(&at_once)).unwrap(), alone);
        assert_eq!(rendered(&templates, Some(&other_first)).unwrap(), alone);
        // The first template that cannot be parsed is named, whoever comes upon it: Helm goes backwards.
        templates[3].1.push_str("{{ nofunction }}");
        templates[35].1.push_str("{{ if }}");
        let alone = rendered(&templates, None).unwrap_err();
        assert!(alone.contains("t35.yaml"), "{alone}");
        assert_eq!(rendered(&templates, Some(&at_once)).unwrap_err(), alone);
        assert_eq!(rendered(&templates, Some(&other_first)).unwrap_err(), alone);
    }

    #[test]
    fn the_first_document_that_is_no_yaml_is_named() {
        let mut templates = templates();
        for nth in [2, 30] {
            templates[nth].1.push_str("e: [\n");
        }
        let alone = rendered(&templates, None).unwrap_err();
        assert!(alone.contains("t2.yaml"), "{alone}");
        assert_eq!(rendered(&templates, Some(&at_once)).unwrap_err(), alone);
    }
}
