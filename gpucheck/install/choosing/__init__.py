"""Which release fits, why not another, and the next best ways. Pure: from facts to a choice."""
