def pictures(document):
    return {}
