"""What a valid row is, and what is done with every column: profile, plan, ledger, categories."""
