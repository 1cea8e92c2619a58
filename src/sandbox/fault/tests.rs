use super::*;

fn faults(rules: &[&str]) -> Faults {
    Faults::new(rules.iter().map(|text| text.parse().expect("is a rule")).collect(), 7)
}

#[test]
fn rules_are_read_from_flags() {
    let fault: Fault = "429=0.25,retry-after=3,on=write,next=2,after=1,user=user_x".parse().expect("is a rule");
    let expected = Fault {
        retry_after: Some(3),
        ..Fault::new(FaultKind::Throttled).rate(0.25).next(2).after(1).on(On::Write).user("user_x")
    };
    assert_eq!(fault, expected);
    assert_eq!("slow=1,delay=50ms".parse::<Fault>().expect("is a rule").delay_ms, Some(50));
    for wrong in ["429", "nope=1", "500=2", "500=x", "500=on=never", "500=-0.1"] {
        assert!(wrong.parse::<Fault>().is_err(), "{wrong}");
    }
}

#[test]
fn rules_count_down() {
    let mut faults = faults(&["500=next=2,after=1"]);
    let met: Vec<_> = (0..5).map(|_| faults.meet(Kind::ListUsers, None).is_some()).collect();
    assert_eq!(met, [false, true, true, false, false]);
    assert_eq!(faults.fired.get(&FaultKind::Internal), Some(&2));
}

#[test]
fn rules_are_for_reads_writes_and_users() {
    let mut faults = faults(&["noop=1", "503=on=read", "cut-before=user=user_x"]);
    let mut met = |kind, user| faults.meet(kind, user).map(|fault| fault.kind);
    assert_eq!(met(Kind::PatchUserMetadata, Some("user_x")), Some(FaultKind::Noop));
    assert_eq!(met(Kind::GetUser, Some("user_x")), Some(FaultKind::Unavailable));
    assert_eq!(met(Kind::ListUsers, None), Some(FaultKind::Unavailable));
    faults.replace(vec![Fault::new(FaultKind::CutBefore).user("user_x")]);
    assert!(faults.meet(Kind::GetUser, Some("user_y")).is_none());
    assert!(faults.meet(Kind::GetUser, Some("user_x")).is_some());
}

#[test]
fn chances_are_kept_and_repeatable() {
    let count = || {
        let mut faults = faults(&["500=0.1"]);
        (0..10_000).filter(|_| faults.meet(Kind::ListUsers, None).is_some()).count()
    };
    assert!((800..1200).contains(&count()));
    assert_eq!(count(), count());
}

#[test]
fn spoilt_users_are_always_the_same() {
    let faults = faults(&["unreadable-deep=0.2"]);
    let spoilt = |n| faults.spoilt(&crate::sandbox::user_id(1, n)).is_some();
    let count = (0..1_000).filter(|&n| spoilt(n)).count();
    assert!((120..280).contains(&count), "{count}");
    assert!((0..100).all(|n| spoilt(n) == spoilt(n)));
}
