#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| maison_fuzz::mosquitto(bytes));
