
$env:DOCKER_CONTENT_TRUST = "1"
[Environment]::SetEnvironmentVariable("DOCKER_CONTENT_TRUST", "1", "Machine")
