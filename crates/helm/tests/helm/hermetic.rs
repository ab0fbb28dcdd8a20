//! Owns that a render depends on its input alone: other time zone, home, language and working folder, and no network at all, give the same bytes. The test
//! runs itself again as another process.

use std::process::Command;

use plumb_helm::{Chart, File, Options, render};

use crate::host::NoHost;

const CHILD: &str = "PLUMB_HERMETIC";
const TEST: &str = "hermetic::other_surroundings_give_the_same_bytes";

/// Everything that could look at the surroundings.
const TEMPLATE: &str = r#"a: {{ include "all" . | toJson }}
{{- define "all" }}
now: {{ now | date "2006-01-02T15:04:05Z07:00" }} {{ now | date "MST" }} {{ date "15:04" 86399 }} {{ htmlDate 0 }}
zone: {{ dateInZone "2006-01-02 15:04 MST" (toDate "2006-01-02" "2024-07-01") "America/New_York" }}
host: {{ getHostByName "example.com" | quote }}
lookup: {{ lookup "v1" "Secret" "ns" "" | toJson }}
random: {{ randAlphaNum 8 }} {{ uuidv4 }} {{ shuffle "abcdef" }}
upper: {{ upper "iı" }} {{ list "b" "Ä" "a" "ä" | sortAlpha | join "," }} {{ title "größe" }}
files: {{ .Files.Get "../../../../etc/hostname" | quote }} {{ .Files.Get "/etc/passwd" | quote }} {{ range $path, $_ := .Files.Glob "**" }}{{ $path }} {{ end }}
number: {{ printf "%v %.2f" 1234567.5 1234567.5 }}
path: {{ base "." }} {{ clean "./x" }}
{{ end }}"#;

fn rendered() -> String {
    let file = |name: &str, text: &str| File { name: name.to_owned(), data: text.as_bytes().into() };
    let files =
        vec![file("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"), file("f.txt", "text"), file("templates/a.yaml", TEMPLATE)];
    render(&Chart::load(files).unwrap(), &Options::default(), &mut NoHost).unwrap().text(true)
}

#[test]
fn other_surroundings_give_the_same_bytes() {
    let here = rendered();
    if let Some(path) = std::env::var_os(CHILD) {
        std::fs::write(path, here).unwrap();
        return;
    }
    assert!(here.contains("host: \\\"\\\"") && here.contains("files: \\\"\\\" \\\"\\\" f.txt"), "{here}");
    let folder = std::env::temp_dir().join(format!("plumb-hermetic-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let answer = folder.join("answer");
    let me = std::env::current_exe().unwrap();
    let words = |before: &[&str]| {
        let mut command = Command::new(before.first().map_or(me.as_os_str(), std::ffi::OsStr::new));
        command.args(before.iter().skip(1));
        if !before.is_empty() {
            command.arg(&me);
        }
        command.args([TEST, "--exact", "--quiet"]).env_clear().env(CHILD, &answer).current_dir("/");
        command.env("TZ", "Pacific/Kiritimati").env("HOME", "/nonexistent").env("LANG", "tr_TR.UTF-8").env("LC_ALL", "tr_TR.UTF-8");
        command
    };
    let output = words(&[]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(std::fs::read_to_string(&answer).unwrap(), here, "other surroundings");
    // Where a namespace without devices may be made.
    let may = Command::new("unshare").args(["-rn", "true"]).output().is_ok_and(|output| output.status.success());
    if may {
        std::fs::remove_file(&answer).unwrap();
        let output = words(&["unshare", "-rn"]).env("PATH", "/usr/bin:/bin").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(std::fs::read_to_string(&answer).unwrap(), here, "without a network");
    } else {
        eprintln!("no network namespace may be made here: rendering without devices was not tried");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
