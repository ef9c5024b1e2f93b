subprocess.run(["notary", "publish", "registry.example.com/acme/app"])
