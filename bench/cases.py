"""What is measured: the cases, who takes part in each, and what the targets are."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

BENCH = Path(__file__).resolve().parent
COMPETITORS = BENCH / "competitors"

SUBJECT = "pg_credit"
WALLET = "wallet"
ROW_LOCK = "row_lock"
CEILING = "insert_only"

FIRST_ACCOUNT = 1001
MANY_ACCOUNTS = 1000
MEMBERS = 100
BATCH_SIZE = 1000
BATCH_ACCOUNTS = 100
BATCHES = 20
EXPIRED_LOTS = 10_000
HISTORY_LOTS = 10_000
BALANCE_READS = 20_000
RATES = 5_000
REPORTED_ACCOUNTS = 1000
HOLDS = 10_000
# The debits that the case `refund` refunds: the first of the history, each of 1.25.
OLD_DEBITS = 100_000
# Never used up, however long the run.
GRANTED = 1_000_000_000


def setting(name: str, default: int) -> int:
    """An environment variable BENCH_NAME that is a number."""
    return int(os.environ.get("BENCH_" + name) or default)


SECONDS = setting("SECONDS", 4)
REPETITIONS = setting("REPETITIONS", 5)
HISTORY_ENTRIES = setting("HISTORY_ENTRIES", 10_000_000)
BLOAT_SECONDS = setting("BLOAT_SECONDS", 600)
SCHEDULES = setting("SCHEDULES", 100_000)
COUNTED_DEBITS = setting("COUNTED_DEBITS", 50_000)
FLUSH_MICROSECONDS = setting("FLUSH_MICROSECONDS", 1500)


@dataclass(frozen=True)
class Contestant:
    """Somebody who takes part in a case: a directory of competitors/ and what is different for this one."""

    name: str
    directory: Path
    label: str = ""
    script: str = "debit"
    # SQL files run after accounts.sql.
    preparation: tuple[str, ...] = ()
    # Settings of its sessions.
    settings: str = ""
    # Contestants of one case that name the same database share it; by default each has its own.
    database: str = ""
    # Debits in the ledger that the preparation wrote.
    debits_prepared: int = 0
    # Debits in the ledger for each transaction of pgbench that is not a batch.
    debits: int = 1
    # The case is skipped for it, with a note, where this function is missing.
    needs_function: str = ""

    @property
    def title(self) -> str:
        return self.label or self.name


@dataclass(frozen=True)
class Comparison:
    """A ratio of two contestants of a case, computed within each repetition, and what it shall be."""

    subject: str
    against: str
    at_least: float | None = None
    at_most: float | None = None
    # "rate": debits per second; "latency": time per debit.
    measure: str = "rate"


@dataclass(frozen=True)
class Case:
    name: str
    title: str
    clients: int
    contestants: tuple[Contestant, ...]
    comparisons: tuple[Comparison, ...] = ()
    # "throughput", "counted" (a fixed number of debits, for bytes), "balance", "bloat", "midnight" or "reports"
    kind: str = "throughput"
    accounts: int = 1
    lots: int = 1
    members: int = 0
    slow: bool = False
    # A long case runs only when it is named, or with BENCH_CASES=all.
    long: bool = False
    debits_per_transaction: int = 1
    # For "balance": the most microseconds a read may take. It is read by the file of the case's name.
    target_microseconds: float | None = None
    # For "reports": the most milliseconds a report of the large account may take, and how many times as fast as the ledger it shall be.
    target_milliseconds: float | None = None
    target_times: float | None = None
    variables: dict[str, int] = field(default_factory=dict)


def contestant(name: str, **details) -> Contestant:
    return Contestant(name, COMPETITORS / name, **details)


def other_ledger() -> tuple[Contestant, ...]:
    """The ledger of BENCH_LEDGER, under its directory's name."""
    directory = os.environ.get("BENCH_LEDGER")
    if not directory:
        return ()
    path = Path(directory).resolve()
    return (Contestant(path.name, path),)


def rivals(script: str = "debit") -> tuple[Contestant, ...]:
    known = tuple(contestant(name, script=script) for name in (SUBJECT, WALLET, ROW_LOCK, CEILING))
    return known + tuple(ledger for ledger in other_ledger() if has_script(ledger, script))


def has_script(ledger: Contestant, script: str) -> bool:
    return (ledger.directory / f"{script}.pgbench").exists()


def against(wallet: float | None = None, row_lock: float | None = None, ceiling: float | None = None) -> tuple[Comparison, ...]:
    bounds = {WALLET: wallet, ROW_LOCK: row_lock, CEILING: ceiling}
    known = tuple(Comparison(SUBJECT, name, at_least=bound) for name, bound in bounds.items())
    return known + tuple(Comparison(SUBJECT, ledger.name) for ledger in other_ledger())


def throughput(name: str, title: str, clients: int, targets: tuple[Comparison, ...] = (), **details) -> Case:
    script = "debit_of_member" if details.get("members") else "debit"
    contestants = rivals(script)
    names = {contestant.name for contestant in contestants}
    comparisons = tuple(c for c in targets or against() if c.against in names)
    return Case(name, title, clients, contestants, comparisons, **details)


def all_cases() -> list[Case]:
    slow = f"{FLUSH_MICROSECONDS / 1000:g} ms flush"
    return [
        throughput("single", "1 client, 1,000 accounts", 1, against(ceiling=0.7), accounts=MANY_ACCOUNTS),
        throughput("many-16", "16 clients, 1,000 accounts", 16, against(wallet=1.4, ceiling=0.65), accounts=MANY_ACCOUNTS),
        throughput("many-32", "32 clients, 1,000 accounts", 32, accounts=MANY_ACCOUNTS),
        throughput("pool-1", "1 client, one pool, 1 open lot", 1, against(ceiling=0.7)),
        throughput("pool-16", "16 clients, one hot pool", 16, against(wallet=4, ceiling=0.65)),
        throughput("pool-32", "32 clients, one hot pool", 32),
        throughput("pool-64", "64 clients, one hot pool", 64, against(wallet=2.5)),
        throughput("members-16", "16 clients, one hot pool, 100 members", 16, members=MEMBERS),
        throughput("lots-10", "1 client, one pool, 10 open lots", 1, lots=10),
        throughput("lots-100", "1 client, one pool, 100 open lots", 1, lots=100),
        batch_case(),
        charge_case("charge-1", "1 client, one pool", 1),
        charge_case("charge-16", "16 clients, one hot pool", 16),
        cap_case(),
        hold_case("holds-16", "16 clients, one hot pool: holds and their captures, against debits", 16, True),
        beside_holds_case(),
        settled_holds_case(),
        history_case(),
        refund_case(),
        expired_case(),
        midnight_case(),
        consumption_case(),
        balance_case(),
        check_case(),
        counted_case("bytes-pool", "bytes of a debit, one pool", 1),
        counted_case("bytes-many", "bytes of a debit, 1,000 accounts", MANY_ACCOUNTS),
        bloat_case(),
        throughput("slow-many-32", f"32 clients, 1,000 accounts, {slow}", 32, accounts=MANY_ACCOUNTS, slow=True),
        throughput("slow-pool-16", f"16 clients, one hot pool, {slow}", 16, slow=True),
        throughput("slow-pool-32", f"32 clients, one hot pool, {slow}", 32, against(wallet=12, ceiling=0.75), slow=True),
        throughput("slow-pool-64", f"64 clients, one hot pool, {slow}", 64, slow=True),
        hold_case("slow-holds-32", f"32 clients, one hot pool: holds and their captures, by hand and not, {slow}", 32, False, slow=True),
    ]


def batch_case() -> Case:
    """One call with a thousand debits against a raw INSERT ... SELECT of the same entries."""
    ours = {"preparation": ("batches.sql",), "needs_function": "credit_debit_many"}
    return Case(
        "batch",
        f"batches of {BATCH_SIZE:,} debits over {BATCH_ACCOUNTS} accounts, 1 client",
        1,
        (
            contestant(SUBJECT, script="debit_many", **ours),
            contestant(SUBJECT, label="pg_credit, mode each", script="debit_many_each", **ours),
            contestant(CEILING, script="debit_many", preparation=("batches.sql",)),
        ),
        (Comparison(SUBJECT, CEILING, at_least=0.6),),
        accounts=BATCH_ACCOUNTS,
        debits_per_transaction=BATCH_SIZE,
        variables={"batches": BATCHES, "batch_size": BATCH_SIZE},
    )


def charge_case(name: str, title: str, clients: int) -> Case:
    """Debits of quantities that a card prices, against debits of amounts, each in a database of its own."""
    return Case(
        name,
        f"charges of 100 operations, {RATES:,} rates on the card, against plain debits: {title}",
        clients,
        (
            contestant(SUBJECT, label="charges", script="charge", preparation=("rate_card.sql",), needs_function="credit_charge"),
            contestant(SUBJECT, label="debits"),
        ),
        (Comparison("charges", "debits", at_least=0.8),),
        variables={"rates": RATES},
    )


def cap_case() -> Case:
    """Debits that a cap of their department and one of the account count, against the same without, each in a database of its own."""
    capped = {"preparation": ("caps.sql",), "needs_function": "credit_cap"}
    return Case(
        "caps-16",
        f"16 clients, one hot pool, {MEMBERS} members of 10 departments with a cap each, and one of the account",
        16,
        (
            contestant(SUBJECT, label="with caps", script="debit_of_member", **capped),
            contestant(SUBJECT, label="without", script="debit_of_member"),
        ),
        (Comparison("with caps", "without", at_least=0.5),),
        members=MEMBERS,
    )


def hold_case(name: str, title: str, clients: int, against_debits: bool, **details) -> Case:
    """Spends: a hold, and its capture in a transaction of its own, by a cost that is below what was held."""
    ours = contestant(SUBJECT, label="hold and capture", script="spend", needs_function="credit_hold")
    theirs = (
        contestant(SUBJECT, label="debits") if against_debits else contestant(ROW_LOCK, label="reservations by hand", script="spend")
    )
    at_least = 0.45 if against_debits else 14
    return Case(name, title, clients, (ours, theirs), (Comparison(ours.title, theirs.title, at_least=at_least),), **details)


def beside_holds_case() -> Case:
    """Debits of an account with many holds, against one without, each in a database of its own."""
    return Case(
        "beside-holds",
        f"16 clients, one hot pool, beside {HOLDS:,} holds of the same account",
        16,
        (
            contestant(SUBJECT, label="open holds", preparation=("open_holds.sql",), needs_function="credit_hold"),
            contestant(SUBJECT, label="ended holds", preparation=("ended_holds.sql",), needs_function="credit_hold"),
            contestant(SUBJECT, label="no holds"),
        ),
        (Comparison("open holds", "no holds", at_least=0.95), Comparison("ended holds", "no holds", at_least=0.95)),
        variables={"holds": HOLDS},
    )


def settled_holds_case() -> Case:
    """Debits of an account with holds that were captured, and refunds of these, against one without."""
    return Case(
        "settled-holds",
        f"16 clients, one hot pool, {HOLDS:,} captured and partly refunded holds in the account's history",
        16,
        (
            contestant(
                SUBJECT,
                label="with refunds",
                preparation=("settled_holds.sql",),
                debits_prepared=HOLDS,
                needs_function="credit_refund",
            ),
            contestant(SUBJECT, label="without"),
        ),
        (Comparison("with refunds", "without", at_least=0.97),),
        variables={"holds": HOLDS},
    )


def refund_case() -> Case:
    """Refunds of the oldest debits of a long history, against debits of an empty account."""
    debits = HISTORY_ENTRIES // HISTORY_LOTS * HISTORY_LOTS
    return Case(
        "refund",
        f"1 client, refunds of debits with {HISTORY_ENTRIES:,} entries since, against debits",
        1,
        (
            contestant(
                SUBJECT,
                label="refunds",
                script="refund",
                preparation=("history.sql",),
                debits_prepared=debits,
                debits=0,
                needs_function="credit_refund",
            ),
            contestant(SUBJECT, label="debits"),
        ),
        (Comparison("refunds", "debits", at_most=2, measure="latency"),),
        # The grant of accounts.sql is the first posting, and those of the history's lots come before its debits.
        variables={
            "history_entries": HISTORY_ENTRIES,
            "history_lots": HISTORY_LOTS,
            "first_old_debit": HISTORY_LOTS + 2,
            "old_debits": min(OLD_DEBITS, debits),
        },
    )


def history_case() -> Case:
    """An account with a long past against one without, each in a database of its own."""
    past = {"preparation": ("history.sql",), "database": "history", "debits_prepared": HISTORY_ENTRIES // HISTORY_LOTS * HISTORY_LOTS}
    empty = {"database": "empty"}
    unflushed = {"settings": "-c synchronous_commit=off"}
    return Case(
        "history",
        f"1 client, {HISTORY_ENTRIES:,} entries and {HISTORY_LOTS:,} exhausted lots, against an empty account",
        1,
        (
            contestant(SUBJECT, label="with history", **past),
            contestant(SUBJECT, label="empty", **empty),
            contestant(SUBJECT, label="with history, no flush", **past, **unflushed),
            contestant(SUBJECT, label="empty, no flush", **empty, **unflushed),
        ),
        (
            Comparison("with history", "empty", at_most=1.1, measure="latency"),
            # The flush hides much of the difference: without it everything shows.
            Comparison("with history, no flush", "empty, no flush", at_most=1.1, measure="latency"),
        ),
        variables={"history_entries": HISTORY_ENTRIES, "history_lots": HISTORY_LOTS},
    )


def expired_case() -> Case:
    """Lots that expired with credits left, which no sweep has closed yet."""
    return Case(
        "expired",
        f"1 client, an account with {EXPIRED_LOTS:,} expired lots that nobody swept",
        1,
        (
            contestant(SUBJECT, label="with expired lots", preparation=("expired_lots.sql",), database="expired"),
            contestant(SUBJECT, label="without", database="plain"),
            contestant(WALLET, label="wallet with expired lots", preparation=("expired_lots_of_wallet.sql",), database="wallet"),
        ),
        (
            Comparison("with expired lots", "without", measure="latency"),
            Comparison("with expired lots", "wallet with expired lots"),
        ),
        variables={"expired_lots": EXPIRED_LOTS},
    )


def midnight_case() -> Case:
    """Maintenance that works off what is due everywhere at once, beside the debits of the same accounts."""
    shared = {"preparation": ("midnight.sql",), "database": "midnight", "needs_function": "credit_schedule"}
    return Case(
        "midnight",
        f"4 clients, debits of {SCHEDULES:,} accounts whose schedules are all due at one midnight",
        4,
        (contestant(SUBJECT, label="usual", **shared), contestant(SUBJECT, label="beside credit_maintain", **shared)),
        (Comparison("beside credit_maintain", "usual", at_most=2, measure="latency"),),
        kind="midnight",
        accounts=SCHEDULES,
    )


def consumption_case() -> Case:
    """The reports of one account and month out of a long ledger, from the views and by grouping the ledger."""
    return Case(
        "consumption",
        f"reports of an account and month out of {HISTORY_ENTRIES:,} entries of {REPORTED_ACCOUNTS:,} accounts",
        1,
        (contestant(SUBJECT, preparation=("consumption.sql",), debits_prepared=HISTORY_ENTRIES, needs_function="credit_rollup"),),
        kind="reports",
        accounts=REPORTED_ACCOUNTS,
        members=20,
        long=True,
        target_milliseconds=50,
        target_times=50,
        variables={"history_entries": HISTORY_ENTRIES},
    )


def balance_case() -> Case:
    """Reading a balance after the account was hot: its first lot lies in many slots."""
    return Case(
        "balance",
        "reading the balance of an account with 10 open lots, in the server",
        16,
        (contestant(SUBJECT),),
        kind="balance",
        lots=10,
        target_microseconds=100,
        variables={"balance_reads": BALANCE_READS},
    )


def check_case() -> Case:
    """Asking whether a debit would pass, of the same account with two caps that count it."""
    return Case(
        "check",
        "checking a debit of an account with 10 open lots and 2 caps, in the server",
        16,
        (contestant(SUBJECT, preparation=("check_caps.sql",), needs_function="credit_check"),),
        kind="balance",
        lots=10,
        target_microseconds=100,
        variables={"balance_reads": BALANCE_READS},
    )


def counted_case(name: str, title: str, accounts: int) -> Case:
    # Bytes do not depend on waiting for the flush.
    contestants = tuple(contestant(name, settings="-c synchronous_commit=off") for name in (SUBJECT, WALLET, ROW_LOCK, CEILING))
    return Case(name, title, 1, contestants, kind="counted", accounts=accounts)


def bloat_case() -> Case:
    """Old row versions cannot be removed while a snapshot is held open."""
    contestants = tuple(contestant(name) for name in (SUBJECT, WALLET, ROW_LOCK))
    return Case(
        "bloat", f"16 clients, one hot pool, {BLOAT_SECONDS} s with a snapshot held open", 16, contestants, kind="bloat", long=True
    )


def chosen_cases() -> tuple[list[Case], list[Case]]:
    """The cases that BENCH_CASES names, and those that do not run. A name may end in * for all that begin so."""
    cases = all_cases()
    names = os.environ.get("BENCH_CASES", "").replace(",", " ").split()
    if not names:
        chosen = [case for case in cases if not case.long]
    elif names == ["all"]:
        chosen = cases
    else:
        chosen = [case for case in cases if any(matches(case.name, name) for name in names)]
        unknown = [name for name in names if not any(matches(case.name, name) for case in cases)]
        if unknown:
            raise SystemExit(f"no such case: {' '.join(unknown)}; there are: {' '.join(case.name for case in cases)}, or all")
    return chosen, [case for case in cases if case not in chosen]


def matches(case: str, name: str) -> bool:
    return case.startswith(name[:-1]) if name.endswith("*") else case == name
