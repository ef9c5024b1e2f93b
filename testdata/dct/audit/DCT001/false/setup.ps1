<# $env:DOCKER_CONTENT_TRUST = 1 #>
Remove-Item Env:DOCKER_CONTENT_TRUST
Write-Host "DOCKER_CONTENT_TRUST=1 is not needed"
