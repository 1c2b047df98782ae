//! Tests of what another password ends: resume tokens, logins, the right to make access tokens.

use super::account_tests::{
    ANN, DAY_MS, TOKEN, World, assert_rejected, has_displaced, has_left, hash, login, verifier,
};
use super::*;
use crate::protocol::{LeaveReason, Text, TokenLabel};

#[test]
fn password_change_ends_resume_token() {
    let mut world = World::with_ann();
    let set =
        |generation| AccountUpdate::SetPassword { account: ANN, generation: Some(generation), password: hash("two") };
    world.apply(1, Action::SetVerifier(Some(verifier(1))));
    let out = world.change(1, set(0));
    assert!(
        matches!(&out[..], [StateOutput::AccountChanged(..), StateOutput::ResumptionEnded(MemberId(1))]),
        "{out:?}"
    );
    assert_rejected(&world.apply(3, Action::Resume(MemberId(1), verifier(1))), &Rejection::TokenUnknown);
    world.apply(1, Action::SetVerifier(Some(verifier(2))));
    world.apply(1, Action::Detach(LeaveReason::Lost));
    let out = world.change(0, AccountUpdate::SetPassword { account: ANN, generation: None, password: hash("two") });
    assert!(has_left(&out, 1, LeaveReason::Lost), "nobody can resume it: {out:?}");
}

/// Otherwise a thief of the password would keep the account by one resume token after the other.
#[test]
fn resume_needs_the_present_password() {
    let mut world = World::with_ann();
    let set = AccountUpdate::SetPassword { account: ANN, generation: Some(0), password: hash("two") };
    let by_password = |generation| Some(Login { account: ANN, proof: LoginProof::Password { generation } });
    world.take_over(3);
    // Requested by member 1 before member 3 took over: so member 3 does not know the new password.
    world.change(1, set);
    assert_eq!(world.state.member(MemberId(3)).unwrap().login(), by_password(0));
    world.apply(3, Action::SetVerifier(Some(verifier(1))));
    assert_rejected(&world.apply(4, Action::Resume(MemberId(3), verifier(1))), &Rejection::TokenUnknown);
    // The client that sets the password knows it.
    let set = AccountUpdate::SetPassword { account: ANN, generation: Some(1), password: hash("three") };
    world.log_in(3, LoginRequest { proof: LoginProof::Password { generation: 1 }, ..login(ANN) });
    world.change(3, set);
    assert_eq!(world.state.member(MemberId(3)).unwrap().login(), by_password(2));
    world.apply(3, Action::SetVerifier(Some(verifier(2))));
    let out = world.apply(4, Action::Resume(MemberId(3), verifier(2)));
    assert!(matches!(&out[..], [StateOutput::Resumed { .. }]), "{out:?}");
}

/// Access tokens remain valid, and so do logins with them.
#[test]
fn password_of_the_operator_displaces_the_login_by_password() {
    let set = AccountUpdate::SetPassword { account: ANN, generation: None, password: hash("two") };
    let mut world = World::with_ann();
    let out = world.change(0, set.clone());
    assert!(has_displaced(&out, 1, Displacement::PasswordSet), "{out:?}");
    assert_eq!((world.state.member_of(ANN), world.name_of(2)), (None, Some("bob")));
    let mut world = World::with_ann();
    world.create_token(7, 9);
    world.take_over_by_token(3, TOKEN);
    assert_eq!(world.change(0, set).len(), 1);
    assert_eq!(world.state.member_of(ANN), Some(MemberId(3)));
}

/// A change of the password was being stored when the client asked for the token.
#[test]
fn old_password_makes_and_revokes_no_access_tokens() {
    let mut world = World::with_ann();
    world.create_token(7, 9);
    world.change(1, AccountUpdate::SetPassword { account: ANN, generation: Some(0), password: hash("two") });
    let label = TokenLabel::new(Text::new("build server").unwrap()).unwrap();
    let expires_at = Timestamp(DAY_MS);
    for (generation, count) in [(0, 1), (1, 2)] {
        let (generation, verifier, label) = (Some(generation), verifier(8), label.clone());
        world.change(1, AccountUpdate::CreateToken { account: ANN, generation, verifier, label, expires_at });
        assert_eq!(world.ann().tokens.len(), count);
    }
    for (generation, count) in [(0, 2), (1, 1)] {
        world.change(1, AccountUpdate::RevokeToken { account: ANN, generation: Some(generation), token: TOKEN });
        assert_eq!(world.ann().tokens.len(), count);
    }
}
