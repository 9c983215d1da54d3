//! A headless Chromium, told what to do over its debugging pipe: no driver, no library.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(60);

/// How a page is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    pub width: u32,
    pub height: u32,
    pub phone: bool,
    pub dark: bool,
}

pub const DESKTOP: Look = Look { width: 1280, height: 900, phone: false, dark: false };
pub const PHONE: Look = Look { width: 390, height: 844, phone: true, dark: false };

/// The program: `CHROMIUM`, or what is on PATH. `None`, with a note, where there is none.
pub fn program() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).flat_map(|dir| names.map(|name| dir.join(name))).find(|p| p.is_file());
    let program = std::env::var_os("CHROMIUM").map(PathBuf::from).or(found);
    if program.is_none() {
        eprintln!("skipped: needs a browser: put chromium on PATH, or its path into CHROMIUM");
    }
    program
}

/// One page of a browser of its own; ended when dropped.
pub struct Page {
    child: Child,
    to: File,
    from: Receiver<Value>,
    last: u64,
    session: Option<String>,
    /// Everything that the browser has told.
    pub events: Vec<Value>,
    folder: TempDir,
}

impl Page {
    pub fn open(program: &Path) -> Page {
        let folder = tempfile::tempdir().unwrap();
        let pipe = |name: &str| {
            let path = folder.path().join(name);
            assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
            path
        };
        let (to, from) = (pipe("to"), pipe("from"));
        // Its third and fourth file are the pipe.
        let mut command = Command::new("sh");
        command.args(["-c", r#"to=$1 from=$2; shift 2; exec "$@" 3<"$to" 4>"$from""#, "sh"]).arg(&to).arg(&from);
        command.arg(program).args(["--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu"]);
        command.args(["--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update"]);
        command.args(["--no-first-run", "--hide-scrollbars", "--force-color-profile=srgb"]);
        command.arg(format!("--user-data-dir={}", folder.path().join("profile").display()));
        let errors = File::create(folder.path().join("errors")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors).env("HOME", folder.path());
        let child = command.spawn().unwrap();
        let to = OpenOptions::new().write(true).open(to).unwrap();
        let from = follow(File::open(from).unwrap());
        let mut page = Page { child, to, from, last: 0, session: None, events: Vec::new(), folder };
        let target = page.call("Target.createTarget", json!({"url": "about:blank"}))["targetId"].clone();
        let attached = page.call("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        page.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Network", "Runtime", "Log"] {
            page.call(&format!("{domain}.enable"), json!({}));
        }
        page
    }

    /// Calls a method of the debugging protocol.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut message = json!({"id": self.last, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        let begun = Instant::now();
        loop {
            let answer = self.next(begun, method);
            if answer["id"] == self.last {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
            self.events.push(answer);
        }
    }

    fn next(&self, begun: Instant, what: &str) -> Value {
        let left = LIMIT.saturating_sub(begun.elapsed());
        self.from.recv_timeout(left).unwrap_or_else(|e| {
            let errors = std::fs::read_to_string(self.folder.path().join("errors")).unwrap_or_default();
            panic!("no answer of the browser to {what}: {e}\n{errors}")
        })
    }

    /// Goes to a page, looks at it so, and waits until it is loaded.
    pub fn go(&mut self, url: &str, look: Look) {
        let (width, height) = (look.width, look.height);
        let scale = if look.phone { 2 } else { 1 };
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": scale, "mobile": look.phone});
        self.call("Emulation.setDeviceMetricsOverride", metrics);
        let scheme = json!({"name": "prefers-color-scheme", "value": if look.dark { "dark" } else { "light" }});
        self.call("Emulation.setEmulatedMedia", json!({"features": [scheme]}));
        self.events.clear();
        self.call("Page.navigate", json!({"url": url}));
        let begun = Instant::now();
        while !self.told("Page.loadEventFired").any(|_| true) {
            let event = self.next(begun, url);
            self.events.push(event);
        }
    }

    /// The events of this name.
    pub fn told(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.events.iter().filter(move |e| e["method"] == name).map(|e| &e["params"])
    }

    /// The value of an expression in the page.
    pub fn value(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// Waits until an expression in the page is true.
    pub fn wait_for(&mut self, expression: &str) {
        let begun = Instant::now();
        while self.value(expression) != true {
            assert!(begun.elapsed() < LIMIT, "{expression} does not become true");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// What went wrong: errors and warnings of the console, scripts that failed, dialogs.
    pub fn complaints(&self) -> Vec<String> {
        let console = self.told("Runtime.consoleAPICalled").map(ToString::to_string);
        let thrown = self.told("Runtime.exceptionThrown").map(ToString::to_string);
        let logged = self.told("Log.entryAdded").map(ToString::to_string);
        let dialogs = self.told("Page.javascriptDialogOpening").map(ToString::to_string);
        console.chain(thrown).chain(logged).chain(dialogs).collect()
    }

    /// All that was asked for.
    pub fn requests(&self) -> Vec<String> {
        self.told("Network.requestWillBeSent").filter_map(|p| p["request"]["url"].as_str().map(str::to_owned)).collect()
    }

    /// A picture of the whole page, or of its first screen, as a PNG.
    pub fn picture(&mut self, whole: bool) -> Vec<u8> {
        let answer = self.call("Page.captureScreenshot", json!({"format": "png", "captureBeyondViewport": whole}));
        base64(answer["data"].as_str().unwrap())
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // It is gone already, or ends now.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn follow(from: File) -> Receiver<Value> {
    let (to, messages) = channel();
    std::thread::spawn(move || {
        for message in BufReader::new(from).split(0).map_while(Result::ok) {
            if let Ok(message) = serde_json::from_slice(&message)
                && to.send(message).is_err()
            {
                break;
            }
        }
    });
    messages
}

fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for digit in text.bytes().filter(|b| *b != b'=') {
        bits = bits << 6 | DIGITS.iter().position(|d| *d == digit).unwrap() as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

#[test]
fn base64_is_read() {
    assert_eq!(base64("bGFuZGZhbGw="), b"landfall");
    assert_eq!(base64("//8A"), [255, 255, 0]);
}
