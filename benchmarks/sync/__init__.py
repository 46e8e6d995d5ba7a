"""Reading a local API of customers into a database: kehu beside a floor and beside dlt."""
