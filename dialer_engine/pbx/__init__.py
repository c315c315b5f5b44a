"""Asterisk: bundle, nodes, ARI and AMI."""
