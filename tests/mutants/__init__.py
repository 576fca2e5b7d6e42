"""Planted bugs: each patch here breaks one promise, and must make the tests that it names fail. They test the tests.

A patch begins with what it breaks, in words, and a line `Red:` with what has to fail: arguments of pytest.
"""
