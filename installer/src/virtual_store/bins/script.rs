//! What a command's script says: which program runs the file, and where packages are found.

use super::Bin;
use crate::virtual_store::Layout;
use std::path::Path;

/// What runs a file: `node`, `sh`, or nothing where the file runs by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    /// Empty for a file that runs by itself.
    name: String,
    arguments: String,
}

impl Program {
    /// By the file's first line, else by its extension.
    pub(super) fn of(path: &Path, bytes: &[u8]) -> Self {
        let first_line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let shebang = std::str::from_utf8(first_line).ok().and_then(|line| line.trim_end().strip_prefix("#!"));
        let Some(shebang) = shebang else {
            let script = matches!(path.extension().and_then(|e| e.to_str()), Some("js" | "cjs" | "mjs") | None);
            let elf = bytes.starts_with(b"\x7fELF");
            let name = if script && !elf { "node" } else { "" };
            return Program { name: name.to_owned(), arguments: String::new() };
        };
        let mut words = shebang.split_whitespace().peekable();
        let mut name = words.next().unwrap_or("node");
        if name.ends_with("/env") {
            words.next_if(|word| *word == "-S");
            name = words.next().unwrap_or("node");
        }
        let name = name.rsplit('/').next().unwrap_or(name);
        Program { name: name.to_owned(), arguments: words.collect::<Vec<_>>().join(" ") }
    }
}

/// The whole script.
pub(super) fn script(bin: &Bin, program: &Program, layout: &Layout) -> String {
    let dir = bin.path.parent().expect("a command lies in .bin");
    let from_here = |path: &Path| {
        let way = layout.way(path, dir);
        let text = in_quotes(&way.display().to_string());
        if way.is_absolute() { text } else { format!("$basedir/{text}") }
    };
    let target = from_here(&bin.target);
    let node_path = bin.node_path.iter().map(|path| from_here(path)).collect::<Vec<_>>().join(":");
    let Program { name, arguments } = program;
    let arguments = if arguments.is_empty() { String::new() } else { format!(" {arguments}") };
    let start = if name.is_empty() {
        format!("exec \"{target}\" \"$@\"\n")
    } else {
        format!(
            "if [ -x \"$basedir/{name}\" ]; then\n  exec \"$basedir/{name}\"{arguments} \"{target}\" \"$@\"\n\
             else\n  exec {name}{arguments} \"{target}\" \"$@\"\nfi\n"
        )
    };
    let node_path = match node_path.as_str() {
        "" => String::new(),
        path => format!("export NODE_PATH=\"{path}${{NODE_PATH:+:$NODE_PATH}}\"\n"),
    };
    format!("#!/bin/sh\nbasedir=$(CDPATH= cd -- \"$(dirname -- \"$0\")\" && pwd)\n{node_path}{start}")
}

/// A text as it stands between double quotes in a shell script: a package chooses the names of its files.
fn in_quotes(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '$' | '`' | '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_names_the_program() {
        let program = |text: &str| {
            let Program { name, arguments } = Program::of(Path::new("x"), text.as_bytes());
            (name, arguments)
        };
        let pair = |name: &str, arguments: &str| (name.to_owned(), arguments.to_owned());
        assert_eq!(program("#!/usr/bin/env node\r\n"), pair("node", ""));
        assert_eq!(program("#!/usr/bin/env -S node --flag\n"), pair("node", "--flag"));
        assert_eq!(program("#!/bin/sh -e\n"), pair("sh", "-e"));
        assert_eq!(program("console.log(1)"), pair("node", ""));
        assert_eq!(program("\u{7f}ELF"), pair("", ""));
    }
}
