"""Import, export and correction of Members' contacts."""
