"""南洋贸易有限公司 (Nanyang Trading), an invented company whose customers are scattered over five systems.

Everything is made up by a seeded generator: the same seed gives the same bytes. Who is who is known (``truth.csv``), so
that what kehu makes of it can be measured.
"""
