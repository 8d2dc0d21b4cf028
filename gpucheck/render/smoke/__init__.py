"""How a smoke test is told: for people, for programs (smoke.schema.json), as JUnit's XML, as a plugin of Nagios."""
