"""Batches of parameterized notebooks: jobs, content keys, a ledger, engines, and what people see of them."""
