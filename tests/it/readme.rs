//! The README says what the command's own help says: every command, option, outcome, state and exit code, and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use metapatch::outcome::Outcome;
use metapatch::sandbox;
use metapatch::state::State;

/// Options of other programs that the README names.
const FOREIGN: &[&str] = &["--path", "--locked", "--open"];

fn readme() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("is there")
}

fn help(args: &[&str]) -> String {
    let run = Command::new(env!("CARGO_BIN_EXE_metapatch")).args(args).arg("--help").output().expect("it starts");
    assert!(run.status.success(), "{args:?}");
    String::from_utf8(run.stdout).expect("help is UTF-8")
}

/// The commands that the help lists.
fn commands(help: &str) -> Vec<String> {
    let listed = help.split("Commands:\n").nth(1).expect("commands are listed");
    let lines = listed.lines().take_while(|line| !line.is_empty());
    // Names stand two spaces in; what they say may go on further in.
    let names = lines.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}

/// The words of a text that are long options.
fn options(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let words = text.split(|c: char| !is_part(c));
    let long = words.filter(|word| word.strip_prefix("--").is_some_and(|name| name.starts_with(char::is_alphabetic)));
    long.map(|word| word.trim_end_matches('-').to_owned()).collect()
}

/// The options that a command's help lists; those that its sentences mention do not count.
fn listed_options(help: &str) -> BTreeSet<String> {
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    // The name ends before the explanation, two spaces further.
    lines.flat_map(|line| options(line.split("  ").next().unwrap_or_default())).collect()
}

fn by_command() -> BTreeMap<String, BTreeSet<String>> {
    let top = help(&[]);
    let mut by_command: BTreeMap<_, _> = commands(&top)
        .into_iter()
        .filter(|command| command != "help")
        .map(|command| (command.clone(), listed_options(&help(&[&command]))))
        .collect();
    by_command.insert(String::new(), listed_options(&top));
    by_command
}

/// The lines of fenced blocks.
fn code_lines(markdown: &str) -> Vec<&str> {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in markdown.lines() {
        if line.starts_with("```") {
            inside = !inside;
        } else if inside {
            lines.push(line);
        }
    }
    lines
}

#[test]
fn every_command_stands_in_the_readme_and_no_other() {
    let readme = readme();
    let known = commands(&help(&[]));
    for command in &known {
        assert!(readme.contains(&format!("`metapatch {command}")), "`metapatch {command}` is not in the README");
    }
    for (at, start) in readme.match_indices("`metapatch ") {
        let rest = readme[at + start.len()..].trim_start();
        let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        assert!(word.is_empty() || known.contains(&word), "the README names `metapatch {word}`, which there is not");
    }
}

#[test]
fn every_option_stands_in_the_readme_and_no_other() {
    let in_readme = options(&readme());
    let known: BTreeSet<String> = by_command().into_values().flatten().collect();
    let missing: Vec<_> = known.difference(&in_readme).collect();
    assert!(missing.is_empty(), "not in the README: {missing:?}");
    let surplus: Vec<_> = in_readme.difference(&known).filter(|option| !FOREIGN.contains(&option.as_str())).collect();
    assert!(surplus.is_empty(), "in the README, but no option: {surplus:?}");
}

#[test]
fn the_table_of_options_says_which_command_takes_which() {
    let by_command = by_command();
    let rows = readme();
    let rows = rows.lines().filter(|line| line.starts_with("| `-") && line.matches(" | ").count() >= 2);
    let mut seen = 0;
    for row in rows {
        let mut cells = row.trim_matches('|').split(" | ").map(str::trim);
        let (named, who) = (cells.next().unwrap_or_default(), cells.next().unwrap_or_default());
        let takers: Vec<&str> = match who {
            "all" => continue,
            "all but sandbox" => vec!["plan", "apply", "resume", "retry", "report", "runs", "check", "demo"],
            "all that use a key" => vec!["plan", "apply", "resume", "retry", "check"],
            "all that use runs" => vec!["plan", "apply", "resume", "retry", "report", "runs"],
            named => named.split(", ").collect(),
        };
        for option in options(named) {
            let having = by_command.iter().filter(|(_, options)| options.contains(&option));
            let having: BTreeSet<&str> = having.map(|(command, _)| command.as_str()).collect();
            assert_eq!(having, takers.iter().copied().collect(), "who takes {option}");
            seen += 1;
        }
    }
    assert!(seen >= 30, "the table of options was read");
}

#[test]
fn the_commands_of_code_blocks_use_options_that_they_have() {
    let by_command = by_command();
    let readme = readme();
    let mut seen = 0;
    for line in code_lines(&readme) {
        let Some(typed) = line.trim_start().trim_start_matches("$ ").strip_prefix("metapatch ") else { continue };
        let command = typed.split_whitespace().next().unwrap_or_default();
        let known = by_command.get(command).unwrap_or_else(|| panic!("there is no `metapatch {command}`"));
        let unknown: Vec<_> = options(typed).into_iter().filter(|option| !known.contains(option)).collect();
        assert!(unknown.is_empty(), "`{line}`: there is no {unknown:?}");
        seen += 1;
    }
    assert!(seen >= 5, "the tour types commands");
}

#[test]
fn every_outcome_state_and_exit_code_stands_in_the_readme() {
    let readme = readme();
    for outcome in Outcome::ALL {
        assert!(readme.contains(&format!("\n| `{outcome}` |")), "the outcome `{outcome}` is not in the README");
    }
    for state in State::ALL.map(State::word) {
        assert!(readme.contains(&format!("`{state}`")), "the state `{state}` is not in the README");
    }
    let top = help(&[]);
    let said = top.split("Exit codes:").nth(1).expect("the help says the exit codes");
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let codes: Vec<&str> = said.split("; ").filter_map(|part| part.split_whitespace().next()).collect();
    assert_eq!(codes, ["0", "1", "2", "3", "4", "130"]);
    for code in codes {
        assert!(readme.contains(&format!("\n| `{code}` |")), "exit code {code} is not in the README");
    }
}

#[test]
fn every_environment_variable_of_the_help_stands_in_the_readme() {
    let readme = readme();
    for text in by_command().keys().filter(|command| !command.is_empty()).map(|command| help(&[command])) {
        for variable in text.split("[env: ").skip(1).filter_map(|rest| rest.split(']').next()) {
            assert!(readme.contains(&format!("| `{variable}`")), "{variable} is not in the README");
        }
    }
}

#[test]
fn the_tour_reads_the_file_that_it_shows() {
    let shown = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/tour.csv")).expect("is there");
    assert!(readme().contains(&shown), "the README shows fixtures/tour.csv as it is");
}

/// The tour's commands with what they print, as the README has them: `[…]` stands for what is left out.
fn tour(readme: &str) -> Vec<(Vec<String>, String)> {
    let mut steps: Vec<(Vec<String>, String)> = Vec::new();
    for line in code_lines(readme) {
        if let Some(typed) = line.strip_prefix("$ ") {
            steps.push((typed.split_whitespace().map(str::to_owned).collect(), String::new()));
        } else if let Some((_, printed)) = steps.last_mut() {
            printed.push_str(line);
            printed.push('\n');
        }
    }
    steps.retain(|(typed, _)| typed[0] == "metapatch" && typed[1] != "sandbox");
    steps
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tour_prints_what_the_readme_shows() {
    let sandbox = sandbox::start(sandbox::Config { users: 100, ..Default::default() }).await.expect("it starts");
    let folder = tempfile::tempdir().expect("there is room");
    let (readme, file) = (readme(), concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/tour.csv"));
    let shown_id =
        readme.split("apply --run ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("is there");
    let mut id = String::new();
    let steps = tour(&readme);
    assert_eq!(steps.len(), 3, "plan, apply and report");
    for (typed, shown) in steps {
        let typed = typed[1..].iter().map(|word| word.replace("fixtures/tour.csv", file).replace(shown_id, &id));
        let mut command = Command::new(env!("CARGO_BIN_EXE_metapatch"));
        command.args(typed).current_dir(folder.path()).env_remove("METAPATCH_RUNS_DIR");
        command.env("CLERK_API_URL", sandbox.url()).env("CLERK_SECRET_KEY", "sk_test_sandbox");
        let ran = tokio::task::spawn_blocking(move || command.output()).await.expect("it ran").expect("it starts");
        let printed = String::from_utf8(ran.stdout).expect("output is UTF-8");
        if let Some(rest) = printed.split("run ").nth(1).filter(|_| id.is_empty()) {
            id = rest.split_whitespace().next().expect("a run has an id").to_owned();
        }
        let host = sandbox.url().trim_start_matches("http://");
        let printed = printed.replace(host, "127.0.0.1:4010").replace(&id, shown_id);
        let mut rest = printed.as_str();
        for part in shown.split("[…]\n") {
            let at = rest.find(part).unwrap_or_else(|| panic!("the README shows\n{part}\nbut it is\n{printed}"));
            rest = &rest[at + part.len()..];
        }
    }
    let failed = std::fs::read_to_string(folder.path().join("failed.csv")).expect("the report was written");
    let shown = code_lines(&readme).into_iter().skip_while(|line| *line != "$ cat failed.csv").skip(1).take(3);
    for (line, shown) in failed.lines().zip(shown) {
        assert!(line.starts_with(shown.split("[…]").next().unwrap_or_default()), "{line}");
    }
    sandbox.stop().await;
}
