//! Tests of the format.

mod random;
mod samples;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;

use self::samples::{
    VARIANTS, batch, local_actions, logged_actions, name, named_records, record_of, room, text, variant_of,
};
use super::*;
use crate::limits::{ROOMS_PER_COMMAND_MAX, TEXT_BYTES_MAX, TOKEN_BYTES_MAX, WHISPER_NAMES_MAX};
use crate::protocol::{SanctionKind, SanctionTarget};
use crate::state::{Moderation, RoomId};

#[track_caller]
fn assert_round_trip(record: &Record) {
    let bytes = record.encode();
    match Record::decode(&bytes) {
        Ok(decoded) => assert_eq!(decoded, *record),
        Err(error) => panic!("{error}: {record:?}"),
    }
}

/// The error of bytes that are not a record.
#[track_caller]
fn error_of(bytes: &[u8]) -> RecordError {
    Record::decode(bytes).expect_err("the bytes are not a record")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The bytes of a batch of one change, with the bytes of an action in place of the change's own.
fn with_action(action: &[u8]) -> Vec<u8> {
    let (bytes, heartbeat) = (record_of(Action::Heartbeat).encode(), [0x81, 22]);
    [bytes.strip_suffix(&heartbeat).unwrap(), action].concat()
}

/// The bytes of an action with a text of these bytes.
fn with_text(number: u8, text: &[u8]) -> Vec<u8> {
    with_action(&[&[0x82, number, 0x59], &u16::try_from(text.len()).unwrap().to_be_bytes()[..], text].concat())
}

#[test]
fn record_of_each_action_is_read_as_it_was_written() {
    for (_, record) in named_records() {
        assert_round_trip(&record);
    }
}

#[test]
fn each_action_is_in_the_log_or_never() {
    let (logged, local) = (logged_actions(), local_actions());
    let variants: BTreeSet<_> = logged.iter().chain(&local).map(variant_of).collect();
    assert_eq!(variants, VARIANTS.iter().copied().collect(), "each variant has a sample");
    for action in local {
        let error = LoggedChange::new(Origin::SERVER, action.clone()).expect_err(variant_of(&action));
        assert!(matches!(error, NotLogged::Local(_)), "{error}");
    }
}

/// Other servers, and later ones, must be able to read what this one has written.
#[test]
fn bytes_of_records_stay_the_same() {
    let mut written = format!("version {FORMAT_VERSION}\n");
    for (name, record) in named_records() {
        let _ = writeln!(written, "{name} {}", hex(&record.encode()));
    }
    assert!(
        written == include_str!("golden.txt"),
        "The format differs from src/cluster/codec/golden.txt. If the layout of something has changed, increase \
         FORMAT_VERSION: servers that know the earlier one only must refuse such records. New numbers only add lines. \
         Then write this text to the file:\n{written}"
    );
}

#[test]
fn length_of_a_change_is_what_it_adds_to_a_record() {
    let empty = Record::Batch(Batch { run: 7, changes: vec![] }).encode();
    for action in logged_actions() {
        let record = record_of(action);
        let Record::Batch(Batch { changes, .. }) = &record else { unreachable!("it is a batch") };
        assert_eq!(empty.len() + changes[0].encoded_bytes(), record.encode().len(), "{changes:?}");
    }
}

#[test]
fn record_cut_at_any_byte_is_refused() {
    for (_, record) in named_records() {
        let bytes = record.encode();
        for length in 0..bytes.len() {
            assert!(Record::decode(&bytes[..length]).is_err(), "{record:?}, cut at {length}");
        }
        assert!(Record::decode(&[&bytes[..], &[0]].concat()).is_err(), "something follows {record:?}");
    }
}

/// With a changed bit, a record is refused, or is another valid one.
#[test]
fn record_with_a_changed_bit_never_panics() {
    for (_, record) in named_records() {
        let mut bytes = record.encode();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                bytes[at] ^= 1 << bit;
                if let Ok(other) = Record::decode(&bytes) {
                    assert!(other != record && other.encode() == bytes, "byte {at}, bit {bit}: {record:?}");
                }
                bytes[at] ^= 1 << bit;
            }
        }
    }
}

#[test]
fn unknown_version_is_named_whatever_follows() {
    let mut bytes = batch().encode();
    assert_eq!(bytes[1], 1, "the version");
    bytes[1] = 2;
    for bytes in [&bytes[..], &bytes[..2], &[0x81, 2], &[0x9a, 0xff, 0xff, 0xff, 0xff, 2]] {
        assert!(matches!(error_of(bytes), RecordError::UnknownVersion(2)), "{bytes:?}");
    }
    let expected = "cannot read a record of the log: it has version 2 of the format, and this server knows version 1";
    assert_eq!(error_of(&bytes).to_string(), expected);
}

#[test]
fn unknown_number_is_named() {
    let check = |bytes: &[u8], what, number| {
        let error = error_of(bytes);
        assert!(matches!(error, RecordError::UnknownNumber(w, n) if (w, n) == (what, number)), "{error}");
    };
    check(&with_action(&[0x81, 0x18, 24]), "action", 24);
    check(&with_action(&[0x85, 0x18, 99, 0, 0, 0, 0]), "action", 99);
    check(&with_action(&[0x83, 15, 0, 0x82, 7, 0]), "kind of change of an account", 7);
    check(&with_action(&[0x82, 17, 0x82, 7, 0]), "kind of moderation", 7);
    check(&with_action(&[&[0x82, 17, 0x84, 2, 0x63][..], b"ban", &[0xf6, 0x82, 3, 0]].concat()), "kind of target", 3);
    check(&[0x84, 1, 2, 0, 0x80], "kind of record", 2);
    let expected = "cannot read a record of the log: unknown action 24; this server knows version 1 of the format";
    assert_eq!(error_of(&with_action(&[0x81, 0x18, 24])).to_string(), expected);
}

/// Otherwise two servers could read different records from the same bytes, or keep different bytes for the same record.
#[test]
fn encoding_that_is_not_canonical_is_refused() {
    let check = |action: &[u8]| {
        let error = error_of(&with_action(action));
        assert!(matches!(error, RecordError::Invalid(_)), "{error}");
    };
    assert!(Record::decode(&with_action(&[0x82, 1, 0x63, b'a', b'n', b'n'])).is_ok());
    // Longer integers and lengths than needed; lengths at the end.
    check(&[0x82, 0x18, 1, 0x63, b'a', b'n', b'n']);
    check(&[0x98, 2, 1, 0x63, b'a', b'n', b'n']);
    check(&[0x82, 1, 0x78, 3, b'a', b'n', b'n']);
    check(&[0x9f, 1, 0x63, b'a', b'n', b'n', 0xff]);
    check(&[0x82, 1, 0x7f, 0x63, b'a', b'n', b'n', 0xff]);
    check(&[0x82, 2, 0x9f, 0xff]);
    // More or fewer values than the action has.
    check(&[0x82, 22, 0]);
    check(&[0x83, 1, 0x63, b'a', b'n', b'n', 0]);
    check(&[0x81, 1]);
    check(&[0x80]);
    // A nickname in full-width characters; a text with a tab; a stroke in capitals; a prefix that is an address.
    check(&[&[0x82, 1, 0x63][..], "ａ".as_bytes()].concat());
    check(&[&[0x83, 3, 0, 0x63][..], b"a\tb"].concat());
    check(&[&[0x83, 7, 0, 0x6d][..], b"#A0B1C2 5 1,2"].concat());
    check(&[&[0x82, 17, 0x84, 2, 0x63][..], b"ban", &[0xf6, 0x82, 2, 0x6c], b"192.0.2.7/32"].concat());
    // An array of another length around the change.
    let bytes = record_of(Action::Heartbeat).encode();
    assert!(Record::decode(&[&[0x85], &bytes[1..], &[0]].concat()).is_err());
}

#[test]
fn invalid_value_is_refused() {
    let check = |action: &[u8]| {
        let error = error_of(&with_action(action));
        assert!(matches!(error, RecordError::Invalid(_)), "{error}");
    };
    check(&[&[0x82, 1, 0x63][..], b"a b"].concat());
    check(&[&[0x82, 8, 0x63][..], b"ops"].concat());
    check(&[0x83, 3, 0, 0x61, b' ']);
    check(&[0x83, 3, 0, 0x61, 0xff]);
    check(&[&[0x82, 13, 0x65][..], b"bored"].concat());
    check(&[&[0x82, 10, 0x58, 31][..], &[7; 31]].concat());
    check(&[&[0x84, 16, 0xf6, 0xf4, 0xf6][..]].concat());
    check(&[0x84, 16, 0x83, 1, 2, 0, 0xf4, 0xf6]);
    check(&[&[0x82, 17, 0x83, 3, 0, 0x64][..], b"shut"].concat());
    // A mute is about a nickname; a ban of everybody.
    check(&[&[0x82, 17, 0x84, 2, 0x64][..], b"mute", &[0xf6, 0x82, 1, 0x63], b"bob"].concat());
    check(&[&[0x82, 17, 0x84, 2, 0x63][..], b"ban", &[0xf6, 0x82, 2, 0x69], b"0.0.0.0/0"].concat());
    // Numbers beyond their range.
    check(&[0x83, 3, 0x1b, 0, 0, 0, 1, 0, 0, 0, 0, 0xf6]);
    check(&[0x83, 15, 0, 0x84, 6, 1, 1, 0x1a, 0x7f, 0xff, 0xff, 0xff]);
    assert!(Record::decode(&with_text(20, &[b'x'; TOKEN_BYTES_MAX + 1])).is_err());
}

#[test]
fn lengths_are_limited() {
    let whisper = |count| Action::Whisper(vec![name("bob"); count], text("psst"));
    let join = |count| Action::Join(vec![room("#ops"); count]);
    for (longest, longer) in [
        (whisper(WHISPER_NAMES_MAX), whisper(WHISPER_NAMES_MAX + 1)),
        (join(ROOMS_PER_COMMAND_MAX), join(ROOMS_PER_COMMAND_MAX + 1)),
    ] {
        assert_round_trip(&record_of(longest));
        assert!(matches!(LoggedChange::new(Origin::SERVER, longer), Err(NotLogged::Unreadable(_))));
    }
    let rooms = [&[0x82, 2, 0x91][..], &b"\x64#ops".repeat(ROOMS_PER_COMMAND_MAX + 1)].concat();
    assert!(error_of(&with_action(&rooms)).to_string().contains("a list is too long"));
    let names = [&[0x83, 6, 0x98, 33][..], &b"\x63bob".repeat(WHISPER_NAMES_MAX + 1), b"\x61x"].concat();
    assert!(error_of(&with_action(&names)).to_string().contains("a list is too long"));
    assert_round_trip(&record_of(Action::Part(RoomId::LOBBY, Some(text(&"x".repeat(TEXT_BYTES_MAX))))));
}

/// A length is only a promise: nothing is reserved for it.
#[test]
fn length_without_values_is_refused() {
    const LONGEST: [u8; 8] = [0xff; 8];
    for begin in [&[0x84, 1, 1, 7, 0x9b][..], &[0x84, 1, 0, 0x9b], &with_action(&[0x82, 2, 0x9b])] {
        assert!(Record::decode(&[begin, &LONGEST].concat()).is_err(), "{begin:?}");
    }
    for begin in [&[0x82, 1, 0x7b][..], &[0x82, 10, 0x5b]] {
        assert!(Record::decode(&with_action(&[begin, &LONGEST].concat())).is_err(), "{begin:?}");
    }
}

/// A record that the nodes cannot read, or read as something else, would stop them or let their states differ.
#[test]
fn change_that_would_be_read_as_another_one_is_not_logged() {
    let sanction = |kind, target, duration| {
        let moderation = Moderation::Sanction { kind, room: None, target, duration, reason: None };
        LoggedChange::new(Origin::SERVER, Action::Moderate(moderation))
    };
    let (bob, mute) = (SanctionTarget::Name(name("bob")), SanctionKind::Mute);
    let duration = |ms| Some(std::time::Duration::from_millis(ms));
    assert!(sanction(mute, bob.clone(), duration(1_000)).is_ok());
    assert!(matches!(sanction(mute, bob, duration(1_500)), Err(NotLogged::Altered)));
    let connection = SanctionTarget::Connection(name("bob"));
    assert!(matches!(sanction(mute, connection, None), Err(NotLogged::Unreadable(_))));
}

/// Also the networks that cannot be banned.
#[test]
fn network_of_any_client_is_read_as_it_was_written() {
    let check = |address: IpAddr| {
        let network = Network::of_client(address);
        for network in [network, network.map(Network::of_customer)] {
            let origin = Origin { session: SessionId(1), member: MemberId(1), network };
            let change = LoggedChange::new(origin, Action::Heartbeat).unwrap();
            assert_round_trip(&Record::Batch(Batch { run: 1, changes: vec![change] }));
        }
    };
    for address in
        ["0.0.0.0", "255.255.255.255", "127.0.0.1", "::", "::2", "::ffff:192.0.2.1", "::192.0.2.1", "ff02::1"]
    {
        check(address.parse().unwrap());
    }
    arbtest::arbtest(|u| {
        let (v4, v6): ([u8; 4], [u8; 16]) = (u.arbitrary()?, u.arbitrary()?);
        check(v4.into());
        check(v6.into());
        Ok(())
    })
    .budget_ms(200);
}

#[test]
fn random_record_is_read_as_it_was_written() {
    arbtest::arbtest(|u| {
        assert_round_trip(&random::record(u)?);
        Ok(())
    })
    .size_max(20_000)
    .budget_ms(2_000);
}

#[test]
fn random_bytes_never_panic() {
    arbtest::arbtest(|u| {
        let mut bytes = if u.ratio(1, 4)? { Vec::new() } else { random::record(u)?.encode() };
        for _ in 0..u.int_in_range(0..=3)? {
            if !bytes.is_empty() {
                let at = u.choose_index(bytes.len())?;
                bytes[at] = u.arbitrary()?;
            }
        }
        bytes.truncate(u.arbitrary_len::<u8>()?);
        let count = u.arbitrary_len::<u8>()?;
        bytes.extend(u.bytes(count)?);
        if let Ok(record) = Record::decode(&bytes) {
            assert_eq!(record.encode(), bytes);
        }
        Ok(())
    })
    .size_max(20_000)
    .budget_ms(2_000);
}
