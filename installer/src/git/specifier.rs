//! What a package.json writes for a git repository, and the URLs that follow from it.

/// A repository, and which of its commits is wanted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GitSpecifier {
    /// Who has it.
    pub host: Host,
    /// `owner/name`; at GitLab there may be groups in between.
    pub repository: String,
    /// Which commit.
    pub wanted: Wanted,
}

/// A host that gives an archive of every commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// github.com.
    GitHub,
    /// gitlab.com.
    GitLab,
    /// bitbucket.org.
    Bitbucket,
}

/// What stands behind the `#`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// Nothing: the default branch.
    Head,
    /// A branch, a tag, a full reference or a commit, which may be short.
    Named(String),
    /// `semver:^1.0.0`: the newest version in the range that is a tag.
    Range(String),
}

/// How many hexadecimal digits a whole commit has.
const COMMIT_DIGITS: usize = 40;

impl Host {
    const ALL: [Host; 3] = [Host::GitHub, Host::GitLab, Host::Bitbucket];

    fn shortcut(self) -> &'static str {
        match self {
            Host::GitHub => "github:",
            Host::GitLab => "gitlab:",
            Host::Bitbucket => "bitbucket:",
        }
    }

    fn domain(self) -> &'static str {
        match self {
            Host::GitHub => "github.com",
            Host::GitLab => "gitlab.com",
            Host::Bitbucket => "bitbucket.org",
        }
    }

    /// `owner/name` of a path at this host.
    fn repository(self, path: &str) -> Option<String> {
        let path = path.trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        let is_name = |name: &str| {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
            !name.is_empty() && !name.starts_with(['.', '-']) && name.chars().all(is_plain)
        };
        let names = path.split('/').count();
        let fits = if self == Host::GitLab { names >= 2 } else { names == 2 };
        (fits && path.split('/').all(is_name)).then(|| path.to_owned())
    }
}

impl GitSpecifier {
    /// Reads `owner/name`, `github:owner/name#v1`, `git+ssh://git@github.com/owner/name.git#semver:^1` and the like. `None`
    /// for what is no git repository, for one of another host, and for a part of one (`path:`).
    pub fn parse(specifier: &str) -> Option<GitSpecifier> {
        let (place, fragment) = specifier.split_once('#').unwrap_or((specifier, ""));
        let (host, repository) = place_of(place)?;
        let wanted = match fragment.strip_prefix("semver:") {
            _ if fragment.contains(['&', ' ']) || fragment.contains("path:") || fragment.contains("::") => return None,
            Some(range) => Wanted::Range(range.replace("%20", " ")),
            None if fragment.is_empty() => Wanted::Head,
            None => Wanted::Named(fragment.to_owned()),
        };
        Some(GitSpecifier { host, repository, wanted })
    }

    /// As pnpm saves it: `github:owner/name#v1`, however it was written.
    pub fn saved(&self) -> String {
        let (host, repository) = (self.host.shortcut(), &self.repository);
        match &self.wanted {
            Wanted::Head => format!("{host}{repository}"),
            Wanted::Named(name) => format!("{host}{repository}#{name}"),
            Wanted::Range(range) => format!("{host}{repository}#semver:{range}"),
        }
    }

    /// Where the repository is asked for its references. Over https whatever was written: what it leads to has to be the same
    /// for everybody who reads the lockfile.
    pub fn remote(&self) -> String {
        format!("https://{}/{}.git", self.host.domain(), self.repository)
    }

    /// The whole commit, where that is what is written.
    pub fn commit(&self) -> Option<&str> {
        match &self.wanted {
            Wanted::Named(name) if Self::is_commit(name) => Some(name),
            _ => None,
        }
    }

    /// Whether this is a whole commit.
    pub fn is_commit(text: &str) -> bool {
        text.len() == COMMIT_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    }

    /// The URL of a commit's archive.
    pub fn archive(&self, commit: &str) -> String {
        let repository = &self.repository;
        let name = repository.rsplit('/').next().unwrap_or_default();
        match self.host {
            Host::GitHub => format!("https://codeload.github.com/{repository}/tar.gz/{commit}"),
            Host::GitLab => format!("https://gitlab.com/{repository}/-/archive/{commit}/{name}-{commit}.tar.gz"),
            Host::Bitbucket => format!("https://bitbucket.org/{repository}/get/{commit}.tar.gz"),
        }
    }
}

/// Whether a tarball was made of a repository by its host, and not by whoever publishes a package.
pub fn is_archive(url: &str) -> bool {
    let below = |prefix: &str, part: &str| url.strip_prefix(prefix).is_some_and(|path| path.contains(part));
    below("https://codeload.github.com/", "/tar.gz/")
        || below("https://gitlab.com/", "/-/archive/")
        || below("https://bitbucket.org/", "/get/")
}

fn place_of(place: &str) -> Option<(Host, String)> {
    let at = |host: Host, path: &str| Some((host, host.repository(path)?));
    if let Some((host, path)) = Host::ALL.iter().find_map(|host| Some((*host, place.strip_prefix(host.shortcut())?))) {
        return at(host, path);
    }
    let plain = place.strip_prefix("git+").unwrap_or(place);
    let (domain, path) = match plain.split_once("://") {
        Some(("https" | "http" | "ssh" | "git", rest)) => rest.split_once('/')?,
        Some(_) => return None,
        // `git@host:path`, or the short form of GitHub.
        None => match place.split_once(':') {
            Some((domain, path)) if domain.starts_with("git@") => (domain, path),
            Some(_) => return None,
            None if place.starts_with(['@', '.', '/', '~']) => return None,
            None => return at(Host::GitHub, place),
        },
    };
    let domain = domain.strip_prefix("git@").unwrap_or(domain);
    let host = Host::ALL.into_iter().find(|host| host.domain() == domain)?;
    at(host, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_repository_leads_to_it() {
        let same = [
            "o/r",
            "github:o/r",
            "git+https://github.com/o/r.git",
            "git+ssh://git@github.com/o/r.git",
            "ssh://git@github.com/o/r",
            "git://github.com/o/r.git",
            "git@github.com:o/r.git",
            "https://github.com/o/r",
        ];
        for specifier in same {
            let git = GitSpecifier::parse(specifier).unwrap_or_else(|| panic!("{specifier}"));
            assert_eq!((git.remote().as_str(), &git.wanted), ("https://github.com/o/r.git", &Wanted::Head));
            assert_eq!(git.archive("c0"), "https://codeload.github.com/o/r/tar.gz/c0");
        }
        let archive = |specifier: &str| GitSpecifier::parse(specifier).unwrap().archive("c0");
        assert_eq!(archive("gitlab:g/sub/r#main"), "https://gitlab.com/g/sub/r/-/archive/c0/r-c0.tar.gz");
        assert_eq!(archive("bitbucket:o/r"), "https://bitbucket.org/o/r/get/c0.tar.gz");
        for specifier in ["o/r", "gitlab:o/r", "bitbucket:o/r"] {
            assert!(is_archive(&archive(specifier)));
        }
        assert!(!is_archive("https://github.com/o/r/releases/download/v1/r.tgz"));
    }

    #[test]
    fn what_is_wanted_stands_behind_the_hash() {
        let wanted = |specifier: &str| GitSpecifier::parse(specifier).unwrap().wanted;
        assert_eq!(wanted("o/r#semver:^1.2"), Wanted::Range("^1.2".to_owned()));
        assert_eq!(wanted("o/r#feature/x"), Wanted::Named("feature/x".to_owned()));
        for saved in ["github:o/r", "gitlab:g/s/r#main", "bitbucket:o/r#semver:^1"] {
            assert_eq!(GitSpecifier::parse(saved).unwrap().saved(), saved);
        }
        assert_eq!(GitSpecifier::parse("git@github.com:o/r.git#v1").unwrap().saved(), "github:o/r#v1");
        let commit = "c9016572aa31366a00da97dc5e5e0da0bcda9d06";
        assert_eq!(GitSpecifier::parse(&format!("o/r#{commit}")).unwrap().commit(), Some(commit));
        assert_eq!(GitSpecifier::parse("o/r#c901657").unwrap().commit(), None);
    }

    #[test]
    fn what_is_no_repository_of_these_hosts_is_left_to_others() {
        for other in [
            "^1.0.0",
            "latest",
            "@s/a",
            "./a/b",
            "~/a/b",
            "file:a/b",
            "npm:a/b",
            "https://github.com/o/r/archive/v1.tar.gz",
            "https://example.com/o/r.git",
            "git+ssh://git@example.com/o/r.git",
            "https://user:secret@github.com/o/r.git",
            "git+file:///o/r",
            "ext::sh/x",
            "o/r#path:/packages/x",
            "o/r#main&path:/x",
            "o/--upload-pack=x",
            "o/..",
            "a/b/c",
        ] {
            assert_eq!(GitSpecifier::parse(other), None, "{other}");
        }
    }
}
