"""Superset as `make dashboard` runs it: alone on this machine, for as long as it is looked at. dashboard/run.sh sets the environment."""

import os

from sqlalchemy.engine.url import make_url

SECRET_KEY = os.environ["SUPERSET_SECRET_KEY"]
SQLALCHEMY_DATABASE_URI = f"sqlite:///{os.environ['SUPERSET_HOME']}/superset.db"

APP_NAME = "pg_credit"
# Nothing is asked of other machines, so also not the pixel that counts installations: the browser is not allowed to.
TALISMAN_CONFIG = {
    "content_security_policy": {
        "default-src": ["'self'"],
        "base-uri": ["'self'"],
        "img-src": ["'self'", "blob:", "data:"],
        "worker-src": ["'self'", "blob:"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "script-src": ["'self'", "'strict-dynamic'"],
        "object-src": "'none'",
    },
    "content_security_policy_nonce_in": ["script-src"],
    "force_https": False,
    "session_cookie_secure": False,
}
# What is shown is what the database says now.
CACHE_CONFIG = {"CACHE_TYPE": "NullCache"}
DATA_CACHE_CONFIG = {"CACHE_TYPE": "NullCache"}
# One process: what it remembers between requests may live in it.
RATELIMIT_STORAGE_URI = "memory://"


def DB_CONNECTION_MUTATOR(uri, params, username, security_manager, source):
    """Connects to the database that `make dashboard` was given, whatever the imported connection says, and only to read."""
    arguments = params.setdefault("connect_args", {})
    arguments["options"] = "-c default_transaction_read_only=on -c statement_timeout=60s"
    arguments["application_name"] = "pg_credit dashboard"
    return make_url(os.environ["DASHBOARD_DATABASE"]), params
