"""Facts: frozen values, JSON in and out. Nothing here looks at a machine or judges."""
