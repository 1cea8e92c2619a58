//! The official SDKs, unmodified, against the sandbox. Their scenarios are in `tests/sdk/`.
//!
//! They are installed below `target/sdk/`, once for each list of versions, with the package managers as they are set up
//! here. Where those or their registry are missing, the test is skipped and says so.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::{fs, io};

use metapatch::sandbox::{self, Config};
use tokio::process::Command;

use crate::skip::{say, skip};

/// How many users the scenarios page through: more than two pages of the largest size.
const USERS: u32 = 1_200;

#[tokio::test(flavor = "multi_thread")]
async fn the_official_javascript_sdk_passes_its_scenarios() {
    match install_javascript().await {
        Ok(folder) => {
            let mut node = Command::new("node");
            node.arg("scenarios.mjs").current_dir(folder);
            pass("js", node).await;
        }
        Err(reason) => skip("sdk_js", &reason),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_python_sdk_passes_its_scenarios() {
    match install_python().await {
        Ok(folder) => {
            let mut python = Command::new(python_in(&folder));
            python.arg("scenarios.py").current_dir(folder).env("PYTHONUTF8", "1");
            pass("python", python).await;
        }
        Err(reason) => skip("sdk_python", &reason),
    }
}

/// Runs scenarios against a sandbox of their own, and tells what they say.
async fn pass(name: &str, mut scenarios: Command) {
    let sandbox = sandbox::start(Config { users: USERS, ..Config::default() }).await.expect("a free port");
    scenarios.env("METAPATCH_SANDBOX_URL", sandbox.url());
    // The sandbox is on this machine, whatever the rest has to go through.
    scenarios.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    let output = run(&mut scenarios).await.expect("what was just installed starts");
    let (told, warned) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    say(&told);
    assert!(output.status.success(), "{name}: {}\n{warned}", output.status);
    let is_line = |line: &&str| line.starts_with("ok  ");
    let passed = told.lines().filter(is_line).count();
    let total = format!("total  {name}  {passed} of {passed} scenarios passed");
    assert!(passed >= 40 && told.contains(&total), "{name}: scenarios are missing\n{told}{warned}");
}

async fn install_javascript() -> Result<PathBuf, String> {
    let version = run(Command::new("node").arg("--version")).await.map_err(|_| "there is no node".to_owned())?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    let major: u32 = version.trim_start_matches('v').split('.').next().unwrap_or_default().parse().unwrap_or(0);
    if major < 20 {
        return Err(format!("the SDK needs node 20.9 or newer, found {version}"));
    }
    let (folder, lock) = prepare("js", &["package.json", "package-lock.json", "scenarios.mjs"], "package-lock.json");
    let is_there = folder.join("node_modules/@clerk/backend").exists();
    if !is_there || is_new(&folder, &lock) {
        // What is run is what the lock file names, and nothing of it while it is installed.
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder);
        installed("npm", run(&mut npm).await)?;
        keep(&folder, &lock);
    }
    Ok(folder)
}

async fn install_python() -> Result<PathBuf, String> {
    let (folder, lock) = prepare("python", &["requirements.txt", "scenarios.py"], "requirements.txt");
    if !python_in(&folder).exists() || is_new(&folder, &lock) {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv", "--clear", "venv"]).current_dir(&folder);
        installed("python3 -m venv", run(&mut venv).await)?;
        let mut pip = Command::new(python_in(&folder));
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "-r", "requirements.txt"]).current_dir(&folder);
        installed("pip", run(&mut pip).await)?;
        keep(&folder, &lock);
    }
    Ok(folder)
}

fn python_in(folder: &Path) -> PathBuf {
    folder.join(if cfg!(windows) { "venv/Scripts/python.exe" } else { "venv/bin/python" })
}

/// Puts the files of an SDK where it is installed; returns that folder, and the text of the list of versions.
fn prepare(name: &str, files: &[&str], lock: &str) -> (PathBuf, String) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk").join(name);
    // Cargo's folder for tests is `target/tmp`.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("sdk").join(name);
    fs::create_dir_all(&folder).expect("the target folder can be written");
    for file in files {
        fs::copy(from.join(file), folder.join(file)).expect("the scenarios are there");
    }
    let lock = fs::read_to_string(from.join(lock)).expect("the versions are there");
    (folder, lock)
}

const INSTALLED: &str = "installed.txt";

/// Whether other versions than these are installed, or none.
fn is_new(folder: &Path, lock: &str) -> bool {
    fs::read_to_string(folder.join(INSTALLED)).map_or(true, |installed| installed != lock)
}

fn keep(folder: &Path, lock: &str) {
    fs::write(folder.join(INSTALLED), lock).expect("the target folder can be written");
}

async fn run(command: &mut Command) -> io::Result<Output> {
    command.stdin(Stdio::null()).kill_on_drop(true).output().await
}

/// The reason why something could not be installed; a list of versions that does not hold is a failure of ours.
fn installed(tool: &str, output: io::Result<Output>) -> Result<(), String> {
    let output = output.map_err(|error| format!("{tool} does not start: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    let is_ours = ["EUSAGE", "EINTEGRITY", "ResolutionImpossible"].iter().any(|code| told.contains(code));
    assert!(!is_ours, "{tool}: {told}");
    let lines: Vec<_> = told.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Err(format!("{tool} could not install it: {}", lines[lines.len().saturating_sub(4)..].join(" | ")))
}
