//! Subscriptions: the first one of an account, and its changes, with what they charge, grant, and pay back.
//!
//! Lots keep their cost basis, always. A dearer plan takes effect at once: it grants and charges what the days that are left
//! entitle to besides what was granted and charged for the period already. A cheaper one waits for the end of the period; asked
//! for at once it takes back what is unused of what the period does not come to any more, at its cost basis. A preview is a
//! change that is undone.

use chrono::{DateTime, Utc};

use crate::domain::amount::{Amount, MAX_DECIMALS};
use crate::domain::plans::subscription as rules;
use crate::domain::plans::subscription::{BillingPeriod, Decimals, Moved, Segment};
use crate::error::{self, Result};
use crate::ledger::account;
use crate::ledger::idempotency::{self, Keyed};
use crate::plans::giving_back::{self, GivenBack};
use crate::plans::quote::{self, Asked, Quoted};
use crate::plans::renewal::{self, Renewed};
use crate::schedules::{plan_schedule, refresh, seats};
use crate::server::locks::named;
use crate::server::{clock, subtransaction};
use crate::store::Snapshot;
use crate::store::ledger::lots;
use crate::store::plans::subscription_moves::{Bought, Changed, NewChange};
use crate::store::plans::subscriptions::{self, Cycle, NewSubscription, Period, Subscription, Terms};
use crate::store::plans::{self, subscription_moves as moves};
use crate::store::schedules::plan_schedules;
use crate::values;

/// A change of plan as the caller said it.
#[derive(Clone, Debug)]
pub struct Change<'a> {
    pub account: &'a str,
    pub plan: &'a str,
    /// Credits for each period; as many as before, unless given.
    pub quantity: Option<Amount>,
    pub at: Option<DateTime<Utc>>,
    /// Whether nothing is written.
    pub preview: bool,
    pub billing_period: Option<BillingPeriod>,
    /// The instant from which the periods are counted.
    pub anchor: Option<DateTime<Utc>>,
    pub override_reason: Option<&'a str>,
    pub keyed: Option<Keyed<'a>>,
    pub metadata: Option<&'a str>,
}

/// Changes the plan of an account, or begins its first subscription; what that did, or would do.
///
/// # Errors
/// As [`quote::quote`]; 22023 no quantity for the first one; 55000 before a commitment ends, at another instant than now or the
/// end of the period, or where nothing changes; 23505 key reused; 40001 as [`seats::keep_newcomers_out`].
pub fn change(request: &Change<'_>) -> Result<Changed> {
    if request.preview {
        return preview(request);
    }
    let change = moves::next_change();
    if let Some(keyed) = request.keyed
        && let Some(earlier) = idempotency::claim(request.account, keyed, change, clock::now())?
    {
        return Ok(moves::changed(request.account, earlier));
    }
    apply(request, change)
}

/// Applies the change and takes it back.
fn preview(request: &Change<'_>) -> Result<Changed> {
    let mut changed = None;
    subtransaction::attempt(|| {
        changed = Some(apply(request, moves::next_change())?);
        Ok(None::<()>)
    })?;
    Ok(changed.expect("a change that was applied"))
}

fn unit_of(plan: &str) -> Result<String> {
    plans::plan(plan, Snapshot::Fresh).map(|plan| plan.unit).ok_or_else(|| error::unknown_plan(plan))
}

fn apply(request: &Change<'_>, change: i64) -> Result<Changed> {
    account::find_or_create(request.account, Some(&unit_of(request.plan)?), None, clock::now())?;
    // The schedules of the plan that is left bring what they were to bring up to now.
    named::come_to_plan(request.plan);
    if plan_schedules::gives_to_seats(request.plan) {
        seats::keep_newcomers_out(&[request.account])?;
    }
    refresh::first_touch(request.account)?;
    account::lock(request.account);
    plans::share(request.plan);
    let _movable = renewal::go_on(request.account)?;
    // The waits may have been long: only now the plan and what the account is on stay as they are.
    let unit = unit_of(request.plan)?;
    let now = match request.at {
        Some(at) if request.preview && at > clock::now() => at,
        _ => clock::now(),
    };
    let renewed = renewal::due(request.account, Some(&unit), now, now, Some(change));
    let renewed = Renewals::of(request.account, &renewed)?;
    let current = subscriptions::in_force(request.account, &unit, now);
    let quantity = request.quantity.or(current.as_ref().map(|current| current.quantity));
    let quantity = quantity.ok_or_else(|| error::null_argument("quantity"))?;
    let asked =
        Asked { plan: request.plan, account: Some(request.account), quantity: Some(quantity), budget: None, currency: None };
    let quoted = quote::quote(asked, now, Snapshot::Fresh)?;
    if quoted.is_too_small {
        return Err(error::costs_too_little(asked.plan, quoted.quantity, &quoted.plan.currency));
    }
    if quoted.is_refused() && request.override_reason.is_none() {
        return Err(error::quote_below_floor(request.plan, &quoted.below_floor()));
    }
    let step = Step { request, change, unit: &unit, quoted: &quoted, renewed: &renewed, now };
    match current {
        None => step.begin()?,
        Some(current) => step.go_on(&current)?,
    }
    Ok(moves::changed(request.account, change))
}

/// A change with all that it depends on.
struct Step<'a> {
    request: &'a Change<'a>,
    change: i64,
    unit: &'a str,
    quoted: &'a Quoted,
    renewed: &'a Renewals,
    now: DateTime<Utc>,
}

/// The periods that had begun and were not bought: a change buys them first.
#[derive(Debug, Default)]
struct Renewals {
    periods: i64,
    moved: Moved,
    /// `None` when there are none.
    money: Option<(String, i32)>,
}

impl Renewals {
    /// The credits and the money that they come to.
    ///
    /// # Errors
    /// 55000 in two currencies: one row cannot say both.
    fn of(account: &str, renewed: &[Renewed]) -> Result<Renewals> {
        let currency = renewed.first().map(|period| period.currency.as_str());
        if let Some(other) = renewed.iter().find(|period| Some(period.currency.as_str()) != currency) {
            return Err(error::renewals_in_two_currencies(account, currency.unwrap_or_default(), &other.currency));
        }
        Ok(Renewals {
            periods: renewed.len() as i64,
            moved: Moved {
                granted: renewed.iter().map(|period| period.granted).sum(),
                charged: renewed.iter().map(|period| period.paid).sum(),
            },
            money: renewed.first().map(|period| (period.currency.clone(), period.currency_decimals)),
        })
    }
}

/// The subscription that a change begins.
struct Begun {
    id: i64,
    origin: i64,
    cycle: Cycle,
    effective_at: DateTime<Utc>,
    terms: Terms,
}

/// The credits and the money that a change moved.
#[derive(Default)]
struct Effect {
    bought: Moved,
    given_back: GivenBack,
    notes: Vec<String>,
}

impl Step<'_> {
    /// The first subscription: the rest of its first period is bought at once.
    fn begin(&self) -> Result<()> {
        if let Some(at) = self.request.at.filter(|at| clock::of_now(*at, self.now) != self.now) {
            return Err(error::change_at(self.request.account, at, self.now, None));
        }
        let terms = self.terms(self.now);
        let anchor = self.request.anchor.unwrap_or(self.now);
        let cycle = Cycle { anchor, phase: 0, billing_period: self.billing_period(&terms, None) };
        let id = subscriptions::next_id();
        let new = Begun { id, origin: id, cycle, effective_at: self.now, terms };
        let period = subscriptions::period(self.request.account, &cycle, self.now);
        self.add(&new, None);
        let bought = self.buy_rest(&new, &period, true);
        self.record(&new, None, period, Effect { bought, ..Effect::default() });
        Ok(())
    }

    /// A change of a subscription in force: at once, or when its period ends.
    fn go_on(&self, current: &Subscription) -> Result<()> {
        let Step { request, now, .. } = *self;
        let period = subscriptions::period(request.account, &current.cycle, now);
        let billing_period = self.billing_period(&self.terms(now), Some(current.cycle.billing_period));
        let is_dearer = rules::is_dearer((self.quoted.total, billing_period), (current.price, current.cycle.billing_period));
        let continues = billing_period == current.cycle.billing_period && self.quoted.plan.currency == current.currency;
        let effective_at = match request.at.map(|at| clock::of_now(at, now)) {
            Some(at) if at == now || at == period.ends_at => at,
            Some(at) => return Err(error::change_at(request.account, at, now, Some(period.ends_at))),
            None if self.goes_up(current, billing_period) => now,
            None => period.ends_at,
        };
        if request.anchor.is_some() {
            return Err(error::anchor_is_set(request.account, current.cycle.anchor));
        }
        let is_same = continues && request.plan == current.plan && self.quoted.quantity == current.quantity;
        let was_announced = subscriptions::drop_announced(request.account, self.unit, now);
        if is_same && self.quoted.total == current.price && !current.is_ending {
            return Err(error::nothing_changes(request.account, request.plan, self.quoted.quantity));
        }
        if effective_at == now && !continues && (!is_dearer || self.quoted.plan.currency != current.currency) {
            return Err(error::not_within_a_period(request.account, billing_period, period.ends_at));
        }
        let new = self.successor(current, continues, billing_period, effective_at);
        self.check_commitment(current, &new)?;
        subscriptions::end(request.account, current.subscription, effective_at, None, now);
        self.add(&new, Some(current.subscription));
        let (shown, mut effect) = self.move_credits(current, &new, period, is_dearer)?;
        match (was_announced, current.is_ending) {
            (true, _) => effect.notes.push("the change that was announced is dropped".to_owned()),
            (false, true) => effect.notes.push("the cancellation is dropped".to_owned()),
            (false, false) => {}
        }
        self.record(&new, Some(current), shown, effect);
        Ok(())
    }

    /// Whether a change takes effect at once where nobody said when: it costs more for the same time, or no less for as much and
    /// more.
    fn goes_up(&self, current: &Subscription, billing_period: BillingPeriod) -> bool {
        let (new, old) = ((self.quoted.total, billing_period), (current.price, current.cycle.billing_period));
        let is_as_dear = !rules::is_dearer(old, new) && billing_period == current.cycle.billing_period;
        self.quoted.plan.currency == current.currency
            && (rules::is_dearer(new, old) || (is_as_dear && self.quoted.quantity >= current.quantity))
    }

    /// The subscription after the current one: it shares the periods, or has its own from when it begins.
    fn successor(
        &self,
        current: &Subscription,
        continues: bool,
        billing_period: BillingPeriod,
        effective_at: DateTime<Utc>,
    ) -> Begun {
        let id = subscriptions::next_id();
        let terms = self.terms(effective_at);
        let (origin, cycle) = match (continues, effective_at == self.now) {
            (true, _) => (current.origin, current.cycle),
            (false, true) => (id, Cycle { anchor: effective_at, phase: 0, billing_period }),
            (false, false) => (id, subscriptions::continued(self.request.account, &current.cycle, effective_at, billing_period)),
        };
        Begun { id, origin, cycle, effective_at, terms }
    }

    fn terms(&self, effective_at: DateTime<Utc>) -> Terms {
        let agreement = self.quoted.agreement.as_ref().map(|agreement| agreement.agreement);
        let tier_version = self.quoted.tier.as_ref().map(|tier| tier.version);
        subscriptions::terms(self.request.account, agreement, tier_version, effective_at)
    }

    /// The billing period: the one that was asked for, the tier's, the current one, or a month.
    fn billing_period(&self, terms: &Terms, current: Option<BillingPeriod>) -> BillingPeriod {
        self.request.billing_period.or(terms.billing_period).or(current).unwrap_or(BillingPeriod::Month)
    }

    /// A commitment binds until it ends, unless the new one is worth at least what is left of it, or somebody says why not.
    fn check_commitment(&self, current: &Subscription, new: &Begun) -> Result<()> {
        let account = self.request.account;
        let Some(until) = current.committed_until.filter(|until| *until > new.effective_at) else { return Ok(()) };
        let left = subscriptions::periods_between(account, &current.cycle, new.effective_at, until);
        let own = new.terms.committed_until;
        let periods = own.map_or(0, |own| subscriptions::periods_between(account, &new.cycle, new.effective_at, own));
        let keeps = rules::commitment(self.quoted.total, periods) >= rules::commitment(current.price, left);
        if (keeps && self.quoted.plan.currency == current.currency) || self.request.override_reason.is_some() {
            return Ok(());
        }
        Err(error::still_committed(account, &current.plan, until, new.effective_at))
    }

    /// Buys, or gives back, what the change comes to; the period that it shows.
    fn move_credits(&self, current: &Subscription, new: &Begun, period: Period, is_dearer: bool) -> Result<(Period, Effect)> {
        let mut effect = Effect::default();
        if new.effective_at > self.now {
            effect.notes.push("takes effect when the period ends; nothing is charged or paid back until then".to_owned());
            return Ok((Period { days_left: 0, ..period }, effect));
        }
        if new.origin != current.origin {
            self.give_back(current.origin, &period, new, &mut effect)?;
            effect.notes.push(format!("a new {} begins", new.cycle.billing_period));
            let own = subscriptions::period(self.request.account, &new.cycle, self.now);
            effect.bought = self.buy_rest(new, &own, true);
            return Ok((own, effect));
        }
        if is_dearer || self.goes_up(current, new.cycle.billing_period) {
            effect.bought = self.buy_rest(new, &period, false);
            effect.notes.extend(match (effect.bought.granted.is_zero(), effect.bought.charged.is_zero()) {
                (true, true) => Some("the period grants no more credits: nothing is charged until it ends".to_owned()),
                (true, false) => {
                    Some("the period grants no more credits of the plan's own: its price is charged for the days".to_owned())
                }
                _ => None,
            });
            effect.notes.extend(self.overpaid(
                new.origin,
                &period,
                &subscriptions::segments(self.request.account, new.origin, &period),
            ));
        } else {
            self.give_back(current.origin, &period, new, &mut effect)?;
        }
        Ok((period, effect))
    }

    fn decimals(&self) -> Decimals {
        Decimals { unit: self.quoted.plan.unit_decimals, currency: self.quoted.currency_decimals }
    }

    /// Buys what the period entitles to until it ends, less what it granted and charged already.
    fn buy_rest(&self, new: &Begun, period: &Period, is_period: bool) -> Moved {
        let account = self.request.account;
        let segments = subscriptions::segments(account, new.origin, period);
        let entitled = rules::entitlement(&segments, period.days, self.decimals());
        let due = rules::outstanding(entitled, moves::moved(account, new.origin, period));
        if due.granted.is_positive() || due.charged.is_positive() {
            let bought = Bought {
                account,
                subscription: new.id,
                lot: due.granted.is_positive().then(lots::next_id),
                granted: due.granted,
                paid: due.charged,
                currency_decimals: self.quoted.currency_decimals as i32,
                change: Some(self.change),
                renewed_in: None,
                starts_at: period.starts_at,
                ends_at: period.ends_at,
                is_period,
            };
            renewal::buy(&bought, self.now, self.now);
        }
        due
    }

    /// The note for a period that more was charged for than its days come to, which is not paid back.
    fn overpaid(&self, origin: i64, period: &Period, segments: &[Segment]) -> Option<String> {
        let entitled = rules::entitlement(segments, period.days, self.decimals());
        let moved = moves::moved(self.request.account, origin, period);
        let money = |amount| values::money_text(amount, self.quoted.currency_decimals);
        let currency = &self.quoted.plan.currency;
        // Money that is paid back is rounded down: the smallest coin is not worth a note.
        let coin = Amount::from_nanos(10_i128.pow(MAX_DECIMALS - self.quoted.currency_decimals)).expect("a coin");
        let kept = Some(rules::overpaid(entitled, moved)).filter(|kept| *kept > coin)?;
        Some(format!(
            "{} {currency} are paid for the period, {} {currency} are due for its days: {} {currency} are not paid back",
            money(moved.charged),
            money(entitled.charged),
            money(kept),
        ))
    }

    /// Takes back what is unused of what a period does not entitle to any more.
    fn give_back(&self, origin: i64, period: &Period, new: &Begun, effect: &mut Effect) -> Result<()> {
        let account = self.request.account;
        let mut segments = subscriptions::segments(account, origin, period);
        if new.origin != origin {
            segments.push(Segment::nothing(period.days_left));
        }
        let entitled = rules::entitlement(&segments, period.days, self.decimals());
        let excess = rules::excess(entitled, moves::moved(account, origin, period));
        let taking = giving_back::Taking {
            account,
            origin,
            period,
            excess,
            subscription: new.id,
            change: self.change,
            decimals: self.decimals(),
            metadata: self.request.metadata,
        };
        effect.given_back = giving_back::give_back(&taking, self.now)?;
        effect.notes.extend(effect.given_back.notes());
        effect.notes.extend(self.overpaid(origin, period, &segments));
        Ok(())
    }

    fn add(&self, new: &Begun, predecessor: Option<i64>) {
        let agreement = self.quoted.agreement.as_ref();
        subscriptions::add(
            &NewSubscription {
                account: self.request.account,
                subscription: new.id,
                origin: new.origin,
                predecessor,
                effective_at: new.effective_at,
                agreed_at: agreement.map_or(self.now, |agreement| agreement.agreed_at),
                cycle: new.cycle,
                committed_until: new.terms.committed_until,
                agreement: agreement.map(|agreement| agreement.agreement),
                tier_version: self.quoted.tier.as_ref().map(|tier| tier.version),
                plan: self.request.plan,
                quantity: self.quoted.quantity,
                price: self.quoted.total,
                currency_decimals: self.quoted.currency_decimals as i32,
                list_price: self.quoted.list_price,
                discount: self.quoted.discount,
                unit_price: self.quoted.unit_price,
                override_reason: self.request.override_reason,
                metadata: self.request.metadata,
            },
            self.now,
        );
    }

    fn record(&self, new: &Begun, from: Option<&Subscription>, period: Period, effect: Effect) {
        let Effect { bought, given_back, mut notes } = effect;
        let lots_kept = moves::lots_kept(self.request.account, self.unit, self.change, self.now);
        notes.extend(plan_schedule::follow(self.request.account, self.now));
        if self.quoted.is_below_floor {
            notes.push("the margin is below the floor of the plan".to_owned());
        }
        moves::add_change(
            &NewChange {
                account: self.request.account,
                change: self.change,
                subscription: new.id,
                effective_at: new.effective_at,
                period,
                committed_until: new.terms.committed_until,
                from_plan: from.map(|from| from.plan.as_str()),
                to_plan: self.request.plan,
                charge: bought.charged,
                credit: given_back.credit,
                currency: &self.quoted.plan.currency,
                currency_decimals: self.quoted.currency_decimals as i32,
                granted: bought.granted,
                returned: given_back.returned,
                renewals: self.renewed.periods,
                renewed: self.renewed.moved,
                renewed_money: self.renewed.money.clone(),
                new_price: self.quoted.total,
                lots_kept,
                note: (!notes.is_empty()).then(|| notes.join("; ")),
            },
            self.now,
        );
    }
}
