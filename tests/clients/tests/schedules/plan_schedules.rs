//! Schedules of a plan with real clients: whoever comes and goes while they are declared and ended, has what the plan grants and
//! no more.

use pg_credit_clients::{Client, Database, Session};

const CLOCK: &str = "SET credit.clock = '2026-01-10 00:00:00+00'";

fn with_plans() -> (Database, Client) {
    let database = Database::new();
    let mut client = database.connect();
    client.run(&format!(
        "{CLOCK};
         SELECT credit_plan(plan, unit => 'credit', currency => 'USD', list_price => 0.01) \
             FROM unnest('{{api,web}}'::text[]) AS plan;
         SELECT credit_tier(plan, 'list', 0, discount => 0) FROM unnest('{{api,web}}'::text[]) AS plan"
    ));
    (database, client)
}

#[test]
fn whoever_comes_or_goes_has_what_the_plan_grants() {
    let (database, mut client) = with_plans();
    client.run("SELECT count(*) FROM generate_series(1, 20) AS i, credit_change_plan('old' || i, 'api', 100)");
    database.clients(8, |number, session| {
        session.run(CLOCK);
        for turn in 0..6 {
            match number {
                0 => session.run("SELECT credit_schedule(plan => 'api', amount => 10, every => '1 month')"),
                1 => session.run("SELECT credit_schedule(plan => 'web', amount => 7, every => '1 month', on_leave => 'expire')"),
                2 => session.run(&format!("SELECT credit_change_plan('old{}', 'web', 200)", turn + 1)),
                3 => session.run(&format!("SELECT credit_cancel_plan('old{}')", turn + 10)),
                4 => session.run(&format!("SELECT credit_debit('old{}', 1)", turn + 1)),
                _ => session.run(&format!("SELECT credit_change_plan('new-{number}-{turn}', 'api', 100)")),
            }
        }
    });
    database.verify();
    // Six schedules of each plan, for each of its accounts: 20 - 6 and 18 that came; and 6 that changed.
    let had = |plan: &str| {
        format!(
            "SELECT count(*) FROM credit.schedules WHERE plan = '{plan}' AND status = 'active' \
                AND account IN (SELECT account FROM credit.subscription WHERE plan = '{plan}' \
                AND (ended_at IS NULL OR ended_at > credit.now()))"
        )
    };
    assert_eq!(client.number(&had("api")), 6 * (20 - 6 + 18));
    assert_eq!(client.number(&had("web")), 6 * 6);
    client.run("SELECT count(*) FROM credit.account AS a, credit_refresh(account => a.account)");
    assert_eq!(client.text("SELECT credit_balance('new-5-0')"), "160");
    // What was granted before stays; what is ended grants nothing any more.
    client.run(
        "SELECT credit_end_schedule(plan => plan, schedule => schedule) FROM credit.plan_schedule;
         SET credit.clock = '2026-03-10 00:00:00+00'",
    );
    assert_eq!(client.number("SELECT credit_refresh()"), 0);
    database.verify();
}

#[test]
fn what_is_rolled_back_leaves_no_schedule() {
    let (database, mut client) = with_plans();
    client.run("SELECT credit_change_plan('acme', 'api', 100)");
    client.run(
        "BEGIN; SAVEPOINT s; SELECT credit_schedule(plan => 'api', amount => 10, every => '1 month'); ROLLBACK TO s; COMMIT",
    );
    assert_eq!(client.number("SELECT count(*) FROM credit.schedules"), 0);
    client.run("SELECT credit_schedule(plan => 'web', amount => 10, every => '1 month')");
    client.run("BEGIN; SELECT credit_change_plan('acme', 'web', 200); ROLLBACK");
    assert_eq!(client.number("SELECT count(*) FROM credit.schedules"), 0);
    assert_eq!(client.text("SELECT credit_balance('acme')"), "100");
    database.verify();
}
