run(["docker", "push", "--disable-content-trust=false", image])
