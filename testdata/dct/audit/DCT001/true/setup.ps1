
$env:DOCKER_CONTENT_TRUST = "1"
[Environment]::SetEnvironmentVariable("DOCKER_CONTENT_TRUST", "1", "Machine")
Set-Item -Path Env:DOCKER_CONTENT_TRUST -Value 1
New-Item env:\DOCKER_CONTENT_TRUST -Value 1
