# DOCKER_CONTENT_TRUST = "1"
/*
DOCKER_CONTENT_TRUST = "1"
*/
variable "image" {
  description = "Pulled with DOCKER_CONTENT_TRUST=1 in the past"
}
