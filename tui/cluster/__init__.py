"""Replicas of a task on a Dask cluster: the process between the engine and the cluster, and what runs on its workers.

To the engine this process is a worker like any other; only it, and never the engine, imports Dask. Each replica is a
worker process of `tui.worker` below one of the cluster's workers, to which its program and the task's folder travel as
data.
"""
