Copy-Item $key "$env:USERPROFILE\.docker\trust\private"
