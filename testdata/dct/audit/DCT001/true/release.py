import os
os.environ["DOCKER_CONTENT_TRUST"] = "1"
