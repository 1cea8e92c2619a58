use super::*;
use crate::path::Field;

fn fields(user: &User, field: Field) -> Option<String> {
    user.fields([field]).ok().map(|found| found[&field].to_string())
}

fn page_with(public: &[u8]) -> Vec<u8> {
    let mut bytes = br#"[{"id":"user_1","public_metadata":"#.to_vec();
    bytes.extend_from_slice(public);
    bytes.extend_from_slice(br#","private_metadata":{"a":1}},{"id":"user_2","public_metadata":{"b":2}}]"#);
    bytes
}

#[test]
fn a_user_is_read_with_what_identifies_it_and_its_metadata_as_text() {
    let text = r#"{"object":"user","id":"user_1","external_id":"e-1","username":null,"banned":false,
        "email_addresses":[
            {"id":"idn_1","email_address":"a@example.com","verification":{"status":"verified","strategy":"email_code"}},
            {"email_address":"b@example.com","verification":{"status":"unverified"}},
            {"email_address":"c@example.com","verification":null},
            {"email_address":7}, "garbage", null],
        "phone_numbers":[{"phone_number":"+15555550100","verification":{"status":"verified"}}],
        "public_metadata":{"n":1.0,"big":12345678901234567890123},"private_metadata":null,"later":[1,{"x":"]}"}]}"#;
    let user = user(text.as_bytes()).expect("is a user");
    assert_eq!(
        (user.id.as_str(), user.external_id.as_deref(), user.username.as_deref()),
        ("user_1", Some("e-1"), None)
    );
    let emails: Vec<_> = user.email_addresses.iter().map(|a| (a.value.as_str(), a.verified)).collect();
    assert_eq!(emails, [("a@example.com", true), ("b@example.com", false), ("c@example.com", false)]);
    assert_eq!((user.phone_numbers[0].value.as_str(), user.phone_numbers[0].verified), ("+15555550100", true));
    assert_eq!(user.metadata[0].as_deref(), Some(r#"{"n":1.0,"big":12345678901234567890123}"#));
    assert_eq!((user.metadata[1].as_deref(), user.metadata[2].as_deref()), (None, None));
}

#[test]
fn an_unreadable_field_spoils_nothing_but_itself() {
    let deep = format!("{}{}", "[".repeat(3000), "]".repeat(3000));
    let deeper = format!(r#"{{"a":{}1{}}}"#, r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    let hostile: [&[u8]; 9] = [
        deep.as_bytes(),
        deeper.as_bytes(),
        br#"{"a":"\ud800"}"#,
        br#"{"\udc00":1}"#,
        br#"{"a":1,"a":2}"#,
        b"{\"a\":\"\xff\"}",
        b"{\"a\":\"\xf0\x9f\"}",
        b"{\"\xc3\":\"\xe2\x82\"}",
        // Half a pair on either side of what is no text must not become a whole one.
        b"{\"a\":\"\\ud83d\xff\\udc00\"}",
    ];
    for public in hostile {
        let shown = String::from_utf8_lossy(&public[..public.len().min(40)]).into_owned();
        let users = page(&page_with(public)).unwrap_or_else(|e| panic!("{shown}: {e}"));
        assert_eq!(fields(&users[0], Field::Public), None, "{shown}");
        assert_eq!(fields(&users[0], Field::Private).as_deref(), Some(r#"{"a":1}"#), "{shown}");
        assert_eq!(fields(&users[1], Field::Public).as_deref(), Some(r#"{"b":2}"#), "{shown}");
    }
}

#[test]
fn identifiers_that_cannot_be_read_are_none() {
    let text = r#"{"id":"user_1","external_id":"\ud800","username":[],"email_addresses":{},"phone_numbers":"x"}"#;
    let user = user(text.as_bytes()).expect("is a user");
    assert_eq!(user, User { id: "user_1".to_owned(), ..User::default() });
}

#[test]
fn many_bytes_that_are_no_text_cost_little() {
    let mut public = b"{\"a\":\"".to_vec();
    public.extend(b"\xffx".repeat(4000));
    public.extend_from_slice(b"\"}");
    let bytes = page_with(&public);
    assert!(text(&bytes).expect("can be mended").len() < bytes.len());
    assert_eq!(fields(&page(&bytes).expect("is a page")[0], Field::Public), None);
    let garbage = b"\xff\"".repeat(6 * 1024 * 1024);
    assert_eq!(text(&garbage), Err(Unexpected::NotText));
}

#[test]
fn what_is_no_list_of_users_is_said_without_repeating_it() {
    for (text, said) in [
        (r#"{"data":[],"total_count":0}"#, "the answer is not a list of users"),
        (r#"["hunter2"]"#, "the answer is not a list of users"),
        (r#"[["user_1"]]"#, "the answer is not a list of users"),
        (r"[null]", "the answer is not a list of users"),
        (r#"[{"id":"user_1"}"#, "the answer is not a list of users"),
        (r#"[{"id":"user_1"}] x"#, "the answer is not a list of users"),
        ("", "the answer is not a list of users"),
        ("<html>hunter2", "the answer is not a list of users"),
        (r#"[{"id":null}]"#, "the answer holds a user without an id"),
        (r#"[{"id":"hunter2\ud800"}]"#, "the answer holds a user without an id"),
        (r#"[{"id":{"hunter2":1}}]"#, "the answer holds a user without an id"),
        (r"[{}]", "the answer holds a user without an id"),
    ] {
        let error = page(text.as_bytes()).expect_err(text).to_string();
        assert!(error.starts_with(said) && !error.contains("hunter2"), "{text}: {error}");
    }
    assert!(user(br#"[{"id":"user_1"}]"#).expect_err("is a list").to_string().starts_with("the answer is not a user"));
    assert_eq!(page(b" [ ] "), Ok(Vec::new()));
}
