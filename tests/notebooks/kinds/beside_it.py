"""Stands beside the notebooks that import and run it."""

said_beside = "said beside it"


def greet(country: str) -> str:
    return f"greetings to {country}"
