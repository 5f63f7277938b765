"""A job's metrics in the engine: kept as series, stored per run, and what each change did to them."""
