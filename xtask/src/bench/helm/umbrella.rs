//! Owns the generated umbrella chart: any number of subcharts whose values are templates of templates.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Result;

/// Values that are templates, each around the next.
const DEEP: usize = 10;
/// Templates of a subchart.
const TEMPLATES: usize = 6;

/// Writes an umbrella chart with so many subcharts.
pub(super) fn write(folder: &Path, subcharts: usize) -> Result<()> {
    let mut own = "apiVersion: v2\nname: umbrella\nversion: 1.0.0\ndependencies:\n".to_owned();
    let mut values = "global: {region: eu, labels: {team: platform, stage: '{{ .Values.global.region }}-1'}}\n".to_owned();
    for nth in 0..subcharts {
        writeln!(own, "- {{name: app{nth}, version: 1.x.x, condition: app{nth}.enabled}}")?;
        writeln!(values, "app{nth}: {{enabled: true, replicas: {}, note: '{{{{ tpl .Values.v0 . }}}}'}}", nth % 5 + 1)?;
        subchart(&folder.join(format!("charts/app{nth}")), nth)?;
    }
    fs::write(folder.join("Chart.yaml"), own)?;
    fs::write(folder.join("values.yaml"), values)?;
    Ok(())
}

fn subchart(folder: &Path, nth: usize) -> Result<()> {
    fs::create_dir_all(folder.join("templates"))?;
    fs::write(folder.join("Chart.yaml"), format!("apiVersion: v2\nname: app{nth}\nversion: 1.{nth}.0\nappVersion: '{nth}'\n"))?;
    let mut values = "enabled: false\nreplicas: 1\nimage: {repository: example.org/app, tag: ''}\n".to_owned();
    for level in 0..DEEP {
        let inner = if level + 1 == DEEP { ".Release.Name".to_owned() } else { format!("tpl .Values.v{} .", level + 1) };
        writeln!(values, "v{level}: '{{{{ {inner} }}}}-{level}'")?;
    }
    values.push_str("env:\n");
    for at in 0..20 {
        writeln!(values, "  NAME_{at}: '{{{{ include \"app{nth}.name\" . }}}}-{at}-{{{{ .Values.global.region }}}}'")?;
    }
    fs::write(folder.join("values.yaml"), values)?;
    let helpers = format!(
        "{{{{- define \"app{nth}.name\" -}}}}\n{{{{- printf \"%s-%s\" .Release.Name .Chart.Name | trunc 63 | trimSuffix \"-\" -}}}}\n{{{{- end -}}}}\n\
         {{{{- define \"app{nth}.labels\" -}}}}\napp: {{{{ include \"app{nth}.name\" . }}}}\nchart: {{{{ .Chart.Name }}}}-{{{{ .Chart.Version }}}}\n\
         {{{{- range $key, $value := .Values.global.labels }}}}\n{{{{ $key }}}}: {{{{ tpl $value $ | quote }}}}\n{{{{- end }}}}\n{{{{- end -}}}}\n"
    );
    fs::write(folder.join("templates/_helpers.tpl"), helpers)?;
    for at in 0..TEMPLATES {
        fs::write(folder.join(format!("templates/t{at}.yaml")), template(nth, at))?;
    }
    Ok(())
}

fn template(nth: usize, at: usize) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{{{ include \"app{nth}.name\" . }}}}-{at}\n  labels:\n    \
         {{{{- include \"app{nth}.labels\" . | nindent 4 }}}}\n  annotations:\n    note: {{{{ tpl .Values.note . | quote }}}}\n    \
         checksum: {{{{ toYaml .Values.env | sha256sum }}}}\nspec:\n  replicas: {{{{ .Values.replicas }}}}\n  template:\n    metadata:\n      labels:\n        \
         {{{{- include \"app{nth}.labels\" . | nindent 8 }}}}\n    spec:\n      containers:\n      - name: main\n        \
         image: \"{{{{ .Values.image.repository }}}}:{{{{ .Values.image.tag | default .Chart.AppVersion }}}}\"\n        env:\n        \
         {{{{- range $name, $value := .Values.env }}}}\n        - name: {{{{ $name }}}}\n          value: {{{{ tpl $value $ | quote }}}}\n        {{{{- end }}}}\n"
    )
}
