//! Which machine a package runs on, by npm's `os`, `cpu` and `libc`.

use super::LockedPackage;
use crate::config::SupportedArchitectures;

/// The machines that are installed for, in Node's words: any of these systems with any of these CPUs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// `process.platform`: `linux`, `darwin`, `win32`.
    pub os: Vec<String>,
    /// `process.arch`: `x64`, `arm64`.
    pub cpu: Vec<String>,
    /// `glibc` or `musl`; empty where there is no choice.
    pub libc: Vec<String>,
}

impl Platform {
    /// The machine that this binary was built for; its C library is taken for the machine's.
    pub fn current() -> Platform {
        let os = match std::env::consts::OS {
            "macos" => "darwin",
            "windows" => "win32",
            "solaris" | "illumos" => "sunos",
            os => os,
        };
        let cpu = match std::env::consts::ARCH {
            "x86_64" => "x64",
            "aarch64" => "arm64",
            "x86" => "ia32",
            "powerpc64" => "ppc64",
            "loongarch64" => "loong64",
            cpu => cpu,
        };
        let libc = if cfg!(target_env = "musl") { "musl" } else { "glibc" };
        let libc = cfg!(target_os = "linux").then(|| libc.to_owned());
        Platform { os: vec![os.to_owned()], cpu: vec![cpu.to_owned()], libc: libc.into_iter().collect() }
    }

    /// The machines that a project supports; this one where it does not say.
    pub fn supported(architectures: &SupportedArchitectures) -> Platform {
        let current = Platform::current();
        let all = |names: &[String], current: Vec<String>| -> Vec<String> {
            if names.is_empty() {
                return current;
            }
            let expand = |name: &String| if name == "current" { current.clone() } else { vec![name.clone()] };
            names.iter().flat_map(expand).collect()
        };
        Platform {
            os: all(&architectures.os, current.os),
            cpu: all(&architectures.cpu, current.cpu),
            libc: all(&architectures.libc, current.libc),
        }
    }

    /// Whether the package runs on one of these machines.
    pub fn matches(&self, package: &LockedPackage) -> bool {
        self.matches_fields(&package.os, &package.cpu, &package.libc)
    }

    /// As [`matches`](Self::matches), for the three lists as a package declares them.
    pub fn matches_fields(&self, os: &[String], cpu: &[String], libc: &[String]) -> bool {
        let any = |list: &[String], current: &[String]| current.iter().any(|current| allows(list, current));
        any(os, &self.os) && any(cpu, &self.cpu) && (self.libc.is_empty() || any(libc, &self.libc))
    }
}

/// npm's rule: a `!` entry forbids; if there are entries without `!`, one of them has to match.
fn allows(list: &[String], current: &str) -> bool {
    if list.iter().any(|entry| entry.strip_prefix('!') == Some(current)) {
        return false;
    }
    let mut wanted = list.iter().filter(|entry| !entry.starts_with('!')).peekable();
    wanted.peek().is_none() || wanted.any(|entry| entry == current || entry == "any")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_allow_and_forbid() {
        let allows = |list: &[&str]| allows(&list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>(), "linux");
        assert!(allows(&[]));
        assert!(allows(&["linux", "darwin"]));
        assert!(!allows(&["darwin"]));
        assert!(allows(&["!win32"]));
        assert!(!allows(&["!linux"]));
        assert!(!allows(&["linux", "!linux"]));
        assert!(!allows(&["!win32", "darwin"]));
        assert!(allows(&["any"]));
    }
}
