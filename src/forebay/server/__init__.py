"""The HTTP interface and the web pages."""
