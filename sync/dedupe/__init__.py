"""Duplicates in files, without a project: what ``kehu dedupe`` does (``job.dedupe`` is the entry point)."""
