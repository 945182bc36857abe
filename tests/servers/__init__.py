"""Real servers for the tests: each is started on loopback, in a folder of its own, and stopped by process id.

Nothing here imitates a server. A missing program is reported by name (`MissingProgram`); whether that skips or
fails a test is decided in `pytest_fixtures` alone. Programs are installed by `.ci/install-servers` and looked
up by `programs`.
"""
