//! Hashes passwords with argon2id (RFC 9106): the server in the threads of `password_pool`, `chinwagd account` in its own process. The form of a hash is that of the PHC, which names the parameters.

use argon2::password_hash::{Output, ParamsString, PasswordHash as PhcString, Salt, SaltString};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};

use crate::limits::{HASH_ALLOCATION_BYTES, HASH_LANES, HASH_MEMORY_KIB, HASH_PASSES};
use crate::protocol::{AccountPassword, PasswordHash};

/// A hash with the parameters of all hashes, in the form in which they are stored, for accounts that do not exist. No password is known
/// that has it.
const HASH_OF_NO_PASSWORD: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Bytes of a hash.
const HASH_BYTES: usize = 32;

/// Hashes a password with a new salt. `None`: the system has no random bits.
pub fn hash_password(password: &AccountPassword) -> Option<PasswordHash> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).ok()?;
    let salt = SaltString::encode_b64(&random).ok()?;
    let parameters = Params::new(HASH_MEMORY_KIB, HASH_PASSES, HASH_LANES, Some(HASH_BYTES)).ok()?;
    let params = ParamsString::try_from(&parameters).ok()?;
    let hash = compute(password, salt.as_salt(), parameters)?;
    let (algorithm, version) = (ARGON2ID_IDENT, Some(Version::V0x13.into()));
    let phc = PhcString { algorithm, version, params, salt: Some(salt.as_salt()), hash: Some(hash) };
    PasswordHash::new(&phc.to_string()).ok()
}

/// Whether a password has this hash, by the parameters of the hash. Takes the same time without a hash, or with a damaged one.
pub(super) fn check_password(password: &AccountPassword, hash: Option<&PasswordHash>) -> bool {
    let computed = hash.and_then(|hash| compare(password, hash.as_str()));
    computed.unwrap_or_else(|| {
        // Its result does not matter.
        let _ = compare(password, HASH_OF_NO_PASSWORD);
        false
    })
}

/// `None`: the text is not a hash of this program.
fn compare(password: &AccountPassword, hash: &str) -> Option<bool> {
    let phc = PhcString::new(hash).ok()?;
    let is_known = phc.algorithm == ARGON2ID_IDENT && phc.version == Some(Version::V0x13.into());
    let (parameters, salt, stored) = (Params::try_from(&phc).ok().filter(|_| is_known)?, phc.salt?, phc.hash?);
    // The comparison takes constant time.
    Some(compute(password, salt, parameters)? == stored)
}

fn compute(password: &AccountPassword, salt: Salt<'_>, parameters: Params) -> Option<Output> {
    let (mut salt_bytes, mut hash) = ([0; Salt::MAX_LENGTH], [0; HASH_BYTES]);
    let salt = salt.decode_b64(&mut salt_bytes).ok()?;
    let mut blocks = allocate(parameters.block_count())?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters);
    argon2.hash_password_into_with_memory(password.as_bytes(), salt, &mut hash, &mut blocks).ok()?;
    Output::new(&hash).ok()
}

/// Memory for this number of blocks. `None`: a hash of this program needs fewer.
///
/// The allocation is larger than that, because glibc gives only a large one back to the system when it is freed. It kept smaller ones,
/// one after the other: 30 logins left 200 MiB. Only the part that is used is resident.
fn allocate(count: usize) -> Option<Vec<Block>> {
    let most = HASH_ALLOCATION_BYTES / Block::SIZE;
    let mut blocks = Vec::with_capacity(most);
    (count <= most).then(|| {
        blocks.resize(count, Block::default());
        blocks
    })
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
        let hashes = [(); 2].map(|()| hash_password(&password("hunter22")).unwrap());
        assert_ne!(hashes[0], hashes[1]);
        let [salt, other] = hashes.each_ref().map(|hash| {
            let fields: Vec<_> = hash.as_str().split('$').collect();
            assert_eq!(fields[..4], ["", "argon2id", "v=19", "m=19456,t=2,p=1"], "{fields:?}");
            assert_eq!((fields[4].len(), fields[5].len(), fields.len()), (22, 43, 6), "128 and 256 bits");
            fields[4]
        });
        assert_ne!(salt, other);
        for hash in &hashes {
            assert!(check_password(&password("hunter22"), Some(hash)));
            assert!(!check_password(&password("hunter23"), Some(hash)));
        }
    }

    /// Of an earlier version of this program, or after a change of its parameters.
    #[test]
    fn hash_with_other_parameters_is_checked_by_its_own() {
        let reference =
            Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, Some(HASH_BYTES)).unwrap());
        let mut bytes = [0; HASH_BYTES];
        reference.hash_password_into(b"hunter22", b"saltsalt", &mut bytes).unwrap();
        let output = Output::new(&bytes).unwrap();
        let hash = PasswordHash::new(&format!("$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ${output}")).unwrap();
        assert!(check_password(&password("hunter22"), Some(&hash)));
        assert!(!check_password(&password("hunter23"), Some(&hash)));
    }

    /// Without an account, the same work is done: a hash with the same parameters.
    #[test]
    fn password_of_no_account_is_compared_with_a_hash_of_the_same_cost() {
        let real = hash_password(&password("hunter22")).unwrap().as_str().to_owned();
        let cost = |hash: &str| hash.split('$').map(|field| (field.len(), field.starts_with("m="))).collect::<Vec<_>>();
        assert_eq!(cost(HASH_OF_NO_PASSWORD), cost(&real));
        assert_eq!(HASH_OF_NO_PASSWORD.split('$').nth(3), real.split('$').nth(3));
        assert!(!check_password(&password("hunter22"), None));
    }

    /// Otherwise `chinwagd account` could not set passwords.
    #[test]
    fn control_socket_accepts_new_hashes() {
        for hash in [hash_password(&password("hunter22")).unwrap().as_str(), HASH_OF_NO_PASSWORD] {
            let request = format!("account password ann {hash}");
            assert_eq!(request.parse::<ControlRequest>().unwrap().to_string(), request);
        }
    }

    /// Also one that would take all memory of the machine.
    #[test]
    fn damaged_hash_is_no_right_password() {
        for hash in [
            "$unusable",
            "$argon2id$",
            "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2i$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=4000000000,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert_eq!(compare(&password("hunter22"), hash), None, "{hash}");
            assert!(!check_password(&password("hunter22"), Some(&PasswordHash::new(hash).unwrap())), "{hash}");
        }
    }
}
