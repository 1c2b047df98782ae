//! Tests of the decoder: each input whole, byte by byte, and split.

use super::*;

/// All outputs for input that arrives in these pieces, with the unfinished line at the end.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<DecoderOutput> {
    let mut decoder = LineDecoder::new();
    let mut all = Vec::new();
    for mut piece in pieces {
        while let Some(decoded) = decoder.next(&mut piece) {
            all.push(decoded);
        }
    }
    all.extend(std::iter::from_fn(|| decoder.finish()));
    all
}

fn line(text: &str) -> DecoderOutput {
    DecoderOutput::Line(Ok(text.to_owned()))
}

fn check(input: &[u8], expected: &[DecoderOutput]) {
    assert_eq!(decode([input]), expected, "{:?}", input.escape_ascii().to_string());
    assert_eq!(decode(input.chunks(1)), expected, "byte by byte: {:?}", input.escape_ascii().to_string());
}

#[test]
fn only_lf_crlf_and_cr_nul_end_a_line() {
    check(b"a\nb\r\nc\r\0d", &[line("a"), line("b"), line("c"), line("d")]);
    check(b"a\rb\n", &[line("a\rb")]);
    check(b"a\r\r\n", &[line("a\r")]);
    check(b"\n\r\n\r\0", &[line(""), line(""), line("")]);
    check(b"last\r", &[line("last")]);
    check(b"", &[]);
}

#[test]
fn first_line_decides_the_ending() {
    let ending = |mut input: &[u8]| {
        let mut decoder = LineDecoder::new();
        while decoder.next(&mut input).is_some() {}
        decoder.ending()
    };
    assert_eq!(ending(b"a"), None);
    assert_eq!(ending(b"a\nb\r\n"), Some(Ending::Lf));
    assert_eq!(ending(b"a\r\nb\n"), Some(Ending::CrLf));
    assert_eq!(ending(b"\r\0"), Some(Ending::CrLf));
}

#[test]
fn nul_outside_an_ending_is_ignored() {
    check(b"\0MSG hi\0\0 there\0\n", &[line("MSG hi there")]);
    check(b"\0\0\0", &[]);
    check(b"\0\n\0\r\n", &[line(""), line("")]);
    check(b"a\r\0\0b\0\r\0", &[line("a"), line("b")]);
    check(b"caf\xc3\0\xa9\n", &[line("café")]);
    let longest = "x".repeat(LINE_BYTES_MAX);
    check(format!("\0{longest}\0\n").as_bytes(), &[line(&longest)]);
}

#[test]
fn ayt_within_a_line_leaves_it_whole() {
    check(b"\xff\xf6", &[DecoderOutput::AreYouThere]);
    check(b"MSG ha\xff\xf6lf\n", &[DecoderOutput::AreYouThere, line("MSG half")]);
    check(b"a\r\xff\xf6\nb", &[DecoderOutput::AreYouThere, line("a"), line("b")]);
}

#[test]
fn byte_order_mark_is_dropped_at_the_start_only() {
    let mark = "\u{feff}";
    check(format!("{mark}NICK a\n{mark}x\n").as_bytes(), &[line("NICK a"), line("\u{feff}x")]);
    check(format!("{mark}\r\nNICK a\r\n").as_bytes(), &[line(""), line("NICK a")]);
    check(format!("{mark}{mark}a\n").as_bytes(), &[line("\u{feff}a")]);
    check(format!("\n{mark}a\n").as_bytes(), &[line(""), line("\u{feff}a")]);
    check(mark.as_bytes(), &[]);
    check(b"\xff\xfd\x03\0\xef\xbb\xbfhi\n", &[DecoderOutput::Telnet([255, 252, 3]), line("hi")]);
    check(b"\xef\xbb\n", &[DecoderOutput::Line(Err(LineError::NotUtf8(1)))]);
    check(b"\xef\xbb\xbfGET / HTTP/1.1\r\n", &[DecoderOutput::OtherProtocol(OtherProtocol::Http)]);
    let longest = "x".repeat(LINE_BYTES_MAX);
    check(format!("{mark}{longest}\n").as_bytes(), &[line(&longest)]);
    let mut decoder = LineDecoder::without_detection();
    assert_eq!(decoder.next(&mut "\u{feff}MSG hi\n".as_bytes()), Some(line("MSG hi")));
}

#[test]
fn utf16_is_an_error_in_every_visible_line() {
    let utf16 = DecoderOutput::Line(Err(LineError::Utf16));
    let encode = |text: &str, to_bytes: fn(u16) -> [u8; 2]| {
        format!("\u{feff}{text}").encode_utf16().flat_map(to_bytes).collect::<Vec<u8>>()
    };
    for to_bytes in [u16::to_le_bytes, u16::to_be_bytes] {
        check(&encode("NICK a\nMSG ж\n", to_bytes), &[utf16.clone(), utf16.clone()]);
        let blank = line("");
        let lines = [utf16.clone(), blank.clone(), utf16.clone(), blank];
        check(&encode("NICK a\r\nMSG hi\r\n", to_bytes), &lines);
    }
    // A telnet client that refuses an option and then sends a line.
    check(b"\xff\xfe\x01MSG hi\n", &[line("MSG hi")]);
    check(b"\xff\xfe\x01\0\0MSG hi\n", &[line("MSG hi")]);
}

/// Results of `input` followed by silence, then of `later`; and the line ending.
fn decode_after_silence(input: &[u8], later: &[u8]) -> (Vec<DecoderOutput>, Vec<DecoderOutput>, Option<Ending>) {
    let mut decoder = LineDecoder::new();
    let mut all_of = |mut input: &[u8], is_followed_by_silence: bool| {
        let mut all: Vec<_> = std::iter::from_fn(|| decoder.next(&mut input)).collect();
        if is_followed_by_silence && decoder.may_end_lines_at_cr() {
            decoder.end_lines_at_cr();
            all.extend(std::iter::from_fn(|| decoder.next(&mut &b""[..])));
        }
        all
    };
    let (before, after) = (all_of(input, true), all_of(later, false));
    (before, after, decoder.ending())
}

#[test]
fn cr_alone_ends_lines_before_silence() {
    let check = |input: &[u8], later: &[u8], before: &[DecoderOutput], after: &[DecoderOutput]| {
        let decoded = decode_after_silence(input, later);
        assert_eq!(decoded, (before.to_vec(), after.to_vec(), Some(Ending::CrLf)), "{}", input.escape_ascii());
    };
    check(b"NICK a\r", b"MSG hi\rMSG ho\r", &[line("NICK a")], &[line("MSG hi"), line("MSG ho")]);
    check(b"NICK a\rMSG b\r", b"c\r", &[line("NICK a"), line("MSG b")], &[line("c")]);
    check(b"\r\r", b"a\r", &[line(""), line("")], &[line("a")]);
    check(b"\xef\xbb\xbfNICK a\r", b"", &[line("NICK a")], &[]);
    check(b"caf\xc3\rb\r", b"", &[DecoderOutput::Line(Err(LineError::NotUtf8(4))), line("b")], &[]);
    let long = [&[b'x'; LINE_BYTES_MAX + 1][..], b"\r"].concat();
    check(&long, b"a\r", &[DecoderOutput::Line(Err(LineError::TooLong))], &[line("a")]);
    // A telnet client whose CR LF arrived in two packets, far apart; and a client that sends LF now and then.
    check(b"a\r", b"\nb\rc\r\nd\r", &[line("a")], &[line("b\rc")]);
    check(b"a\r", b"\0b\rc\r\0", &[line("a")], &[line("b\rc")]);
    check(b"a\r", b"b\nc\r", &[line("a")], &[line("b"), line("c")]);
}

#[test]
fn cr_alone_ends_lines_of_input_without_lf() {
    check(b"NICK a\rMSG hi\r", &[line("NICK a"), line("MSG hi")]);
    check(b"NICK a\rMSG hi", &[line("NICK a"), line("MSG hi")]);
    check(b"a\r\rb\r", &[line("a"), line(""), line("b")]);
    check(b"a\rGET / HTTP/1.1\r", &[DecoderOutput::OtherProtocol(OtherProtocol::Http)]);
}

/// Otherwise, a name or message that a program passes on could contain commands.
#[test]
fn cr_within_a_line_that_lf_ends_is_a_character() {
    check(b"NICK a\rMSG evil\n", &[line("NICK a\rMSG evil")]);
    check(b"NICK a\nMSG b\rQUIT\nMSG c\rQUIT", &[line("NICK a"), line("MSG b\rQUIT"), line("MSG c\rQUIT")]);
    for input in [&b"NICK a\nMSG b\r"[..], b"NICK a\r\nMSG b\r", b"NICK a\r\0MSG b\r", b"NICK a", b"a\r\xff"] {
        let mut decoder = LineDecoder::new();
        let mut rest = input;
        while decoder.next(&mut rest).is_some() {}
        assert!(!decoder.may_end_lines_at_cr(), "{}", input.escape_ascii());
    }
    let mut web = LineDecoder::for_messages();
    assert_eq!(web.next(&mut &b"NICK a\r"[..]), None);
    assert!(!web.may_end_lines_at_cr());
    assert_eq!(web.next(&mut &[END_OF_MESSAGE][..]), Some(line("NICK a")));
}

/// Results of messages, and the line ending, however the input is cut.
fn decode_messages(messages: &[&str]) -> (Vec<DecoderOutput>, Option<Ending>) {
    let input: Vec<u8> = messages.iter().flat_map(|message| message.bytes().chain([END_OF_MESSAGE])).collect();
    let decode = |pieces: &[&[u8]]| {
        let mut decoder = LineDecoder::for_messages();
        let mut all = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            all.extend(std::iter::from_fn(|| decoder.next(&mut rest)));
        }
        assert_eq!(decoder.finish(), None);
        (all, decoder.ending())
    };
    let whole = decode(&[&input]);
    for at in 0..input.len() {
        assert_eq!(decode(&[&input[..at], &input[at..]]), whole, "{messages:?} cut at {at}");
    }
    whole
}

#[test]
fn end_of_message_ends_a_line_that_has_no_ending() {
    let check = |messages: &[&str], lines: &[DecoderOutput], ending: Option<Ending>| {
        assert_eq!(decode_messages(messages), (lines.to_vec(), ending), "{messages:?}");
    };
    check(&["NICK a", "", "MSG b"], &[line("NICK a"), line("MSG b")], None);
    check(&["NICK a\nMSG b\n"], &[line("NICK a"), line("MSG b")], Some(Ending::Lf));
    check(&["NICK a\r\nMSG b", "MSG c"], &[line("NICK a"), line("MSG b"), line("MSG c")], Some(Ending::CrLf));
    check(&["NICK a\r", "\nMSG b"], &[line("NICK a"), line(""), line("MSG b")], Some(Ending::Lf));
    check(&["\0", "\u{feff}PING \0a"], &[line("PING a")], None);
    check(&["PINg\u{8}G a"], &[line("PING a")], None);
    check(&[&"x".repeat(LINE_BYTES_MAX + 1), "a"], &[DecoderOutput::Line(Err(LineError::TooLong)), line("a")], None);
    check(&["GET / HTTP/1.1\r\n"], &[line("GET / HTTP/1.1")], Some(Ending::CrLf));
}

#[test]
fn message_without_end_at_end_of_input_is_discarded() {
    let mut decoder = LineDecoder::for_messages();
    let mut rest = &b"PING whole\nPING ha"[..];
    assert_eq!(decoder.next(&mut rest), Some(line("PING whole")));
    assert_eq!((decoder.next(&mut rest), decoder.finish()), (None, None));
}

#[test]
fn telnet_sequences_are_removed_and_options_refused_once() {
    check(b"he\xff\xf1llo\n", &[line("hello")]);
    check(b"\xff\xfd\x03hi\n", &[DecoderOutput::Telnet([255, 252, 3]), line("hi")]);
    check(b"\xff\xfb\x1f\xff\xfb\x1f\n", &[DecoderOutput::Telnet([255, 254, 31]), line("")]);
    check(b"\xff\xfc\x03\xff\xfe\x03x\n", &[line("x")]);
    check(b"a\xff\xfa\x1f\0P\0\x18\xff\xf0b\n", &[line("ab")]);
    check(b"a\xff\xfa\xff\xff\xf0\xff\xf0b\n", &[line("ab")]);
    check(b"\xff\xfd\x06\xff\xfd\x06", &[DecoderOutput::Telnet([255, 252, 6]), DecoderOutput::Telnet([255, 252, 6])]);
    check(b"a\r\xff\xf1\nb", &[line("a"), line("b")]);
}

#[test]
fn doubled_iac_is_data_and_not_utf8() {
    check(b"ab\xff\xff\n", &[DecoderOutput::Line(Err(LineError::NotUtf8(3)))]);
}

#[test]
fn endless_subnegotiation_ends_at_its_limit() {
    let mut input = b"\xff\xfa".to_vec();
    input.extend([b'x'; SUBNEGOTIATION_BYTES_MAX]);
    input.extend(b"MSG hi\n");
    check(&input, &[line("MSG hi")]);
}

#[test]
fn editing_keys_edit_whole_characters() {
    check(b"helo\x08lo\n", &[line("hello")]);
    check(b"helo\x7flo\n", &[line("hello")]);
    check(b"helo\xff\xf7lo\n", &[line("hello")]);
    check("caf\u{e9}\x08e\n".as_bytes(), &[line("cafe")]);
    check("ok 😀\x7f\n".as_bytes(), &[line("ok ")]);
    check(b"\x08\x08a\n", &[line("a")]);
    check(b"oops\xff\xf8fine\n", &[line("fine")]);
    check(b"one\r\xff\xf7two\n", &[line("onetwo")]);
    check(b"one\r\x08two\n", &[line("onetwo")]);
}

#[test]
fn line_after_a_too_long_one_is_whole() {
    let longest = "x".repeat(LINE_BYTES_MAX);
    check(format!("{longest}\n").as_bytes(), &[line(&longest)]);
    let too_long = DecoderOutput::Line(Err(LineError::TooLong));
    check(format!("{longest}y\nnext\n").as_bytes(), &[too_long.clone(), line("next")]);
    check("z".repeat(100_000).as_bytes(), std::slice::from_ref(&too_long));
}

/// No CR in it ends a line: it could be one line with a long text of another user, and LF could follow.
#[test]
fn too_long_input_with_cr_alone_is_one_error_about_cr() {
    let with_cr = DecoderOutput::Line(Err(LineError::TooLongWithCr));
    let lines = format!("NICK a\r{}", "MSG hello\r".repeat(LINE_BYTES_MAX / 10 + 1));
    let name = format!("NICK {}\rMSG evil", "x".repeat(LINE_BYTES_MAX));
    for input in [&lines, &name, &format!("{lines}MSG last"), &format!("{name}\r")] {
        check(input.as_bytes(), std::slice::from_ref(&with_cr));
        check(format!("{input}\nMSG b\r\n").as_bytes(), &[with_cr.clone(), line("MSG b")]);
        let whole = decode([input.as_bytes()]);
        // Around the first CR and around the limit; `check` has split it everywhere at once.
        for at in (0..64).chain(LINE_BYTES_MAX - 64..=input.len()) {
            let (left, right) = input.as_bytes().split_at(at);
            assert_eq!(decode([left, right]), whole, "split at {at}");
        }
    }
    // The client waits after a line, as the error advises.
    let (before, after, _) = decode_after_silence(lines.as_bytes(), b"NICK a\rMSG b\r");
    assert_eq!((before, after), (vec![with_cr], vec![line("NICK a"), line("MSG b")]));
    // CR is not the cause where it ends the only line, or where other lines have ended with LF.
    let too_long = DecoderOutput::Line(Err(LineError::TooLong));
    check(format!("{}\r", "x".repeat(LINE_BYTES_MAX + 1)).as_bytes(), std::slice::from_ref(&too_long));
    check(format!("NICK a\n{lines}\n").as_bytes(), &[line("NICK a"), too_long]);
    let erased = [lines.as_bytes(), &[IAC, EL], b"x".repeat(LINE_BYTES_MAX + 1).as_slice(), b"\n"].concat();
    check(&erased, &[DecoderOutput::Line(Err(LineError::TooLong))]);
}

#[test]
fn http_request_is_detected_in_any_form() {
    let http = DecoderOutput::OtherProtocol(OtherProtocol::Http);
    check(b"GET / HTTP/1.1\r\nHost: x\r\n", std::slice::from_ref(&http));
    check(b"\r\n \nPOST / HTTP/1.1\nNICK a\n", &[line(""), line(" "), http.clone()]);
    check(b"BREW /caf\xe9 HTTP/1.1\n", std::slice::from_ref(&http));
    check(b"GET / HTTP/1.0", std::slice::from_ref(&http));
    let long = format!("POST /{} HTTP/1.1\r\n", "x".repeat(100_000));
    check(long.as_bytes(), std::slice::from_ref(&http));
    check(b"GET /\xff HTTP/1.1\n", std::slice::from_ref(&http));
    check(&[b"GET /\xff\xfa HTTP/1.1", &[b'x'; 2000][..]].concat(), std::slice::from_ref(&http));
    check(b"GET / HTTP/1.1\xff\xf8\n", std::slice::from_ref(&http));
    check("\u{3000}\n\x0b\nPOST / HTTP/1.1\n".as_bytes(), &[line("\u{3000}"), line("\x0b"), http]);
    check(b"NICK a\nMSG a HTTP/1.1\n", &[line("NICK a"), line("MSG a HTTP/1.1")]);
}

#[test]
fn tls_handshake_is_detected_before_a_line_ends() {
    let seen = |mut bytes: &[u8]| LineDecoder::new().next(&mut bytes);
    assert_eq!(seen(&[22, 3, 1, 2, 0, 1]), Some(DecoderOutput::OtherProtocol(OtherProtocol::Tls)));
    assert_eq!(seen(&[22, 3]), Some(DecoderOutput::OtherProtocol(OtherProtocol::Tls)));
    assert_eq!(seen(b"\x16\x03\x01\x00\n"), Some(DecoderOutput::OtherProtocol(OtherProtocol::Tls)));
    assert_eq!(seen(&[22]), None);
    check(b"\x16\x03\x08\x08MSG hi\n", &[DecoderOutput::OtherProtocol(OtherProtocol::Tls)]);
    check(b"hi\n\x16\x03\n", &[line("hi"), line("\x16\x03")]);
    check(&[b"\x16\x03", &[b'x'; LINE_BYTES_MAX][..]].concat(), &[DecoderOutput::OtherProtocol(OtherProtocol::Tls)]);
    check(b"x\x16\x03\n", &[line("x\x16\x03")]);
}

#[test]
fn half_a_character_is_a_utf8_error() {
    check(b"caf\xc3\nnext\n", &[DecoderOutput::Line(Err(LineError::NotUtf8(4))), line("next")]);
}

/// The outputs do not depend on where the input is split.
#[test]
fn result_is_the_same_at_every_split() {
    arbtest::arbtest(|u| {
        let alphabet = b"\n\r\0\x08\x7f\xff\xfa\xf0\xf6\xfb\xfd\xfe\x03abMSG \xc3\xa9\xef\xbb\xbf\x16";
        let input: Vec<u8> =
            (0..u.int_in_range(0..=40)?).map(|_| u.choose(alphabet).copied()).collect::<Result<_, _>>()?;
        let whole = decode([&input[..]]);
        for at in 0..=input.len() {
            let (left, right) = input.split_at(at);
            assert_eq!(decode([left, right]), whole, "split at {at}: {:?}", input.escape_ascii().to_string());
        }
        assert_eq!(decode(input.chunks(1)), whole, "byte by byte: {:?}", input.escape_ascii().to_string());
        Ok(())
    });
}
