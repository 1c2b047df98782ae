//! Renders the accounts: as a table for people, and as JSON for programs. `docs/operating.md` describes both.

use chinwag::control::AccountSummary;
use chinwag::protocol::{AccountId, Day};
use chinwag::server::log::push_json_string;

/// A table with one line for each account, without trailing blanks. Empty if there are none.
pub(super) fn text(accounts: &[AccountSummary]) -> String {
    if accounts.is_empty() {
        return String::new();
    }
    let heading = ["NAME", "ROLE", "CREATED", "TOKENS", "TOKEN USED", "LOGGED IN"].map(str::to_owned);
    let rows: Vec<_> = [heading].into_iter().chain(accounts.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<_> = (0..6).map(width).collect();
    let line = |row: &[String; 6]| {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn row(account: &AccountSummary) -> [String; 6] {
    let AccountSummary { id: _, name, role, created_at, tokens, token_used_on, is_logged_in } = account;
    let used = token_used_on.map_or("never".to_owned(), |day| day.to_string());
    let logged_in = is_logged_in.map_or("-", |is_logged_in| if is_logged_in { "yes" } else { "no" });
    [
        name.to_string(),
        role.as_str().to_owned(),
        Day::from(*created_at).to_string(),
        tokens.to_string(),
        used,
        logged_in.to_owned(),
    ]
}

/// One JSON object for each account, in one line each. Always the same keys; `null` stands for a value that does not exist.
pub(super) fn json(accounts: &[AccountSummary]) -> String {
    let line = |account: &AccountSummary| {
        let AccountSummary { id: AccountId(number), name, role, created_at, tokens, token_used_on, is_logged_in } =
            account;
        let mut shown = String::new();
        push_json_string(&mut shown, name.as_str());
        let used = token_used_on.map_or("null".to_owned(), |day| format!("\"{day}\""));
        let role = role.as_str();
        let logged_in = is_logged_in.map_or("null".to_owned(), |is_logged_in| is_logged_in.to_string());
        format!(
            "{{\"number\":{number},\"name\":{shown},\"role\":\"{role}\",\"created\":\"{created_at}\",\"tokens\":{tokens},\"token_used\":{used},\
             \"logged_in\":{logged_in}}}\n"
        )
    };
    accounts.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn accounts() -> Vec<AccountSummary> {
        [
            "1 alice role=operator created=2026-11-30T02:00:00.000Z tokens=2 token_used=2026-11-29 logged_in=yes",
            "12 b\"o\\b created=2026-11-30T02:00:00.000Z tokens=0 token_used=never logged_in=unknown",
        ]
        .map(|line| AccountSummary::parse(line).expect(line))
        .to_vec()
    }

    #[test]
    fn text_is_aligned() {
        let expected = "\
NAME   ROLE      CREATED     TOKENS  TOKEN USED  LOGGED IN
alice  operator  2026-11-30  2       2026-11-29  yes
b\"o\\b  user      2026-11-30  0       never       -
";
        assert_eq!(text(&accounts()), expected);
        assert_eq!(text(&[]), "");
    }

    #[test]
    fn json_has_the_same_keys_in_each_line() {
        let lines = json(&accounts());
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        let created = "2026-11-30T02:00:00.000Z";
        let alice = json!({
            "number": 1, "name": "alice", "role": "operator", "created": created, "tokens": 2, "token_used": "2026-11-29", "logged_in": true
        });
        let bob = json!({
            "number": 12, "name": "b\"o\\b", "role": "user", "created": created, "tokens": 0, "token_used": null, "logged_in": null
        });
        assert_eq!(lines, [alice, bob]);
    }
}
