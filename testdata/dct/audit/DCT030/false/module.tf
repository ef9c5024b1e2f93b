variable "trust_policy_enabled" {
  type    = bool
  default = false
}
