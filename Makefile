# pg_credit. `make help` lists the targets; the work is done by scripts/ and tests/.
#
# PG_CONFIG=/path/to/pg_config names the PostgreSQL to build for; by default the newest supported one here
# that has server headers.

SHELL := /bin/bash
.DEFAULT_GOAL := all
export PG_CONFIG DESTDIR DASHBOARD_DATABASE

.PHONY: all help prerequisites install installcheck demo demo-year psql dashboard replay guards bench lint test test-ci test-all clean

all: ## build the extension for PG_CONFIG into target/package
	@scripts/prerequisites.sh build
	@scripts/build.sh

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

prerequisites: ## install what building, running and testing need
	@scripts/prerequisites.sh test

install: ## copy the built extension into PG_CONFIG's PostgreSQL (DESTDIR is honoured)
	@scripts/install.sh

installcheck: ## run the golden SQL tests on a running server that has it installed (PGHOST and so on)
	@scripts/regress.sh sql

demo: ## the walkthrough, in a throwaway PostgreSQL
	@scripts/demo.sh run

demo-year: ## a year of schedules, rollover and expiry in seconds, month by month and as the picture docs/year.svg
	@scripts/demo_year.sh

psql: ## open the demo's database again
	@scripts/demo.sh open

dashboard: ## consumption, balance and forecast in the browser; DASHBOARD_DATABASE=postgresql://... for your own database
	@dashboard/run.sh

replay: ## CSV=path: debit a trace of LLM requests and compare the ledger with the file
	@scripts/replay_in_throwaway.sh "$(CSV)"

guards: ## write the list of what guards the books anew, after a change of tables, triggers or functions
	@scripts/guards.sh

bench: ## measure debits beside other ways to keep credits, in a throwaway PostgreSQL (bench/README.md)
	@bench/run.sh

lint: ## formatting, clippy and the rules of this repository
	@scripts/prerequisites.sh test
	@scripts/test.sh --only lint

test: ## every test, on one PostgreSQL
	@scripts/test.sh

test-ci: ## every test, on the oldest and the newest supported PostgreSQL
	@scripts/test.sh 15 18

test-all: ## every test, on PostgreSQL 15 to 18
	@scripts/test.sh 15 16 17 18

test-%: ## every test, on PostgreSQL %, as in make test-17
	@scripts/test.sh $*

clean: ## remove everything built, and the demo
	@scripts/demo.sh remove
	@rm -rf target
