"""What one dead or stalled destination of ten costs the other nine: throughput and latency, without and with it."""
