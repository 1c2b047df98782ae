//! The hashes of passwords of accounts: argon2id. The server makes them in the threads of `password_pool`, `chinwagd account` in its own
//! process.
//!
//! A check takes the same time whether the account exists or not: without one, the password is compared with a hash that no password has.

use argon2::password_hash::{
    Error as HashError, PasswordHash as PhcString, PasswordHasher as _, PasswordVerifier as _, SaltString,
};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::limits::{HASH_LANES, HASH_MEMORY_KIB, HASH_PASSES};
use crate::protocol::{AccountPassword, PasswordHash};
use crate::session::PasswordOutcome;

/// A hash with the parameters of all hashes, in the form in which they are stored, for accounts that do not exist. No password is known
/// that has it.
const HASH_OF_NO_PASSWORD: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes a password with a new salt. `None`: the system has no random bits, or no memory.
pub fn hash_password(password: &AccountPassword) -> Option<PasswordHash> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).ok()?;
    let salt = SaltString::encode_b64(&random).ok()?;
    let hash = argon2()?.hash_password(password.as_bytes(), &salt).ok()?;
    PasswordHash::new(&hash.to_string()).ok()
}

/// Compares a password with a hash, by the parameters of the hash.
pub(super) fn check_password(password: &AccountPassword, hash: Option<&str>) -> PasswordOutcome {
    let Some(argon2) = argon2() else { return PasswordOutcome::Failed };
    let hash = PhcString::new(hash.unwrap_or(HASH_OF_NO_PASSWORD));
    match hash.and_then(|hash| argon2.verify_password(password.as_bytes(), &hash)) {
        Ok(()) => PasswordOutcome::Right,
        Err(HashError::Password) => PasswordOutcome::Wrong,
        Err(_) => PasswordOutcome::Failed,
    }
}

/// argon2id with the parameters of new hashes.
fn argon2() -> Option<Argon2<'static>> {
    let parameters = Params::new(HASH_MEMORY_KIB, HASH_PASSES, HASH_LANES, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::ControlRequest;

    fn password(raw: &str) -> AccountPassword {
        AccountPassword::new(raw).unwrap()
    }

    #[test]
    fn hash_states_its_parameters_and_has_its_own_salt() {
        let hashes = [(); 2].map(|()| hash_password(&password("hunter22")).unwrap().as_str().to_owned());
        assert_ne!(hashes[0], hashes[1]);
        let [salt, other] = hashes.each_ref().map(|hash| {
            let fields: Vec<_> = hash.split('$').collect();
            assert_eq!(fields[..4], ["", "argon2id", "v=19", "m=19456,t=2,p=1"], "{hash}");
            assert_eq!((fields[4].len(), fields[5].len(), fields.len()), (22, 43, 6), "128 and 256 bits");
            fields[4]
        });
        assert_ne!(salt, other);
        for hash in &hashes {
            assert!(matches!(check_password(&password("hunter22"), Some(hash)), PasswordOutcome::Right));
            assert!(matches!(check_password(&password("hunter23"), Some(hash)), PasswordOutcome::Wrong));
        }
    }

    /// Without an account, the same work is done: a hash with the same parameters.
    #[test]
    fn password_of_no_account_is_compared_with_a_hash_of_the_same_cost() {
        let real = hash_password(&password("hunter22")).unwrap().as_str().to_owned();
        let cost = |hash: &str| hash.split('$').map(|field| (field.len(), field.starts_with("m="))).collect::<Vec<_>>();
        assert_eq!(cost(HASH_OF_NO_PASSWORD), cost(&real));
        assert_eq!(HASH_OF_NO_PASSWORD.split('$').nth(3), real.split('$').nth(3));
        assert!(matches!(check_password(&password("hunter22"), None), PasswordOutcome::Wrong));
    }

    /// Otherwise `chinwagd account` could not set passwords.
    #[test]
    fn control_socket_accepts_new_hashes() {
        for hash in [hash_password(&password("hunter22")).unwrap().as_str(), HASH_OF_NO_PASSWORD] {
            let request = format!("account password ann {hash}");
            assert_eq!(request.parse::<ControlRequest>().unwrap().to_string(), request);
        }
    }

    #[test]
    fn damaged_hash_is_no_right_password() {
        for hash in ["", "hunter22", "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA", "$argon2id$"] {
            assert!(!matches!(check_password(&password("hunter22"), Some(hash)), PasswordOutcome::Right), "{hash}");
        }
    }
}
