//! Databases whose encoding is not UTF8 are refused, and texts that are not UTF-8 are never read as if they were.

use pg_credit_clients::{Cluster, Server, Session};

const NOT_UTF8: [&str; 2] = ["LATIN1", "SQL_ASCII"];

/// A database of that encoding, dropped when the test ends.
struct Encoded {
    server: Server,
    name: String,
}

impl Encoded {
    fn new(server: &Server, encoding: &str) -> Encoded {
        let name = format!("credit_encoding_{}_{}", encoding.to_lowercase(), std::process::id());
        let settings = format!("ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'");
        server.connect("postgres").run(&format!("CREATE DATABASE {name} TEMPLATE template0 {settings}"));
        Encoded { server: server.clone(), name }
    }
}

impl Drop for Encoded {
    fn drop(&mut self) {
        if let Ok(mut session) = self.server.try_connect(&self.server.superuser, "postgres") {
            let _ = session.try_rows(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
        }
    }
}

/// Functions of the library without the extension: what calls would find if somebody had made them by hand.
const BY_HAND: [&str; 4] = [
    "CREATE FUNCTION balance(text, text, text, timestamptz, text) RETURNS numeric LANGUAGE c AS 'pg_credit', \
        'credit_balance_wrapper'",
    "CREATE FUNCTION debit_many(text[], numeric[], text[], text[], text[], timestamptz[], text[], jsonb[], text)
     RETURNS TABLE (item integer, posting bigint, shortfall numeric, cap bigint) LANGUAGE c AS 'pg_credit', \
         'credit_debit_many_wrapper'",
    // Functions that change a setting or the role are called another way.
    "CREATE FUNCTION set_balance(text, text, text, timestamptz, text) RETURNS numeric LANGUAGE c SET search_path = pg_catalog
     AS 'pg_credit', 'credit_balance_wrapper'",
    "CREATE FUNCTION balance_of_owner(text, text, text, timestamptz, text) RETURNS numeric LANGUAGE c SECURITY DEFINER
     AS '$libdir/pg_credit.so', 'credit_balance_wrapper'",
];

/// Calls of them with a text.
const CALLS: [&str; 4] = [
    "SELECT balance(@, NULL, NULL, NULL, NULL)",
    "SELECT set_balance(@, NULL, NULL, NULL, NULL)",
    "SELECT balance_of_owner('acme', @, NULL, NULL, NULL)",
    "SELECT * FROM debit_many(ARRAY[@], '{1}'::numeric[], NULL, NULL, NULL, NULL, NULL, NULL, 'all')",
];

#[test]
fn the_extension_and_the_library_are_refused() {
    for encoding in NOT_UTF8 {
        let database = Encoded::new(&Server::under_test(), encoding);
        let mut session = database.server.connect(&database.name);
        let refused = session.refusal("CREATE EXTENSION pg_credit").expect("0A000");
        assert_eq!(refused.detail_of("encoding"), Some(encoding));
        assert!(refused.hint.is_some_and(|hint| hint.contains("ENCODING 'UTF8'")), "a way out");
        assert_eq!(session.number("SELECT count(*) FROM pg_namespace WHERE nspname = 'credit'"), 0);
        for function in BY_HAND {
            session.refusal(function).expect("0A000");
        }
        session.refusal("LOAD 'pg_credit'").expect("0A000");
        // Sessions that load it while they begin are let in.
        session.run(&format!("ALTER DATABASE {} SET session_preload_libraries = 'pg_credit'", database.name));
        let mut preloaded = database.server.connect(&database.name);
        assert_eq!(preloaded.text("SELECT 'here'"), "here");
        preloaded.refusal("CREATE EXTENSION pg_credit").expect("0A000");
    }
}

/// The server loads the library before there is a database: it starts, and calls are refused.
#[test]
fn calls_are_refused_where_the_server_preloads_the_library() {
    let cluster = Cluster::start(&["shared_preload_libraries = 'pg_credit'"]);
    for encoding in NOT_UTF8 {
        let database = Encoded::new(&cluster.server(), encoding);
        let mut session = database.server.connect(&database.name);
        session.refusal("CREATE EXTENSION pg_credit").expect("0A000");
        for function in BY_HAND {
            session.run(function);
        }
        // A byte that begins a character of which no more is there: what follows it in memory was shown once.
        for text in ["'acme'", "E'\\xf7'", "E'abcdefg\\xf7'", "E'op\\xf3'", "E'\\xff\\xfe'"] {
            for call in CALLS {
                let refused = session.refusal(&call.replace('@', text)).expect("0A000");
                assert!(refused.message.is_ascii() && refused.message.len() < 100, "{refused}");
            }
        }
        // Other libraries are none of its business.
        session.run("CREATE FUNCTION handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler'");
    }
    let database = Encoded::new(&cluster.server(), "UTF8");
    let mut session = database.server.connect(&database.name);
    session.run("CREATE EXTENSION pg_credit; SELECT credit_grant('acme', 10)");
    assert_eq!(session.text("SELECT credit_balance('acme')"), "10");
}
