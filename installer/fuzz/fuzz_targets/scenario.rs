#![no_main]

#[cfg(madsim)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| installer_fuzz::scenario::check(data));

#[cfg(not(madsim))]
libfuzzer_sys::fuzz_target!(|_data: &[u8]| panic!("build it with RUSTFLAGS='--cfg madsim'"));
