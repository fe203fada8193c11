"""What senders see while the broker, the disk or the ingress itself fails."""
