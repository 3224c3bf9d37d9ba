//! An .npmrc file, which holds secrets and comes with a project.
//!
//! What it sets and is written again is read the same; what names a variable that is not set is left out; and a secret where
//! secrets belong is in nothing that is shown: neither in the settings' Debug nor in a warning or an error.

use installer::config::{Npmrc, Overrides, Settings};
use std::error::Error;
use std::path::Path;
use url::Url;

/// The one variable that is set. The same text as base64, so that it can be a password too.
const VARIABLE: &str = "SECRET";
const SECRET: &str = "czNjcmV0LXMzY3JldA==";
const SECRET_DECODED: &str = "s3cret-s3cret";

/// Settings, and how they are shown to people who debug, or one that is broken on purpose.
pub type Show = fn(&Settings) -> String;

/// Any bytes; what is no UTF-8 is read as far as it is.
pub fn check(data: &[u8]) {
    check_with(data, |settings| format!("{settings:?}"));
}

/// As [`check`], with settings shown like this.
pub fn check_with(data: &[u8], show: Show) {
    let npmrc = Npmrc::parse(&String::from_utf8_lossy(data), &env);
    assert!(!format!("{npmrc:?}").contains(SECRET) || npmrc.iter().any(|(key, _)| key.contains(SECRET)));
    for (_, variable) in npmrc.unset_variables() {
        assert!(env(variable).is_none(), "{variable} is set");
    }
    reads_the_same_again(&npmrc);
    keeps_its_secrets(data, &npmrc, show);
}

fn env(name: &str) -> Option<String> {
    (name == VARIABLE).then(|| SECRET.to_owned())
}

/// Writes every setting that needs no more than quotes, and reads that.
fn reads_the_same_again(npmrc: &Npmrc) {
    let plain = |text: &str| !text.contains("${");
    let settings = npmrc.iter().filter(|(key, value)| plain(key) && plain(value) && !key.contains('='));
    let quoted = |text: &str| serde_json::to_string(text).expect("text is JSON");
    for (key, _) in settings.filter(|(key, _)| !key.ends_with("[]")) {
        let values = npmrc.all(key);
        if !values.iter().all(|value| plain(value)) {
            continue;
        }
        let list = if values.len() > 1 { format!("{key}[]") } else { key.to_owned() };
        let lines: String = values.iter().map(|value| format!("{}={}\n", quoted(&list), quoted(value))).collect();
        let again = Npmrc::parse(&lines, &|_| None);
        assert_eq!(again.all(key), values, "{key:?} is otherwise once it is written:\n{lines}");
    }
}

/// Where every secret is in a place for secrets, nothing shows it.
fn keeps_its_secrets(data: &[u8], npmrc: &Npmrc, show: Show) {
    // A fuzzer that guesses the secret may write it anywhere, into a comment or the name of a variable: it is none then.
    let text = String::from_utf8_lossy(data);
    if text.contains(SECRET) || text.contains(SECRET_DECODED) {
        return;
    }
    let settings = npmrc.iter().flat_map(|(key, _)| npmrc.all(key).iter().map(move |value| (key, value.as_str())));
    let mut holding = settings.filter(|(key, value)| key.contains(SECRET) || value.contains(SECRET)).peekable();
    if holding.peek().is_none() || !holding.all(|(key, value)| is_for_secrets(key, value)) {
        return;
    }
    let dir = tempfile::tempdir().expect("the disk has room for a project");
    std::fs::write(dir.path().join(".npmrc"), data).expect("a file can be written");
    let loaded = Settings::load(dir.path(), Some(Path::new("/nobody")), &env, Overrides::default());
    let shown = match &loaded {
        Ok(settings) => format!("{}\n{}", show(settings), settings.warnings.join("\n")),
        Err(error) => format!("{error}\n{error:?}\n{}", causes_of(error).join("\n")),
    };
    for secret in [SECRET, SECRET_DECODED] {
        assert!(!shown.contains(secret), "a secret is shown: {shown}");
    }
}

fn causes_of(error: &dyn Error) -> Vec<String> {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    causes
}

/// Whether people put secrets there: a credential's setting, or the user part of a URL.
fn is_for_secrets(key: &str, value: &str) -> bool {
    if key.contains(SECRET) {
        return false;
    }
    let name = key.rsplit(':').next().unwrap_or(key);
    if ["_authToken", "_auth", "_password"].contains(&name) {
        return true;
    }
    let is_of_urls = name == "registry" || ["proxy", "https-proxy", "http-proxy"].contains(&key);
    let Ok(mut url) = Url::parse(value) else { return false };
    let in_user_part = url.set_username("").is_ok() && url.set_password(None).is_ok();
    // Hosts are in lower case.
    is_of_urls && in_user_part && !url.as_str().to_lowercase().contains(&SECRET.to_lowercase())
}
