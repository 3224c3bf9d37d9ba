//! The page that explains a failure, in a real browser.
//!
//! Where there is no Chromium the test says so and passes; with `REQUIRE_BROWSER` set it fails.

#![cfg(not(madsim))]

use crate::browser::{self, Browser};
use serde_json::json;
use std::path::Path;
use std::process::Command;

/// The page of a failure under this coordination.
fn page(coordination: &str, dir: &Path) -> String {
    let file = dir.join("failure.html");
    let output = Command::new(env!("CARGO_BIN_EXE_lockstep-sim"))
        .args(["run", "prefetch-cold-race", "--runs", "128", "--coordination", coordination, "--html"])
        .arg(&file)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    format!("file://{}", file.display())
}

#[test]
fn a_person_with_a_keyboard_can_step_through_a_failure() {
    let Some(program) = browser::program() else {
        assert!(std::env::var_os("REQUIRE_BROWSER").is_none(), "there is no Chromium, and REQUIRE_BROWSER is set");
        println!("skipped: there is no Chromium");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let url = page("lost-wakeup", dir.path());
    let mut browser = Browser::start(&program, &dir.path().join("profile"));
    for (width, height) in [(1280, 800), (400, 800)] {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        browser.call("Emulation.setDeviceMetricsOverride", size);
        browser.events.clear();
        browser.open(&url);
        assert!(
            browser.value("document.getElementById('verdict').textContent").as_str().unwrap().contains("O4 FAILED")
        );
        assert!(browser.value("document.querySelectorAll('text.lane').length").as_u64().unwrap() >= 5);
        assert!(browser.value("document.querySelectorAll('.bar.get').length").as_u64().unwrap() >= 1);
        let waits = browser.value("document.querySelectorAll('.bar.wait.open').length").as_u64().unwrap();
        assert!(waits >= 1, "the waits that never end");
        assert_eq!(browser.value("document.querySelectorAll('.dot.flip').length"), 2);
        assert_eq!(browser.value("document.querySelectorAll('path.join').length"), 1);

        let event = "document.getElementById('event').textContent";
        let place = "document.getElementById('place').textContent";
        browser.press("Home");
        assert!(browser.value(place).as_str().unwrap().starts_with("event 1 of "));
        let first = browser.value(event);
        browser.press("ArrowRight");
        assert!(browser.value(place).as_str().unwrap().starts_with("event 2 of "));
        assert_ne!(browser.value(event), first);
        browser.press("ArrowLeft");
        assert_eq!(browser.value(event), first);
        browser.press("End");
        let last = browser.value(place);
        browser.press("ArrowRight");
        assert_eq!(browser.value(place), last, "the last event stays");
        assert_eq!(browser.value("document.querySelectorAll('.dot.chosen').length"), 1);

        let overflow = browser.value("document.documentElement.scrollWidth - document.documentElement.clientWidth");
        assert_eq!(overflow, 0, "the page is as wide as its window at {width}");
        let told: Vec<_> = browser
            .events
            .iter()
            .filter(|event| {
                let method = event["method"].as_str().unwrap_or_default();
                let loads = method == "Network.requestWillBeSent" && {
                    let url = event["params"]["request"]["url"].as_str().unwrap_or_default();
                    !url.starts_with("file:") && !url.starts_with("data:")
                };
                loads || ["Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"].contains(&method)
            })
            .collect();
        assert!(told.is_empty(), "{told:?}");
    }
}
