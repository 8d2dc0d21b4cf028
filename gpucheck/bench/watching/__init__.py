"""What goes on around a measurement: other programs, clocks, power, and what machine this is. No judging."""
