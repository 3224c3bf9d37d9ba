//! The last words of an install: what is in node_modules, and what people should do next.

use crate::install::Summary;
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
    fn green(self, text: &str) -> String {
        self.wrap("32", text)
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
    let mut text = String::new();
    let mut kind = "";
    for direct in &summary.direct {
        if direct.kind != kind {
            kind = direct.kind;
            let _ = writeln!(text, "\n{}", paint.cyan(&format!("{kind}:")));
        }
        let _ = writeln!(text, "{} {} {}", paint.green("+"), direct.name, paint.dim(&direct.version));
    }
    if !summary.ignored_builds.is_empty() {
        let packages = summary.ignored_builds.join(", ");
        let _ = writeln!(text, "\nBuild scripts were not run: {packages}");
    }
    let packages =
        if summary.packages == 1 { "1 package".to_owned() } else { format!("{} packages", summary.packages) };
    let _ = writeln!(text, "\nDone in {:.1} s, {packages}", elapsed.as_secs_f64());
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::install::DirectSummary;

    #[test]
    fn plain_text_has_no_escapes() {
        let summary = Summary {
            direct: vec![DirectSummary { kind: "dependencies", name: "express".into(), version: "5.0.0".into() }],
            packages: 66,
            ignored_builds: vec!["esbuild@0.25.0".into()],
            ..Summary::default()
        };
        let text = summary_text(&summary, Duration::from_millis(1234), Paint::Plain);
        assert_eq!(
            text,
            "\ndependencies:\n+ express 5.0.0\n\nBuild scripts were not run: esbuild@0.25.0\n\nDone in 1.2 s, 66 packages\n"
        );
        assert!(summary_text(&summary, Duration::ZERO, Paint::Colours).contains("\u{1b}[32m+"));
    }
}
