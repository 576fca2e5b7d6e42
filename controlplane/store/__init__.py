"""State, behind one port.

`operations` says what is done, once, as generators that yield named queries; `sqlite` and `postgres` run them, each in the
way that makes its database fast. `queries.sql` is the one source of the SQL.
"""
