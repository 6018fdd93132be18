"""Where records are kept: in memory, in SQLite, in PostgreSQL."""
