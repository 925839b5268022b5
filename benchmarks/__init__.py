"""One script for each claim about speed or quality that is no part of the tests."""
