"""YAML and rule files to checked settings."""
