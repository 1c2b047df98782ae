//! Writes and reads the values of actions about accounts.

use minicbor::decode::{self, Decoder};
use minicbor::encode::Encoder;

use super::ReadResult;
use super::values::{
    Kind, Sink, WriteResult, read_account, read_number, write_kind, write_optional_number, write_optional_verifier,
};
use crate::protocol::{AccountTokenId, Role, Timestamp};
use crate::state::snapshot::values::{
    parse_with, read_day, read_login, read_name, read_optional, read_password_hash, read_token_label, read_verifier,
    write_login,
};
use crate::state::{AccountChange, AccountUpdate, Login, LoginRequest};

/// The kinds of changes of accounts.
const CREATE: u64 = 0;
const SET_PASSWORD: u64 = 1;
const SET_ROLE: u64 = 2;
const DELETE: u64 = 3;
const CREATE_TOKEN: u64 = 4;
const REVOKE_TOKEN: u64 = 5;
const RECORD_TOKEN_USE: u64 = 6;

/// Two values.
pub(super) fn write_account_change<W: Sink>(
    e: &mut Encoder<W>,
    AccountChange { at, update }: &AccountChange,
) -> WriteResult {
    e.i64(at.0)?;
    match update {
        AccountUpdate::Create { name, password, ends_rest } => {
            write_kind(e, CREATE, 3)?;
            e.str(name.as_str())?.str(password.as_str())?.bool(*ends_rest)?;
        }
        AccountUpdate::SetPassword { account, generation, password } => {
            write_kind(e, SET_PASSWORD, 3)?;
            e.u32(account.0)?;
            write_optional_number(e, *generation)?;
            e.str(password.as_str())?;
        }
        AccountUpdate::SetRole { account, role } => {
            write_kind(e, SET_ROLE, 2)?;
            e.u32(account.0)?.str(role.as_str())?;
        }
        AccountUpdate::Delete { account, generation } => {
            write_kind(e, DELETE, 2)?;
            e.u32(account.0)?;
            write_optional_number(e, *generation)?;
        }
        AccountUpdate::CreateToken { account, generation, verifier, label, expires_at } => {
            write_kind(e, CREATE_TOKEN, 5)?;
            e.u32(account.0)?;
            write_optional_number(e, *generation)?;
            e.bytes(verifier.as_bytes())?.str(label.as_str())?.i64(expires_at.0)?;
        }
        AccountUpdate::RevokeToken { account, generation, token } => {
            write_kind(e, REVOKE_TOKEN, 3)?;
            e.u32(account.0)?;
            write_optional_number(e, *generation)?;
            e.u32(token.0)?;
        }
        AccountUpdate::RecordTokenUse { account, token, on } => {
            write_kind(e, RECORD_TOKEN_USE, 3)?;
            e.u32(account.0)?.u32(token.0)?.i32(on.number())?;
        }
    }
    Ok(())
}

pub(super) fn read_account_change(d: &mut Decoder<'_>) -> ReadResult<AccountChange> {
    Ok(AccountChange { at: Timestamp(d.i64()?), update: read_update(d)? })
}

fn read_update(d: &mut Decoder<'_>) -> ReadResult<AccountUpdate> {
    let kind = Kind::read(d, "kind of change of an account")?;
    Ok(match kind.number {
        CREATE => {
            kind.expect_values(3)?;
            AccountUpdate::Create { name: read_name(d)?, password: read_password_hash(d)?, ends_rest: d.bool()? }
        }
        SET_PASSWORD => {
            kind.expect_values(3)?;
            let (account, generation) = (read_account(d)?, read_optional(d, read_number)?);
            AccountUpdate::SetPassword { account, generation, password: read_password_hash(d)? }
        }
        SET_ROLE => {
            kind.expect_values(2)?;
            AccountUpdate::SetRole { account: read_account(d)?, role: parse_with(d.str()?, Role::parse)? }
        }
        DELETE => {
            kind.expect_values(2)?;
            AccountUpdate::Delete { account: read_account(d)?, generation: read_optional(d, read_number)? }
        }
        CREATE_TOKEN => {
            kind.expect_values(5)?;
            let (account, generation) = (read_account(d)?, read_optional(d, read_number)?);
            let (verifier, label) = (read_verifier(d)?, read_token_label(d)?);
            AccountUpdate::CreateToken { account, generation, verifier, label, expires_at: Timestamp(d.i64()?) }
        }
        REVOKE_TOKEN => {
            kind.expect_values(3)?;
            let (account, generation) = (read_account(d)?, read_optional(d, read_number)?);
            AccountUpdate::RevokeToken { account, generation, token: AccountTokenId(d.u32()?) }
        }
        RECORD_TOKEN_USE => {
            kind.expect_values(3)?;
            let (account, token) = (read_account(d)?, AccountTokenId(d.u32()?));
            AccountUpdate::RecordTokenUse { account, token, on: read_day(d)? }
        }
        _ => return Err(kind.unknown()),
    })
}

/// Three values.
pub(super) fn write_login_request<W: Sink>(e: &mut Encoder<W>, request: &LoginRequest) -> WriteResult {
    let LoginRequest { account, proof, takes_over, verifier } = *request;
    write_login(e, Some(Login { account, proof }))?;
    e.bool(takes_over)?;
    write_optional_verifier(e, verifier.as_ref())
}

pub(super) fn read_login_request(d: &mut Decoder<'_>) -> ReadResult<LoginRequest> {
    let login = read_login(d)?.ok_or_else(|| decode::Error::message("a login has no account"))?;
    let Login { account, proof } = login;
    Ok(LoginRequest { account, proof, takes_over: d.bool()?, verifier: read_optional(d, read_verifier)? })
}
