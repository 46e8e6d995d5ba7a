"""Files as a source: CSV, TSV, Excel, JSON, JSON lines and Parquet, one file, a folder or a glob to a stream."""
