//! Decodes a terminal's bytes into keys. The decoder is incremental: a key may arrive in pieces. It has no clock; the caller ends an
//! incomplete sequence with [`KeyDecoder::end_sequence`].

use std::mem::take;

use crate::limits::KEY_PARAMETER_BYTES_MAX;

/// A key, or a character of a paste.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum Key {
    /// A typed character. Bytes that are not UTF-8 are U+FFFD.
    Char(char),
    /// A character of a bracketed paste; `\n` is a line break.
    Pasted(char),
    /// A letter or sign with Ctrl.
    Ctrl(char),
    /// A character with Alt, or after Esc.
    Alt(char),
    Enter,
    Tab,
    Backspace,
    Delete,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    WordLeft,
    WordRight,
    /// A key that the editor does not use.
    Other,
}

/// The position within a key sequence.
#[derive(Debug, Default, PartialEq, Eq)]
enum DecoderState {
    #[default]
    Ground,
    /// After Esc.
    Escape,
    /// After Esc and `[`: the parameters so far.
    Control(Vec<u8>),
    /// After Esc and `O` (single shift 3).
    Shift3,
}

/// Decodes a terminal's input.
#[derive(Debug, Default)]
pub(in crate::client) struct KeyDecoder {
    state: DecoderState,
    /// The first bytes of an incomplete character.
    partial: Vec<u8>,
    is_pasting: bool,
    /// Whether the last pasted character was a CR, so that a following LF belongs to it.
    after_return: bool,
}

impl KeyDecoder {
    /// The keys that `bytes` complete.
    pub(in crate::client) fn decode(&mut self, bytes: &[u8]) -> Vec<Key> {
        let mut keys = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            self.decode_byte(byte, &mut keys);
        }
        keys
    }

    /// Whether a key sequence is incomplete. Esc alone looks like the beginning of one.
    pub(in crate::client) fn is_in_sequence(&self) -> bool {
        self.state != DecoderState::Ground
    }

    /// Drops an incomplete key sequence: the bytes that follow are keys of their own.
    pub(in crate::client) fn end_sequence(&mut self) {
        self.state = DecoderState::Ground;
    }

    fn decode_byte(&mut self, byte: u8, keys: &mut Vec<Key>) {
        if self.partial.is_empty() && byte.is_ascii() {
            return keys.extend(self.decode_ascii(byte));
        }
        self.partial.push(byte);
        while !self.partial.is_empty() {
            let (character, length) = match str::from_utf8(&self.partial) {
                Ok(whole) => (whole.chars().next(), self.partial.len()),
                Err(error) => match error.error_len() {
                    Some(length) => (Some(char::REPLACEMENT_CHARACTER), length),
                    None => return,
                },
            };
            self.partial.drain(..length);
            keys.extend(character.and_then(|character| self.decode_character(character)));
        }
    }

    fn decode_character(&mut self, character: char) -> Option<Key> {
        if let Ok(byte) = u8::try_from(character)
            && byte.is_ascii()
        {
            return self.decode_ascii(byte);
        }
        Some(match take(&mut self.state) {
            _ if self.is_pasting => Key::Pasted(character),
            DecoderState::Escape => Key::Alt(character),
            _ => Key::Char(character),
        })
    }

    fn decode_ascii(&mut self, byte: u8) -> Option<Key> {
        match take(&mut self.state) {
            // Esc begins a new sequence, even within another one.
            _ if byte == 0x1b => {
                self.state = DecoderState::Escape;
                None
            }
            DecoderState::Escape if byte == b'[' => {
                self.state = DecoderState::Control(Vec::new());
                None
            }
            DecoderState::Escape if byte == b'O' && !self.is_pasting => {
                self.state = DecoderState::Shift3;
                None
            }
            DecoderState::Control(mut parameters) => match byte {
                // Function keys of the Linux console have a second bracket.
                b' '..=b'?' | b'[' if byte != b'[' || parameters.is_empty() => {
                    if parameters.len() < KEY_PARAMETER_BYTES_MAX {
                        parameters.push(byte);
                    }
                    self.state = DecoderState::Control(parameters);
                    None
                }
                b'@'..=b'~' => self.decode_control_sequence(&parameters, byte),
                _ => self.decode_ascii(byte),
            },
            DecoderState::Shift3 => {
                Some(if byte == b'M' { Key::Enter } else { cursor_key(byte).unwrap_or(Key::Other) })
            }
            DecoderState::Escape if !self.is_pasting => Some(Key::Alt(char::from(byte))),
            DecoderState::Ground | DecoderState::Escape => self.decode_plain(byte),
        }
    }

    /// The key of a complete sequence. Within a paste, only the sequence that ends the paste counts.
    fn decode_control_sequence(&mut self, parameters: &[u8], last: u8) -> Option<Key> {
        let mut numbers =
            parameters.split(|byte| *byte == b';').map(|number| str::from_utf8(number).unwrap_or_default());
        let (first, modifier) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
        if last == b'~' && ["200", "201"].contains(&first) {
            (self.is_pasting, self.after_return) = (first == "200", false);
            return None;
        }
        if self.is_pasting {
            return None;
        }
        Some(match (last, first) {
            (b'~', "1" | "7") => Key::Home,
            (b'~', "4" | "8") => Key::End,
            (b'~', "3") => Key::Delete,
            _ if parameters.starts_with(b"[") => Key::Other,
            _ => match (cursor_key(last).unwrap_or(Key::Other), modifier) {
                (Key::Left, "3" | "5") => Key::WordLeft,
                (Key::Right, "3" | "5") => Key::WordRight,
                (key, _) => key,
            },
        })
    }

    fn decode_plain(&mut self, byte: u8) -> Option<Key> {
        if self.is_pasting {
            let after_return = std::mem::replace(&mut self.after_return, byte == b'\r');
            return match byte {
                b'\n' if after_return => None,
                b'\r' | b'\n' => Some(Key::Pasted('\n')),
                _ => Some(Key::Pasted(char::from(byte))),
            };
        }
        Some(match byte {
            b'\r' | b'\n' => Key::Enter,
            b'\t' => Key::Tab,
            0x08 | 0x7f => Key::Backspace,
            b' '..=b'~' => Key::Char(char::from(byte)),
            _ => Key::Ctrl(char::from(byte | 0x40).to_ascii_lowercase()),
        })
    }
}

fn cursor_key(last: u8) -> Option<Key> {
    Some(match last {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'F' => Key::End,
        b'H' => Key::Home,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys of `bytes`. Checks that they do not depend on how the bytes are split.
    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut decoder = KeyDecoder::default();
        let whole = decoder.decode(bytes);
        let mut decoder = KeyDecoder::default();
        let split: Vec<_> = bytes.iter().flat_map(|byte| decoder.decode(&[*byte])).collect();
        assert_eq!(whole, split, "{bytes:?}");
        whole
    }

    #[test]
    fn key_decoder_knows_the_usual_sequences() {
        let check = |bytes: &[u8], expected: &[Key]| assert_eq!(keys(bytes), expected, "{bytes:?}");
        check(b"aZ ~", &['a', 'Z', ' ', '~'].map(Key::Char));
        check("é日👩".as_bytes(), &['é', '日', '👩'].map(Key::Char));
        check(b"\r\n\t\x7f\x08", &[Key::Enter, Key::Enter, Key::Tab, Key::Backspace, Key::Backspace]);
        check(b"\x01\x12\x1a\x1f\x00", &['a', 'r', 'z', '_', '@'].map(Key::Ctrl));
        check(b"\x1b[A\x1bOB\x1b[C\x1bOD", &[Key::Up, Key::Down, Key::Right, Key::Left]);
        check(b"\x1b[H\x1b[1~\x1b[7~\x1bOH", &[Key::Home; 4]);
        check(b"\x1b[F\x1b[4~\x1b[8~\x1bOF", &[Key::End; 4]);
        check(b"\x1b[3~", &[Key::Delete]);
        check(b"\x1b[1;5D\x1b[1;3C\x1b[1;2A", &[Key::WordLeft, Key::WordRight, Key::Up]);
        check("\x1bb\x1bé\x1b\x7f".as_bytes(), &['b', 'é', '\x7f'].map(Key::Alt));
        check(b"\x1b\x1b[Dx", &[Key::Left, Key::Char('x')]);
        check(b"\x1b[[Ax\x1b[15~x\x1b[99;99;99;99;99;99;99Rx\x1bOPx", &[Key::Other, Key::Char('x')].repeat(4));
    }

    #[test]
    fn key_decoder_replaces_bytes_that_are_not_utf8() {
        let check = |bytes: &[u8], expected: &str| {
            assert_eq!(keys(bytes), expected.chars().map(Key::Char).collect::<Vec<_>>(), "{bytes:?}");
        };
        check(b"caf\xe9 au lait", "caf\u{fffd} au lait");
        check(b"\xff\xc3\x28\xe6\x97x\xa9", "\u{fffd}\u{fffd}(\u{fffd}x\u{fffd}");
        check(b"\xf0\x9f\x91\xf0\x9f\x91\xa9", "\u{fffd}👩");
        // An incomplete character does not swallow the next key.
        assert_eq!(keys(b"\xc3\r\xe6\x1b[A"), [Key::Char('\u{fffd}'), Key::Enter, Key::Char('\u{fffd}'), Key::Up]);
        assert_eq!(keys(b"\xc3"), []);
    }

    #[test]
    fn key_decoder_reads_no_keys_in_a_paste() {
        let pasted = |text: &str| text.chars().map(Key::Pasted).collect::<Vec<_>>();
        assert_eq!(keys(b"\x1b[200~a\r\nb\nc\r\rd\x1b[201~"), pasted("a\nb\nc\n\nd"));
        assert_eq!(keys(b"\x1b[200~\x03\x04\x1a\t\xe9\x1bx\x1b[31m\x1bOA!\x1b[201~\x03"), {
            let mut keys = pasted("\x03\x04\x1a\t\u{fffd}xOA!");
            keys.push(Key::Ctrl('c'));
            keys
        });
    }

    #[test]
    fn key_decoder_drops_incomplete_sequence() {
        let mut decoder = KeyDecoder::default();
        assert_eq!(decoder.decode(b"\x1b"), []);
        assert!(decoder.is_in_sequence());
        decoder.end_sequence();
        assert_eq!(decoder.decode(b"[A"), ['[', 'A'].map(Key::Char));
    }
}
