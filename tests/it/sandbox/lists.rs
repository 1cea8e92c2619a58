//! Lists of users: filters, pages, orders.

use metapatch::sandbox::{Config, Cursor, OverLimit, user_id};
use reqwest::Method;

use super::{Stage, unlimited};

async fn ids(stage: &Stage, query: &str) -> Vec<String> {
    let got = stage.get(&format!("/v1/users?{query}")).await;
    assert_eq!(got.status, 200, "{query}: {:?}", got.body);
    got.ids().into_iter().map(str::to_owned).collect()
}

async fn refused(stage: &Stage, query: &str) -> u16 {
    stage.get(&format!("/v1/users?{query}")).await.status
}

fn world(users: u32) -> Config {
    Config { users, ..unlimited() }
}

#[tokio::test]
async fn the_newest_come_first_and_ten_of_them() {
    let stage = Stage::new(world(600)).await;
    let newest: Vec<_> = (0..600).rev().map(|n| user_id(1, n)).collect();
    assert_eq!(ids(&stage, "").await, newest[..10]);
    assert_eq!(ids(&stage, "limit=500").await, newest[..500]);
    assert_eq!(ids(&stage, "limit=501").await, newest[..10]);
    assert_eq!(ids(&stage, "limit=2&offset=599").await, newest[599..]);
    assert_eq!(ids(&stage, "limit=1&order_by=%2Bcreated_at").await, newest[599..]);
    assert_eq!(refused(&stage, "order_by=nope").await, 422);
    assert_eq!(stage.get("/v1/users/count").await.body["total_count"], 600);
    let clamp = Stage::new(Config { over_limit: OverLimit::Clamp, ..world(600) }).await;
    assert_eq!(ids(&clamp, "limit=501").await.len(), 500);
    let refuse = Stage::new(Config { over_limit: OverLimit::Refuse, ..world(600) }).await;
    assert_eq!(refused(&refuse, "limit=501").await, 422);
}

#[tokio::test]
async fn a_cursor_walks_through_everybody_once() {
    let stage = Stage::new(world(230)).await;
    let mut seen = ids(&stage, "limit=50").await;
    while seen.len() % 50 == 0 {
        // Somebody who signs up meanwhile moves nothing.
        stage.ask(Method::POST, "/v1/users", "{}").await;
        let last = seen.last().expect("there are some").clone();
        seen.extend(ids(&stage, &format!("limit=50&starting_after={last}")).await);
    }
    assert_eq!(seen, (0..230).rev().map(|n| user_id(1, n)).collect::<Vec<_>>());
    let last = &seen[9];
    assert_eq!(refused(&stage, &format!("starting_after={last}&offset=1")).await, 422);
    assert_eq!(refused(&stage, &format!("starting_after={last}&order_by=username")).await, 422);
    assert_eq!(refused(&stage, "starting_after=user_none").await, 422);
    let old = Stage::new(Config { cursor: Cursor::Ignore, ..world(230) }).await;
    assert_eq!(ids(&old, &format!("starting_after={last}")).await, seen[..10]);
}

#[tokio::test]
async fn offsets_shift_when_somebody_signs_up() {
    let stage = Stage::new(world(30)).await;
    let first = ids(&stage, "limit=10").await;
    stage.ask(Method::POST, "/v1/users", "{}").await;
    assert_eq!(ids(&stage, "limit=10&offset=10").await[0], first[9]);
}

#[tokio::test]
async fn filters_take_a_hundred_values_and_pass_over_what_is_missing() {
    let stage = Stage::new(world(200)).await;
    let query = |n: u64| (0..n).map(|n| format!("user_id={}", user_id(1, n))).collect::<Vec<_>>().join("&");
    assert_eq!(ids(&stage, &format!("{}&limit=100", query(100))).await.len(), 100);
    assert_eq!(ids(&stage, &query(100)).await.len(), 10);
    assert_eq!(refused(&stage, &query(101)).await, 422);
    let (known, unknown) = (user_id(1, 5), user_id(1, 5_000));
    assert_eq!(ids(&stage, &format!("user_id={unknown}&user_id={known}")).await, [known.as_str()]);
    assert!(ids(&stage, &format!("user_id={unknown}")).await.is_empty());
}

#[tokio::test]
async fn plus_and_minus_include_and_exclude() {
    let stage = Stage::new(world(20)).await;
    let (one, two) = (user_id(1, 1), user_id(1, 2));
    assert_eq!(ids(&stage, &format!("user_id=%2B{one}&user_id=-{two}")).await, [one.as_str()]);
    let others = ids(&stage, &format!("user_id=-{one}&limit=100")).await;
    assert!(others.len() == 19 && !others.contains(&one));
    assert!(ids(&stage, &format!("user_id=+{one}")).await.is_empty(), "a raw plus is a space");
}

#[tokio::test]
async fn what_is_not_understood_is_passed_over() {
    let stage = Stage::new(world(20)).await;
    assert_eq!(ids(&stage, &format!("user_id[0]={}&limit=100", user_id(1, 1))).await.len(), 20);
    assert_eq!(ids(&stage, "user_ids=x&limit=100").await.len(), 20);
}

#[tokio::test]
async fn identifiers_find_their_users() {
    let stage = Stage::new(world(200)).await;
    let everybody = stage.get("/v1/users?limit=500").await;
    for user in everybody.body.as_array().expect("is a list").iter().take(60) {
        let id = user["id"].as_str().expect("has one");
        let emails = user["email_addresses"].as_array().expect("is a list").iter();
        let phones = user["phone_numbers"].as_array().expect("is a list").iter();
        let mut queries: Vec<_> = emails.map(|email| ("email_address", &email["email_address"])).collect();
        queries.extend(phones.map(|phone| ("phone_number", &phone["phone_number"])));
        queries.extend([("external_id", &user["external_id"]), ("username", &user["username"])]);
        for (name, text) in queries {
            let Some(text) = text.as_str() else { continue };
            let found = ids(&stage, &format!("{name}={}", text.replace('+', "%2B"))).await;
            assert!(found.iter().any(|found| found == id), "{name}={text}");
        }
    }
    assert_eq!(
        ids(&stage, "query=USER000017@").await.len(),
        ids(&stage, "email_address=user000017@example.com").await.len()
    );
    assert!(ids(&stage, "web3_wallet=0x0").await.is_empty());
}

#[tokio::test]
async fn moments_bound_the_list() {
    let stage = Stage::new(world(20)).await;
    let middle = stage.get(&format!("/v1/users/{}", user_id(1, 10))).await.body["created_at"].as_i64();
    let middle = middle.expect("is a number");
    assert_eq!(ids(&stage, &format!("created_at_after={middle}&limit=100")).await.len(), 9);
    assert_eq!(ids(&stage, &format!("created_at_before={middle}&limit=100")).await.len(), 10);
    assert_eq!(stage.get(&format!("/v1/users/count?created_at_before={middle}")).await.body["total_count"], 10);
    assert_eq!(refused(&stage, "created_at_after=yesterday").await, 422);
    let newest_first = ids(&stage, "order_by=-username&limit=100").await;
    let mut oldest_first = ids(&stage, "order_by=username&limit=100").await;
    oldest_first.reverse();
    assert_eq!(newest_first, oldest_first);
}
