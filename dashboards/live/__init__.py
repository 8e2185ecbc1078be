"""The process of an open dashboard: its document, and what its page is told."""
