//! The limiter against a server that counts, in paused time.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, advance, sleep, timeout};

use super::*;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn rate(text: &str) -> Rate {
    text.parse().expect("is a rate")
}

fn limiter(rate_text: &str, share: &str) -> Limiter {
    let share = share.parse().expect("is a share");
    Limiter::new(LimitConfig { rate: Some(rate(rate_text)), user_rate: Some(Rate::PER_USER), share })
}

/// The most times in any stretch as long as the period, both ends included; fixed windows are among them.
fn most_in_any_window(times: &[Duration], period: Duration) -> usize {
    let mut times = times.to_vec();
    times.sort();
    let within = |n: usize| times[n..].iter().take_while(|at| **at <= times[n] + period).count();
    (0..times.len()).map(within).max().unwrap_or(0)
}

/// When a request reaches the server's counter, between its sending and its answer.
#[derive(Debug, Clone, Copy)]
enum Arrival {
    At(f64),
    /// As near as can be to a multiple of this: so requests pile up.
    Near(Duration),
}

impl Arrival {
    fn between(self, sent: Duration, latency: Duration) -> Duration {
        match self {
            Self::At(part) => sent + latency.mul_f64(part),
            Self::Near(step) => {
                let middle = (sent + latency / 2).as_nanos() + step.as_nanos() / 2;
                let target = step * u32::try_from(middle / step.as_nanos()).expect("is soon");
                target.clamp(sent, sent + latency)
            }
        }
    }
}

/// A server that notes what reaches it and when.
#[derive(Clone)]
struct Server {
    start: Instant,
    arrivals: Arc<Mutex<Vec<Seen>>>,
}

/// When a request arrived, and which user it was about.
type Seen = (Duration, Option<String>);

impl Server {
    fn start() -> Self {
        Self { start: Instant::now(), arrivals: Arc::default() }
    }

    async fn answer(&self, user: Option<&str>, latency: Duration, arrival: Arrival) {
        let at = arrival.between(self.start.elapsed(), latency);
        self.arrivals.lock().expect("is whole").push((at, user.map(str::to_owned)));
        sleep(latency).await;
    }

    fn most(&self, period: Duration) -> usize {
        let arrivals = self.arrivals.lock().expect("is whole");
        most_in_any_window(&arrivals.iter().map(|(at, _)| *at).collect::<Vec<_>>(), period)
    }

    fn most_of(&self, user: &str, period: Duration) -> usize {
        let arrivals = self.arrivals.lock().expect("is whole");
        let of_user = arrivals.iter().filter(|(_, held)| held.as_deref() == Some(user));
        most_in_any_window(&of_user.map(|(at, _)| *at).collect::<Vec<_>>(), period)
    }
}

/// Sends `n` writes of as many users, as many at a time as a run would, and says how long that took.
async fn send_all(limiter: &Limiter, server: &Server, n: u64, latency: Duration) -> Duration {
    let in_flight = Arc::new(Semaphore::new(450));
    let mut tasks = JoinSet::new();
    for i in 0..n {
        let place = Arc::clone(&in_flight).acquire_owned().await.expect("stays open");
        let (limiter, server) = (limiter.clone(), server.clone());
        // Up to half as much jitter on top.
        let latency = latency + latency.mul_f64(0.5 * fastrand::f64());
        tasks.spawn(async move {
            let permit = limiter.acquire_write(&format!("user_{i}")).await;
            server.answer(None, latency, Arrival::Near(ms(2500))).await;
            drop((permit, place));
        });
    }
    while tasks.join_next().await.is_some() {}
    server.start.elapsed()
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

#[test]
fn the_oracle_counts_the_fullest_window() {
    assert_eq!(most_in_any_window(&[], ms(10)), 0);
    assert_eq!(most_in_any_window(&[ms(0), ms(9), ms(10), ms(11), ms(20)], ms(10)), 3);
}

#[tokio::test(start_paused = true)]
async fn a_small_job_needs_a_latency_for_each_budget_and_no_drip() {
    for (latency, bar) in [(20, 21.0), (100, 22.0), (300, 24.5)] {
        let (limiter, server) = (limiter("1000/10s", "100%"), Server::start());
        let took = seconds(send_all(&limiter, &server, 2929, ms(latency)).await);
        // The last budget takes less than a second to send.
        let ideal = (10.0 + seconds(ms(latency)) * 1.5) * 2.0;
        assert!(took < bar && took < ideal + 1.5 && took >= 20.0, "{took} s at {latency} ms");
        assert!(server.most(ms(10_000)) <= 1000);
    }
}

#[tokio::test(start_paused = true)]
async fn the_long_run_rate_is_at_least_95_percent_of_the_budget() {
    for latency in [20, 100, 300] {
        let (limiter, server) = (limiter("1000/10s", "100%"), Server::start());
        let took = seconds(send_all(&limiter, &server, 20_000, ms(latency)).await);
        // The first budget costs no time.
        let rate = 19_000.0 / took;
        assert!(rate >= 95.0, "{rate} a second at {latency} ms");
        assert!(server.most(ms(10_000)) <= 1000);
    }
}

#[tokio::test(start_paused = true)]
async fn what_fits_into_one_budget_goes_at_once() {
    let limiter = limiter("1000/10s", "100%");
    let start = Instant::now();
    let mut permits = Vec::new();
    for i in 0..1000 {
        permits.push(limiter.acquire_write(&format!("user_{i}")).await);
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!((limiter.state().in_use, limiter.state().capacity), (1000, Some(1000)));
    assert!(timeout(ms(60_000), limiter.acquire_read()).await.is_err(), "nothing was answered yet");
    permits.clear();
    let before = Instant::now();
    drop(limiter.acquire_read().await);
    assert!(before.elapsed() > ms(10_000) && before.elapsed() < ms(10_020), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_share_is_spaced_evenly_and_reached() {
    let (limiter, server) = (limiter("1000/10s", "50%"), Server::start());
    let took = seconds(send_all(&limiter, &server, 2000, ms(20)).await);
    assert!(server.most(ms(1000)) <= 50 + 12 + 1, "{} in a second", server.most(ms(1000)));
    assert!(server.most(ms(10_000)) <= 500);
    let expected = seconds(how_long(2000, Rate::LIVE, Share::HALF));
    assert!(took >= expected - 0.5 && took < expected * 1.02 + 1.0, "{took}, not {expected}");
}

#[tokio::test(start_paused = true)]
async fn one_user_is_written_ten_times_a_period_and_holds_up_nobody() {
    let (limiter, server) = (limiter("1000/10s", "100%"), Server::start());
    let mut tasks = JoinSet::new();
    for _ in 0..35 {
        let (limiter, server) = (limiter.clone(), server.clone());
        tasks.spawn(async move {
            let permit = limiter.acquire_write("user_a").await;
            server.answer(Some("user_a"), ms(50), Arrival::At(1.0)).await;
            drop(permit);
        });
    }
    sleep(ms(1000)).await;
    assert_eq!(limiter.state().in_use, 10, "no permit of the instance is held while waiting for the user");
    let start = Instant::now();
    drop(limiter.acquire_write("user_b").await);
    assert_eq!(start.elapsed(), Duration::ZERO);
    while tasks.join_next().await.is_some() {}
    assert_eq!(server.most_of("user_a", ms(10_000)), 10);
    assert!(server.start.elapsed() < ms(30_400), "{:?}", server.start.elapsed());
}

/// Polls a future once, so that it takes its place in line.
async fn join_line<F: Future>(future: &mut std::pin::Pin<Box<F>>) {
    assert!(timeout(ms(0), future.as_mut()).await.is_err(), "must wait");
}

#[tokio::test(start_paused = true)]
async fn first_come_first_served_also_for_one_user() {
    for user_line in [false, true] {
        let limiter = limiter(if user_line { "1000/10s" } else { "10/10s" }, "100%");
        let order = Arc::new(Mutex::new(Vec::new()));
        let held: Vec<_> = futures_util::future::join_all((0..10).map(|_| limiter.acquire_write("user_a"))).await;
        let mut tasks = JoinSet::new();
        for i in 0..20 {
            let (limiter, order) = (limiter.clone(), Arc::clone(&order));
            tasks.spawn(async move {
                let permit = limiter.acquire_write(if user_line { "user_a" } else { "user_b" }).await;
                order.lock().expect("is whole").push(i);
                sleep(ms(10)).await;
                drop(permit);
            });
            tokio::task::yield_now().await;
        }
        drop(held);
        while tasks.join_next().await.is_some() {}
        assert_eq!(*order.lock().expect("is whole"), (0..20).collect::<Vec<_>>(), "user line: {user_line}");
        assert!(limiter.shared.with(|state, _| state.lines.is_empty()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_wait_leaves_nothing_behind_and_wakes_the_next() {
    let limiter = limiter("10/10s", "100%");
    let held: Vec<_> = futures_util::future::join_all((0..10).map(|_| limiter.acquire_write("user_a"))).await;
    let mut first = Box::pin(limiter.acquire_write("user_a"));
    let mut second = Box::pin(limiter.acquire_read());
    let mut third = Box::pin(limiter.acquire_read());
    join_line(&mut first).await;
    join_line(&mut second).await;
    join_line(&mut third).await;
    drop(held);
    drop(first);
    drop(second);
    let permit = timeout(ms(10_100), third).await.expect("is next in line");
    drop(permit);
    sleep(ms(10_100)).await;
    assert_eq!(limiter.state().in_use, 0);
    assert!(limiter.shared.with(|state, _| state.lines.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn a_write_in_line_whose_user_is_deferred_lets_the_others_pass() {
    let limiter = limiter("10/10s", "100%");
    let held: Vec<_> = futures_util::future::join_all((0..10).map(|_| limiter.acquire_read())).await;
    let mut write = Box::pin(limiter.acquire_write("user_a"));
    let mut read = Box::pin(limiter.acquire_read());
    join_line(&mut write).await;
    join_line(&mut read).await;
    limiter.throttled(Throttled { user: Some("user_a"), retry_after: Some(ms(60_000)), round_trip: ms(100) });
    let start = Instant::now();
    drop(held);
    let (_, (_, passed)) = tokio::join!(write, async { (read.await, start.elapsed()) });
    assert!(passed < ms(10_100), "{passed:?}");
    assert!((ms(60_000)..ms(60_100)).contains(&start.elapsed()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_429_on_a_read_closes_the_gate_until_its_deadline_and_shrinks_the_share() {
    let limiter = limiter("1000/10s", "100%");
    let verdict = limiter.throttled(Throttled { user: None, retry_after: Some(ms(3000)), round_trip: ms(100) });
    let share = Share::of_percent(70);
    assert_eq!(verdict, ThrottleVerdict::GateClosed { wait: ms(3000), share, cause: Cause::Read });
    let start = Instant::now();
    let mut read = Box::pin(limiter.acquire_read());
    join_line(&mut read).await;
    advance(ms(1000)).await;
    limiter.throttled(Throttled { user: None, retry_after: Some(ms(4000)), round_trip: ms(1500) });
    let state = limiter.state();
    assert_eq!((state.capacity, state.share, state.per_second), (Some(700), share, Some(70.0)));
    assert_eq!(state.closed, Some((ms(4000), Cause::Read)));
    drop(read.await);
    assert!((ms(5000)..ms(5010)).contains(&start.elapsed()), "{:?}", start.elapsed());
    assert_eq!(limiter.state().closed, None);
    // Ten seconds of calm after it opened.
    sleep(ms(10_000)).await;
    assert_eq!(limiter.state().capacity, Some(750));
    sleep(ms(60_000)).await;
    assert_eq!(limiter.state().capacity, Some(1000));
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_nobody_waits_unless_the_server_says_so() {
    let limiter = Limiter::unlimited();
    let start = Instant::now();
    for _ in 0..1000 {
        drop(limiter.acquire_write("user_a").await);
        drop(limiter.acquire_read().await);
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!((limiter.state().in_use, limiter.state().capacity, limiter.state().per_second), (0, None, None));
    limiter.throttled(Throttled { user: Some("user_a"), retry_after: Some(ms(2000)), round_trip: ms(10) });
    drop(limiter.acquire_write("user_b").await);
    assert_eq!(start.elapsed(), Duration::ZERO);
    drop(limiter.acquire_write("user_a").await);
    assert!((ms(2000)..ms(2010)).contains(&start.elapsed()));
    limiter.throttled(Throttled { user: None, retry_after: Some(ms(1000)), round_trip: ms(10) });
    drop(limiter.acquire_read().await);
    assert!((ms(3000)..ms(3020)).contains(&start.elapsed()));
}

/// One thing that somebody wants to send.
#[derive(Debug, Clone)]
struct Wish {
    start: u64,
    /// 0 is a read, the others are users.
    user: u8,
    latency: u64,
    arrival: Arrival,
    /// Gives up waiting for a permit after so long.
    patience: Option<u64>,
    /// The first answers are 429, with or without `Retry-After`.
    refusals: Vec<Option<u64>>,
}

fn wish() -> impl Strategy<Value = Wish> {
    let arrival = prop_oneof![
        Just(Arrival::At(0.0)),
        Just(Arrival::At(1.0)),
        (0.0_f64..=1.0).prop_map(Arrival::At),
        (1_u64..400).prop_map(|step| Arrival::Near(ms(step))),
    ];
    let patience = prop::option::weighted(0.2, 0_u64..300);
    let refusals = prop_oneof![6 => Just(vec![]), 1 => prop::collection::vec(prop::option::of(0_u64..500), 1..3)];
    (0_u64..1500, 0_u8..4, 0_u64..400, arrival, patience, refusals).prop_map(
        |(start, user, latency, arrival, patience, refusals)| Wish {
            start,
            user,
            latency,
            arrival,
            patience,
            refusals,
        },
    )
}

async fn fulfil(wish: Wish, limiter: Limiter, server: Server, unanswered: Arc<AtomicU32>) {
    sleep(ms(wish.start)).await;
    let user = (wish.user > 0).then(|| format!("user_{}", wish.user));
    let patience = wish.patience.map_or(Duration::from_hours(24), ms);
    for refusal in wish.refusals.into_iter().map(Some).chain([None]) {
        let acquire = async {
            match &user {
                Some(user) => limiter.acquire_write(user).await,
                None => limiter.acquire_read().await,
            }
        };
        let Ok(permit) = timeout(patience, acquire).await else { return };
        server.answer(user.as_deref(), ms(wish.latency), wish.arrival).await;
        if let Some(retry_after) = refusal {
            let (user, retry_after) = (user.as_deref(), retry_after.map(ms));
            limiter.throttled(Throttled { user, retry_after, round_trip: ms(wish.latency) });
        }
        drop(permit);
    }
    unanswered.fetch_sub(1, Ordering::Relaxed);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_window_of_the_server_ever_holds_more_than_the_budget_and_all_are_served(
        count in 1_u32..12,
        user_count in 1_u32..5,
        percent in prop_oneof![Just(100_u8), 20_u8..100],
        wishes in prop::collection::vec(wish(), 1..80),
    ) {
        let period = ms(200);
        let share = Share::of_percent(percent);
        let budget = Rate::new(count, period).expect("is a rate").budget(share) as usize;
        let config = LimitConfig {
            rate: Some(Rate::new(count, period).expect("is a rate")),
            user_rate: Some(Rate::new(user_count, period).expect("is a rate")),
            share,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
        let patient = wishes.iter().filter(|wish| wish.patience.is_none()).count();
        let (most, of_users, missing, left) = runtime.block_on(async {
            let (limiter, server) = (Limiter::new(config), Server::start());
            let unanswered = Arc::new(AtomicU32::new(u32::try_from(wishes.len()).expect("is small")));
            let mut tasks = JoinSet::new();
            for wish in wishes.clone() {
                tasks.spawn(fulfil(wish, limiter.clone(), server.clone(), Arc::clone(&unanswered)));
            }
            while tasks.join_next().await.is_some() {}
            sleep(ms(300)).await;
            let of_users = [1, 2, 3].map(|user| server.most_of(&format!("user_{user}"), period));
            let lines = limiter.shared.with(|state, _| state.lines.len());
            (server.most(period), of_users, unanswered.load(Ordering::Relaxed), (limiter.state().in_use, lines))
        });
        prop_assert!(most <= budget, "{most} in one window, the budget is {budget}");
        prop_assert!(of_users.iter().all(|n| *n <= user_count as usize), "{of_users:?}, the budget is {user_count}");
        prop_assert!(missing as usize <= wishes.len() - patient, "somebody was never served");
        prop_assert_eq!(left, (0, 0));
    }
}
