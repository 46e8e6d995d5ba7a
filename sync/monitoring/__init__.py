"""What operators watch: metrics, and how streams stand at a glance that costs little."""
