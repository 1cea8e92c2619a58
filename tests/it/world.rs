//! A world to run the real binary in: a sandbox on a free port, a folder of its own, and an environment without a trace
//! of the one the tests run in.

mod report;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use metapatch::json::{self, Value};
use metapatch::sandbox::{self, Config, Quota, Sandbox, Truth, user_id};
use tempfile::TempDir;

pub(crate) use self::report::{Row, count, outcomes};

/// The key that every command is given unless told otherwise.
pub(crate) const KEY: &str = "sk_test_worldsecretworldsecret";

/// Longer than anything here takes; what takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(90);

/// Verbs that take a pace.
const PACED: [&str; 4] = ["plan", "apply", "resume", "retry"];

/// A sandbox and a folder.
pub(crate) struct World {
    // Dropped before the runtime it runs on.
    pub(crate) sandbox: Sandbox,
    _runtime: tokio::runtime::Runtime,
    dir: TempDir,
}

/// A world in the making.
pub(crate) struct Builder {
    config: Config,
    lines: Option<String>,
}

impl World {
    /// A world without limits.
    #[expect(clippy::new_ret_no_self, reason = "it reads as `World::new().…start()`")]
    pub(crate) fn new() -> Builder {
        Builder { config: Config { limit: Quota::Off, user_limit: None, ..Config::default() }, lines: None }
    }
}

impl Builder {
    /// So many users that a seed makes.
    pub(crate) fn users(mut self, users: u32) -> Self {
        self.config.users = users;
        self
    }

    /// These users, one JSON object a line, and no others.
    pub(crate) fn world(mut self, lines: &str) -> Self {
        self.lines = Some(lines.to_owned());
        self
    }

    /// Anything else about the sandbox.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    pub(crate) fn start(mut self) -> World {
        let dir = tempfile::tempdir().expect("a folder");
        if let Some(lines) = self.lines {
            let path = dir.path().join("world.ndjson");
            std::fs::write(&path, lines).expect("is written");
            self.config.world = Some(path);
        }
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let sandbox = runtime.block_on(sandbox::start(self.config)).expect("a sandbox");
        World { sandbox, _runtime: runtime, dir }
    }
}

impl World {
    /// The folder that commands run in.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Puts a file into the folder.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.dir().join(name), content).expect("is written");
    }

    /// What a user holds.
    pub(crate) fn held(&self, user: &str) -> Value {
        self.sandbox.metadata(user).unwrap_or_else(|| panic!("there is no user {user}"))
    }

    /// What all users hold.
    pub(crate) fn all(&self) -> BTreeMap<String, Value> {
        let ids = self.sandbox.user_ids(usize::MAX);
        ids.into_iter().map(|id| (id.clone(), self.held(&id))).collect()
    }

    /// A command in this world.
    pub(crate) fn command<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Run {
        let args: Vec<String> = args.into_iter().map(str::to_owned).collect();
        let mut command = Command::new(env!("CARGO_BIN_EXE_metapatch"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).env("HOME", self.dir()).env("XDG_STATE_HOME", self.dir().join("state"));
        command.env("CLERK_SECRET_KEY", KEY).env("CLERK_API_URL", self.sandbox.url()).current_dir(self.dir());
        command.args(&args);
        let verb = args.first().map_or("", String::as_str);
        if PACED.contains(&verb) && !args.iter().any(|arg| arg == "--rate") {
            command.args(["--rate", "100000/1s", "--user-rate", "100000/1s"]);
        }
        Run { command, args, stdin: Vec::new(), stays_open: false }
    }

    /// Runs a command to its end.
    pub(crate) fn run<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Output {
        self.command(args).run()
    }

    /// Runs a command that is to end so.
    pub(crate) fn ends<'a>(&self, code: i32, args: impl IntoIterator<Item = &'a str>) -> Output {
        self.run(args).ended(code)
    }

    /// The run files that were made here, oldest first.
    pub(crate) fn run_files(&self) -> Vec<PathBuf> {
        let Ok(found) = std::fs::read_dir(self.dir().join(".metapatch/runs")) else { return Vec::new() };
        let files = found.map(|file| file.expect("is listed").path());
        let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "run")).collect();
        // Those of one second are told apart by when they were written.
        files.sort_by_key(|path| path.metadata().and_then(|found| found.modified()).expect("has a time"));
        files
    }

    /// The run file that was written last.
    pub(crate) fn last_run(&self) -> String {
        self.run_files().pop().expect("there is a run").to_string_lossy().into_owned()
    }

    /// What became of every row of the run that was written last.
    pub(crate) fn rows(&self) -> Vec<Row> {
        self.rows_of(&self.last_run())
    }

    /// What became of every row of a run.
    pub(crate) fn rows_of(&self, run: &str) -> Vec<Row> {
        Row::all(&self.ends(0, ["report", run, "--format", "csv"]).stdout)
    }

    /// The rows of the last run that did not end well, as a file.
    pub(crate) fn failed(&self) -> String {
        self.ends(0, ["report", &self.last_run(), "--format", "failed"]).stdout
    }

    /// Waits until the sandbox has seen something.
    pub(crate) fn wait_until(&self, what: &str, seen: impl Fn(&Truth) -> bool) {
        let began = Instant::now();
        while !seen(&self.sandbox.truth()) {
            assert!(began.elapsed() < PATIENCE, "never saw {what}: {:?}", self.sandbox.truth());
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until the rows of a new run are being put down.
    pub(crate) fn wait_for_run(&self) {
        let began = Instant::now();
        let being_written =
            |path: &PathBuf| path.with_extension("run-wal").metadata().is_ok_and(|wal| wal.len() > 500_000);
        while !self.run_files().iter().any(being_written) {
            assert!(began.elapsed() < PATIENCE, "no rows are put down");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Every byte of every file below the folder, by path, but for inputs that a test has put there itself.
    pub(crate) fn left_behind(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![self.dir().join(".metapatch"), self.dir().join("state")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.expect("is listed").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let bytes = std::fs::read(&path).expect("is read");
                    found.push((path, bytes));
                }
            }
        }
        found
    }
}

/// The id of a user that the seed makes.
pub(crate) fn id(n: u64) -> String {
    user_id(1, n)
}

/// JSON from text.
pub(crate) fn value(text: &str) -> Value {
    json::parse(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What the independent crate makes of one user's fields and a row's body.
pub(crate) fn merge_into(held: &mut Value, body: &Value) {
    for field in ["public_metadata", "private_metadata", "unsafe_metadata"] {
        if let Some(patch) = body.get(field) {
            json_patch::merge(&mut held[field], patch);
        }
    }
}

/// Whether a text holds these bytes.
pub(crate) fn holds(bytes: &[u8], what: &str) -> bool {
    bytes.windows(what.len()).any(|window| window == what.as_bytes())
}

/// A command that is about to run.
pub(crate) struct Run {
    command: Command,
    args: Vec<String>,
    stdin: Vec<u8>,
    stays_open: bool,
}

impl Run {
    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Leaves standard input open, so that whoever reads on waits.
    pub(crate) fn stays_open(mut self) -> Self {
        self.stays_open = true;
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub(crate) fn run(self) -> Output {
        self.spawn().wait()
    }

    pub(crate) fn spawn(mut self) -> Running {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().expect("the binary starts");
        let mut stdin = child.stdin.take().expect("is piped");
        let bytes = std::mem::take(&mut self.stdin);
        // A command that reads nothing closes it, which is fine.
        let (hold, released) = mpsc::channel::<()>();
        let hold = self.stays_open.then_some(hold);
        thread::spawn(move || {
            let _ = stdin.write_all(&bytes);
            // Ends with the command, or at once where nobody holds it open.
            let _ = released.recv();
        });
        let (sender, ended) = mpsc::channel();
        let mut out = child.stdout.take().expect("is piped");
        let mut err = child.stderr.take().expect("is piped");
        let said: Said = Arc::default();
        let saying = Arc::clone(&said);
        thread::spawn(move || {
            let reading = thread::spawn(move || {
                let mut piece = [0; 4096];
                while let Ok(n @ 1..) = err.read(&mut piece) {
                    saying.lock().expect("is whole").extend(&piece[..n]);
                }
            });
            let mut bytes = Vec::new();
            out.read_to_end(&mut bytes).expect("is read");
            reading.join().expect("reads");
            let _ = sender.send(bytes);
        });
        Running { child, args: self.args, ended, said, _stdin: hold }
    }
}

/// A command that is under way.
pub(crate) struct Running {
    child: Child,
    args: Vec<String>,
    ended: mpsc::Receiver<Vec<u8>>,
    /// What standard error holds so far.
    said: Said,
    /// Standard input is open as long as this is there.
    _stdin: Option<mpsc::Sender<()>>,
}

type Said = Arc<Mutex<Vec<u8>>>;

impl Running {
    /// Waits until standard error holds a text.
    pub(crate) fn wait_for(&self, what: &str) {
        let began = Instant::now();
        while !holds(&self.said.lock().expect("is whole"), what) {
            assert!(began.elapsed() < PATIENCE, "never said {what:?}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Sends a signal such as `INT`.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        // It may have ended just now, which the test will see.
        let _ = Command::new("sh").args(["-c", &kill]).stderr(Stdio::null()).status().expect("there is a shell");
    }

    pub(crate) fn wait(mut self) -> Output {
        let Ok(stdout) = self.ended.recv_timeout(PATIENCE) else {
            let _ = self.child.kill();
            panic!("{:?} hangs", self.args);
        };
        let stderr = std::mem::take(&mut *self.said.lock().expect("is whole"));
        let code = self.child.wait().expect("ends").code();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("is UTF-8");
        let output = Output { stdout: text(stdout), stderr: text(stderr), code, args: self.args };
        output.check();
        output
    }
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// `None` where a signal ended it.
    pub(crate) code: Option<i32>,
    args: Vec<String>,
}

impl Output {
    /// What holds for every command, whatever it was given.
    fn check(&self) {
        for said in [&self.stdout, &self.stderr] {
            assert!(!said.contains("panicked") && !said.contains("RUST_BACKTRACE"), "it panicked: {self:#?}");
            assert!(!said.contains("worldsecret"), "the key is told: {self:#?}");
            // The failed rows are the data as they were; everything else is made harmless.
            let is_exact = self.args.iter().any(|arg| arg == "failed");
            let obeyed = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
            assert!(is_exact || !said.contains(obeyed), "a terminal would obey: {self:#?}");
        }
        if self.args.windows(2).any(|pair| pair == ["--output", "json"]) && self.code.is_some() {
            assert_eq!(self.stdout.lines().count(), 1, "not one JSON object: {self:#?}");
            assert!(value(&self.stdout).is_object(), "not one JSON object: {self:#?}");
        }
    }

    /// The same, once it has ended so.
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// The contract object.
    pub(crate) fn json(&self) -> Value {
        value(&self.stdout)
    }

    /// The same, once standard error holds a text.
    pub(crate) fn says(self, what: &str) -> Self {
        assert!(self.stderr.contains(what), "does not say {what:?}: {self:#?}");
        self
    }
}
