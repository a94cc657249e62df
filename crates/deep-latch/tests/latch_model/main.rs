//! The latch machine, enumerated: every reachable state, every event in each, against a specification that
//! was written from the draft and shares no code with the machine.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "tests"
)]

mod goals;
mod specification;
mod world;

use std::{
    collections::{HashMap, VecDeque},
    time::Instant,
};

use deep_latch::{
    DeepStatus, Facilities, Host, LatchRecord, LatchSession, SecurityTag, TlsFacts,
    facility::{Achievement, Authentication, DaneIdentity, OnTlsaMismatch},
    facts::{
        CertificateUsage, ChainVerdict, DaneVerdict, IdentityVerdict, Login, ProtocolVersion,
        SessionFacts,
    },
    failure::{Action, CertificateFault, HandshakeFault, LatchFailure, Stage},
    latch::{Basis, Event, Outcome, Reason, Requirements, Transition},
    status::StatusUrl,
};

use specification::*;
use world::*;

#[test]
fn achieves_facilities_as_section_11_2_requires_for_all_facts() {
    let names = tags(ALL);
    let mut seen = HashMap::<_, usize>::new();
    for dane_identity in [DaneIdentity::AsPkix, DaneIdentity::Rfc7671] {
        let facilities = facilities(OnTlsaMismatch::Refuse).with_dane_identity(dane_identity);
        for tls in all_facts() {
            let (achieved, by) = specified(&tls, dane_identity);
            let connection = Connection {
                achieved,
                by,
                ..Connection::of(&tls)
            };
            for login in LOGINS {
                let facts = SessionFacts {
                    tls: Some(tls),
                    login,
                };
                for (bit, tag) in names.iter().enumerate() {
                    let bit = 1 << bit;
                    let expected = if connection.achieves(login) & bit != 0 {
                        Achievement::Achieved
                    } else if connection.may_achieve(login) & bit != 0 {
                        Achievement::AfterLogin
                    } else {
                        Achievement::NotAchieved
                    };
                    assert_eq!(
                        facilities.achieves(&facts, tag),
                        expected,
                        "{tag} {facts:?}"
                    );
                    // Names are equal without regard to case.
                    let upper = tag.as_str().to_ascii_uppercase();
                    let upper = SecurityTag::parse(&upper).unwrap();
                    assert_eq!(facilities.achieves(&facts, &upper), expected);
                }
                let expected = connection.authentication(login);
                assert_eq!(facilities.authentication(&facts), expected, "{facts:?}");
                *seen
                    .entry((connection.achieves(login), expected))
                    .or_default() += 1;
            }
        }
        // In clear nothing is achieved, and nobody authenticated.
        for login in LOGINS {
            let facts = SessionFacts { tls: None, login };
            for tag in &names {
                let achievement = facilities.achieves(&facts, tag);
                assert_eq!(achievement, Achievement::NotAchieved);
            }
            assert_eq!(facilities.authentication(&facts), None);
        }
    }
    println!(
        "{} kinds of connection, {} facts",
        seen.len(),
        seen.values().sum::<usize>()
    );
    assert!(seen.len() > 30);
}

#[test]
fn requires_the_latched_tags_before_connecting() {
    let world = World::new([]);
    for latched in 0..=ALL {
        for recorded in INITIAL {
            let (ghost, session) = world.begin(latched, recorded);
            let answer = world.answer(&ghost);
            let session = match session {
                Ok(session) => session,
                Err(failure) => {
                    assert_eq!(world.answer_of(&Outcome::Refuse(failure)), answer);
                    continue;
                }
            };
            world.agrees(&session, &ghost, &answer);
            let has = |tag: u8| latched & tag != 0;
            let min_version = match (has(TLS10), has(TLS12)) {
                (_, true) => Some(ProtocolVersion::TLS1_2),
                (true, false) => Some(ProtocolVersion::TLS1_0),
                (false, false) => None,
            };
            let expected = Requirements {
                tls: latched != 0,
                min_version,
                pkix: has(CERT),
                dane: has(DANE),
            };
            assert_eq!(session.requirements(), expected);
            let not_latched: Vec<_> = session.not_latched().map(SecurityTag::into_owned).collect();
            assert_eq!(mask(&not_latched), ALL & !UNKNOWN & !latched);
        }
    }
}

#[test]
fn judges_handshakes_as_specified_for_all_latches_and_facts() {
    let mut world = World::new([]);
    let mut judged = 0;
    for (facts, on_mismatch) in all_facts().into_iter().flat_map(|facts| {
        [OnTlsaMismatch::Refuse, OnTlsaMismatch::GoOn].map(|on_mismatch| (facts, on_mismatch))
    }) {
        world.connections = vec![(facts, Connection::of(&facts))];
        world.on_mismatch = on_mismatch;
        for latched in 0..=ALL {
            for recorded in INITIAL {
                let (before, Ok(mut session)) = world.begin(latched, recorded) else {
                    assert_ne!(latched & UNKNOWN, 0);
                    continue;
                };
                let happens = Happens::Handshake(0);
                let (after, told) = world.specify(before, happens);
                let step = session.step(world.event(happens));
                let answer = world.answer(&after);
                assert_eq!(world.answer_of(&step.outcome), answer);
                assert_eq!(step.transitions, told);
                world.is_safe(&before, happens, &after, &answer);
                judged += 1;
            }
        }
    }
    println!("{judged} handshakes");
}

#[test]
fn judges_statuses_as_specified_for_all_tags_and_facts() {
    let mut world = World::new(0..=ALL);
    // The status is judged on all connections that go on.
    world.on_mismatch = OnTlsaMismatch::GoOn;
    let mut judged = 0;
    for facts in all_facts() {
        world.connections = vec![(facts, Connection::of(&facts))];
        for at in 0..world.statuses.len() as u8 {
            let (begun, first) = world.begin(0, None);
            let mut first = first.unwrap();
            let (shaken, _) = world.specify(begun, Happens::Handshake(0));
            let _ = first.step(world.event(Happens::Handshake(0)));
            for login in LOGINS {
                let (mut before, mut session) = (shaken, first.clone());
                let logged_in = login.map(Happens::LoggedIn);
                for happens in [Happens::Status(at)].into_iter().chain(logged_in) {
                    let (after, told) = world.specify(before, happens);
                    let step = session.step(world.event(happens));
                    assert_eq!(step.transitions, told);
                    let answer = world.answer(&after);
                    assert_eq!(world.answer_of(&step.outcome), answer);
                    world.is_safe(&before, happens, &after, &answer);
                    judged += 1;
                    before = after;
                }
                world.agrees(&session, &before, &world.answer(&before));
            }
        }
    }
    println!("{judged} events");
}

/// Breadth first from every set of latches and every recorded status, every event in every state, until no
/// state is new. The states are the machine's: where the specification has been before, the machine must be
/// as it was then, to the last field.
///
/// Every set of the tags that mean something is advertised: of four of them in an unoptimized build, where
/// tls-dane-tlsa accompanies every other set, and the unknown one every set.
#[test]
fn handles_every_event_in_every_reachable_state_as_specified() {
    for on_mismatch in [OnTlsaMismatch::Refuse, OnTlsaMismatch::GoOn] {
        reach_every_state(on_mismatch);
    }
}

fn reach_every_state(on_mismatch: OnTlsaMismatch) {
    let begun = Instant::now();
    let beside = match cfg!(debug_assertions) {
        true => DANE | UNKNOWN,
        false => UNKNOWN,
    };
    let advertised = (0..UNKNOWN).filter(|tags_of| tags_of & beside == 0);
    let advertised = advertised.map(|tags_of| match tags_of.count_ones() % 2 {
        0 => tags_of,
        _ => tags_of | beside,
    });
    let mut world = World::new(advertised);
    world.on_mismatch = on_mismatch;
    let events = world.events();
    let mut known = HashMap::<Ghost, LatchSession>::new();
    let mut queue = VecDeque::new();
    for latched in 0..=ALL {
        for recorded in INITIAL {
            let (ghost, session) = world.begin(latched, recorded);
            let answer = world.answer(&ghost);
            let session = match session {
                Ok(session) => session,
                // There is no connection, and so no event.
                Err(failure) => {
                    assert_eq!(world.answer_of(&Outcome::Refuse(failure)), answer);
                    continue;
                }
            };
            world.agrees(&session, &ghost, &answer);
            known.insert(ghost, session);
            queue.push_back(ghost);
        }
    }
    let (mut transitions, mut terminal) = (0_u64, 0_u64);
    while let Some(before) = queue.pop_front() {
        let session = known[&before].clone();
        if before.phase.is_final() {
            terminal += 1;
        }
        for happens in &events {
            let mut session = session.clone();
            let step = session.step(world.event(*happens));
            let (after, told) = world.specify(before, *happens);
            let answer = world.answer(&after);
            let context = || format!("{before:?}, {happens:?}");
            assert_eq!(world.answer_of(&step.outcome), answer, "{}", context());
            assert_eq!(step.transitions, told, "{}", context());
            world.is_safe(&before, *happens, &after, &answer);
            transitions += 1;
            match known.get(&after) {
                Some(same) => assert!(session == *same, "{}", context()),
                None => {
                    world.agrees(&session, &after, &answer);
                    known.insert(after, session);
                    queue.push_back(after);
                }
            }
        }
    }
    println!(
        "{} states ({terminal} of them final), {transitions} transitions, {} kinds of TLS session, {:?}",
        known.len(),
        world.connections.len(),
        begun.elapsed()
    );
}
