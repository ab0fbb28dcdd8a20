//! Owns making a ServiceAccount that stands for one of a cloud (`IAMPolicyGenerator`).

use std::sync::Arc;

use plumb_world::{RelPath, SourceFile, Span};

use crate::decode::{Fields, Mode};
use crate::problem::{Outcome, wrong};
use crate::resource::Resource;
use crate::run::Run;
use crate::tree::{Node, Origin, Stamp, View};

const BY: &str = "IAMPolicyGenerator";

/// What is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Config<'a> {
    cloud: &'a str,
    /// Name and namespace in the cluster.
    in_cluster: (&'a str, &'a str),
    /// Name and project in the cloud.
    in_cloud: (&'a str, &'a str),
    place: Option<Span>,
}

/// Reads the generator from an object that configures it.
pub(crate) fn read_plugin<'a>(run: &Run<'a>, config: View<'_, 'a>) -> Outcome<Config<'a>> {
    fn two<'a>(mut fields: Fields<'_, '_, 'a>, second: &'static str) -> Outcome<(&'a str, &'a str)> {
        let read = (fields.text("name"), fields.text(second));
        fields.close()?;
        Ok(read)
    }
    let mut fields = Fields::open(run, config, "an IAMPolicyGenerator", Mode::Plugin);
    let read = Config {
        cloud: fields.text("cloud"),
        in_cluster: fields.map("kubernetesService", |fields| two(fields, "namespace")).unwrap_or_default(),
        in_cloud: fields.map("serviceAccount", |fields| two(fields, "projectId")).unwrap_or_default(),
        place: fields.place(),
    };
    fields.close()?;
    Ok(read)
}

/// Makes the object.
pub(crate) fn generate<'a>(config: &Config<'a>, run: &Run<'a>) -> Outcome<Resource<'a>> {
    if config.cloud != "gke" {
        let mistake = wrong("iam-policy", format!("cloud provider {} not supported yet", config.cloud), config.place);
        return Err(mistake.hint("Write `cloud: gke`, the only one that kustomize knows.").into());
    }
    let (account, project) = config.in_cloud;
    let (name, namespace) = config.in_cluster;
    // kustomize puts texts together and reads them, so that what they mean as YAML counts.
    let mut text = format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  annotations:\n    iam.gke.io/gcp-service-account: \
         {account}@{project}.iam.gserviceaccount.com\n  name: {name}\n"
    );
    if !namespace.is_empty() {
        text.push_str(&format!("\n  namespace: {namespace}"));
    }
    let path = RelPath::parse("IAMPolicyGenerator.yaml").unwrap_or_else(|_| RelPath::root());
    let bytes: Arc<[u8]> = Arc::from(text.as_bytes());
    let file = run.texts.add(SourceFile { source: Arc::from(""), revision: Arc::from(""), path, text: bytes, made: true });
    let document = run.texts.read(file, Arc::from(text)).documents().next();
    let stamp = Stamp { by: BY, place: config.place };
    match document {
        Some(Ok(document)) => {
            let origin = run.texts.over(stamp, Origin::WRITTEN);
            Ok(Resource::new(Node::written(document.root()).stamped(origin)))
        }
        Some(Err(errors)) => {
            let why = errors.first().map(ToString::to_string).unwrap_or_default();
            Err(wrong("iam-policy", format!("the names make no YAML: {why}"), config.place).into())
        }
        None => Err(wrong("iam-policy", "the names make no YAML", config.place).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::run_on;

    fn check(config: &str) -> Result<String, String> {
        run_on(&[], "", |resources, scene| {
            let config = read_plugin(scene.run, scene.read("config.yaml", config))?;
            resources.append(generate(&config, scene.run)?, scene.run)
        })
    }

    #[test]
    fn a_service_account_names_its_other_half() {
        let config = "cloud: gke\nkubernetesService: {name: k, namespace: ns}\nserviceAccount: {name: sa, projectId: p}\n";
        let expect = "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  annotations:\n    iam.gke.io/gcp-service-account: sa@p.iam.gserviceaccount.com\n  \
                      name: k\n  namespace: ns\n";
        assert_eq!(check(config), Ok(expect.to_owned()));
        assert!(check("cloud: other").is_err_and(|error| error.contains("cloud provider other not supported yet")));
        assert!(check("cloud: gke\nkubernetesService: {name: '['}").is_err_and(|error| error.contains("make no YAML")));
    }
}
