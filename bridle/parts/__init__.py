"""Interchangeable parts; no part imports another."""
