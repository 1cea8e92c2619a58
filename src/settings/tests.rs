use super::*;
use crate::spec::{Duplicates, Empty, Format};

const GOOD: &str = r#"
version: 1
instances:
  production: { secret_key: "${CLERK_SECRET_KEY}", share: 50% }
jobs:
  backfill-roles:
    source: { csv: fixtures/roles.csv.gz }
    match: { user_id: clerk_id }
    patch:
      public_metadata:
        role: "{{ role }}"
        seats: "{{ seats | int }}"
        legacy: "{{ delete }}"
        id: 12345678901234567890123
        price: 1.0
        tiny: 1e-400
        deep: { on: true, list: [1, ~] }
    guards:
      max_changes: 5%
      forbid: [{ path: public_metadata.role, from: admin }, { path: private_metadata.x, to: null }]
    duplicates: error
    empty: delete
    accept: [not_found]
"#;

fn parse(text: &str) -> Result<Jobs, ConfigError> {
    Jobs::parse(Path::new("/srv/jobs.yaml"), text.to_owned())
}

#[test]
fn a_job_becomes_a_spec() {
    let jobs = parse(GOOD).expect("is good");
    let job = jobs.job("backfill-roles").expect("is there");
    let spec = job.spec().expect("is good");
    assert_eq!(spec.source.input, Input::File("/srv/fixtures/roles.csv.gz".into()));
    assert_eq!((spec.source.format, spec.source.compression), (Format::Csv, Compression::Gzip));
    assert_eq!((spec.duplicates, spec.allow_unverified), (Duplicates::Error, false));
    assert_eq!(spec.guards.max_changes, Some(crate::guard::Limit::Percent(5.0)));
    assert_eq!(spec.guards.forbid[0].from, Some(Value::from("admin")));
    assert_eq!((&spec.guards.forbid[1].from, &spec.guards.forbid[1].to), (&None, &Some(Value::Null)));
    let MappingSpec::Template { identity, column, patch, empty } = spec.mapping else { panic!("is a template") };
    assert_eq!((identity, column.as_str(), empty), (IdentityKind::UserId, "clerk_id", Empty::Delete));
    assert_eq!(
        patch["public_metadata"].to_string(),
        r#"{"deep":{"list":[1,null],"on":true},"id":12345678901234567890123,"legacy":"{{ delete }}","price":1.0,"#
            .to_owned()
            + r#""role":"{{ role }}","seats":"{{ seats | int }}","tiny":1e-400}"#
    );
    assert_eq!(job.accept().expect("is good"), [Outcome::NotFound]);
    assert!(jobs.check().is_empty());
}

#[test]
fn the_only_instance_is_the_default() {
    let jobs = parse(GOOD).expect("is good");
    let only = jobs.instance(None).expect("is good").expect("is one");
    assert_eq!((only.name, only.asked), ("production", false));
    assert!(jobs.instance(Some("production")).expect("is good").expect("is one").asked);
    assert_eq!(
        jobs.instance(Some("prodction")).expect_err("is none").to_string(),
        "/srv/jobs.yaml has no instance `prodction`; did you mean `production`?"
    );
    let two = parse("version: 1\ninstances: { a: {}, b: {} }").expect("is good");
    assert!(two.instance(None).expect("is good").is_none());
    assert!(parse("version: 1").expect("is good").instance(None).expect("is good").is_none());
}

#[test]
fn an_unknown_job_is_answered_with_the_nearest() {
    let jobs = parse(GOOD).expect("is good");
    let error = |name: &str| jobs.job(name).expect_err("is none").to_string();
    assert_eq!(error("backfil-roles"), "/srv/jobs.yaml has no job `backfil-roles`; did you mean `backfill-roles`?");
    assert_eq!(error("x"), "/srv/jobs.yaml has no job `x`; it has `backfill-roles`");
}

/// A file with one job whose lines, from the fourth on, are these.
fn job(lines: &str) -> String {
    format!("version: 1\njobs:\n  j:\n    {}\n", lines.replace('\n', "\n    "))
}

/// The first thing that is wrong with a file.
fn wrong(text: &str) -> String {
    let error = match parse(text) {
        Ok(jobs) => jobs.check().into_iter().next().unwrap_or_else(|| panic!("nothing is wrong with\n{text}")),
        Err(error) => error,
    };
    error.to_string()
}

#[test]
fn every_mistake_has_a_place_and_a_way_out() {
    const REST: &str = "source: { csv: a.csv }\nmatch: { user_id: id }\npatch: { public_metadata: { a: 1 } }";
    let with = |line: &str| job(&format!("{REST}\n{line}"));
    let table = [
        ("verson: 1".to_owned(), "1:1: unknown key `verson`; did you mean `version`?"),
        ("version: 2".to_owned(), "1:10: `version` is 2; this metapatch reads version 1"),
        ("version: one".to_owned(), "1:10: expected a whole number in `version`"),
        ("jobs: {}".to_owned(), "1:1: the key `version` is missing"),
        (String::new(), "1:1: the file ends too early"),
        ("[]".to_owned(), "1:1: expected keys and values"),
        (with("patchs: 1"), "7:5: unknown key `patchs` in job `j`; did you mean `patch`?"),
        (with("schedule: \"* * * * *\""), "7:5: unknown key `schedule` in job `j`; expected one of `instance`"),
        (with("mode: merg"), "7:11: unknown word `merg` in `mode` of job `j`; did you mean `merge`?"),
        (with("duplicates: [fold]"), "7:17: expected a word in `duplicates` of job `j`"),
        (with("allow_unverified: yes"), "7:23: expected `true` or `false` in `allow_unverified` of job `j`"),
        (
            with("accept: [notfound]"),
            "7:14: `accept` of job `j`: there is no outcome `notfound`; did you mean `not_found`?",
        ),
        (with("accept: not_found"), "7:13: expected a list"),
        (with("instance: prod"), "7:15: `instance` of job `j`: there is no instance `prod`; this file has none"),
        (
            with("guards: { max_change: 5 }"),
            "7:15: unknown key `max_change` in `guards` of job `j`; did you mean `max_changes`?",
        ),
        (
            with("guards: { max_changes: 5 percent }"),
            "7:28: `guards.max_changes` of job `j`: expected a number of users",
        ),
        (with("guards: { forbid: [{ path: role }] }"), "7:32: `guards.forbid` of job `j`: `role` is no metadata field"),
        (with("guards: { forbid: [{ from: x }] }"), "7:26: the key `path` is missing in `guards.forbid.0` of job `j`"),
        (
            with("guards: { forbid: [{ path: public.a, from: 0x1f }] }"),
            "7:48: `guards.forbid` of job `j`: write the number `0x1f` as JSON does",
        ),
        (with("mode: merge\nmode: merge"), "8:5: the key `mode` stands twice"),
        (job("source: { csv: a.csv }\npatch: {}"), "5:5: the key `match` is missing in job `j`"),
        (
            job(&REST.replace("csv:", "cvs:")),
            "4:15: unknown word `cvs` in `source` of job `j`; expected one of `csv`, `tsv`, `ndjson`",
        ),
        (job(&REST.replace("a.csv }", "a.csv, tsv: b }")), "4:27: expected exactly one key in `source` of job `j`"),
        (job(&REST.replace("a.csv }", "'-' }")), "4:20: `source` of job `j`: a job reads a file"),
        (
            job(&REST.replace("user_id: id", "userid: id")),
            "5:14: unknown word `userid` in `match` of job `j`; did you mean `user_id`?",
        ),
        (
            job(&REST.replace("user_id: id", "user_id: id, username: n")),
            "5:27: expected exactly one key in `match` of job `j`",
        ),
        (
            job(&REST.replace("user_id: id", "user_id: ''")),
            "5:23: `match` of job `j`: expected the name of an input column",
        ),
        (
            job(&REST.replace("public_metadata", "public")),
            "6:22: `patch.public` of job `j`: `public` is no metadata field; did you mean `public_metadata`?",
        ),
        (
            job(&REST.replace("a: 1", "a: null")),
            "6:36: `patch.public_metadata.a` of job `j`: null does not delete here; write \"{{ delete }}\"",
        ),
        (job(&REST.replace("a: 1", "a: ")), "null does not delete here"),
        (
            job(&REST.replace("a: 1", "a: [1, '{{ b']")),
            "6:40: `patch.public_metadata.a.1` of job `j`: `{{` is never closed",
        ),
        (
            job(&REST.replace("a: 1", "a: '{{ b | uper }}'")),
            "6:36: `patch.public_metadata.a` of job `j`: there is no filter `uper`; did you mean `upper`?",
        ),
        (job(&REST.replace("a: 1", "a: .5")), "6:36: `patch` of job `j`: write the number `.5` as JSON does"),
        (job(&REST.replace("a: 1", "a: .nan")), "6:36: expected a finite number"),
        (job(&REST.replace("a: 1", "a: {{ b }}")), "6:37: expected a text as key; a template stands in quotes"),
        (
            job(&REST.replace("{ a: 1 }", "5")),
            "6:31: `patch.public_metadata` of job `j`: a metadata field must be an object",
        ),
        ("version: 1\njobs:\n\tj: {}".to_owned(), "3:2: tabs disallowed"),
        ("version: 1\njobs: { j: *nothing }".to_owned(), "2:12"),
        ("version: 1\n---\nversion: 1".to_owned(), "2:1: expected one document"),
        ("version: 1\njobs: \"".to_owned(), "2:7: unclosed quote"),
    ];
    for (text, expected) in table {
        let error = wrong(&text);
        assert!(error.starts_with("/srv/jobs.yaml:"), "{error}");
        let error = error.trim_start_matches("/srv/jobs.yaml:");
        let at = expected.starts_with(|c: char| c.is_ascii_digit());
        let fits = if at { error.starts_with(expected) } else { error.contains(expected) };
        assert!(fits, "expected {expected}\n   found {error}");
    }
}

#[test]
fn what_stands_under_instances_is_never_quoted() {
    const KEY: &str = "sk_live_obviously_fake";
    for instances in [
        "{ a: { secret_key: KEY } }",
        "{ a: { secret_key: \"${KEY\" } }",
        "{ a: { secret_key: \"x${A}\" } }",
        "{ a: { secret_key: [KEY] } }",
        "{ a: { secret_key: { b: KEY } } }",
        "{ a: KEY }",
        "[KEY]",
        "KEY",
        "{ a: { api_url: [KEY] } }",
        "{ a: { api_url: \"${KEY\" } }",
        "{ a: { share: { KEY: 1 } } }",
        "{ a: { secret_key: !!int KEY } }",
        "{ a: { secret_key: *KEY } }",
        "{ a: { secret_key: 'KEY } }",
    ] {
        let text = format!("version: 1\ninstances: {}", instances.replace("KEY", KEY));
        let error = parse(&text).expect_err(instances);
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("obviously_fake"), "{shown}");
        assert!(shown.starts_with("/srv/jobs.yaml:2:"), "{shown}");
    }
    let literal = wrong("version: 1\ninstances: { a: { secret_key: sk_test_fake } }");
    assert!(
        literal.starts_with("/srv/jobs.yaml:2:31: a secret key does not stand in a file; write `${CLERK_SECRET_KEY}`"),
        "{literal}"
    );
    assert!(literal.ends_with(" in `secret_key` of instance `a`"), "{literal}");
}

#[test]
fn files_that_would_grow_when_read_are_refused() {
    let mut bomb = "version: 1\nx0: &x0 [a,a,a,a,a,a,a,a,a]\n".to_owned();
    for n in 1..20 {
        let _ = std::fmt::Write::write_fmt(
            &mut bomb,
            format_args!("x{n}: &x{n} [{}*x{}]\n", format!("*x{}, ", n - 1).repeat(8), n - 1),
        );
    }
    let patch = format!("version: 1\njobs: {{ j: {{ patch: {}1{} }} }}", "[".repeat(100_000), "]".repeat(100_000));
    for text in [
        bomb,
        patch,
        "- ".repeat(100_000),
        "? ".repeat(100_000),
        "[".repeat(100_000),
        "&a ".repeat(1000),
        "{a: ".repeat(10_000),
    ] {
        let start = std::time::Instant::now();
        let error = parse(&text).expect_err("is refused").to_string();
        assert!(error.len() < 500, "{error}");
        assert!(start.elapsed() < std::time::Duration::from_secs(5), "{error}");
    }
}

#[test]
fn a_file_that_cannot_be_read_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("jobs.yaml");
    let missing = Jobs::load(&file).expect_err("is missing");
    assert!(missing.to_string().ends_with("jobs.yaml; name another with --config"), "{missing}");
    assert!(std::error::Error::source(&missing).is_some());
    std::fs::write(&file, b"version: 1\n# \xff").expect("is written");
    assert!(
        Jobs::load(&file)
            .expect_err("is refused")
            .to_string()
            .ends_with("jobs.yaml:2:3: this is not UTF-8; save the file as UTF-8")
    );
    std::fs::write(&file, "#".repeat(1024 * 1024 + 1)).expect("is written");
    assert!(Jobs::load(&file).expect_err("is refused").to_string().contains("larger than 1 MiB"));
    std::fs::write(&file, "\u{feff}version: 1\r\njobs: {}\r\n").expect("is written");
    assert!(Jobs::load(&file).is_ok());
}

#[test]
fn aliases_share_what_they_name() {
    let text = job("source: { csv: a.csv }\nmatch: { user_id: id }\npatch: { public_metadata: { a: &n 1.50, b: *n } }");
    let jobs = parse(&text).expect("is good");
    let MappingSpec::Template { patch, .. } = jobs.job("j").expect("is there").spec().expect("is good").mapping else {
        panic!("is a template")
    };
    assert_eq!(patch["public_metadata"].to_string(), r#"{"a":1.50,"b":1.50}"#);
}

/// The schema beside the manifest is made from the types: `METAPATCH_BLESS=1 cargo test --lib schema` writes it anew.
#[test]
fn the_committed_schema_is_that_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("jobs.schema.json");
    let schema = format!("{:#}\n", json_schema());
    if std::env::var_os("METAPATCH_BLESS").is_some() {
        std::fs::write(&path, &schema).expect("is written");
    }
    assert_eq!(std::fs::read_to_string(&path).expect("is committed"), schema);
}

#[test]
fn the_schema_knows_every_word_that_the_types_know() {
    let schema = json_schema().to_string();
    for kind in IdentityKind::ALL {
        assert!(schema.contains(&format!("\"{}\"", kind.name())), "{kind}");
        let text = job(&format!("source: {{ csv: a }}\nmatch: {{ {kind}: id }}\npatch: {{ public_metadata: {{}} }}"));
        assert!(parse(&text).expect("is good").check().is_empty());
    }
    for (key, word) in [
        ("mode", "merge"),
        ("mode", "replace"),
        ("duplicates", "fold"),
        ("duplicates", "error"),
        ("empty", "skip"),
        ("empty", "delete"),
        ("empty", "string"),
    ] {
        assert!(schema.contains(&format!("\"{word}\"")), "{word}");
        let text = job(&format!(
            "{key}: {word}\nsource: {{ tsv: a }}\nmatch: {{ username: id }}\npatch: {{ public_metadata: {{}} }}"
        ));
        assert!(parse(&text).expect("is good").check().is_empty());
    }
}

#[test]
fn the_example_is_good_and_fits_its_inputs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let jobs = Jobs::load(&root.join("jobs.example.yaml")).expect("is good");
    assert!(jobs.check().is_empty(), "{:?}", jobs.check());
    for name in jobs.names() {
        let spec = jobs.job(name).expect("is there").spec().expect("is good");
        let MappingSpec::Template { identity, column, patch, empty } = spec.mapping else { panic!("is a template") };
        let Input::File(path) = spec.source.input else { panic!("is a file") };
        let text = std::fs::read_to_string(path).expect("is there");
        let mut lines = text.lines();
        let cells = |line: &str| -> Vec<String> { line.split(',').map(str::to_owned).collect() };
        let header = (spec.source.format == Format::Csv).then(|| cells(lines.next().expect("has a header")));
        let template = Template::new(identity, &column, &patch, empty, header.as_deref()).expect("fits");
        let mut rows = 0;
        for line in lines {
            let fields = match crate::json::parse(line) {
                Ok(Value::Object(members)) if header.is_none() => crate::row::Fields::Members(members),
                _ => crate::row::Fields::Cells(cells(line)),
            };
            template.row(&fields, header.as_deref()).expect(line);
            rows += 1;
        }
        assert!(rows >= 10, "{name}");
    }
}
