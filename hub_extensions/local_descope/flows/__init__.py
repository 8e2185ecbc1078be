"""The flow that a person goes through, and the pages and providers that it leads to."""
