"""What every test may ask for: the real servers and the shared data. Fixtures of one domain live beside its tests."""

pytest_plugins = ["tests.recursion", "tests.servers.pytest_fixtures", "tests.journeys.pytest_fixtures"]
