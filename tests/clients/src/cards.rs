//! Rate cards that tests charge by.

use postgres::Client;

use crate::{Database, Session};

impl Database {
    /// A database with a card that has one rate of each kind, and the account `acme` with 100,000 credits that uses it.
    pub fn with_rates_of_each_kind() -> (Database, Client) {
        let database = Database::new();
        let mut client = database.connect();
        client.run(
            "SELECT credit_rate_card('list', unit => 'credit');
             SELECT credit_rate('list', 'input', credits => 0.25, per => 1000);
             SELECT credit_rate('list', 'output', credits => 1, per => 1000);
             SELECT credit_rate('list', 'output', credits => 0.5, per => 1000, dimensions => '{\"model\": \"mini\"}');
             SELECT credit_rate('list', 'report', credits => 2, per => 10, block => true);
             SELECT credit_rate('list', 'search', credits => 3, per => 1000, minimum => 0.5);
             SELECT credit_rate('list', 'image', credits => 1, tier_from => '{100,1000}', tier_credits => '{0.5,0.25}', \
                 tier_scope => 'month');
             SELECT credit_publish('list');
             SELECT credit_account('acme', rate_card => 'list');
             SELECT credit_grant('acme', 100000)",
        );
        (database, client)
    }

    /// A database with a card of this notice that has one published rate, and the account `acme` that uses it.
    pub fn with_notice(notice: &str) -> (Database, Client) {
        let database = Database::new();
        let mut client = database.connect();
        client.run(&format!(
            "SELECT credit_grant('acme', 1000);
             SELECT credit_rate_card('list', unit => 'credit', notice => interval '{notice}');
             SELECT credit_rate('list', 'chat', credits => 1, per => 1000);
             SELECT credit_publish('list');
             SELECT credit_account('acme', rate_card => 'list')"
        ));
        (database, client)
    }
}

/// What a call of credit_charge() debited.
pub fn price_of(client: &mut Client, charge: &str) -> String {
    let posting = client.text(&format!("SELECT {charge}"));
    client.text(&format!("SELECT trim_scale(- sum(amount)) FROM credit.entry WHERE posting = {posting}"))
}
