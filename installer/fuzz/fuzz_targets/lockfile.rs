#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| installer_fuzz::lockfile::check(data));
