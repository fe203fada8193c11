"""What the console's pages ask beside figures: devices' events, funnels, quarantine, audit, health."""
