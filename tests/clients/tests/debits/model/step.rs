//! One random operation, and its SQL.

use pg_credit_clients::{Random, quote};

use super::reference::{
    ACCOUNTS, Amount, Hold, Instant, Lot, MEMBERS, ONE, OPERATIONS, Reference, Scope, Terms, UNITS, amount_text, instant_text,
};

const MINUTE: i64 = 60_000_000;

#[derive(Clone, Debug)]
pub enum Step {
    Grant {
        terms: Terms,
        amount: Amount,
        by_insert: bool,
    },
    Debit {
        scope: Scope,
        amount: Amount,
        is_try: bool,
        key: Option<u64>,
    },
    /// `credit_debit_many()`: all or nothing, or each that fits.
    Batch {
        debits: Vec<(Scope, Amount)>,
        each: bool,
        as_json: bool,
    },
    Hold {
        scope: Scope,
        amount: Amount,
    },
    Capture {
        account: &'static str,
        hold: i64,
        amount: Amount,
        is_final: bool,
    },
    Release {
        account: &'static str,
        hold: i64,
    },
    Void {
        account: &'static str,
        lot: i64,
    },
    SetExpiry {
        account: &'static str,
        lot: i64,
        expires_at: Option<Instant>,
    },
    Expire {
        account: Option<&'static str>,
        max_lots: Option<i32>,
    },
    Maintain,
    Entry {
        scope: Scope,
        lot: i64,
        amount: Amount,
        is_debit: bool,
    },
    Clock {
        to: Instant,
    },
    /// Spreads a lot over more slots, as contention would have done.
    Widen {
        account: &'static str,
        lot: i64,
        slots: Vec<Amount>,
    },
    /// Done in a transaction that is rolled back.
    RolledBack(Box<Step>),
}

/// A value or NULL as SQL.
fn or_null(value: Option<String>) -> String {
    value.unwrap_or_else(|| "NULL".to_owned())
}

fn optional_quote(text: Option<&str>) -> String {
    or_null(text.map(quote))
}

fn optional_instant(instant: Option<Instant>) -> String {
    or_null(instant.map(|instant| quote(&instant_text(instant))))
}

impl Step {
    pub fn random(random: &mut Random, reference: &Reference) -> Step {
        match random.below(100) {
            0..16 => grant(random, reference),
            16..36 => debit(random, reference),
            36..40 => hold(random, reference),
            40..44 => of_hold(random, reference),
            44..48 => batch(random, reference),
            48..50 => Step::Maintain,
            50..55 => expire(random),
            55..68 => Step::Clock { to: clock(random, reference) },
            68..73 => match debit(random, reference) {
                step if random.below(3) == 0 => Step::RolledBack(Box::new(step)),
                _ if random.below(2) == 0 => Step::RolledBack(Box::new(of_hold(random, reference))),
                _ => Step::RolledBack(Box::new(grant(random, reference))),
            },
            choice => match random_lot(random, reference) {
                Some(lot) => step_with_lot(choice, random, reference, lot),
                None => grant(random, reference),
            },
        }
    }

    pub fn sql(&self) -> String {
        match self {
            Step::Grant { terms, amount, by_insert: false } => grant_sql(terms, *amount),
            Step::Grant { terms, amount, by_insert: true } => insert_lot_sql(terms, *amount),
            Step::Debit { scope, amount, is_try, key } => debit_sql(*scope, *amount, *is_try, *key),
            Step::Batch { debits, each, as_json } => batch_sql(debits, *each, *as_json),
            Step::Hold { scope, amount } => hold_sql(*scope, *amount),
            Step::Capture { account, hold, amount, is_final } => {
                format!("SELECT credit_capture('{account}', {hold}, {}, final => {is_final})", amount_text(*amount))
            }
            Step::Release { account, hold } => format!("SELECT trim_scale(credit_release('{account}', {hold}))"),
            Step::Void { account, lot } => format!("SELECT trim_scale(credit_void('{account}', {lot}))"),
            Step::SetExpiry { account, lot, expires_at } => {
                format!("SELECT credit_set_expiry('{account}', {lot}, {})", optional_instant(*expires_at))
            }
            Step::Expire { account, max_lots } => {
                let arguments = account.map(|account| format!("account => '{account}'")).into_iter();
                let arguments = arguments.chain(max_lots.map(|limit| format!("max_lots => {limit}"))).collect::<Vec<_>>();
                format!("SELECT lot, trim_scale(expired) FROM credit_expire({})", arguments.join(", "))
            }
            Step::Maintain => "SELECT * FROM credit_maintain()".to_owned(),
            Step::Entry { scope, lot, amount, is_debit } => format!(
                "INSERT INTO credit.entry (account, kind, amount, lot, member, operation)
                 VALUES ('{}', '{}', {}, {lot}, {}, {}) RETURNING posting",
                scope.account,
                if *is_debit { "debit" } else { "adjustment" },
                amount_text(*amount),
                optional_quote(scope.member),
                optional_quote(scope.operation),
            ),
            Step::Clock { to } => format!("SET credit.clock = '{}'", instant_text(*to)),
            Step::Widen { account, lot, slots } => widen_sql(account, *lot, slots),
            Step::RolledBack(step) => format!("BEGIN; {}; ROLLBACK", step.sql()),
        }
    }
}

fn step_with_lot(choice: u64, random: &mut Random, reference: &Reference, lot: &Lot) -> Step {
    let account = lot.terms.account;
    match choice {
        73..77 => Step::Void { account, lot: lot.id },
        77..84 => Step::SetExpiry { account, lot: lot.id, expires_at: new_expiry(random, reference, lot) },
        84..94 => entry(random, lot),
        _ if lot.remaining > 0 => Step::Widen { account, lot: lot.id, slots: partition(random, lot) },
        _ => grant(random, reference),
    }
}

fn smallest(unit: &str) -> Amount {
    UNITS.iter().find(|(name, _)| *name == unit).expect("a unit of the model").1
}

/// An amount up to so many credits, with few or all decimals of the unit.
fn amount_up_to(random: &mut Random, credits: u64, unit: &str) -> Amount {
    let step = *random.pick(&[ONE, ONE / 4, smallest(unit)]);
    (1 + random.below(credits * (ONE / step) as u64) as Amount) * step
}

fn scope(random: &mut Random) -> Scope {
    Scope {
        account: random.pick::<&str>(&ACCOUNTS),
        unit: random.pick(&[UNITS[0], UNITS[0], UNITS[0], UNITS[1]]).0,
        member: *random.pick(&MEMBERS),
        operation: *random.pick(&OPERATIONS),
    }
}

fn random_lot<'a>(random: &mut Random, reference: &'a Reference) -> Option<&'a Lot> {
    if reference.lots.is_empty() { None } else { Some(random.pick(&reference.lots)) }
}

/// One in ten expires too early and is refused.
fn expiry(random: &mut Random, now: Instant, effective_at: Instant) -> Option<Instant> {
    let after = now.max(effective_at);
    match random.below(10) {
        0 => Some(*random.pick(&[now, effective_at, now - MINUTE, effective_at - 1])),
        1..4 => None,
        // Few different instants, so that several lots expire at the same one.
        4..9 => Some(after / (10 * MINUTE) * (10 * MINUTE) + (1 + random.below(6) as i64) * 10 * MINUTE),
        _ => Some(after + 1 + random.below(120 * MINUTE as u64) as i64),
    }
}

fn grant(random: &mut Random, reference: &Reference) -> Step {
    let Scope { account, unit, member, .. } = scope(random);
    let now = reference.now;
    let effective_at = match random.below(6) {
        0 => now + random.below(40 * MINUTE as u64) as i64,
        1 => now - random.below(40 * MINUTE as u64) as i64,
        _ => now,
    };
    let terms = Terms {
        account,
        unit,
        member: if random.below(2) == 0 { None } else { member },
        priority: *random.pick(&[50, 50, 50, 0, 10, 1000]),
        applies_to: random.pick(&[None, None, None, Some(vec!["chat"]), Some(vec!["chat", "code"])]).clone(),
        paid: random.below(2) == 0,
        effective_at,
        expires_at: expiry(random, now, effective_at),
    };
    Step::Grant { amount: amount_up_to(random, 40, unit), terms, by_insert: random.below(4) == 0 }
}

/// Small debits, and those around what is there: all of the first lot, all, and the least more than all.
fn debit(random: &mut Random, reference: &Reference) -> Step {
    let scope = scope(random);
    let payers = reference.payers(scope);
    let first = payers.first().map_or(0, |lot| lot.remaining);
    let spendable = reference.spendable(scope);
    let amount = match random.below(10) {
        0 => first,
        1 => first + smallest(scope.unit),
        2 => spendable,
        3 => spendable + smallest(scope.unit),
        4 | 5 => amount_up_to(random, 60, scope.unit),
        _ => amount_up_to(random, 8, scope.unit),
    };
    let amount = if amount > 0 { amount } else { smallest(scope.unit) };
    let key = if random.below(6) == 0 { Some(random.below(1 << 40)) } else { None };
    Step::Debit { scope, amount, is_try: random.below(3) == 0, key }
}

fn hold(random: &mut Random, reference: &Reference) -> Step {
    match debit(random, reference) {
        Step::Debit { scope, amount, .. } => Step::Hold { scope, amount },
        other => other,
    }
}

/// A capture of a part, of all, or of more than that; a release; and now and then of a hold that is settled.
fn of_hold(random: &mut Random, reference: &Reference) -> Step {
    let open: Vec<&Hold> = reference.holds.iter().filter(|hold| hold.is_open).collect();
    let hold = match random.below(8) {
        0 if !reference.holds.is_empty() => random.pick(&reference.holds),
        _ if !open.is_empty() => *random.pick(&open),
        _ => return hold(random, reference),
    };
    let Scope { account, unit, .. } = hold.scope;
    let open = hold.open();
    let half = open / 2 / smallest(unit) * smallest(unit);
    let amount = match random.below(6) {
        0 => open,
        1 => open + amount_up_to(random, 5, unit),
        2 => 0,
        _ => half,
    };
    match random.below(4) {
        0 => Step::Release { account, hold: hold.id },
        1 => Step::Capture { account, hold: hold.id, amount, is_final: false },
        _ => Step::Capture { account, hold: hold.id, amount, is_final: true },
    }
}

/// Up to twelve debits, most of them for one of two purposes, so that they meet at the same lots.
fn batch(random: &mut Random, reference: &Reference) -> Step {
    let scopes = [scope(random), scope(random)];
    let mut debits = Vec::new();
    for _ in 0..1 + random.below(12) {
        let scope = if random.below(5) == 0 { scope(random) } else { *random.pick(&scopes) };
        let spendable = reference.spendable(scope);
        let amount = match random.below(8) {
            0 => spendable / 2 / smallest(scope.unit) * smallest(scope.unit),
            1 => spendable,
            _ => amount_up_to(random, 3, scope.unit),
        };
        debits.push((scope, amount.max(smallest(scope.unit))));
    }
    Step::Batch { debits, each: random.below(3) > 0, as_json: random.below(2) == 0 }
}

fn expire(random: &mut Random) -> Step {
    let account = *random.pick(&[None, Some(ACCOUNTS[0]), Some(ACCOUNTS[1])]);
    Step::Expire { account, max_lots: *random.pick(&[None, None, Some(1), Some(2)]) }
}

/// Ahead a little, or to just before, exactly at, or just after an instant at which some lot starts or expires.
fn clock(random: &mut Random, reference: &Reference) -> Instant {
    let now = reference.now;
    let boundaries = reference.lots.iter().flat_map(|lot| [Some(lot.terms.effective_at), lot.terms.expires_at]);
    let mut ahead: Vec<Instant> = boundaries.flatten().filter(|at| *at > now + 1).collect();
    ahead.sort_unstable();
    ahead.truncate(4);
    match random.below(5) {
        0 => now + 1 + random.below(15 * MINUTE as u64) as i64,
        choice if !ahead.is_empty() => random.pick(&ahead) + [-1, 0, 0, 1][choice as usize - 1],
        _ => now + MINUTE,
    }
}

fn new_expiry(random: &mut Random, reference: &Reference, lot: &Lot) -> Option<Instant> {
    match random.below(8) {
        0 => lot.terms.expires_at,
        1 => Some(reference.now),
        2 => Some(lot.terms.effective_at),
        3 => None,
        4 => Some(reference.now + 1),
        _ => Some(reference.now.max(lot.terms.effective_at) + 1 + random.below(120 * MINUTE as u64) as i64),
    }
}

/// Most debits fit their lot; some do not, or are somebody else's.
fn entry(random: &mut Random, lot: &Lot) -> Step {
    let terms = &lot.terms;
    let is_debit = random.below(3) > 0;
    let fitting = random.below(4) > 0;
    let operation = terms.applies_to.as_ref().map(|names| names[0]);
    let scope = Scope {
        account: terms.account,
        unit: terms.unit,
        member: if fitting { terms.member } else { *random.pick(&MEMBERS) },
        operation: if fitting { operation } else { *random.pick(&OPERATIONS) },
    };
    let size = match random.below(6) {
        0 => lot.remaining,
        1 => lot.remaining + smallest(terms.unit),
        _ => amount_up_to(random, 5, terms.unit),
    };
    let gains = !is_debit && random.below(2) == 0;
    Step::Entry { scope, lot: lot.id, amount: if gains { size } else { -size }, is_debit }
}

/// What is left of a lot in two to six random parts, some of them nothing.
fn partition(random: &mut Random, lot: &Lot) -> Vec<Amount> {
    let step = smallest(lot.terms.unit);
    let mut left = lot.remaining / step;
    let mut parts = Vec::new();
    for _ in 0..1 + random.below(5) {
        let part = random.below(left as u64 + 1) as Amount;
        parts.push(part * step);
        left -= part;
    }
    parts.push(left * step);
    parts
}

fn grant_sql(terms: &Terms, amount: Amount) -> String {
    format!(
        "SELECT credit_grant('{}', {}, member => {}, unit => '{}', category => '{}', priority => {}, effective_at => '{}',
             expires_at => {}, applies_to => {}, {})",
        terms.account,
        amount_text(amount),
        optional_quote(terms.member),
        terms.unit,
        category(terms),
        terms.priority,
        instant_text(terms.effective_at),
        optional_instant(terms.expires_at),
        operations(terms),
        if terms.paid { "paid => 7, currency => 'USD'" } else { "paid => NULL" },
    )
}

fn insert_lot_sql(terms: &Terms, amount: Amount) -> String {
    format!(
        "INSERT INTO credit.lot (account, granted, member, unit, category, priority, effective_at, expires_at, applies_to, paid, \
            currency)
         VALUES ('{}', {}, {}, '{}', '{}', {}, '{}', {}, {}, {}) RETURNING lot",
        terms.account,
        amount_text(amount),
        optional_quote(terms.member),
        terms.unit,
        category(terms),
        terms.priority,
        instant_text(terms.effective_at),
        optional_instant(terms.expires_at),
        operations(terms),
        if terms.paid { "7, 'USD'" } else { "NULL, NULL" },
    )
}

fn category(terms: &Terms) -> &'static str {
    if terms.paid { "paid" } else { "promotional" }
}

fn operations(terms: &Terms) -> String {
    or_null(terms.applies_to.as_ref().map(|names| format!("'{{{}}}'", names.join(","))))
}

fn debit_sql(scope: Scope, amount: Amount, is_try: bool, key: Option<u64>) -> String {
    format!(
        "SELECT {}('{}', {}, member => {}, operation => {}, unit => '{}', key => {})",
        if is_try { "credit_try_debit" } else { "credit_debit" },
        scope.account,
        amount_text(amount),
        optional_quote(scope.member),
        optional_quote(scope.operation),
        scope.unit,
        optional_quote(key.map(|key| key.to_string()).as_deref()),
    )
}

fn hold_sql(scope: Scope, amount: Amount) -> String {
    format!(
        "SELECT credit_hold('{}', {}, member => {}, operation => {}, unit => '{}', expires_after => '31 days')",
        scope.account,
        amount_text(amount),
        optional_quote(scope.member),
        optional_quote(scope.operation),
        scope.unit,
    )
}

fn batch_sql(debits: &[(Scope, Amount)], each: bool, as_json: bool) -> String {
    let rows: Vec<String> = debits
        .iter()
        .map(|(scope, amount)| {
            let (member, operation) = (optional_quote(scope.member), optional_quote(scope.operation));
            format!("('{}', {}, {member}, {operation}, '{}')", scope.account, amount_text(*amount), scope.unit)
        })
        .collect();
    let arguments = match as_json {
        true => {
            "jsonb_agg(jsonb_strip_nulls(jsonb_build_object('account', a, 'amount', n, 'member', m, 'operation', o, 'unit', u)))"
        }
        false => "array_agg(a), array_agg(n), array_agg(m), array_agg(o), array_agg(u)",
    };
    let mode = if each { "each" } else { "all" };
    format!(
        "SELECT d.item, d.posting, trim_scale(d.shortfall) FROM (
             SELECT {columns} FROM (VALUES {values}) AS v (a, n, m, o, u)
         ) AS i, LATERAL {function}({names}, mode => '{mode}') AS d ORDER BY d.item",
        function = if as_json { "credit_debit_many_json" } else { "credit_debit_many" },
        columns = if as_json { format!("{arguments} AS j") } else { named_columns(arguments) },
        values = rows.join(", "),
        names = if as_json { "i.j" } else { "i.c1::text[], i.c2::numeric[], i.c3::text[], i.c4::text[], i.c5::text[]" },
    )
}

/// The aggregates, named c1 and so on.
fn named_columns(aggregates: &str) -> String {
    let named: Vec<String> =
        (1..).zip(aggregates.split(", ")).map(|(number, sql): (i32, _)| format!("{sql} AS c{number}")).collect();
    named.join(", ")
}

/// The rows that contention would have made. There is no function for it, so it is done to the tables by their owner.
fn widen_sql(account: &str, lot: i64, slots: &[Amount]) -> String {
    let values: Vec<String> = (0..)
        .zip(slots)
        .map(|(slot, amount): (i32, _)| format!("('{account}', {lot}, {slot}, {})", amount_text(*amount)))
        .collect();
    format!(
        "UPDATE credit.slot SET remaining = 0 WHERE account = '{account}' AND lot = {lot};
         INSERT INTO credit.slot (account, lot, slot, remaining) VALUES {}
         ON CONFLICT (account, lot, slot) DO UPDATE SET remaining = EXCLUDED.remaining;
         UPDATE credit.lot SET slots = greatest(slots, {}) WHERE account = '{account}' AND lot = {lot}",
        values.join(", "),
        slots.len(),
    )
}
