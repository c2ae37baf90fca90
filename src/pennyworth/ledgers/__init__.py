"""The books: journals that acknowledge, ledgers that add up, and the folder that carries records from one to the other."""
