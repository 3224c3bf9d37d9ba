//! Text as a YAML scalar, in the style that js-yaml chooses and pnpm therefore writes.
//!
//! Follows `chooseScalarStyle` of js-yaml 4 without a line width, single quotes preferred.

/// Where a scalar stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A key, or the value of one, in block style; so many spaces deep.
    Block {
        /// Spaces before the lines of a literal.
        indent: usize,
    },
    /// Inside `{}` or `[]`.
    Flow,
    /// A key in block style: never over several lines.
    Key,
}

/// `text` as a scalar.
pub(super) fn scalar(text: &str, place: Place) -> String {
    if text.is_empty() {
        return "''".to_owned();
    }
    let many_lines = text.contains('\n');
    let single_line_only = !matches!(place, Place::Block { .. });
    if text.chars().any(|c| !is_printable(c) && (single_line_only || c != '\n')) {
        return double_quoted(text);
    }
    match place {
        Place::Block { indent } if many_lines => literal(text, indent),
        _ if is_plain(text, place == Place::Flow) && !is_ambiguous(text) => text.to_owned(),
        _ => format!("'{}'", text.replace('\'', "''")),
    }
}

fn literal(text: &str, indent: usize) -> String {
    let needs_indicator = text.trim_start_matches('\n').starts_with(' ');
    let clip = text.ends_with('\n');
    let keep = clip && (text.ends_with("\n\n") || text == "\n");
    let chomp = if keep {
        "+"
    } else if clip {
        ""
    } else {
        "-"
    };
    let mut out = format!("|{}{chomp}", if needs_indicator { "2" } else { "" });
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            out.extend(std::iter::repeat_n(' ', indent));
            out.push_str(line);
        }
    }
    out
}

fn double_quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '\0' => out.push_str("\\0"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\x0b' => out.push_str("\\v"),
            '\x0c' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\x1b' => out.push_str("\\e"),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{85}' => out.push_str("\\N"),
            '\u{a0}' => out.push_str("\\_"),
            '\u{2028}' => out.push_str("\\L"),
            '\u{2029}' => out.push_str("\\P"),
            c if is_printable(c) => out.push(c),
            c if c <= '\u{ff}' => out.push_str(&format!("\\x{:02X}", c as u32)),
            // Of those beyond U+FFFF each is printable.
            c => out.push_str(&format!("\\u{:04X}", c as u32)),
        }
    }
    out.push('"');
    out
}

pub(super) fn is_printable(c: char) -> bool {
    matches!(c, '\x20'..='\x7e' | '\u{a1}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
        && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// Whether the text can stand without quotes, apart from what it would then be taken for.
pub(super) fn is_plain(text: &str, in_flow: bool) -> bool {
    const NOT_FIRST: &str = "-?:,[]{}#&*!|=>'\"%@`";
    let (Some(first), Some(last)) = (text.chars().next(), text.chars().next_back()) else { return false };
    if first == ' ' || NOT_FIRST.contains(first) || last == ' ' || last == ':' {
        return false;
    }
    let mut previous = None;
    text.chars().all(|c| {
        let before = previous.replace(c);
        let ends_key = before == Some(':') && c == ' ';
        let starts_comment = c == '#' && before.is_none_or(|before| before == ' ');
        // js-yaml lets any character but a blank follow a colon, even one that ends a flow collection.
        let ends_flow = in_flow && ",[]{}".contains(c) && before != Some(':');
        !ends_key && !starts_comment && !ends_flow
    })
}

/// Whether plain text would be read as null, a boolean, a number, a date or a merge key.
pub(super) fn is_ambiguous(text: &str) -> bool {
    matches!(text, "~" | "null" | "Null" | "NULL" | "true" | "True" | "TRUE" | "false" | "False" | "FALSE" | "<<")
        || is_number(text)
        || is_date(text)
}

fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let radix = |prefix: &str, digits: &str| {
        unsigned.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| digits.contains(c)))
    };
    if radix("0b", "01_") || radix("0x", "0123456789abcdefABCDEF_") || radix("0o", "01234567_") {
        return !unsigned.ends_with('_');
    }
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(m, e)| (m, Some(e)));
    let exponent_is_valid = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    exponent_is_valid
        && mantissa.bytes().any(|byte| byte != b'.')
        && !whole.starts_with('_')
        && !text.ends_with('_')
        && digits(whole)
        && digits(fraction)
}

/// `2024-01-31`, with or without a time after it.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digit = |index: usize| bytes.get(index).is_some_and(u8::is_ascii_digit);
    let date =
        [0, 1, 2, 3, 5, 6, 8, 9].into_iter().all(digit) && bytes.get(4) == Some(&b'-') && bytes.get(7) == Some(&b'-');
    date && (bytes.len() == 10 || matches!(bytes[10], b'T' | b't' | b' ' | b'\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_quoted_as_js_yaml_does() {
        for (text, written) in [
            ("react@18.3.1", "react@18.3.1"),
            ("@babel/core@7.0.0", "'@babel/core@7.0.0'"),
            ("1.0", "'1.0'"),
            ("1.0.0", "1.0.0"),
            ("22", "'22'"),
            ("1e5", "'1e5'"),
            (">=18", "'>=18'"),
            ("^18 || >=20", "^18 || >=20"),
            ("*", "'*'"),
            ("it's", "it's"),
            ("'it", "'''it'"),
            ("a: b", "'a: b'"),
            ("a #b", "'a #b'"),
            ("a#b", "a#b"),
            ("true", "'true'"),
            ("2020-01-01", "'2020-01-01'"),
            ("tab\there", "\"tab\\there\""),
            ("delete\u{7f}", "\"delete\\x7F\""),
            ("mark\u{feff}", "\"mark\\uFEFF\""),
            ("none\u{ffff}", "\"none\\uFFFF\""),
            ("npm:react@^17.0.0", "npm:react@^17.0.0"),
        ] {
            assert_eq!(scalar(text, Place::Key), written);
        }
        assert_eq!(scalar("a, b", Place::Flow), "'a, b'");
        assert_eq!(scalar("a, b", Place::Key), "a, b");
        assert_eq!(scalar("!win32", Place::Flow), "'!win32'");
    }

    #[test]
    fn several_lines_become_a_literal() {
        let place = Place::Block { indent: 4 };
        assert_eq!(scalar("a\n\nb: c", place), "|-\n    a\n\n    b: c");
        assert_eq!(scalar("a\n", place), "|\n    a");
        assert_eq!(scalar(" a\nb", place), "|2-\n     a\n    b");
    }
}
