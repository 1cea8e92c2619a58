use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_permit_is_out_until_a_cooldown_after_the_answer() {
    let mut window = Window::new(2, 10 * MS);
    for _ in 0..2 {
        window.check(MS).expect("has one");
        window.take();
    }
    assert_eq!(window.check(5 * MS), Err(Full { until: None }));
    window.give_back(5 * MS);
    assert_eq!(window.check(14 * MS), Err(Full { until: Some(15 * MS) }));
    assert_eq!((window.in_use(14 * MS), window.check(15 * MS), window.in_use(15 * MS)), (2, Ok(()), 1));
}

#[test]
fn a_smaller_capacity_waits_for_as_many_permits_as_are_too_many() {
    let mut window = Window::new(4, 10 * MS);
    for at in 1..=4 {
        window.take();
        window.give_back(at * MS);
    }
    window.set_capacity(2);
    assert_eq!(window.check(5 * MS), Err(Full { until: Some(13 * MS) }));
    window.set_capacity(1);
    window.take();
    assert_eq!(window.check(13 * MS), Err(Full { until: None }), "the one in flight must be answered first");
}

#[test]
fn only_users_with_permits_out_take_up_memory() {
    let mut users = UserWindows::new(2, 10 * MS);
    for user in 0..100 {
        users.take(user, Duration::ZERO).expect("is the first");
        if user % 2 == 0 {
            users.release(user);
        } else {
            users.give_back(user, MS);
        }
    }
    assert_eq!(users.users(), 50);
    users.take(7, 11 * MS).expect("has room");
    assert_eq!(users.users(), 1);
}

#[test]
fn one_users_budget_is_not_anothers() {
    let mut users = UserWindows::new(2, 10 * MS);
    users.take(1, MS).expect("has room");
    users.take(1, MS).expect("has room");
    assert_eq!(users.take(1, MS), Err(Full { until: None }));
    users.give_back(1, 3 * MS);
    assert_eq!(users.take(1, 4 * MS), Err(Full { until: Some(13 * MS) }));
    assert_eq!(users.take(2, 4 * MS), Ok(()));
    assert_eq!(users.take(1, 13 * MS), Ok(()));
}

proptest! {
    /// Requests are sent whenever there is a permit; each takes as long as it likes and reaches the server's counter
    /// at any time in between.
    #[test]
    fn no_window_of_the_server_ever_holds_more_than_the_budget(
        capacity in 1_u32..6,
        requests in prop::collection::vec((0_u32..40, 0_u32..150, 0.0_f64..=1.0), 1..120),
    ) {
        let period = 50 * MS;
        let mut window = Window::new(capacity, cooldown(period));
        let mut now = Duration::ZERO;
        let mut in_flight: Vec<Duration> = Vec::new();
        let mut arrivals = Vec::new();
        for (pause, latency, when) in requests {
            now += pause * MS;
            loop {
                in_flight.sort();
                while in_flight.first().is_some_and(|answer| *answer <= now) {
                    window.give_back(in_flight.remove(0));
                }
                match window.check(now) {
                    Ok(()) => break,
                    Err(Full { until }) => {
                        let answer = in_flight.first().copied();
                        now = until.into_iter().chain(answer).min().expect("a full window waits for something");
                    }
                }
            }
            window.take();
            in_flight.push(now + latency * MS);
            arrivals.push(now + (latency * MS).mul_f64(when));
        }
        arrivals.sort();
        for (n, first) in arrivals.iter().enumerate() {
            let within = arrivals[n..].iter().take_while(|at| **at <= *first + period).count();
            prop_assert!(within <= capacity as usize, "{within} within a period of {first:?}");
        }
    }
}
