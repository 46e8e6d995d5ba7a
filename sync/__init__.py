"""Everything stateful: the customer master, the runs, the deliveries. The only place that commits."""
