import os
os.environ.setdefault("DOCKER_CONTENT_TRUST", "1")
ENV = dict(os.environ, DOCKER_CONTENT_TRUST="1")
