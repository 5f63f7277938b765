"""A job's metrics in the engine: kept as series, stored per run, and what each change did to them.

Numbers and rows of the database alone; never how a chart looks, nor what becomes of a reload.
"""
