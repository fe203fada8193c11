"""What a proven sender sent and was refused."""
