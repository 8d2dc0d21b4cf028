"""An environment is changed wholly or not at all: where that may be, the transaction, what RECORD says, repair."""
