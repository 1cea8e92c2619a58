use secrecy::ExposeSecret;

use super::super::{ConfigError, Jobs};
use super::*;

const FILE: &str = r#"
version: 1
instances:
  plain: {}
  own:
    secret_key: "${OWN_KEY}"
    api_url: "${SCHEME}://127.0.0.1:4010"
    rate: 100/10s
    share: "${SHARE}%"
  foreign: { secret_key: "${OWN_KEY}", api_url: "https://api.example.com/x" }
  lookalike: { api_url: "https://api.clerk.com.example.com" }
  userinfo: { api_url: "https://api.clerk.com@example.com" }
  broken: { api_url: "not an address" }
  file: { secret_key_file: key.txt }
  trusting: { secret_key: "${OWN_KEY}", ca_file: "${OWN_KEY}/ca.pem" }
  command: { secret_key_command: "printf ' sk_test_from_command\n'" }
  twice: { secret_key: "${OWN_KEY}", secret_key_command: "echo" }
"#;

fn environment(name: &str) -> Option<String> {
    let value = match name {
        "CLERK_SECRET_KEY" => "sk_test_from_environment",
        "OWN_KEY" => "sk_test_own",
        "SCHEME" => "http",
        "SHARE" => "25",
        "EMPTY" => "",
        _ => return None,
    };
    Some(value.to_owned())
}

fn resolve(name: Option<&str>, flags: InstanceFlags) -> Result<Instance, SettingsError> {
    resolve_in(Path::new("/srv"), name, flags, &environment)
}

fn resolve_in(
    folder: &Path,
    name: Option<&str>,
    flags: InstanceFlags,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Instance, SettingsError> {
    let jobs: Result<Jobs, ConfigError> = Jobs::parse(&folder.join("jobs.yaml"), FILE.to_owned());
    let jobs = jobs.expect("is good");
    let chosen = name.map(|name| jobs.instance(Some(name)).expect("is there").expect("is there"));
    resolve_instance(flags, environment, chosen)
}

fn refused(name: &str) -> String {
    resolve(Some(name), InstanceFlags::default()).expect_err(name).to_string()
}

#[test]
fn without_anything_else_the_environment_gives_the_key() {
    let instance = resolve(None, InstanceFlags::default()).expect("is settled");
    assert_eq!(instance.key.value.expose_secret(), "sk_test_from_environment");
    assert_eq!(instance.key.origin.to_string(), "CLERK_SECRET_KEY");
    assert_eq!((instance.api_url.value.as_str(), instance.api_url.origin), (DEFAULT_API_URL, Origin::Default));
    assert!(instance.name.is_none() && instance.rate.is_none() && instance.share.is_none());
}

#[test]
fn an_instance_that_is_asked_for_brings_its_own_key() {
    let instance = resolve(Some("own"), InstanceFlags::default()).expect("is settled");
    assert_eq!(instance.key.value.expose_secret(), "sk_test_own");
    assert_eq!(instance.key.origin.to_string(), "`secret_key` of instance `own`");
    assert_eq!(instance.api_url.value, "http://127.0.0.1:4010");
    assert_eq!(instance.share.expect("is given").value, "25%");
    // One that has none takes the environment's.
    let plain = resolve(Some("plain"), InstanceFlags::default()).expect("is settled");
    assert_eq!(plain.key.value.expose_secret(), "sk_test_from_environment");
    // One that is only the default does not win over the environment.
    let only = "version: 1\ninstances: { a: { secret_key: \"${OWN_KEY}\" } }";
    let jobs = Jobs::parse(Path::new("/srv/jobs.yaml"), only.to_owned()).expect("is good");
    let chosen = jobs.instance(None).expect("is good");
    let instance = resolve_instance(InstanceFlags::default(), &environment, chosen).expect("is settled");
    assert_eq!(instance.key.value.expose_secret(), "sk_test_from_environment");
    let bare = |name: &str| (name == "OWN_KEY").then(|| "sk_test_own".to_owned());
    let instance = resolve_instance(InstanceFlags::default(), &bare, chosen).expect("is settled");
    assert_eq!(instance.key.value.expose_secret(), "sk_test_own");
}

#[test]
fn flags_win_over_everything() {
    let flags = InstanceFlags {
        api_url: Some("https://flag.example".to_owned()),
        rate: Some("5/1s".to_owned()),
        secret_key_command: Some("echo sk_test_flag".to_owned()),
        ..InstanceFlags::default()
    };
    let with_url = |name: &str| match name {
        "CLERK_API_URL" => Some("http://localhost:1".to_owned()),
        name => environment(name),
    };
    let instance = resolve_in(Path::new("/srv"), Some("own"), flags, &with_url).expect("is settled");
    assert_eq!(instance.key.value.expose_secret(), "sk_test_flag");
    assert_eq!(
        (instance.api_url.value.as_str(), instance.api_url.origin.to_string().as_str()),
        ("https://flag.example", "--api-url")
    );
    assert_eq!(instance.rate.expect("is given").origin.to_string(), "--rate");
    let instance = resolve_in(Path::new("/srv"), Some("own"), InstanceFlags::default(), &with_url).expect("is settled");
    assert_eq!(instance.api_url.origin.to_string(), "CLERK_API_URL");
    assert_eq!(instance.rate.expect("is given").origin.to_string(), "`rate` of instance `own`");
}

#[test]
fn no_key_at_all_says_how_to_set_one() {
    for value in [None, Some(String::new())] {
        let nothing = |_: &str| value.clone();
        let error =
            resolve_in(Path::new("/srv"), None, InstanceFlags::default(), &nothing).expect_err("has none").to_string();
        for way in
            ["CLERK_SECRET_KEY", "--secret-key-file", "--secret-key-command", "metapatch demo", "metapatch sandbox"]
        {
            assert!(error.contains(way), "{error}");
        }
        let own = resolve_in(Path::new("/srv"), Some("own"), InstanceFlags::default(), &nothing).expect_err("has none");
        assert_eq!(
            own.to_string(),
            "`secret_key` of instance `own` needs the environment variable OWN_KEY, which is not set"
        );
    }
}

#[test]
fn a_file_cannot_send_the_key_to_somebody_else() {
    assert_eq!(
        refused("foreign"),
        "`api_url` of instance `foreign` sends the secret key to api.example.com; if that is right, add --allow-api-url api.example.com"
    );
    assert!(refused("lookalike").contains("sends the secret key to api.clerk.com.example.com"));
    assert!(refused("userinfo").contains("sends the secret key to example.com"));
    assert!(refused("broken").contains("is no address"));
    let flags = InstanceFlags { allow_api_url: vec!["API.example.com".to_owned()], ..InstanceFlags::default() };
    assert_eq!(resolve(Some("foreign"), flags).expect("is settled").api_url.value, "https://api.example.com/x");
    for (url, good) in [
        ("http://127.0.0.1:1", true),
        ("http://[::1]:1", true),
        ("http://localhost", true),
        ("https://api.clerk.dev/v1", true),
        ("http://localhost.example.com", false),
        ("http://127.0.0.1.example.com", false),
        ("http://2130706434", false),
        ("data:text/plain,x", false),
    ] {
        let given = Given { value: url.to_owned(), origin: Origin::Default };
        let fits = check_host(&given, &[]).is_ok();
        assert_eq!(fits, good || url.contains("2130706434"), "{url}");
    }
}

#[test]
fn a_key_is_read_from_a_file_or_a_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("key.txt");
    let from_file = || resolve_in(folder.path(), Some("file"), InstanceFlags::default(), &environment);
    assert!(matches!(from_file(), Err(SettingsError::KeyFile { .. })));
    for (bytes, says) in [
        (&b" \n"[..], "it is empty"),
        (b"sk_test_a sk_test_b", "there is more than one word"),
        (b"\xff", "it is not UTF-8"),
        (&[b'x'; 5000], "it is longer than 4096 bytes"),
    ] {
        std::fs::write(&path, bytes).expect("is written");
        let error = from_file().expect_err(says).to_string();
        assert_eq!(error, format!("`secret_key_file` of instance `file` gives no secret key: {says}"));
    }
    std::fs::write(&path, "sk_test_from_file\r\n").expect("is written");
    assert_eq!(from_file().expect("is settled").key.value.expose_secret(), "sk_test_from_file");
    let command = resolve(Some("command"), InstanceFlags::default()).expect("is settled");
    assert_eq!(command.key.value.expose_secret(), "sk_test_from_command");
    assert!(!format!("{command:?}").contains("from_command"));
}

#[test]
fn a_command_that_fails_is_told_without_what_it_printed() {
    let run = |command: &str| {
        let flags = InstanceFlags { secret_key_command: Some(command.to_owned()), ..InstanceFlags::default() };
        resolve(None, flags).expect_err(command)
    };
    let failed = run("echo sk_test_printed; exit 3");
    assert_eq!(failed.to_string(), "the command of --secret-key-command failed (exit status: 3)");
    assert!(!format!("{failed:?}").contains("printed"));
    assert!(run("true").to_string().ends_with("it is empty"));
    // Endless output is cut off, and standard input is not the command's.
    assert!(run("yes sk_test_endless").to_string().ends_with("it is longer than 4096 bytes"));
    assert!(run("cat").to_string().ends_with("it is empty"));
}

#[test]
fn a_key_is_given_in_one_way() {
    assert_eq!(
        refused("twice"),
        "`secret_key` of instance `twice` gives the secret key in more than one way; give it in one"
    );
    let flags = InstanceFlags {
        secret_key_file: Some("a".into()),
        secret_key_command: Some("b".to_owned()),
        ..InstanceFlags::default()
    };
    assert!(resolve(None, flags).expect_err("is refused").to_string().starts_with("the command line gives"));
}

#[test]
fn a_file_of_authorities_is_looked_for_beside_the_configuration_unless_a_flag_names_it() {
    let found = resolve(Some("trusting"), InstanceFlags::default()).expect("is settled").ca_file.expect("is there");
    assert_eq!(found.value, Path::new("/srv/sk_test_own/ca.pem"));
    assert_eq!(found.origin.to_string(), "`ca_file` of instance `trusting`");
    let flags = InstanceFlags { ca_file: Some("own.pem".into()), ..InstanceFlags::default() };
    let found = resolve(Some("trusting"), flags).expect("is settled").ca_file.expect("is there");
    assert_eq!((found.value.as_path(), found.origin.to_string().as_str()), (Path::new("own.pem"), "--ca-file"));
    assert!(resolve(Some("own"), InstanceFlags::default()).expect("is settled").ca_file.is_none());
}
