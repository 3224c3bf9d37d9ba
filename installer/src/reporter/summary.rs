//! The last words of an install: what is in node_modules, and what people should do next.

use crate::install::{Change, Changes, Summary};
use std::fmt::Write as _;
use std::time::Duration;

/// Whether words may be coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// ANSI colours.
    Colours,
    /// Plain text.
    Plain,
}

impl Paint {
    /// Green for what came, red for what went.
    fn sign(self, sign: &str, text: &str) -> String {
        self.wrap(if sign == "+" { "32" } else { "31" }, text)
    }

    fn cyan(self, text: &str) -> String {
        self.wrap("36", text)
    }

    fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        match self {
            Paint::Colours => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Paint::Plain => text.to_owned(),
        }
    }
}

/// The summary as people read it; ends with a newline.
pub fn summary_text(summary: &Summary, elapsed: Duration, paint: Paint) -> String {
    let mut text = match summary.lockfile_only {
        true => "pnpm-lock.yaml is up to date; node_modules is as it was\n".to_owned(),
        false => changes_text(&summary.changes, paint),
    };
    if !summary.ignored_builds.is_empty() {
        let packages = summary.ignored_builds.join(", ");
        let _ = writeln!(text, "\nBuild scripts were not run: {packages}");
    }
    let packages =
        if summary.packages == 1 { "1 package".to_owned() } else { format!("{} packages", summary.packages) };
    let _ = writeln!(text, "\nDone in {:.1} s, {packages}", elapsed.as_secs_f64());
    text
}

fn changes_text(changes: &Changes, paint: Paint) -> String {
    if changes.is_empty() {
        return "Already up to date\n".to_owned();
    }
    let mut text = String::new();
    let counts = [("+", changes.added), ("-", changes.removed)].into_iter().filter(|(_, count)| *count > 0);
    let counts: String =
        counts.map(|(sign, count)| format!(" {}", paint.sign(sign, &format!("{sign}{count}")))).collect();
    if !counts.is_empty() {
        let _ = writeln!(text, "Packages:{counts}");
    }
    let mut kind = "";
    for direct in &changes.direct {
        if direct.kind != kind {
            kind = direct.kind;
            let _ = writeln!(text, "\n{}", paint.cyan(&format!("{kind}:")));
        }
        let sign = if direct.change == Change::Added { "+" } else { "-" };
        let _ = writeln!(text, "{} {} {}", paint.sign(sign, sign), direct.name, paint.dim(&direct.version));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::install::DirectChange;

    fn change(change: Change, version: &str) -> DirectChange {
        DirectChange { kind: "dependencies", name: "express".into(), change, version: version.into() }
    }

    #[test]
    fn plain_text_has_no_escapes() {
        let direct = vec![change(Change::Removed, "4.0.0"), change(Change::Added, "5.0.0")];
        let summary = Summary {
            changes: Changes { added: 7, removed: 1, direct },
            packages: 66,
            ignored_builds: vec!["esbuild@0.25.0".into()],
            ..Summary::default()
        };
        let text = summary_text(&summary, Duration::from_millis(1234), Paint::Plain);
        assert_eq!(
            text,
            "Packages: +7 -1\n\ndependencies:\n- express 4.0.0\n+ express 5.0.0\n\n\
             Build scripts were not run: esbuild@0.25.0\n\nDone in 1.2 s, 66 packages\n"
        );
        assert!(summary_text(&summary, Duration::ZERO, Paint::Colours).contains("\u{1b}[32m+"));
    }

    #[test]
    fn nothing_to_do_is_said() {
        let summary = Summary { packages: 1, ..Summary::default() };
        let text = summary_text(&summary, Duration::ZERO, Paint::Plain);
        assert_eq!(text, "Already up to date\n\nDone in 0.0 s, 1 package\n");
    }
}
