"""Published tables as typed Python rows, a source in each row. No logic beyond look-up."""
