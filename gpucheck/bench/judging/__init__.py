"""What blocks of steps say: pure functions of facts. No machine, no clock, no file."""
