-- The installation: what was added to it, what weakens it, and roles that are renamed or gone.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-01 00:00:00+00';

SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_credit_admin, regress_credit_other, regress_credit_renamed, regress_credit_reader;
RESET client_min_messages;
CREATE ROLE regress_credit_admin;
CREATE ROLE regress_credit_other;
CREATE ROLE regress_credit_reader;
SELECT credit_grant('acme', 100) AS lot \gset

-- Nothing was added, and nothing is weaker than it was installed.
SELECT credit_allow('regress_credit_admin', 'admin');
SELECT credit_allow('regress_credit_reader', 'read');
SELECT * FROM credit.installation;
SELECT * FROM credit_verify();

-- What somebody adds is no violation of the books: it is for a person to judge. What credit_allow() granted is not among it.
GRANT SELECT ON credit.slot TO regress_credit_other;
GRANT SELECT (account, remaining), UPDATE (remaining) ON credit.slot TO regress_credit_reader WITH GRANT OPTION;
GRANT EXECUTE ON FUNCTION credit_conversion_markdown(text) TO PUBLIC;
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER watch AFTER INSERT ON credit.lot FOR EACH ROW EXECUTE FUNCTION watch();
CREATE RULE quiet AS ON UPDATE TO credit.maintenance_run DO INSTEAD NOTHING;
ALTER TABLE credit.member ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_members ON credit.member FOR SELECT USING (member = 'alice');
SELECT kind, object, name, role, replace(detail, current_user, 'the owner') AS detail FROM credit.installation ORDER BY 1, 2, 3, 4;
SELECT * FROM credit_verify();
DROP POLICY own_members ON credit.member;
ALTER TABLE credit.member DISABLE ROW LEVEL SECURITY;
DROP RULE quiet ON credit.maintenance_run;
DROP TRIGGER watch ON credit.lot;
DROP FUNCTION watch();
REVOKE EXECUTE ON FUNCTION credit_conversion_markdown(text) FROM PUBLIC;
REVOKE ALL (account, remaining) ON credit.slot FROM regress_credit_reader;
REVOKE SELECT ON credit.slot FROM regress_credit_other;
SELECT * FROM credit.installation;

-- A restore with --disable-triggers leaves triggers that always fire as ordinary ones. The proof says what mends it.
ALTER TABLE credit.entry DISABLE TRIGGER ALL;
ALTER TABLE credit.entry ENABLE TRIGGER ALL;
ALTER TABLE credit.lot DISABLE TRIGGER lot_10_check;
SELECT invariant, expected, found FROM credit_verify() ORDER BY found COLLATE "C";
SET ROLE regress_credit_admin;
SELECT credit_enable_triggers();
RESET ROLE;
SELECT credit_enable_triggers();
SELECT credit_enable_triggers();
SELECT * FROM credit_verify();

-- A role that is renamed keeps its level. Its old name is enough to take it away.
ALTER ROLE regress_credit_admin RENAME TO regress_credit_renamed;
SELECT role, level, state, role_now FROM credit.access ORDER BY role;
SELECT credit_disallow('regress_credit_admin', 'admin');
SELECT role, level, state, role_now FROM credit.access ORDER BY role;
SELECT count(*) FROM credit.held_privilege WHERE grantee = 'regress_credit_renamed'::regrole;

-- Of a role that is gone the record goes too. A later role of its name has nothing.
REVOKE EXECUTE ON FUNCTION credit_balance(text, text, text, timestamptz, text) FROM regress_credit_reader;
SELECT role, level, state, role_now FROM credit.access;
DROP OWNED BY regress_credit_reader;
SELECT role, level, state, role_now FROM credit.access;
DROP ROLE regress_credit_reader;
SELECT role, level, state, role_now FROM credit.access;
CREATE ROLE regress_credit_reader;
SELECT role, level, state, role_now FROM credit.access;
DROP ROLE regress_credit_reader;
SELECT credit_disallow('regress_credit_reader', 'read');
SELECT * FROM credit.access;
SELECT credit_disallow('regress_credit_reader', 'read');
DROP ROLE regress_credit_renamed, regress_credit_other;
