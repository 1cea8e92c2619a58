use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("there is room for a folder")
}

fn write(path: &Path, text: &str, force: bool) -> Result<(), FileError> {
    let mut report = ReportFile::create(path, force)?;
    report.write_all(text.as_bytes()).expect("there is room");
    report.finish()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("is a folder");
    entries.map(|entry| entry.expect("is there").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_report_appears_whole_and_private() {
    let folder = folder();
    let path = folder.path().join("report.csv");
    let mut report = ReportFile::create(&path, false).expect("may be created");
    report.write_all(b"half").expect("there is room");
    report.flush().expect("there is room");
    assert!(!path.exists());
    report.write_all(b" and half").expect("there is room");
    report.finish().expect("may be put in its place");
    assert_eq!(fs::read_to_string(&path).expect("is there"), "half and half");
    assert_eq!(names(folder.path()), ["report.csv"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&path).expect("is there").permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_report_that_is_given_up_leaves_nothing() {
    let folder = folder();
    let mut report = ReportFile::create(&folder.path().join("r"), false).expect("may be created");
    report.write_all(b"x").expect("there is room");
    drop(report);
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_file_is_overwritten_only_by_force() {
    let folder = folder();
    let path = folder.path().join("r");
    fs::write(&path, "mine").expect("there is room");
    let error = write(&path, "x", false).expect_err("must be refused");
    assert!(matches!(error, FileError::Exists(_)));
    assert!(error.to_string().ends_with("exists already; choose another path, or overwrite it with --force"));
    assert_eq!(fs::read_to_string(&path).expect("is there"), "mine");
    write(&path, "x", true).expect("is forced");
    assert_eq!(fs::read_to_string(&path).expect("is there"), "x");
    assert_eq!(names(folder.path()), ["r"]);
}

#[test]
fn what_came_into_being_meanwhile_is_not_overwritten() {
    let folder = folder();
    let path = folder.path().join("r");
    let report = ReportFile::create(&path, false).expect("may be created");
    fs::write(&path, "mine").expect("there is room");
    assert!(matches!(report.finish(), Err(FileError::Exists(_))));
    assert_eq!(fs::read_to_string(&path).expect("is there"), "mine");
    assert_eq!(names(folder.path()), ["r"]);
}

#[cfg(unix)]
#[test]
fn a_link_is_followed_only_by_force_and_only_to_a_file() {
    use std::os::unix::fs::symlink;
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("real"), "mine").expect("there is room");
    symlink(at("real"), at("link")).expect("may be made");
    symlink(at("nowhere"), at("dangling")).expect("may be made");
    symlink("/dev/null", at("null")).expect("may be made");
    for name in ["link", "dangling", "null"] {
        assert!(matches!(write(&at(name), "x", false), Err(FileError::Link(_))), "{name}");
    }
    write(&at("link"), "x", true).expect("is forced");
    assert_eq!(fs::read_to_string(at("real")).expect("is there"), "x");
    assert!(fs::symlink_metadata(at("link")).expect("is there").is_symlink());
    assert!(matches!(write(&at("dangling"), "x", true), Err(FileError::Io { .. })));
    assert!(matches!(write(&at("null"), "x", true), Err(FileError::NotAFile(_))));
}

#[test]
fn a_folder_or_a_place_in_no_folder_is_refused() {
    let folder = folder();
    for force in [false, true] {
        assert!(matches!(write(folder.path(), "x", force), Err(FileError::NotAFile(_))));
        let lost = folder.path().join("no\u{1b}where").join("r");
        let error = write(&lost, "x", force).expect_err("must be refused").to_string();
        assert!(error.contains(r"no\u{1b}where does not exist; create it first"), "{error}");
    }
}
