"""What is left of budgets and rates, shared by the workers of a machine: in memory, or in a SQLite file."""
