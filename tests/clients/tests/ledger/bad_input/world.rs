//! The accounts, lots and keys that the calls are about, and the proof that a refusal changes nothing.

use pg_credit_clients::{Client, Database, Session};

/// What the calls are about: lots in every state, an account that requires members, a used key.
pub struct World {
    pub session: Client,
    lots: Vec<(&'static str, String)>,
}

impl World {
    pub fn new(database: &Database) -> World {
        let mut session = database.connect();
        session.run("SET timezone = 'UTC'; SET credit.clock = '2025-01-01'");
        session.run("INSERT INTO credit.unit (unit, decimals) VALUES ('token', 2)");
        session.run(
            "SELECT credit_rate_card('list', unit => 'credit', is_default => true); \
                SELECT credit_rate('list', 'chat', credits => 1);
             SELECT credit_publish('list');
             SELECT credit_plan('api', unit => 'credit', currency => 'USD', list_price => 1);
             SELECT credit_tier('api', 'one', 0, discount => 0);
             SELECT credit_agreement('acme', 'api');
             SELECT credit_purchase('acme', 'api', 1, pending => true);
             SELECT credit_change_plan('acme', 'api', 5)",
        );
        session.run("SELECT credit_account('strict', require_members => true), credit_grant('strict', 100)");
        session.run("SELECT credit_account('acme'), credit_grant('acme', 5, unit => 'token')");
        let grant = |session: &mut Client, terms: &str| session.text(&format!("SELECT credit_grant('acme', 100{terms})"));
        let lots = vec![
            ("LOT", grant(&mut session, "")),
            ("FUTURE", grant(&mut session, ", effective_at => '2026-07-01'")),
            ("EXPIRED", grant(&mut session, ", expires_at => '2025-06-01'")),
            ("VOIDED", grant(&mut session, "")),
        ];
        session.run(&format!("SELECT credit_void('acme', {})", lots[3].1));
        session.run("SET credit.clock = '2026-01-01'");
        session.run("SELECT credit_debit('acme', 1, key => 'used')");
        session.run("SELECT credit_member('acme', 'gone', active => false), credit_member('acme', 'alice')");
        session.run("SELECT credit_account('trued'); SELECT credit_true_up_post('trued', '2025-01-01', '2025-04-01')");
        session.run("SELECT credit_schedule('cyclic', 10, interval '1 month')");
        session.run("SELECT credit_cap('strict', 1000)");
        let mut lots = lots;
        let held = |session: &mut Client, sql: &str| session.text(&format!("SELECT {sql}"));
        session.run("SET credit.clock = '2025-12-31'");
        lots.push(("ENDED", held(&mut session, "credit_hold('acme', 1, expires_after => '1 hour')")));
        session.run("SET credit.clock = '2026-01-01'");
        lots.push(("HELD", held(&mut session, "credit_hold('acme', 1)")));
        lots.push(("PRICED", held(&mut session, "credit_hold_charge('acme', 'chat', 1)")));
        lots.push(("RELEASED", held(&mut session, "credit_hold('acme', 1)")));
        lots.push(("SPENT", held(&mut session, "credit_debit('acme', 1, operation => 'chat')")));
        session.run(&format!("SELECT credit_release('acme', {})", lots[7].1));
        World { session, lots }
    }

    pub fn with_lots(&self, sql: &str) -> String {
        self.lots.iter().fold(sql.to_owned(), |sql, (name, lot)| sql.replace(name, lot))
    }

    /// The md5 of every row of every table.
    pub fn snapshot(&mut self) -> String {
        self.session.text(
            "SELECT string_agg(md5(query_to_xml('SELECT * FROM ' || c.oid::regclass || ' t ORDER BY t::text',
                 false, false, '')::text), ' ' ORDER BY c.relname)
             FROM pg_class c WHERE c.relnamespace = 'credit'::regnamespace AND c.relkind = 'r'",
        )
    }

    /// What is wrong with how the call is refused.
    pub fn complaint(&mut self, sql: &str, code: &str, named: &str) -> Option<String> {
        let sql = self.with_lots(sql);
        let named = self.with_lots(named);
        let before = self.snapshot();
        let answer = self.session.ask(&sql);
        let changed = self.snapshot() != before;
        let complaint = match answer {
            Ok(answer) => Some(format!("not refused, but {answer:?}")),
            Err(refusal) if refusal.code != code => Some(format!("expected {code}: {refusal}")),
            Err(refusal) if !refusal.message.contains(&named) => Some(format!("the message does not name {named:?}: {refusal}")),
            Err(refusal) if refusal.detail.is_none() || refusal.hint.is_none() => {
                Some(format!("without DETAIL or HINT: {refusal}"))
            }
            Err(_) if changed => Some("something changed".to_owned()),
            Err(_) => None,
        };
        complaint.map(|complaint| format!("{}\n    {}", shorten(&sql), shorten(&complaint)))
    }
}

pub fn shorten(text: &str) -> String {
    text.chars().take(300).collect()
}
