//! Writes and reads the accounts, and the names that rest.

use minicbor::decode::{Decoder, Error};
use minicbor::encode::{Encoder, Write};

use super::read::{expect_array, parse_with, read_array_length, read_name, read_optional, read_verifier};
use super::{ReadResult, WriteResult};
use crate::protocol::{AccountId, AccountTokenId, Day, PasswordHash, Role, Text, Timestamp, TokenLabel};
use crate::state::{Account, AccountToken, Accounts, Login, LoginProof, RestingName};

/// The kinds of proof of a login.
const BY_PASSWORD: u8 = 0;
const BY_TOKEN: u8 = 1;

pub(super) fn write_accounts<W: Write<Error = std::convert::Infallible>>(
    e: &mut Encoder<W>,
    accounts: &Accounts,
) -> WriteResult {
    e.array(3)?.u32(accounts.last_id().0)?.array(accounts.len() as u64)?;
    for Account { id, name, password, generation, role, created_at, last_token, tokens } in accounts.iter() {
        e.array(8)?.u32(id.0)?.str(name.as_str())?.str(password.as_str())?.u32(*generation)?;
        e.str(role.as_str())?.i64(created_at.0)?.u32(last_token.0)?.array(tokens.len() as u64)?;
        for AccountToken { id, verifier, label, created_at, expires_at, last_used_on } in tokens {
            e.array(6)?
                .u32(id.0)?
                .bytes(verifier.as_bytes())?
                .str(label.as_str())?
                .i64(created_at.0)?
                .i64(expires_at.0)?;
            match last_used_on {
                Some(day) => e.i32(day.number())?,
                None => e.null()?,
            };
        }
    }
    e.array(accounts.resting().len() as u64)?;
    for RestingName { name, until } in accounts.resting() {
        e.array(2)?.str(name.as_str())?.i64(until.0)?;
    }
    Ok(())
}

pub(super) fn read_accounts(d: &mut Decoder<'_>) -> ReadResult<Accounts> {
    expect_array(d, 3)?;
    let (mut accounts, last) = (Accounts::default(), AccountId(d.u32()?));
    for _ in 0..read_array_length(d)? {
        let account = read_account(d)?;
        if account.id > last || !accounts.insert(account) {
            return Err(Error::message("two accounts share a number or a name"));
        }
    }
    accounts.skip_to(last);
    for _ in 0..read_array_length(d)? {
        expect_array(d, 2)?;
        let resting = RestingName { name: read_name(d)?, until: Timestamp(d.i64()?) };
        if accounts.find_colliding(&resting.name).is_some() || !accounts.rest(resting) {
            return Err(Error::message("a name that rests is used"));
        }
    }
    Ok(accounts)
}

fn read_account(d: &mut Decoder<'_>) -> ReadResult<Account> {
    expect_array(d, 8)?;
    let (id, name) = (AccountId(d.u32()?), read_name(d)?);
    let password = read_password_hash(d)?;
    let (generation, role) = (d.u32()?, parse_with(d.str()?, Role::parse)?);
    let (created_at, last_token) = (Timestamp(d.i64()?), AccountTokenId(d.u32()?));
    let tokens = (0..read_array_length(d)?).map(|_| read_token(d)).collect::<ReadResult<Vec<_>>>()?;
    let is_rising = tokens.is_sorted_by(|before, next| before.id < next.id);
    if !is_rising
        || tokens.first().is_some_and(|first| first.id.0 == 0)
        || tokens.last().is_some_and(|last| last.id > last_token)
    {
        return Err(Error::message("the numbers of access tokens are out of order"));
    }
    Ok(Account { id, name, password, generation, role, created_at, last_token, tokens })
}

fn read_token(d: &mut Decoder<'_>) -> ReadResult<AccountToken> {
    expect_array(d, 6)?;
    let (id, verifier) = (AccountTokenId(d.u32()?), read_verifier(d)?);
    let label = read_token_label(d)?;
    let (created_at, expires_at) = (Timestamp(d.i64()?), Timestamp(d.i64()?));
    let last_used_on = read_optional(d, read_day)?;
    Ok(AccountToken { id, verifier, label, created_at, expires_at, last_used_on })
}

pub(crate) fn read_password_hash(d: &mut Decoder<'_>) -> ReadResult<PasswordHash> {
    parse_with(d.str()?, |phc| PasswordHash::new(phc).ok())
}

pub(crate) fn read_token_label(d: &mut Decoder<'_>) -> ReadResult<TokenLabel> {
    parse_with(d.str()?, |label| TokenLabel::new(Text::new(label).ok()?).ok())
}

pub(crate) fn read_day(d: &mut Decoder<'_>) -> ReadResult<Day> {
    Day::from_number(d.i32()?).ok_or_else(|| Error::message("a day is not valid"))
}

pub(crate) fn write_login<W: Write<Error = std::convert::Infallible>>(
    e: &mut Encoder<W>,
    login: Option<Login>,
) -> WriteResult {
    let Some(Login { account, proof }) = login else {
        e.null()?;
        return Ok(());
    };
    e.array(3)?.u32(account.0)?;
    match proof {
        LoginProof::Password { generation } => e.u8(BY_PASSWORD)?.u32(generation)?,
        LoginProof::Token(token) => e.u8(BY_TOKEN)?.u32(token.0)?,
    };
    Ok(())
}

pub(crate) fn read_login(d: &mut Decoder<'_>) -> ReadResult<Option<Login>> {
    read_optional(d, |d| {
        expect_array(d, 3)?;
        let account = AccountId(d.u32()?);
        let proof = match (d.u8()?, d.u32()?) {
            (BY_PASSWORD, generation) => LoginProof::Password { generation },
            (BY_TOKEN, token) => LoginProof::Token(AccountTokenId(token)),
            _ => return Err(Error::message("a login has another kind of proof")),
        };
        Ok(Login { account, proof })
    })
}
