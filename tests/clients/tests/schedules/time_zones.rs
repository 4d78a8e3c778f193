//! What names of time zones are taken, and what it costs to say so: the server's list of them is read from hundreds of files.

use pg_credit_clients::{Database, Session};

#[test]
fn the_list_of_time_zones_is_read_once() {
    let database = Database::new();
    let mut client = database.connect();
    // The view counts how often it is read.
    client.run(
        "CREATE SEQUENCE public.looks; SET allow_system_table_mods = on;
         CREATE OR REPLACE VIEW pg_catalog.pg_timezone_names AS
             SELECT t.* FROM (SELECT nextval('public.looks') OFFSET 0) AS look, pg_catalog.pg_timezone_names() t",
    );
    let looks =
        |client: &mut pg_credit_clients::Client| client.number("SELECT last_value - 1 + is_called::integer FROM public.looks");
    client.run("SELECT count(*) FROM pg_timezone_names");
    assert_eq!(looks(&mut client), 1);

    // Names without a number are not looked for among all names.
    client.run("SELECT credit_account('acme', time_zone => 'Europe/Berlin'), credit_account('acme', time_zone => 'UTC')");
    client.refusal("SELECT credit_account('acme', time_zone => 'Europe/Nowhere')").expect("22023");
    assert_eq!(looks(&mut client), 1);

    for round in 0..2 {
        client.run("SELECT credit_account('acme', time_zone => 'EST5EDT'), credit_account('acme', time_zone => 'PST8PDT')");
        for number in 1..=12 {
            client.refusal(&format!("SELECT credit_account('acme', time_zone => 'Foo{number}Bar')")).expect("22023");
            client.refusal(&format!("SELECT credit_account('acme', time_zone => 'UTC+{number}')")).expect("22023");
        }
        client.refusal("SELECT credit_account('acme', time_zone => 'est5edt')").expect("22023");
        assert_eq!(looks(&mut client), 2, "round {round}");
    }
    assert_eq!(client.text("SELECT time_zone FROM credit.account WHERE account = 'acme'"), "PST8PDT");
}
