"""What is shipped beside the code: SQL, images, Kubernetes files, dashboards."""
