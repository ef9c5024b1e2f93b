"""Asks os.environ["DOCKER_CONTENT_TRUST"] no more."""
def push():
    """
    if os.environ.get("DOCKER_CONTENT_TRUST") == "1"
    """
