subprocess.run(["docker", "trust", "sign", image], check=True)
