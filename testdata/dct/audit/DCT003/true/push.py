import os
if os.environ.get("DOCKER_CONTENT_TRUST") == "1":
    pass
NAME = "DOCKER_CONTENT_TRUST"
