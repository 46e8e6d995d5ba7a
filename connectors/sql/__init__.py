"""Databases as a source: any that SQLAlchemy reaches; tables, views or SELECT statements as streams."""
