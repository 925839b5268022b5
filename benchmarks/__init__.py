"""One script for each claim about speed or quality that is no part of the tests."""

import edn_core  # noqa: F401 (before torch: it says how many threads there are)
