"""The control plane: tenants, clusters, pipelines, presets and jobs, and which node works on what."""
