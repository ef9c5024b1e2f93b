print(subprocess.check_output("docker trust sign acme/app:1", shell=True))
print(subprocess.check_output(["docker", "trust", "sign", "acme/app:1"]))
print("docker trust sign acme/app:{}".format(tag))
