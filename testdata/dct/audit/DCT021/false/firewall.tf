# notary.docker.io
locals {
  description = "what notary.docker.io was"
  allowed     = ["registry-1.docker.io", "mynotary.docker.iot.example"]
}
