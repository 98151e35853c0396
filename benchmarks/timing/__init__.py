"""What `benchmarks/speed.py` times: worlds, updates, runs."""
