//! The rules, as the design states them, over a list of lots.

use chrono::DateTime;

/// An amount in millionths of a credit.
pub type Amount = i64;

/// An instant in microseconds since 1970.
pub type Instant = i64;

/// The accounts: one whose members share a pool, and one whose members spend their own lots only.
pub const POOLED: &str = "pooled";
pub const SEATS: &str = "seats";
pub const ACCOUNTS: [&str; 2] = [POOLED, SEATS];
pub const MEMBERS: [Option<&str>; 4] = [None, Some("alice"), Some("bob"), Some("carol")];
pub const OPERATIONS: [Option<&str>; 3] = [None, Some("chat"), Some("code")];

/// The units, and the smallest amount of each: `credit` has six decimals, `token` two.
pub const UNITS: [(&str, Amount); 2] = [("credit", 1), ("token", 10_000)];

pub const ONE: Amount = 1_000_000;

/// 22023 invalid_parameter_value, 23514 check_violation, 55000 object_not_in_prerequisite_state.
pub const INVALID: &str = "22023";
pub const INSUFFICIENT: &str = "23514";
pub const WRONG_STATE: &str = "55000";

/// Whose credits, in which unit, for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    pub account: &'static str,
    pub unit: &'static str,
    pub member: Option<&'static str>,
    pub operation: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub struct Terms {
    pub account: &'static str,
    pub unit: &'static str,
    pub member: Option<&'static str>,
    pub priority: i32,
    pub applies_to: Option<Vec<&'static str>>,
    pub paid: bool,
    pub effective_at: Instant,
    pub expires_at: Option<Instant>,
}

#[derive(Clone, Debug)]
pub struct Lot {
    pub id: i64,
    pub terms: Terms,
    /// What is left and not held.
    pub remaining: Amount,
    /// What goes back to it is voided.
    pub is_voided: bool,
}

/// Credits that are set aside. They end long after the run does.
#[derive(Clone, Debug)]
pub struct Hold {
    pub id: i64,
    pub scope: Scope,
    /// What each lot still has in it, in the order of the draw.
    pub parts: Vec<Draw>,
    pub is_open: bool,
}

/// What a debit takes from one lot.
pub type Draw = (i64, Amount);

impl Terms {
    pub fn has_expired(&self, at: Instant) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= at)
    }

    pub fn is_in_force(&self, at: Instant) -> bool {
        self.effective_at <= at && !self.has_expired(at)
    }

    fn pays_for(&self, operation: Option<&'static str>) -> bool {
        self.applies_to.as_ref().is_none_or(|names| operation.is_some_and(|operation| names.contains(&operation)))
    }
}

/// Everything the database is expected to know.
#[derive(Clone, Debug)]
pub struct Reference {
    pub now: Instant,
    pub lots: Vec<Lot>,
    pub holds: Vec<Hold>,
}

impl Hold {
    /// What it still has.
    pub fn open(&self) -> Amount {
        self.parts.iter().map(|(_, amount)| amount).sum()
    }

    /// Takes an amount that it has out of it, from the lot that was drawn first; what of which lot.
    fn capture(&mut self, amount: Amount) -> Vec<Draw> {
        let mut left = amount;
        let mut captured = Vec::new();
        for (lot, open) in &mut self.parts {
            let taken = left.min(*open);
            if taken > 0 {
                captured.push((*lot, taken));
                *open -= taken;
                left -= taken;
            }
        }
        captured
    }
}

impl Reference {
    pub fn hold(&mut self, id: i64) -> &mut Hold {
        self.holds.iter_mut().find(|hold| hold.id == id).expect("a hold of the model")
    }

    /// What open holds have of a lot.
    pub fn held(&self, lot: i64) -> Amount {
        self.holds.iter().flat_map(|hold| &hold.parts).filter(|(of, _)| *of == lot).map(|(_, amount)| amount).sum()
    }

    /// What a capture debits of which lots, in the order of its lines: what goes beyond the hold comes first. Where that is not
    /// there: how much it would be, and how much there is.
    pub fn capture(&mut self, id: i64, amount: Amount, is_final: bool) -> Result<Vec<Draw>, (Amount, Amount)> {
        let hold = self.hold(id);
        let scope = hold.scope;
        let missing = (amount - hold.open()).max(0);
        let (mut draws, uncovered) = self.take(scope, missing);
        if uncovered > 0 {
            return Err((missing, missing - uncovered));
        }
        draws.extend(self.hold(id).capture(amount - missing));
        if is_final {
            self.give_back(id);
        }
        Ok(draws)
    }

    /// Gives back what a hold still has, and settles it; how much that was. What goes back to a lot that is over goes at once.
    pub fn give_back(&mut self, id: i64) -> Amount {
        let hold = self.hold(id);
        hold.is_open = false;
        let parts = std::mem::take(&mut hold.parts);
        for (lot, amount) in &parts {
            if !self.lot(*lot).is_voided && !self.lot(*lot).terms.has_expired(self.now) {
                self.change(*lot, *amount);
            }
        }
        parts.iter().map(|(_, amount)| amount).sum()
    }

    /// Voids a lot that is not over: how much that takes out.
    pub fn void(&mut self, id: i64) -> Amount {
        let is_voided = self.lot(id).remaining > 0 || self.held(id) > 0;
        let taken = self.empty(id);
        let lot = self.lots.iter_mut().find(|lot| lot.id == id).expect("a lot of the model");
        lot.is_voided |= is_voided;
        taken
    }

    /// Why a grant is refused.
    pub fn check_grant(&self, terms: &Terms) -> Result<(), &'static str> {
        let expires_too_early = |expires_at| expires_at <= terms.effective_at || expires_at <= self.now;
        if terms.expires_at.is_some_and(expires_too_early) { Err(INVALID) } else { Ok(()) }
    }

    /// The lots that may pay, in drawdown order.
    pub fn payers(&self, scope: Scope) -> Vec<&Lot> {
        let owner_pays = |owner: Option<&str>| match owner {
            Some(owner) => Some(owner) == scope.member,
            None => scope.account == POOLED || scope.member.is_none(),
        };
        let pays = |lot: &&Lot| {
            let Terms { account, unit, member, .. } = lot.terms;
            (account, unit) == (scope.account, scope.unit)
                && owner_pays(member)
                && lot.terms.is_in_force(self.now)
                && lot.terms.pays_for(scope.operation)
        };
        let mut payers: Vec<&Lot> = self.lots.iter().filter(pays).collect();
        payers.sort_by_key(|lot| {
            let terms = &lot.terms;
            let never_expires = (terms.expires_at.is_none(), terms.expires_at);
            let own_first = terms.member.is_none();
            (own_first, terms.priority, terms.applies_to.is_none(), never_expires, terms.paid, terms.effective_at, lot.id)
        });
        payers
    }

    /// What a debit could spend at most.
    pub fn spendable(&self, scope: Scope) -> Amount {
        self.payers(scope).iter().map(|lot| lot.remaining).sum()
    }

    /// What each lot would pay, and what no lot covers.
    pub fn plan(&self, scope: Scope, amount: Amount) -> (Vec<Draw>, Amount) {
        let mut uncovered = amount;
        let mut draws = Vec::new();
        for lot in self.payers(scope) {
            let drawn = lot.remaining.min(uncovered);
            if drawn > 0 {
                draws.push((lot.id, drawn));
                uncovered -= drawn;
            }
        }
        (draws, uncovered)
    }

    /// Debits if it fits; what each lot paid or would have, and what no lot covers.
    pub fn take(&mut self, scope: Scope, amount: Amount) -> (Vec<Draw>, Amount) {
        let (draws, uncovered) = self.plan(scope, amount);
        if uncovered == 0 {
            draws.iter().for_each(|(lot, drawn)| self.change(*lot, -drawn));
        }
        (draws, uncovered)
    }

    /// What `credit_balance()` is to say of an instant from which on nothing was posted: without a member everything in the
    /// account counts, without an operation lots limited to operations too.
    pub fn balance(&self, scope: Scope, at: Instant) -> Amount {
        let counts = |lot: &&Lot| {
            let terms = &lot.terms;
            let of_scope = (terms.account, terms.unit) == (scope.account, scope.unit);
            let of_owner = match (scope.member, terms.member) {
                (None, _) => true,
                (Some(_), None) => scope.account == POOLED,
                (member, owner) => member == owner,
            };
            of_scope && of_owner && terms.is_in_force(at) && (scope.operation.is_none() || terms.pays_for(scope.operation))
        };
        self.lots.iter().filter(counts).map(|lot| lot.remaining).sum()
    }

    pub fn lot(&self, id: i64) -> &Lot {
        self.lots.iter().find(|lot| lot.id == id).expect("a lot of the model")
    }

    pub fn change(&mut self, id: i64, by: Amount) {
        let lot = self.lots.iter_mut().find(|lot| lot.id == id).expect("a lot of the model");
        lot.remaining += by;
        assert!(lot.remaining >= 0, "the model's lot {id} is below zero");
    }

    /// Takes out what is left of a lot: how much that was.
    pub fn empty(&mut self, id: i64) -> Amount {
        let remaining = self.lot(id).remaining;
        self.change(id, -remaining);
        remaining
    }

    /// Why an expiry cannot be moved.
    pub fn check_move(&self, id: i64, expires_at: Option<Instant>) -> Result<(), &'static str> {
        let lot = self.lot(id);
        if expires_at.is_some_and(|at| at <= lot.terms.effective_at || at <= self.now) {
            Err(INVALID)
        } else if lot.terms.has_expired(self.now) || lot.remaining == 0 {
            Err(WRONG_STATE)
        } else {
            Ok(())
        }
    }

    /// Why an entry cannot be inserted directly.
    pub fn check_entry(&self, id: i64, amount: Amount, is_debit: bool, scope: Scope) -> Result<(), &'static str> {
        let lot = self.lot(id);
        let owner = lot.terms.member;
        let is_foreign = owner != scope.member && (owner.is_some() || scope.account == SEATS);
        if amount == 0 || is_debit && (amount > 0 || is_foreign || !lot.terms.pays_for(scope.operation)) {
            Err(INVALID)
        } else if is_debit && !lot.terms.is_in_force(self.now) || lot.terms.has_expired(self.now) {
            Err(WRONG_STATE)
        } else if lot.remaining + amount < 0 {
            Err(INSUFFICIENT)
        } else {
            Ok(())
        }
    }

    /// The lots whose expiry is due and that hold something.
    pub fn due(&self) -> Vec<i64> {
        self.lots.iter().filter(|lot| lot.terms.has_expired(self.now) && lot.remaining > 0).map(|lot| lot.id).collect()
    }
}

/// An amount as `trim_scale()` shows it.
pub fn amount_text(amount: Amount) -> String {
    let sign = if amount < 0 { "-" } else { "" };
    let (whole, fraction) = (amount.abs() / ONE, amount.abs() % ONE);
    let text = format!("{sign}{whole}.{fraction:06}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// An instant for SQL.
pub fn instant_text(instant: Instant) -> String {
    DateTime::from_timestamp_micros(instant).expect("an instant of the model").to_rfc3339()
}
