use std::time::{Duration, Instant};

use super::*;
use crate::json::parse;

fn header(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn patch_of(template: &str) -> Value {
    serde_json::json!({ "public_metadata": { "k": template } })
}

fn compile(template: &str) -> Result<Template, TemplateError> {
    Template::new(IdentityKind::UserId, "id", &patch_of(template), Empty::Skip, None)
}

fn members(text: &str) -> Fields {
    let Value::Object(mut members) = parse(text).expect("is JSON") else { panic!("must be an object") };
    members.insert("id".to_owned(), Value::from("user_1"));
    Fields::Members(members)
}

/// What the one key of the patch comes to: its JSON, or `-` where it is left alone.
fn made(template: &str, record: &str) -> String {
    let row = compile(template).expect(template).row(&members(record), None);
    match row {
        Ok(row) => row.patch.to_json()["public_metadata"].get("k").map_or("-".to_owned(), Value::to_string),
        Err(rejection) => format!("! {}", rejection.message),
    }
}

fn refused(template: &str) -> String {
    compile(template).expect_err(template).to_string()
}

#[test]
fn a_lone_expression_keeps_its_type() {
    for (template, record, expected) in [
        ("{{ a }}", r#"{"a":1}"#, "1"),
        ("{{ a }}", r#"{"a":1.0}"#, "1.0"),
        ("{{a}}", r#"{"a":true}"#, "true"),
        ("{{ a }}", r#"{"a":{"x":[1,null]}}"#, r#"{"x":[1,null]}"#),
        ("{{ a.b.c }}", r#"{"a":{"b":{"c":"x"}}}"#, r#""x""#),
        ("{{ row.a }}", r#"{"a":7}"#, "7"),
        ("{{ row[\"first name\"] }}", r#"{"first name":"Ä"}"#, r#""Ä""#),
        ("{{ row['first name'] | upper }}", r#"{"first name":"x"}"#, r#""X""#),
        ("{{ a | int }}", r#"{"a":"5"}"#, "5"),
        ("{{ a | int + 1 }}", r#"{"a":"5"}"#, "6"),
        ("{{ a | number }}", r#"{"a":"1.50"}"#, "1.5"),
        ("{{ a | bool }}", r#"{"a":"TRUE"}"#, "true"),
        ("{{ a | json }}", r#"{"a":"{\"x\":1.0}"}"#, r#"{"x":1.0}"#),
        ("{{ [a, 'y'] }}", r#"{"a":"x"}"#, r#"["x","y"]"#),
        ("{{ {'x': {'y': a}} }}", r#"{"a":1}"#, r#"{"x":{"y":1}}"#),
        ("{{ a == 1 }}", r#"{"a":1}"#, "true"),
        ("{{ a | split(',') }}", r#"{"a":"x,y"}"#, r#"["x","y"]"#),
        ("{{ a | split(',') | join('-') }}", r#"{"a":"x,y"}"#, r#""x-y""#),
        ("{{ 3 / 2 }}", "{}", "1.5"),
    ] {
        assert_eq!(made(template, record), expected, "{template}");
    }
}

#[test]
fn mixed_text_is_a_string() {
    for (template, record, expected) in [
        (" {{ a }}", r#"{"a":1}"#, r#"" 1""#),
        ("{{ a }}{{ a }}", r#"{"a":1.0}"#, r#""1.01.0""#),
        ("x", "{}", r#""x""#),
        ("}} is { just } text", "{}", r#""}} is { just } text""#),
        ("is {{ a }}", r#"{"a":true}"#, r#""is true""#),
        ("is {{ a }}", r#"{"a":{"b":[1]}}"#, r#""is {\"b\":[1]}""#),
        ("{{ '}}' }}!", "{}", r#""}}!""#),
        ("{{ '{%' }}!", "{}", r#""{%!""#),
        ("", "{}", r#""""#),
    ] {
        assert_eq!(made(template, record), expected, "{template}");
    }
}

#[test]
fn numbers_stay_exact() {
    let long = "12345678901234567890123";
    let longer = "1".repeat(60);
    let money = "0.12345678901234567890123";
    for template in
        ["{{ a }}", "{{ a if b else 1 }}", "{{ row['a'] }}", "{{ (row)['a'] }}", "{{ [a][0] }}", "{{ a | number }}"]
    {
        for number in
            [long, &longer, money, "1e+400", "18446744073709551616", "-170141183460469231731687303715884105728"]
        {
            assert_eq!(made(template, &format!(r#"{{"a":{number},"b":1}}"#)), number, "{template}");
        }
    }
    assert_eq!(made("{{ a | int }}", &format!(r#"{{"a":"{long}"}}"#)), long);
    assert_eq!(made("{{ a | int }}", &format!(r#"{{"a":"{longer}"}}"#)), longer);
    assert_eq!(made("{{ a | number }}", &format!(r#"{{"a":"{money}"}}"#)), money);
    assert_eq!(made("{{ a | int + 1 }}", &format!(r#"{{"a":"{long}"}}"#)), "12345678901234567890124");
    assert_eq!(made("n{{ a }}", &format!(r#"{{"a":{longer}}}"#)), format!(r#""n{longer}""#));
    assert_eq!(made("{{ {'n': a} }}", &format!(r#"{{"a":{money}}}"#)), format!(r#"{{"n":{money}}}"#));
    // Where it would be compared after rounding, the row is refused.
    assert!(
        made("{{ a > 1 }}", &format!(r#"{{"a":{money}}}"#)).starts_with("! `public_metadata.k`: a number has more")
    );
    assert_eq!(made("{{ a == a }}", &format!(r#"{{"a":{money}}}"#)), "true");
}

#[test]
fn the_private_map_of_serde_json_is_an_ordinary_object() {
    let object = r#"{"$serde_json::private::Number":"12"}"#;
    for template in ["{{ a }}", "{{ a if true else 1 }}", "{{ a | string | json }}"] {
        assert_eq!(made(template, &format!(r#"{{"a":{object}}}"#)), object, "{template}");
    }
}

#[test]
fn null_leaves_alone_and_delete_deletes() {
    for (template, record, expected) in [
        ("{{ a }}", r#"{"a":null}"#, "-"),
        ("{{ a.b.c }}", r#"{"a":{"b":null}}"#, "-"),
        ("{{ (a.b).c }}", r#"{"a":{"b":null}}"#, "-"),
        ("x{{ a }}", r#"{"a":null}"#, "-"),
        ("{{ 'x' ~ a }}", r#"{"a":null}"#, "-"),
        ("{{ a | upper }}", r#"{"a":null}"#, "-"),
        ("{{ a | int }}", r#"{"a":null}"#, "-"),
        ("{{ a | default('free') }}", r#"{"a":null}"#, r#""free""#),
        ("{{ missing | default('free') }}", "{}", r#""free""#),
        ("{{ a or 'free' }}", r#"{"a":null}"#, r#""free""#),
        ("{{ 'y' if a is none else 'n' }}", r#"{"a":null}"#, r#""y""#),
        ("{{ none }}", "{}", "-"),
        ("{{ a if a == 1 }}", r#"{"a":1}"#, "1"),
        ("{{ a if a == 2 }}", r#"{"a":1}"#, "-"),
        ("{{ delete if a == 2 }}", r#"{"a":1}"#, "-"),
        ("x{{ a if a == 2 }}", r#"{"a":1}"#, "-"),
        ("{{ delete if b == 2 }}", r#"{"a":1}"#, "! `public_metadata.k`: the record has no `b`"),
        ("{{ delete }}", "{}", "null"),
        ("{{ delete if plan == \"none\" else plan }}", r#"{"plan":"none"}"#, "null"),
        ("{{ delete if plan == \"none\" else plan }}", r#"{"plan":"pro"}"#, r#""pro""#),
        ("{{ a }}", r#"{"a":{"x":null,"y":1}}"#, r#"{"y":1}"#),
        ("{{ a }}", r#"{"a":{"x":{"y":null}}}"#, "-"),
        ("{{ a }}", r#"{"a":{}}"#, "{}"),
        ("{{ {'x': delete, 'y': a} }}", r#"{"a":null}"#, r#"{"x":null}"#),
        ("{{ row['delete'] }}", r#"{"delete":"x"}"#, r#""x""#),
    ] {
        assert_eq!(made(template, record), expected, "{template} {record}");
    }
}

#[test]
fn delete_is_no_text_and_no_item() {
    for template in ["x{{ delete }}", "{{ 'x' ~ delete }}", "{{ delete ~ '' }}", "{{ (delete ~ '') | upper }}"] {
        assert_eq!(made(template, "{}"), "! `public_metadata.k`: `delete` cannot be part of a text", "{template}");
    }
    assert!(made("{{ [delete] }}", "{}").contains("an array is replaced as a whole"));
    let smuggled = "{\"a\":\"x\u{fdd1}\"}";
    assert!(made("{{ a ~ 'y' }}", smuggled).starts_with("! `public_metadata.k`: a text holds U+FDD1"));
    assert_eq!(made("{{ a }}", smuggled), "\"x\u{fdd1}\"");
}

#[test]
fn the_patch_is_a_tree() {
    let patch = serde_json::json!({
        "public_metadata": { "n": 5, "deep": { "a": "{{ a }}" }, "list": ["{{ a }}", { "b": "{{ b }}" }], "empty": {} },
        "private_metadata": { "b": "{{ b }}" },
    });
    let template = Template::new(IdentityKind::UserId, "id", &patch, Empty::Skip, None).expect("is one");
    let row = |record: &str| template.row(&members(record), None).expect("is a row").patch.to_json().to_string();
    assert_eq!(
        row(r#"{"a":1,"b":2}"#),
        r#"{"private_metadata":{"b":2},"public_metadata":{"deep":{"a":1},"empty":{},"list":[1,{"b":2}],"n":5}}"#
    );
    // Nothing that is left alone leaves a trace: no empty object, no shorter list.
    assert_eq!(row(r#"{"a":null,"b":null}"#), r#"{"public_metadata":{"empty":{},"n":5}}"#);
    assert_eq!(row(r#"{"a":1,"b":null}"#), r#"{"public_metadata":{"deep":{"a":1},"empty":{},"n":5}}"#);
}

#[test]
fn a_whole_field_can_come_from_one_member() {
    let patch = serde_json::json!({ "public_metadata": "{{ meta }}" });
    let template = Template::new(IdentityKind::UserId, "id", &patch, Empty::Skip, None).expect("is one");
    let row = |record: &str| template.row(&members(record), None);
    assert_eq!(
        row(r#"{"meta":{"a":1}}"#).expect("is a row").patch.to_json().to_string(),
        r#"{"public_metadata":{"a":1}}"#
    );
    assert!(row(r#"{"meta":null}"#).expect("is a row").patch.is_empty());
    assert!(row(r#"{"meta":5}"#).expect_err("is none").message.contains("must be an object"));
}

#[test]
fn cells_are_texts_and_empty_ones_mean_what_is_asked() {
    let columns = header(&["id", "role", "seats"]);
    let patch = serde_json::json!({ "public_metadata": { "role": "{{ role }}", "seats": "{{ seats | int }}", "t": "<{{ role }}>" } });
    let row = |empty: Empty, cells: [&str; 3]| {
        let template = Template::new(IdentityKind::UserId, "id", &patch, empty, Some(&columns)).expect("is one");
        let fields = Fields::Cells(cells.map(str::to_owned).to_vec());
        template.row(&fields, Some(&columns)).map(|row| row.patch.to_json()["public_metadata"].to_string())
    };
    let full = r#"{"role":"x","seats":12345678901234567890123,"t":"<x>"}"#;
    assert_eq!(row(Empty::Skip, ["user_1", "x", "12345678901234567890123"]).expect("is one"), full);
    assert_eq!(row(Empty::Skip, ["user_1", "", "7"]).expect("is one"), r#"{"seats":7}"#);
    assert!(row(Empty::Delete, ["user_1", "", "7"]).expect_err("is none").message.contains("`delete` cannot be part"));
    assert_eq!(row(Empty::String, ["user_1", "", "7"]).expect("is one"), r#"{"role":"","seats":7,"t":"<>"}"#);
    for bad in ["x", " 5", "5.0", "05", "+5", "1e3", "--5", "-"] {
        let message = row(Empty::Skip, ["user_1", "", bad]).expect_err(bad).message;
        assert_eq!(message, format!("`public_metadata.seats`: `{bad}` is no whole number in `seats | int`"));
    }
}

#[test]
fn unknown_columns_are_named_with_the_nearest() {
    let columns = header(&["id", "role", "billing.plan", "metapatch_code"]);
    let new = |template: &str| {
        Template::new(IdentityKind::UserId, "id", &patch_of(template), Empty::Skip, Some(&columns)).map(drop)
    };
    let error = |template: &str| new(template).expect_err(template).to_string();
    assert_eq!(error("{{ rolle }}"), "`public_metadata.k`: the input has no column `rolle`; did you mean `role`?");
    assert_eq!(
        error("{{ rolle | upper }}"),
        "`public_metadata.k`: the input has no column `rolle`; did you mean `role`?"
    );
    assert_eq!(
        error("{{ billing.plan }}"),
        "`public_metadata.k`: the input has no column `billing`; write `{{ row[\"billing.plan\"] }}` for the column `billing.plan`"
    );
    assert!(new("{{ row['billing.plan'] }}").is_ok());
    let column = Template::new(
        IdentityKind::UserId,
        "clerk_ids",
        &patch_of("x"),
        Empty::Skip,
        Some(&header(&["role", "clerk_id"])),
    );
    assert_eq!(
        column.expect_err("is none").to_string(),
        "the input has no column `clerk_ids`; did you mean `clerk_id`?"
    );

    let rejection = compile("{{ plan }}").expect("is one").row(&members(r#"{"plans":1}"#), None).expect_err("is none");
    assert_eq!((rejection.code, rejection.column.as_deref()), ("unknown_column", Some("plan")));
    assert_eq!(rejection.message, "`public_metadata.k`: the record has no `plan`; did you mean `plans`?");
    assert_eq!(made("{{ a.b }}", r#"{"a":{}}"#), "! `public_metadata.k`: `a.b` leads to nothing in this record");
    assert!(made("{{ a.b + 1 }}", r#"{"a":5}"#).contains("unsupported types undefined and number in `a.b + 1`"));
    assert_eq!(made("{{ b + 1 }}", "{}"), "! `public_metadata.k`: the record has no `b`");
}

#[test]
fn the_identity_is_a_text_or_a_whole_number() {
    let template = Template::new(IdentityKind::ExternalId, "ext", &patch_of("x"), Empty::Skip, None).expect("is one");
    let row = |record: &str| template.row(&members(record), None);
    assert_eq!(row(r#"{"ext":12345678901234567890123}"#).expect("is one").identity.value(), "12345678901234567890123");
    assert_eq!(row(r#"{"ext":"a b"}"#).expect("is one").identity.value(), "a b");
    for (record, code) in [
        ("{}", "missing_identity"),
        (r#"{"ext":null}"#, "missing_identity"),
        (r#"{"ext":""}"#, "missing_identity"),
        (r#"{"ext":1.0}"#, "invalid_identity"),
        (r#"{"ext":1e3}"#, "invalid_identity"),
        (r#"{"ext":true}"#, "invalid_identity"),
        (r#"{"ext":["x"]}"#, "invalid_identity"),
        (r#"{"ext":"a\tb"}"#, "invalid_identity"),
    ] {
        let rejection = row(record).expect_err(record);
        assert_eq!((rejection.code, rejection.column.as_deref()), (code, Some("ext")), "{record}");
    }
    let none = template.row(&Fields::Cells(vec![String::new()]), Some(&header(&["ext"]))).expect_err("is none");
    assert_eq!(none.message, "there is nothing in `ext`, which is the external_id of this job");
    // Cells without their header are no crash.
    assert_eq!(template.row(&Fields::Cells(vec!["x".to_owned()]), None).expect_err("is none").code, "missing_identity");
}

#[test]
fn a_patch_says_what_is_wrong_with_it() {
    for (patch, says) in [
        (
            r#"{"public_metadata":{"a":{"b":null}}}"#,
            "`public_metadata.a.b`: null does not delete here; write \"{{ delete }}\"",
        ),
        (r#"{"public_metdata":{}}"#, "`public_metdata` is no metadata field; did you mean `public_metadata`?"),
        (r#"{"public_metadata":[]}"#, "a metadata field must be an object"),
        (r#"{"public_metadata":"x"}"#, "a metadata field must be an object"),
        ("{}", "`patch`: expected at least one metadata field"),
        (r#""x""#, "`patch`: expected metadata fields"),
        (r#"{"public_metadata":{"{{ a }}":1}}"#, "a key cannot be a template"),
        (r#"{"public_metadata":{"a":["x","{{ b"]}}"#, "`public_metadata.a.1`: `{{` is never closed by `}}`"),
    ] {
        let patch = parse(patch).expect("is JSON");
        let error = Template::new(IdentityKind::UserId, "id", &patch, Empty::Skip, None).expect_err(says).to_string();
        assert!(error.contains(says), "{error}");
    }
    let patch = parse(r#"{"public_metadata":{"a":[null]}}"#).expect("is JSON");
    assert!(Template::new(IdentityKind::UserId, "id", &patch, Empty::Skip, None).is_ok());
}

#[test]
fn what_is_not_offered_is_refused_before_any_row() {
    for (template, says) in [
        ("{% for i in range(9) %}x{% endfor %}", "`{%` is not offered"),
        ("{# note #}", "`{#` is not offered"),
        ("a{{ b }}{% set x = 1 %}", "`{%` is not offered"),
        ("{{ a", "`{{` is never closed"),
        ("{{ 'a }}", "`{{` is never closed"),
        ("{{ }}", "there is nothing between"),
        ("{{- a }}", "put a space behind"),
        ("{{ a | uper }}", "there is no filter `uper`; did you mean `upper`?"),
        ("{{ a | tojson }}", "there is no filter `tojson`; there are int, number"),
        ("{{ a | xmlattr }}", "there is no filter `xmlattr`; there are int, number"),
        ("{{ a is not nome }}", "there is no test `nome`; did you mean `none`?"),
        ("{{ a == none }}", "write `is none`"),
        ("{{ none != a }}", "write `is none`"),
        ("{{ 'x' * 100000000 }}", "only numbers are multiplied"),
        ("{{ 9 * [1] }}", "only numbers are multiplied"),
        ("{{ (1, 2) }}", "write a list in square brackets"),
        ("{{ a, b }}", "write a list in square brackets"),
        ("{{ 2 if (1,) else 3 }}", "write a list in square brackets"),
        ("{{ a b }}", "in `a b`"),
        ("{{ a + }}", "in `a +`"),
        ("{{ größe }}", "row[\"its name\"]"),
    ] {
        let error = refused(template);
        assert!(error.starts_with("`public_metadata.k`: ") && error.contains(says), "{template}: {error}");
    }
    let deep = format!("{{{{ {}a{} }}}}", "(".repeat(1000), ")".repeat(1000));
    assert!(refused(&deep).contains("recursion"), "{}", refused(&deep));
    assert!(refused(&format!("{{{{ {} }}}}", "a*".repeat(9) + "a")).contains("may multiply 8 times"));
    assert!(refused(&"x".repeat(5000)).contains("4096 bytes"));
}

#[test]
fn hostile_templates_end_in_an_error_quickly() {
    let megabyte = format!(r#"{{"a":"{}","n":1000000000,"d":{{"x":1}}}}"#, "a".repeat(1_000_000));
    for template in [
        "{{ range(10**9) }}",
        "{{ (a * n) }}",
        "{{ a ~ a }}",
        "{{ a | replace('a', a) }}",
        "{{ a | list }}",
        "{{ a | list | join(a) }}",
        "{{ a | split('') | join(a) }}",
        "{{ ('x') * 100000000 }}",
        "{{ (a * 90) | upper }}",
        "{{ ([1]) * 100000000 }}",
        "{{ (([1]) * 100000000) | list }}",
        "{{ (([1]) * 100000000) | sort }}",
        "{{ 10 ** 400 }}",
        "{{ 10.0 ** 400 }}",
        "{{ n / 0 }}",
        "{{ n // 0 }}",
        "{{ n % 0 }}",
        "{{ d.x.y.z }}",
        "{{ (d).__class__.__mro__ }}",
        "{{ delete.x }}",
        "{{ self }}",
        "{{ self.x() }}",
        "{{ loop }}",
        "{{ debug() }}",
        "{{ d.items() }}",
        "{{ a() }}",
        "{{ a.upper() }}",
        "{{ namespace(x=1) }}",
        "{{ a[n] }}",
        "{{ {1: 2} }}",
        "{{ a | default }}",
        "{{ a | split | int }}",
    ] {
        let start = Instant::now();
        let result = match compile(template) {
            Ok(_) => made(template, &megabyte),
            Err(error) => format!("! {error}"),
        };
        assert!(result.starts_with("! "), "{template}: {}", &result[..result.len().min(80)]);
        assert!(result.len() < 1000, "{template}: {} bytes", result.len());
        assert!(start.elapsed() < Duration::from_secs(5), "{template} took {:?}", start.elapsed());
    }
}

#[test]
fn a_value_that_the_record_holds_is_passed_on_whatever_its_size() {
    let long = "a".repeat(MAX_VALUE_BYTES + 1);
    assert_eq!(made("{{ a }}", &format!(r#"{{"a":"{long}"}}"#)).len(), long.len() + 2);
    assert!(made("{{ a ~ '' }}", &format!(r#"{{"a":"{long}"}}"#)).contains("larger than 65536 bytes"));
}

#[test]
fn templates_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Template>();
}

#[test]
fn no_message_quotes_a_private_value() {
    for template in ["{{ a | int }}", "x {{ a | number }}", "{{ a | bool }}", "{{ a | json }}", "{{ a | round }}"] {
        let record = members(r#"{"a":"{\"s3cret\":1,\"s3cret\":2}"}"#);
        for (patch, field) in [
            (serde_json::json!({ "private_metadata": {"k": {"l": template}} }), "private_metadata.k.l"),
            (serde_json::json!({ "private_metadata": {"k": [template]} }), "private_metadata.k.0"),
        ] {
            let compiled = Template::new(IdentityKind::UserId, "id", &patch, Empty::Skip, None).expect(template);
            let message = compiled.row(&record, None).expect_err(template).message;
            assert!(!message.contains("s3cret") && message.starts_with(&format!("`{field}`")), "{message}");
            assert!(message.contains("a private value"), "{message}");
        }
    }
    assert!(made("{{ a | int }}", r#"{"a":"x"}"#).contains("`x` is no whole number"));
}
