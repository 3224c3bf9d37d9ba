//! The hash by which a lockfile knows whether a setting with many parts has changed since: pnpm's, which is that of the
//! npm package `object-hash` over the value with its keys sorted.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;

/// `sha256-…` of a value; `None` of nothing.
pub fn settings_checksum(value: &Value) -> Option<String> {
    if value.is_null() {
        return None;
    }
    let mut text = String::new();
    write(value, &mut text);
    Some(format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text))))
}

fn write(value: &Value, out: &mut String) {
    // Writing to a string cannot fail.
    let _ = match value {
        Value::Null => write!(out, "Null"),
        Value::Bool(flag) => write!(out, "bool:{flag}"),
        Value::Number(number) => write!(out, "number:{number}"),
        // JavaScript counts in UTF-16.
        Value::String(text) => write!(out, "string:{}:{text}", text.encode_utf16().count()),
        Value::Array(items) => {
            let _ = write!(out, "array:{}:", items.len());
            items.iter().for_each(|item| write(item, out));
            Ok(())
        }
        Value::Object(entries) => {
            let _ = write!(out, "object:{}:", entries.len());
            for (key, value) in entries.iter().collect::<BTreeMap<_, _>>() {
                let _ = write!(out, "string:{}:{key}:", key.encode_utf16().count());
                write(value, out);
                out.push(',');
            }
            Ok(())
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_checksum_is_pnpm_s() {
        let extension = json!({ "peerDependencies": { "react": "*" }, "dependencies": { "left-pad": "1.3.0" } });
        let checksum = settings_checksum(&json!({ "is-odd@3": extension })).unwrap();
        assert_eq!(checksum, "sha256-WdtZ8R+E7ochFw4b3fsHYx/1ODe63LgtzNz2wMCqCwM=");
        assert_eq!(settings_checksum(&Value::Null), None);
    }
}
