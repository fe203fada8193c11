"""Production rehearsed without a container engine: the deployment files' own services as isolated real processes."""
