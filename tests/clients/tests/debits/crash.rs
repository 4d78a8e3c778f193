//! The server dies, again and again; what it has acknowledged is there, once, and the books are right.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use pg_credit_clients::{Client, Cluster, Database, Random, Refusal, Session, Stop, wait_until};

/// How many clients there are under load.
const CLIENTS: usize = 6;

/// How long the load goes on before something is killed.
const LOAD: Duration = Duration::from_millis(700);

/// What one client was told: `Ok` postings and lots that were acknowledged, by the key they were made under.
#[derive(Debug, Default)]
struct Heard {
    /// Keys of requests that were made, acknowledged or not.
    asked: BTreeSet<String>,
    /// Key and posting of each acknowledged debit.
    debits: BTreeSet<(String, String)>,
    /// Key and lot of each acknowledged grant.
    grants: BTreeSet<(String, String)>,
    /// Lot and amount of each acknowledged void.
    voids: BTreeSet<(String, String)>,
    /// Key and id of each acknowledged hold.
    holds: BTreeSet<(String, String)>,
    /// Hold and posting of each acknowledged capture.
    captures: BTreeSet<(String, String)>,
}

impl Heard {
    /// Makes one request; an error when the connection is gone.
    fn ask_something(&mut self, client: &mut Client, random: &mut Random, key: String) -> Result<(), Refusal> {
        let account = format!("account_{}", random.below(3));
        self.asked.insert(key.clone());
        match random.below(10) {
            0 => {
                let lot = client.ask(&format!("SELECT credit_grant('{account}', 500, key => '{key}')"))?;
                self.grants.insert((key, lot.expect("a lot")));
            }
            1 => {
                let sql = format!("SELECT credit_grant('{account}', 11, priority => 90, key => '{key}')");
                let lot = client.ask(&sql)?.expect("a lot");
                self.grants.insert((key, lot.clone()));
                let voided = client.ask(&format!("SELECT credit_void('{account}', {lot})"))?;
                self.voids.insert((lot, voided.expect("an amount")));
            }
            2 | 3 => {
                let Some(hold) = client.ask(&format!("SELECT credit_hold('{account}', 3, key => '{key}')")).or_else(refused)?
                else {
                    return Ok(());
                };
                self.holds.insert((key, hold.clone()));
                if random.below(2) == 0 {
                    let posting = client.ask(&format!("SELECT credit_capture('{account}', {hold}, 2)"))?;
                    self.captures.insert((hold, posting.expect("a posting")));
                }
            }
            _ => {
                let amount = ["0.75", "7", "130"][random.below(3) as usize];
                let posting =
                    client.ask(&format!("SELECT credit_try_debit('{account}', {amount}, member => 'm', key => '{key}')"))?;
                self.debits.extend(posting.map(|posting| (key, posting)));
            }
        }
        Ok(())
    }
}

/// Nothing, where the credits do not suffice.
fn refused(refusal: Refusal) -> Result<Option<String>, Refusal> {
    if refusal.code == "23514" { Ok(None) } else { Err(refusal) }
}

/// Makes requests until the connection breaks.
fn load(client: &mut Client, name: &str, stop: &AtomicBool) -> Heard {
    let mut heard = Heard::default();
    let mut random = Random::new(name.bytes().map(u64::from).sum());
    for number in 0.. {
        let key = format!("{name}-{number}");
        match heard.ask_something(client, &mut random, key) {
            _ if stop.load(Ordering::Relaxed) => break,
            Ok(()) => {}
            // The connection was lost, or the server is going down.
            Err(refusal) if refusal.code == "08006" || refusal.code.starts_with("57P") => break,
            Err(refusal) => panic!("{refusal}"),
        }
    }
    heard
}

/// Lets clients work until `kill` has done what it does; what they heard.
fn work_until(database: &Database, round: &str, kill: impl FnOnce(&mut Client) + Send) -> Vec<Heard> {
    let stop = &AtomicBool::new(false);
    let mut killer = database.connect();
    thread::scope(|scope| {
        let killing = scope.spawn(move || {
            thread::sleep(LOAD);
            kill(&mut killer);
            stop.store(true, Ordering::Relaxed);
        });
        let heard = database.clients(CLIENTS, |number, client| load(client, &format!("{round}-{number}"), stop));
        killing.join().expect("the killing");
        heard
    })
}

/// A set of (text, text) rows.
fn pairs(client: &mut Client, sql: &str) -> BTreeSet<(String, String)> {
    client.rows(sql).into_iter().map(|row| (row[0].clone(), row[1].clone())).collect()
}

/// What was acknowledged is there, exactly once; what is there was asked for.
fn assert_kept(database: &Database, heard: &[Heard]) {
    let mut client = database.connect();
    let debits = pairs(&mut client, "SELECT key, result FROM credit.request WHERE function = 'credit_debit'");
    let grants = pairs(&mut client, "SELECT key, result FROM credit.request WHERE function = 'credit_grant'");
    let voids = pairs(&mut client, "SELECT lot, -amount FROM credit.entry WHERE kind = 'void'");
    let holds = pairs(&mut client, "SELECT key, result FROM credit.request WHERE function = 'credit_hold'");
    let captures = pairs(&mut client, "SELECT hold, posting FROM credit.hold WHERE state = 'captured'");
    for one in heard {
        assert!(one.holds.is_subset(&holds), "lost holds: {:?}", one.holds.difference(&holds).collect::<Vec<_>>());
        assert!(one.captures.is_subset(&captures), "lost captures: {:?}", one.captures.difference(&captures).collect::<Vec<_>>());
        assert!(one.debits.is_subset(&debits), "lost debits: {:?}", one.debits.difference(&debits).collect::<Vec<_>>());
        assert!(one.grants.is_subset(&grants), "lost grants: {:?}", one.grants.difference(&grants).collect::<Vec<_>>());
        let voided: BTreeSet<_> = one.voids.iter().filter(|(_, amount)| amount != "0").cloned().collect();
        assert!(voided.is_subset(&voids), "lost voids: {:?}", voided.difference(&voids).collect::<Vec<_>>());
    }
    let acknowledged: usize = heard.iter().map(|one| one.debits.len()).sum();
    assert!(acknowledged > 0, "nothing was debited before the crash");
    let asked: BTreeSet<&String> = heard.iter().flat_map(|one| &one.asked).collect();
    let stray: Vec<_> = debits.iter().chain(&grants).filter(|(key, _)| key.starts_with("kill") && !asked.contains(key)).collect();
    assert!(stray.is_empty(), "nobody asked for {stray:?}");
    assert_each_posting_once(&mut client);
}

/// Every key has its posting and every posting its key: neither survives without the other.
fn assert_each_posting_once(client: &mut Client) {
    let orphans = "SELECT (SELECT count(*) FROM credit.request r WHERE function = 'credit_debit' AND NOT EXISTS
            (SELECT FROM credit.entry e WHERE e.account = r.account AND e.posting = r.result AND e.kind = 'debit'))
        + (SELECT count(*) FROM (SELECT DISTINCT account, posting FROM credit.entry WHERE kind = 'debit' AND hold IS NULL) e
            WHERE NOT EXISTS
            (SELECT FROM credit.request r WHERE r.account = e.account AND r.result = e.posting AND r.function = 'credit_debit'))
        + (SELECT count(*) FROM credit.lot l WHERE NOT EXISTS
            (SELECT FROM credit.request r WHERE r.account = l.account AND r.result = l.lot AND r.function = 'credit_grant'))
        + (SELECT count(*) FROM credit.hold h FULL JOIN
            (SELECT account, result FROM credit.request WHERE function = 'credit_hold') r
            ON r.account = h.account AND r.result = h.hold WHERE r.result IS NULL OR h.hold IS NULL)";
    assert_eq!(client.number(orphans), 0, "keys without what they stand for, or the other way round");
}

fn grant_to_all(database: &Database) {
    database.connect().run("SELECT credit_grant('account_' || i, 2000, key => 'first') FROM generate_series(0, 2) i");
}

/// Repeats every request that was made under its key: what was done is not done again.
fn assert_repeatable(database: &Database, heard: &[Heard]) {
    let mut client = database.connect();
    let before = client.text("SELECT count(*) FROM credit.entry");
    for (key, posting) in heard.iter().flat_map(|one| one.debits.iter().take(10)) {
        let again = format!(
            "SELECT credit_debit(account, total, member => 'm', key => '{key}') FROM
             (SELECT account, -sum(amount) AS total FROM credit.entry WHERE posting = {posting} GROUP BY account) e"
        );
        assert_eq!(&client.text(&again), posting, "{key}");
    }
    assert_eq!(client.text("SELECT count(*) FROM credit.entry"), before);
}

#[test]
fn what_was_acknowledged_survives_the_kill_of_a_backend() {
    let cluster = Cluster::start(&["fsync = on"]);
    let database = Database::on(&cluster.server());
    grant_to_all(&database);
    let heard = work_until(&database, "kill_backend", |killer| {
        let busy = "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() \
            AND query LIKE '%try_debit%' LIMIT 1";
        wait_until("a backend debits", || {
            killer.ask(busy).expect("still connected").is_some_and(|pid| {
                cluster.kill_backend(pid.parse().expect("a process id"));
                true
            })
        });
    });
    wait_until("the server has recovered", || cluster.server().try_connect("postgres", database.name()).is_ok());
    assert_kept(&database, &heard);
    database.verify();
    assert_repeatable(&database, &heard);
}

#[test]
fn what_was_acknowledged_survives_the_kill_of_the_server() {
    let cluster = Cluster::start(&["fsync = on", "checkpoint_timeout = '30s'"]);
    let database = Database::on(&cluster.server());
    grant_to_all(&database);
    let mut heard = work_until(&database, "kill_server", |_| cluster.kill_postmaster());
    cluster.start_again();
    assert_kept(&database, &heard);
    database.verify();
    // Once more, with the pages that the recovery left, and slots that were split before.
    heard.extend(work_until(&database, "kill_again", |killer| {
        killer.run("CHECKPOINT");
        cluster.stop(Stop::Immediate);
    }));
    cluster.start_again();
    assert_kept(&database, &heard);
    database.verify();
    assert_repeatable(&database, &heard);
}

/// Waits until the standby has replayed what the primary has written.
fn catch_up(primary: &mut Client, standby: &mut Client) {
    let written = primary.text("SELECT pg_current_wal_lsn()");
    let replayed = format!("SELECT pg_last_wal_replay_lsn() >= '{written}'");
    wait_until("the standby has caught up", || standby.text(&replayed) == "t");
}

#[test]
fn a_standby_reads_and_refuses_writes_and_takes_over() {
    let cluster = Cluster::start(&["fsync = on"]);
    let database = Database::on(&cluster.server());
    let mut primary = database.connect();
    primary.run(
        "SELECT credit_grant('acme', 100, paid => 10, currency => 'USD'); \
        SELECT credit_debit('acme', 10, member => 'alice', key => 'order-1')",
    );
    let standby = cluster.standby();
    let mut reader = standby.server().connect(database.name());
    primary.run("SELECT credit_debit('acme', 20, member => 'alice')");
    catch_up(&mut primary, &mut reader);
    assert_reads(&mut reader);
    for write in [
        "credit_debit('acme', 1)",
        "credit_try_debit('acme', 1)",
        "credit_debit('acme', 1, key => 'order-2')",
        "credit_grant('acme', 1)",
        "credit_void('acme', 1)",
        "credit_account('acme')",
        "done FROM credit_maintain()",
    ] {
        reader.refusal(&format!("SELECT {write}")).expect("25006");
    }
    cluster.stop(Stop::Immediate);
    standby.promote();
    // The session that was refused before can now write.
    reader.run("SELECT credit_debit('acme', 30, member => 'bob', key => 'order-2')");
    let first = reader.text("SELECT result FROM credit.request WHERE key = 'order-1'");
    assert_eq!(reader.text("SELECT credit_debit('acme', 10, member => 'alice', key => 'order-1')"), first);
    reader.run("SELECT credit_grant('acme', 5)");
    assert_eq!(reader.text("SELECT credit_balance('acme')"), "45");
    assert_proved(&mut reader);
}

fn assert_reads(reader: &mut Client) {
    assert_eq!(reader.text("SELECT pg_is_in_recovery()"), "t");
    assert_eq!(reader.text("SELECT credit_balance('acme')"), "70");
    assert_eq!(reader.text("SELECT credit_balance('acme', at => clock_timestamp() - interval '1 day')"), "0");
    assert_eq!(reader.rows("SELECT available, debited, remaining FROM credit_explain_debit('acme', 7)"), [["70", "7", "63"]]);
    assert_eq!(reader.text("SELECT available FROM credit.balances"), "70");
    assert_eq!(reader.text("SELECT remaining FROM credit.lots"), "70");
    assert_eq!(reader.text("SELECT sum(amount) FROM credit.ledger"), "70");
    assert_proved(reader);
}

fn assert_proved(session: &mut Client) {
    assert_eq!(session.rows("SELECT v::text FROM credit_verify() v"), Vec::<Vec<String>>::new());
}
